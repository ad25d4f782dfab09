/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs a boot loader. Prepares the boot loader's files and arguments, starts it, and handles its end.
 * boot_reply.c reads the reply.
 *
 * Owns: the directory and the reply's file, from libxl__boot_loader_prepare to libxl__boot_loader_clean. The
 * functions for workers run unlocked and use only the libxl__boot_loader. All other functions are called with
 * the context locked.
 */
#include "boot_loader.h"
#include "libxl_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PLACE "/var/lib/xen"

enum { LIMIT_S = 120, LONGEST_PATH = 4096, OPEN_DIRECTORIES = 8 };

static int fail(libxl__boot_loader *loader, const char *what)
{
    snprintf(loader->why, sizeof(loader->why), "%s: %s", what, strerror(errno));
    return ERROR_FAIL;
}

/* ---- functions for a worker */

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *where)
{
    (void)status, (void)kind, (void)where;
    remove(path);
    return 0; /* 0 even after a failure, so that nftw continues with the other files */
}

static void remove_files(const libxl__boot_loader *loader)
{
    nftw(loader->directory, remove_entry, OPEN_DIRECTORIES, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
    unlink(loader->output);
}

int libxl__boot_loader_prepare(libxl__boot_loader *loader, const char *name, uint32_t domid)
{
    loader->name = name;
    loader->kernel_fd = loader->ramdisk_fd = -1;
    snprintf(loader->directory, sizeof(loader->directory), PLACE "/bootloader.%u.d", domid);
    snprintf(loader->output, sizeof(loader->output), PLACE "/bootloader.%u.out", domid);
    remove_files(loader);
    if (mkdir(PLACE, 0755) && errno != EEXIST)
        return fail(loader, PLACE);
    if (mkdir(loader->directory, 0700))
        return fail(loader, loader->directory);
    loader->prepared = true;
    const int fd = open(loader->output, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return fail(loader, loader->output);
    close(fd);
    errno = libxl__terminal_open(&loader->terminal);
    return errno ? fail(loader, "opening a terminal for the boot loader") : 0;
}

void libxl__boot_loader_clean(libxl__boot_loader *loader)
{
    if (loader->prepared)
        remove_files(loader);
    loader->prepared = false;
}

void libxl__boot_loader_free(libxl__boot_loader *loader)
{
    if (loader->kernel_fd >= 0)
        close(loader->kernel_fd);
    if (loader->ramdisk_fd >= 0)
        close(loader->ramdisk_fd);
    loader->kernel_fd = loader->ramdisk_fd = -1;
    free(loader->reply);
    loader->reply = NULL;
    loader->kernel = loader->ramdisk = loader->cmdline = NULL;
}

/* ---- starting and ending the boot loader */

static int fail_ao(libxl__ao *ao, const libxl__boot_loader *loader, const char *why)
{
    char words[LIBXL__BOOT_LOADER_WHY];
    libxl__terminal_words(&loader->terminal, words, sizeof(words));
    return libxl__ao_fail(ao, ERROR_KERNEL, "d_config.b_info.bootloader: %s: %s%s%s", loader->name, why,
                          *words ? "; it printed last: " : "", words);
}

/*
 * Finds the boot loader. A name without a slash is searched in Xen's directories for programs, and then in
 * PATH. Returns the path, or the name if it must be searched in PATH. The result is in the operation's
 * memory. Returns NULL if there is no memory.
 */
static const char *find(libxl__ao *ao, const char *name, unsigned version)
{
    const char *debian = libxl__gc_printf(&ao->gc, "/usr/lib/xen-%u.%u/bin", version >> 16, version & 0xffff);
    const char *const places[] = {debian, "/usr/libexec/xen/bin", "/usr/lib/xen/bin",
                                  "/usr/local/lib/xen/bin"};
    if (!debian || strchr(name, '/'))
        return debian ? name : NULL;
    for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
        const char *path = libxl__gc_printf(&ao->gc, "%s/%s", places[i], name);
        if (!path || access(path, X_OK) == 0)
            return path;
    }
    return name;
}

/*
 * Returns the boot loader's arguments, in the order in which libxl passes them. Returns NULL if there is no
 * memory.
 */
static const char *const *arguments(libxl__ao *ao, const libxl__boot_loader *loader,
                                    const libxl__boot_loader_job *job)
{
    const struct {
        const char *option, *value;
    } options[] = {{"--kernel", job->kernel},
                   {"--ramdisk", job->ramdisk},
                   {"--args", job->cmdline && *job->cmdline ? job->cmdline : NULL}},
      last[] = {{"--output", loader->output},
                {"--output-format", "simple0"},
                {"--output-directory", loader->directory}};
    size_t count = 0, n = 0;
    while (job->args && job->args[count])
        count++;
    const char **argv = libxl__gc_alloc(&ao->gc, (count + 9) * sizeof(*argv));
    if (!argv)
        return NULL;
    argv[n++] = find(ao, loader->name, job->version);
    for (size_t i = 0; i < 3; i++)
        if (options[i].value)
            argv[n++] = libxl__gc_printf(&ao->gc, "%s=%s", options[i].option, options[i].value);
    for (size_t i = 0; i < 3; i++)
        argv[n++] = libxl__gc_printf(&ao->gc, "%s=%s", last[i].option, last[i].value);
    for (size_t i = 0; i < count; i++)
        argv[n++] = job->args[i];
    argv[n++] = job->disk;
    for (size_t i = 0; i < n; i++)
        if (!argv[i])
            return NULL;
    return argv;
}

/*
 * Returns the time limit of the boot loader, in seconds; 0: no limit. Reads the environment variable that libxl also
 * uses.
 */
static unsigned limit_s(void)
{
    const char *text = getenv("LIBXL_BOOTLOADER_TIMEOUT");
    const long value = text && *text ? strtol(text, NULL, 10) : LIMIT_S;
    return value <= 0 ? 0 : value > 86400 ? 86400 : (unsigned)value;
}

int libxl__boot_loader_start(libxl__ao *ao, libxl__boot_loader *loader, const libxl__boot_loader_job *job)
{
    const char *const *argv = arguments(ao, loader, job);
    const char *path = getenv("PATH");
    const char **environment = libxl__gc_alloc(&ao->gc, 3 * sizeof(*environment));
    if (!argv || !environment)
        return ERROR_NOMEM;
    /* The type of the client's terminal is not known; most terminals understand vt100. */
    environment[0] = "TERM=vt100";
    environment[1] = libxl__gc_printf(&ao->gc, "PATH=%s", path ? path : "/usr/sbin:/usr/bin:/sbin:/bin");
    if (!environment[1])
        return ERROR_NOMEM;
    const int end = loader->terminal.program_end, stdio[3] = {end, end, end};
    loader->child.environment = environment;
    loader->child.group = true;
    int rc = libxl__child_start(ao, &loader->child, argv, stdio, LIBXL__SECONDS(limit_s()));
    if (rc == ERROR_FAIL) {
        snprintf(loader->why, sizeof(loader->why), "%s", libxl__ao_words(ao, rc));
        libxl__ao_forget_failure(ao);
        return fail_ao(ao, loader, loader->why);
    }
    if (rc)
        return rc;
    rc = libxl__terminal_relay(ao->ctx, &loader->terminal);
    return rc ? libxl__ao_fail(ao, rc, "polling the boot loader's terminal: %s", strerror(errno)) : 0;
}

int libxl__boot_loader_result(libxl__ao *ao, libxl__boot_loader *loader)
{
    const libxl__child *child = &loader->child;
    char why[64];
    libxl__terminal_close(ao->ctx, &loader->terminal);
    if (child->timed_out)
        snprintf(why, sizeof(why), "did not end within %u s", limit_s());
    else if (child->wait_error)
        snprintf(why, sizeof(why), "its exit status was taken away");
    else if (child->signal)
        snprintf(why, sizeof(why), "killed by signal %d", child->signal);
    else if (child->status)
        snprintf(why, sizeof(why), "exit status %d", child->status);
    else
        return 0;
    return fail_ao(ao, loader, why);
}
