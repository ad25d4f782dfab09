/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: ctx->xen->marker, which is set when a mark is first written or read. The context's lock guards it.
 *
 * The kernel generates the files of /proc at once, so reading them does not block.
 */
#include "marks.h"
#include "xen.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Reads the beginning of a file as a text. Returns true, or false if the file is empty or cannot be read. */
static bool read_text(const char *path, char *text, size_t size)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    const ssize_t got = fd < 0 ? -1 : read(fd, text, size - 1);
    if (fd >= 0)
        close(fd);
    text[got > 0 ? got : 0] = '\0';
    return got > 0;
}

/*
 * Reads the state and the start time of a process from /proc/PID/stat. The file contains "PID (NAME) STATE
 * ..."; NAME may contain any character. The start time is the 20th word after NAME. Returns true, or false if
 * the file cannot be read or has another form.
 */
static bool read_process(uint32_t pid, char *state, unsigned long long *start)
{
    enum { WORDS = 20 };
    char path[32], text[1024];
    snprintf(path, sizeof(path), "/proc/%u/stat", pid);
    if (!read_text(path, text, sizeof(text)))
        return false;
    const char *at = strrchr(text, ')');
    if (!at || sscanf(at, ") %c", state) != 1)
        return false;
    for (int i = 0; i < WORDS && at; i++)
        at = strchr(at + 1, ' ');
    return at && sscanf(at, " %llu", start) == 1;
}

static const libxl__marker *marker_of(libxl_ctx *ctx)
{
    libxl__marker *marker = &ctx->xen->marker;
    struct stat pids = {.st_ino = 0};
    char state, boot[40];
    if (marker->pid)
        return marker;
    if (!read_text("/proc/sys/kernel/random/boot_id", boot, sizeof(boot)))
        strcpy(boot, "unknown");
    boot[strcspn(boot, "\n")] = '\0';
    if (stat("/proc/self/ns/pid", &pids))
        pids.st_ino = 0;
    snprintf(marker->where, sizeof(marker->where), "%s/%ju", boot, (uintmax_t)pids.st_ino);
    marker->pid = (uint32_t)getpid();
    if (!read_process(marker->pid, &state, &marker->start))
        marker->start = 0;
    return marker;
}

static uint64_t since_boot_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Reads the word DOMID of a mark. Returns true, or false if `word` is not valid. */
static bool read_domid(const char *word, uint32_t *domid)
{
    char rest;
    *domid = LIBXL_DOMID_INVALID;
    return strcmp(word, "-") == 0 ||
           (sscanf(word, "%" SCNu32 "%c", domid, &rest) == 1 && *domid < LIBXL__DOMID_FIRST_RESERVED);
}

/* The word HANDLE of the mark of a soft reset. */
#define RESET "reset"

/* Reads the word HANDLE of a mark. Returns true, or false if `word` is not valid. */
static bool read_handle(const char *word, libxl_uuid *handle)
{
    libxl_uuid_clear(handle);
    return strcmp(word, "-") == 0 || strcmp(word, RESET) == 0 || !libxl_uuid_from_string(handle, word);
}

void libxl__mark_text(libxl_ctx *ctx, bool given_up, uint32_t domid, const libxl_uuid *handle,
                      char text[LIBXL__MARK_TEXT])
{
    const libxl__marker *marker = marker_of(ctx);
    char number[12] = "-", unique[LIBXL_UUID_FMTLEN + 1] = "-";
    if (domid != LIBXL_DOMID_INVALID)
        snprintf(number, sizeof(number), "%u", domid);
    if (handle)
        snprintf(unique, sizeof(unique), LIBXL_UUID_FMT, LIBXL_UUID_BYTES(*handle));
    snprintf(text, LIBXL__MARK_TEXT, "%u %llu %s %" PRIu64 " %s %s", given_up ? 0 : marker->pid,
             marker->start, marker->where, since_boot_ms(), number, unique);
}

static void write_mark(libxl__xs_batch *batch, const libxl_uuid *uuid, bool given_up, uint32_t domid,
                       const libxl_uuid *handle)
{
    char text[LIBXL__MARK_TEXT];
    libxl__mark_text(batch->ao->ctx, given_up, domid, handle, text);
    libxl__xs_write(batch, LIBXL__XS_INHERITS, text, LIBXL__MARK_FMT, LIBXL__MARK_OF(*uuid));
}

void libxl__mark_write(libxl__xs_batch *batch, const libxl_uuid *uuid, uint32_t domid,
                       const libxl_uuid *handle)
{
    write_mark(batch, uuid, false, domid, handle);
}

void libxl__mark_give_up(libxl__xs_batch *batch, const libxl_uuid *uuid, uint32_t domid,
                         const libxl_uuid *handle)
{
    write_mark(batch, uuid, true, domid, handle);
}

void libxl__mark_reset(libxl__xs_batch *batch, const libxl_uuid *uuid, bool given_up, uint32_t domid)
{
    char text[LIBXL__MARK_TEXT];
    libxl__mark_text(batch->ao->ctx, given_up, domid, NULL, text);
    snprintf(strrchr(text, '-'), sizeof(RESET), RESET); /* the word HANDLE is the last one */
    libxl__xs_write(batch, LIBXL__XS_INHERITS, text, LIBXL__MARK_FMT, LIBXL__MARK_OF(*uuid));
}

void libxl__mark_remove(libxl__xs_batch *batch, const libxl_uuid *uuid)
{
    libxl__xs_remove(batch, LIBXL__MARK_FMT, LIBXL__MARK_OF(*uuid));
}

void libxl__mark_require_none(libxl__xs_batch *batch, const libxl_uuid *uuid)
{
    libxl__xs_require_absent(batch, ERROR_BUSY, LIBXL__MARK_FMT, LIBXL__MARK_OF(*uuid));
}

int libxl__mark_busy(libxl__ao *ao, uint32_t domid)
{
    return libxl__ao_fail(ao, ERROR_BUSY, "domain %u is being made or reset", domid);
}

/* Returns whether the process has ended. Returns true for a zombie, too, because a zombie runs no code. */
static bool has_ended(uint32_t pid, unsigned long long start)
{
    char state;
    unsigned long long now;
    if (!pid || (kill((pid_t)pid, 0) && errno == ESRCH))
        return true;
    if (!read_process(pid, &state, &now))
        return false; /* the state of the process is not known */
    return state == 'Z' || state == 'X' || (start && now != start);
}

bool libxl__mark_read(libxl_ctx *ctx, const char *text, libxl__mark *mark)
{
    char where[64], number[12], unique[LIBXL_UUID_FMTLEN + 1];
    unsigned long long start;
    uint64_t then;
    if (sscanf(text, "%" SCNu32 " %llu %63s %" SCNu64 " %11s %36s", &mark->pid, &start, where, &then, number,
               unique) != 6 ||
        mark->pid > INT32_MAX || !read_domid(number, &mark->domid) || !read_handle(unique, &mark->handle))
        return false;
    mark->resets = strcmp(unique, RESET) == 0;
    const uint64_t now = since_boot_ms();
    const libxl__marker *self = marker_of(ctx);
    const bool here = strcmp(where, self->where) == 0;
    mark->left = here && has_ended(mark->pid, start);
    mark->runs = here && !mark->left;
    mark->own = here && mark->pid == self->pid && start == self->start;
    mark->age_ms = here && now > then ? now - then : 0;
    return true;
}
