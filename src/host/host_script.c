/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs hotplug scripts. Owns: the reading end of each script's pipe, until the script or its operation has
 * ended. The context's lock guards the pipes. log_work runs on a worker, unlocked, and uses only the buffer
 * that the loop has passed to it.
 *
 * A script may print faster than the log file can be written. It may also print while the disk with the log
 * file hangs. The script's output is read in both cases. Output that does not fit into two buffers is
 * dropped. A line in the log file gives the number of dropped octets.
 */
#include "host_script.h"
#include "libxl_internal.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOG_FILE "/var/log/xen/xen-hotplug.log"

enum { LOG_ROOM = 16384, READ_AT_ONCE = 4096, READS_AT_ONCE = 16 };

typedef struct libxl__script_log {
    libxl__job job;
    uint32_t filled;             /* the number of octets in text[filling] */
    uint32_t writing;            /* the number of octets in the other buffer, which the job writes */
    unsigned filling;            /* the index of the buffer that is being filled: 0 or 1 */
    unsigned long dropped;       /* the number of octets that were dropped because both buffers were full */
    char text[2][LOG_ROOM + 64]; /* the two buffers; each has room for the line about dropped octets */
} script_log;

/* ---- the log file */

/*
 * Appends a buffer to the log file. Failures are ignored, because the error message contains the script's
 * last line anyway.
 */
static void log_work(libxl_ctx *ctx, libxl__job *job)
{
    (void)ctx;
    const script_log *log = LIBXL__CONTAINER(job, script_log, job);
    const int fd = open(LOG_FILE, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0644);
    if (fd < 0)
        return;
    const ssize_t written = write(fd, log->text[!log->filling], log->writing);
    (void)written;
    close(fd);
}

/* Passes the filled buffer to the worker. Does nothing while the worker is still writing the other buffer. */
static void flush(libxl__ao *ao, script_log *log)
{
    if (!log->filled || log->job.state == LIBXL__JOB_QUEUED || log->job.state == LIBXL__JOB_RUNNING)
        return;
    if (log->dropped)
        log->filled += (uint32_t)snprintf(log->text[log->filling] + log->filled, 64,
                                          "\n[%lu octets are missing here]\n", log->dropped);
    log->writing = log->filled;
    log->filling = !log->filling;
    log->filled = 0;
    log->dropped = 0;
    log->job.work = log_work;
    /* After an error the text is lost. The error is logged. */
    libxl__job_submit(&ao->ctx->host->lane, ao, &log->job);
}

static void add(libxl__ao *ao, script_log *log, const char *text, uint32_t length)
{
    if (length > LOG_ROOM - log->filled)
        flush(ao, log);
    const uint32_t room = LOG_ROOM - log->filled, taken = length < room ? length : room;
    memcpy(log->text[log->filling] + log->filled, text, taken);
    log->filled += taken;
    log->dropped += length - taken;
}

/* ---- the output of the script */

/* Stores the last line of the output that is not blank, for the error message. */
static void note_lines(libxl__script *script, const char *text, uint32_t length)
{
    for (const char *end = text + length; text < end; text++) {
        if (*text == '\n') {
            script->line[script->line_length] = 0;
            if (script->line[strspn(script->line, " \t\r")])
                memcpy(script->last, script->line, script->line_length + 1);
            script->line_length = 0;
        } else if (script->line_length < LIBXL__SCRIPT_LAST && *text) {
            script->line[script->line_length++] = *text;
        }
    }
}

/* Reads output. Returns true if more can be read. Returns false at the end and after an error. */
static bool read_some(libxl__script *script)
{
    char text[READ_AT_ONCE];
    for (int i = 0; i < READS_AT_ONCE; i++) {
        const ssize_t length = read(script->output.fd, text, sizeof(text));
        if (length <= 0)
            return length < 0 && (errno == EAGAIN || errno == EINTR);
        note_lines(script, text, (uint32_t)length);
        add(script->child.ao, script->log, text, (uint32_t)length);
    }
    return true;
}

static void output_ready(libxl_ctx *ctx, libxl__fd *fd, uint32_t revents)
{
    (void)revents;
    libxl__script *script = LIBXL__CONTAINER(fd, libxl__script, output);
    if (!read_some(script))
        libxl__source_stop(ctx, &script->source);
}

static void output_stop(libxl_ctx *ctx, libxl__source *source)
{
    libxl__script *script = LIBXL__CONTAINER(source, libxl__script, source);
    const int fd = script->output.fd;
    libxl__fd_deregister(ctx, &script->output);
    close(fd);
}

/* ---- starting and ending the script */

static int count(const char *const list[])
{
    int n = 0;
    while (list[n])
        n++;
    return n;
}

/*
 * Returns the script's environment as an array in the operation's memory: `variables`, PATH, and the variables of
 * this process that say where xenstored is. Returns NULL if there is no memory.
 */
static const char *const *environment(libxl__ao *ao, const char *const variables[])
{
    static const char *const passed[] = {"PATH", "XENSTORED_PATH", "XENSTORED_RUNDIR"};
    enum { PASSED = sizeof(passed) / sizeof(*passed) };
    int n = count(variables);
    const char **list = libxl__gc_alloc(&ao->gc, sizeof(*list) * (size_t)(n + PASSED + 1));
    if (!list)
        return NULL;
    memcpy(list, variables, sizeof(*list) * (size_t)n);
    for (int i = 0; i < PASSED; i++) {
        const char *value = getenv(passed[i]);
        if (!value && !i)
            value = "/usr/sbin:/usr/bin:/sbin:/bin";
        if (value && !(list[n++] = libxl__gc_printf(&ao->gc, "%s=%s", passed[i], value)))
            return NULL;
    }
    return list;
}

/* Starts the child with the writing end of the pipe. Returns 0 or an error, recorded in ao. */
static int start_child(libxl__ao *ao, libxl__script *script, const char *const argv[], int writing)
{
    const int stdio[3] = {-1, writing, writing};
    const int rc = libxl__child_start(ao, &script->child, argv, stdio, LIBXL__MILLISECONDS(script->limit_ms));
    return rc == ERROR_FAIL ? ERROR_SCRIPT : rc;
}

static int fail_errno(libxl__ao *ao, const char *what)
{
    return libxl__ao_fail(ao, ERROR_FAIL, "%s: %s", what, strerror(errno));
}

int libxl__script_start(libxl__ao *ao, libxl__script *script, const char *const argv[],
                        const char *const variables[], unsigned limit_ms)
{
    int ends[2];
    script->path = argv[0];
    script->limit_ms = limit_ms;
    script->log = libxl__gc_alloc(&ao->gc, sizeof(*script->log));
    script->child.environment = environment(ao, variables);
    script->child.group = true;
    if (!script->log || !script->child.environment)
        return ERROR_NOMEM;
    /* A missing script is a frequent mistake, so it is checked first, with a clear message. */
    if (access(argv[0], X_OK))
        return libxl__ao_fail(ao, ERROR_SCRIPT, "%s: %s", argv[0], strerror(errno));
    if (pipe2(ends, O_CLOEXEC))
        return fail_errno(ao, "pipe2");
    int rc = fcntl(ends[0], F_SETFL, O_NONBLOCK) ? fail_errno(ao, "fcntl") : 0;
    if (!rc && libxl__fd_register(ao->ctx, &script->output, ends[0], EPOLLIN, output_ready))
        rc = libxl__ao_fail(ao, ERROR_FAIL, "epoll_ctl: %s", strerror(errno));
    if (rc) {
        close(ends[0]);
    } else {
        /* child.ao is set here, because output may be read before libxl__child_start sets it. */
        script->child.ao = ao;
        script->output.close_on_fork = true;
        libxl__source_attach(ao, &script->source, output_stop);
        rc = start_child(ao, script, argv, ends[1]);
    }
    close(ends[1]);
    return rc;
}

/*
 * Reads the output that the script has printed before its end. Programs that the script has started may still
 * have the pipe open. This function does not wait for them.
 */
static void finish_output(libxl__ao *ao, libxl__script *script)
{
    if (script->source.ao) {
        read_some(script);
        libxl__source_stop(ao->ctx, &script->source);
    }
    note_lines(script, "\n", 1);
    flush(ao, script->log);
}

static int judge(libxl__ao *ao, const libxl__script *script)
{
    const libxl__child *child = &script->child;
    const char *words = *script->last ? script->last : "it has printed nothing";
    if (child->wait_error)
        return libxl__child_result(child, script->path);
    if (child->timed_out)
        return libxl__ao_fail(ao, ERROR_SCRIPT, "%s: did not end within %u ms: %s", script->path,
                              script->limit_ms, words);
    if (child->signal)
        return libxl__ao_fail(ao, ERROR_SCRIPT, "%s: killed by signal %d: %s", script->path, child->signal,
                              words);
    if (child->status)
        return libxl__ao_fail(ao, ERROR_SCRIPT, "%s: exit status %d: %s", script->path, child->status, words);
    return 0;
}

int libxl__script_poll(libxl__ao *ao, libxl__script *script)
{
    if (!script->child.done)
        return LIBXL__AO_WAIT;
    if (script->source.ao || script->log->filled)
        finish_output(ao, script);
    const int state = script->log->job.state;
    /* Waits until the last output is in the log file. */
    if (script->log->filled || state == LIBXL__JOB_QUEUED || state == LIBXL__JOB_RUNNING)
        return LIBXL__AO_WAIT;
    return judge(ao, script);
}
