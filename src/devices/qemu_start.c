/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The start of a QEMU:
 *
 *   LOOKING - the domain's QEMU runs: FINDING ---------------------------------------+- STARTING - done
 *           +- it does not run: PREPARING - LAUNCHING - IDENTIFYING - ANNOUNCING -----+     +- FAILING: it has ended
 *
 * The QEMU of an HVM domain has no step STARTING. If such a QEMU has ended, the library starts no other.
 *
 * A shell launches QEMU in the background and then ends. So QEMU is not a child of this process. The shell
 * writes QEMU's process id to a pipe.
 *
 * Owns: QEMU's process, until the start is done. Also owns the log file's descriptor and the pipe. Locks: the
 * context's lock, held by the caller.
 */
#include "device.h"
#include "host.h"
#include "hvm_settings.h"
#include "libxl_internal.h"
#include "qemu.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SHELL "/bin/sh"
/* QEMU gets a new session, so that signals of this process's terminal do not reach QEMU. */
#define LAUNCH "XEN_QEMU_CONSOLE_LIMIT=1048576 setsid \"$@\" >&2 & echo $!"
/* The shell's standard input is the monitor's listening socket, and its first argument is the domid. */
#define LAUNCH_HVM "exec 3<&0 </dev/null; XEN_DOMAIN_ID=$0 " LAUNCH
/* The shell's descriptor 3 has the state of the devices. */
#define LAUNCH_SAVED "exec 4<&3; " LAUNCH_HVM
/* The time limit of the launcher. The launcher normally takes milliseconds. */
#define LAUNCH_LIMIT LIBXL__SECONDS(20)

enum { FIXED = 7 }; /* the greatest number of arguments that come before QEMU's arguments */

static int run_job(libxl__ao *ao, libxl__qemu_start *s, void (*work)(libxl_ctx *, libxl__job *))
{
    s->job.job = (libxl__job){.work = work};
    s->job.domid = s->domid;
    const int rc = libxl__job_submit(&ao->ctx->host->lane, ao, &s->job.job);
    return rc ? rc : LIBXL__AO_WAIT;
}

static int new_batch(libxl__ao *ao, libxl__qemu_start *s)
{
    libxl__xs_batch_free(s->batch);
    s->batch = libxl__xs_batch_new(ao, s->domid);
    return s->batch ? 0 : ERROR_NOMEM;
}

static int run_batch(libxl__qemu_start *s, libxl__xs_mode mode)
{
    const int rc = libxl__xs_run(s->batch, mode);
    return rc ? rc : LIBXL__AO_WAIT;
}

/* ---- LOOKING, FINDING: find out whether QEMU runs */

int libxl__qemu_start_begin(libxl__ao *ao, libxl__qemu_start *s)
{
    char path[LIBXL__QEMU_PATH];
    s->begun = true;
    s->job.fd = -1;
    s->step = LIBXL__QEMU_LOOKING;
    const int rc = new_batch(ao, s);
    if (rc)
        return rc;
    libxl__qemu_pid_path(path, s->server, s->domid);
    s->pid_node = libxl__xs_read(s->batch, "%s", path);
    if (s->server)
        return run_batch(s, LIBXL__XS_ONE_BY_ONE);
    s->name_node = libxl__xs_read(s->batch, "/local/domain/%u/name", s->domid);
    s->memory_node = libxl__xs_read(s->batch, "/local/domain/%u/memory/target", s->domid);
    s->type_node = libxl__xs_read(s->batch, "/libxl/%u/type", s->domid);
    return run_batch(s, LIBXL__XS_ONE_BY_ONE);
}

/* Returns the domain's memory without that of its graphics card, in MiB. */
static unsigned long hvm_megabytes(const libxl_domain_config *config)
{
    const libxl_domain_build_info *info = &config->b_info;
    const bool has_max = info->max_memkb && info->max_memkb != LIBXL_MEMKB_DEFAULT;
    const uint64_t kb = has_max ? info->max_memkb : info->target_memkb;
    return (unsigned long)(kb / 1024 - libxl__hvm_video_kb(info) / 1024);
}

static int await_running(libxl__ao *ao, libxl__qemu_start *s)
{
    char path[LIBXL__QEMU_PATH];
    if (s->hvm)
        return 0;
    s->step = LIBXL__QEMU_STARTING;
    snprintf(path, sizeof(path), LIBXL__QEMU_NODES_IN "/state", s->server, s->domid);
    const int rc = libxl__await_start(ao, &s->running, path, libxl__await_equal, "running");
    return rc ? rc : libxl__qemu_start_poll(ao, s);
}

/* Writes the nodes of the saved QEMU. Their keys and their number were checked before. */
static void write_saved(const libxl__qemu_start *s)
{
    const char *end = s->saved->nodes + s->saved->nodes_size;
    for (const char *key = s->saved->nodes; key < end;) {
        const char *value = key + strlen(key) + 1;
        libxl__xs_write(s->batch, LIBXL__XS_INHERITS, value, LIBXL__QEMU_NODES "/%s", s->domid, key);
        key = value + strlen(value) + 1;
    }
}

/* Chooses the log file and the arguments of the domain's QEMU. */
static int prepare_guests(libxl__ao *ao, libxl__qemu_start *s)
{
    const char *found = libxl__xs_value(s->name_node), *memory = libxl__xs_value(s->memory_node);
    const char *name = s->config ? s->config->c_info.name : found ? found : "";
    /* The node memory/target of an HVM domain excludes the memory of its graphics card. */
    const unsigned long kilobytes = s->config && !s->hvm ? s->config->b_info.target_memkb
                                    : memory             ? strtoul(memory, NULL, 10)
                                                         : 0;
    if (s->hvm && !s->config)
        return libxl__ao_fail(ao, ERROR_DEVICE_MODEL, "the device model of domain %u has ended", s->domid);
    const unsigned long megabytes = s->hvm ? hvm_megabytes(s->config) : (kilobytes + 1023) / 1024;
    s->arguments = libxl__qemu_arguments(ao, s->domid, name, megabytes, s->config, s->saved);
    if (!s->arguments)
        return ERROR_NOMEM;
    snprintf(s->job.log, sizeof(s->job.log), "/var/log/xen/qemu-dm-%.200s.log", name);
    for (char *at = s->job.log + strlen("/var/log/xen/"); *at; at++)
        if (*at == '/')
            *at = '_';
    s->job.listens = s->hvm;
    if (s->hvm && libxl__is(s->config->b_info.dm_restrict, false))
        s->job.user = s->config->b_info.device_model_user;
    return 0;
}

/* Like prepare_guests, for the QEMU of a driver domain. */
static int prepare_backend(libxl__ao *ao, libxl__qemu_start *s)
{
    s->arguments = libxl__qemu_backend_arguments(ao, s->domid);
    snprintf(s->job.log, sizeof(s->job.log), "/var/log/xen/qdisk-%u.log", s->domid);
    return s->arguments ? 0 : ERROR_NOMEM;
}

/*
 * Lets a worker open the log file. Also removes the node with the state of an earlier QEMU. Otherwise the start would
 * take it for the state of the new QEMU.
 */
static int prepare(libxl__ao *ao, libxl__qemu_start *s)
{
    int rc = s->server ? prepare_backend(ao, s) : prepare_guests(ao, s);
    if (!rc)
        rc = new_batch(ao, s);
    if (rc)
        return rc;
    s->step = LIBXL__QEMU_PREPARING;
    s->job.program = libxl__qemu_program(s->config);
    if (!s->server)
        libxl__xs_require_domain(s->batch, s->uuid);
    libxl__xs_remove(s->batch, LIBXL__QEMU_NODES_IN, s->server, s->domid);
    libxl__xs_write(s->batch, LIBXL__XS_INHERITS, "", LIBXL__QEMU_NODES_IN, s->server, s->domid);
    if (s->saved)
        write_saved(s);
    rc = libxl__xs_run(s->batch, LIBXL__XS_TRANSACTION);
    return rc ? rc : run_job(ao, s, libxl__qemu_prepare);
}

static int looked(libxl__ao *ao, libxl__qemu_start *s)
{
    if (!libxl__xs_done(s->batch))
        return LIBXL__AO_WAIT;
    const int rc = libxl__xs_result(s->batch);
    if (rc)
        return rc;
    const char *pid = libxl__xs_value(s->pid_node), *type = s->server ? NULL : libxl__xs_value(s->type_node);
    s->hvm = type && strcmp(type, "hvm") == 0;
    s->job.pid = pid ? atoi(pid) : 0;
    if (s->job.pid <= 0)
        return prepare(ao, s);
    s->step = LIBXL__QEMU_FINDING;
    return run_job(ao, s, libxl__qemu_find);
}

static int found(libxl__ao *ao, libxl__qemu_start *s)
{
    if (s->job.job.state != LIBXL__JOB_DONE)
        return LIBXL__AO_WAIT;
    if (s->job.fd < 0)
        return prepare(ao, s);
    const int pidfd = s->job.fd;
    s->job.fd = -1;
    const int rc = libxl__process_follow(ao, &s->process, pidfd);
    return rc ? rc : await_running(ao, s);
}

/* ---- PREPARING, LAUNCHING: open the log file, and launch QEMU */

/* Adds the command that sets the variables for a window on a screen of this host. */
static unsigned add_variables(libxl__ao *ao, const libxl_sdl_info *sdl, const char **argv)
{
    unsigned count = 0;
    if (!libxl__is(sdl->enable, false) || (!sdl->display && !sdl->xauthority))
        return 0;
    argv[count++] = "env";
    if (sdl->display)
        argv[count++] = libxl__gc_printf(&ao->gc, "DISPLAY=%s", sdl->display);
    if (sdl->xauthority)
        argv[count++] = libxl__gc_printf(&ao->gc, "XAUTHORITY=%s", sdl->xauthority);
    return count;
}

static int launch(libxl__ao *ao, libxl__qemu_start *s)
{
    const char *argv[FIXED + LIBXL__QEMU_ARGUMENTS] = {SHELL, "-c",
                                                       s->saved ? LAUNCH_SAVED
                                                       : s->hvm ? LAUNCH_HVM
                                                                : LAUNCH,
                                                       SHELL};
    unsigned count = 4;
    int ends[2];
    if (s->hvm) {
        argv[3] = libxl__gc_printf(&ao->gc, "%u", s->domid);
        count += add_variables(ao, &s->config->b_info.u.hvm.sdl, &argv[count]);
    }
    for (unsigned i = 0; i < count; i++)
        if (!argv[i])
            return ERROR_NOMEM;
    for (unsigned i = 0; s->arguments[i]; i++)
        argv[count + i] = s->arguments[i];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK))
        return libxl__ao_fail(ao, ERROR_FAIL, "the device model: a pipe: %s", strerror(errno));
    const int stdio[3] = {s->job.listener ? s->job.listener : -1, ends[1], s->job.fd};
    s->told = ends[0];
    s->step = LIBXL__QEMU_LAUNCHING;
    s->launcher.extra = s->saved ? s->saved->fd : 0;
    const int rc = libxl__child_start(ao, &s->launcher, argv, stdio, LAUNCH_LIMIT);
    close(ends[1]);
    return rc ? rc : LIBXL__AO_WAIT;
}

static int prepared(libxl__ao *ao, libxl__qemu_start *s)
{
    if (!libxl__xs_done(s->batch) || s->job.job.state != LIBXL__JOB_DONE)
        return LIBXL__AO_WAIT;
    if (libxl__xs_rc(s->batch) == ERROR_DOMAIN_DESTROYED)
        return libxl__ao_fail(ao, ERROR_DOMAIN_DESTROYED, "domain %u was destroyed", s->domid);
    const int rc = libxl__xs_result(s->batch);
    if (rc)
        return rc;
    const int error = s->job.errnoval;
    if (!error)
        return launch(ao, s);
    if (s->job.refused)
        return libxl__ao_fail(ao, ERROR_INVAL, "d_config.b_info.device_model_user: %s: %s", s->job.user,
                              error == EPERM ? "has the rights of root" : strerror(error));
    return libxl__ao_fail(ao, ERROR_DEVICE_MODEL, "the device model: %s: %s",
                          access(s->job.program, X_OK) ? s->job.program : s->job.log, strerror(error));
}

/*
 * Reads the process id when the launcher has ended, and lets a worker find the process. QEMU may have ended, and
 * another process may have the id, so the worker checks the process.
 */
static int find_launched(libxl__ao *ao, libxl__qemu_start *s)
{
    char text[32];
    const ssize_t got = read(s->told, text, sizeof(text) - 1);
    close(s->told);
    s->told = 0;
    text[got > 0 ? got : 0] = 0;
    s->job.pid = atoi(text);
    s->step = LIBXL__QEMU_IDENTIFYING;
    return run_job(ao, s, libxl__qemu_find);
}

/* Follows the process that a worker has found, unless the process has ended. */
static int take_process(libxl__ao *ao, libxl__qemu_start *s)
{
    const int pidfd = s->job.fd;
    s->job.fd = -1;
    s->process.group = s->job.group;
    return pidfd < 0 ? 0 : libxl__process_follow(ao, &s->process, pidfd);
}

int libxl__qemu_start_explain(libxl__ao *ao, libxl__qemu_start *s)
{
    s->step = LIBXL__QEMU_FAILING;
    return run_job(ao, s, libxl__qemu_read_words);
}

static int announce(libxl__ao *ao, libxl__qemu_start *s)
{
    char text[16], path[LIBXL__QEMU_PATH];
    const int rc = new_batch(ao, s);
    if (rc)
        return rc;
    s->step = LIBXL__QEMU_ANNOUNCING;
    snprintf(text, sizeof(text), "%d", (int)s->job.pid);
    libxl__qemu_pid_path(path, s->server, s->domid);
    if (!s->server)
        libxl__xs_require_domain(s->batch, s->uuid);
    libxl__xs_write(s->batch, LIBXL__XS_INHERITS, text, "%s", path);
    return run_batch(s, LIBXL__XS_TRANSACTION);
}

/* Closes the log file and the monitor's socket. QEMU then has the only descriptor of the socket. */
static void close_files(libxl__qemu_start *s)
{
    if (s->job.listener)
        close(s->job.listener);
    s->job.listener = 0;
    if (s->job.fd >= 0)
        close(s->job.fd);
    s->job.fd = -1;
}

static int launched(libxl__ao *ao, libxl__qemu_start *s)
{
    if (!s->launcher.done)
        return LIBXL__AO_WAIT;
    close_files(s);
    s->launched = true;
    const int rc = libxl__child_result(&s->launcher, "the device model's launcher");
    return rc ? rc : find_launched(ao, s);
}

static int identified(libxl__ao *ao, libxl__qemu_start *s)
{
    if (s->job.job.state != LIBXL__JOB_DONE)
        return LIBXL__AO_WAIT;
    const int rc = take_process(ao, s);
    if (rc)
        return rc;
    return s->process.running ? announce(ao, s) : libxl__qemu_start_explain(ao, s);
}

static int announced(libxl__ao *ao, libxl__qemu_start *s)
{
    if (!libxl__xs_done(s->batch))
        return LIBXL__AO_WAIT;
    if (libxl__xs_rc(s->batch) == ERROR_DOMAIN_DESTROYED)
        return libxl__ao_fail(ao, ERROR_DOMAIN_DESTROYED, "domain %u was destroyed", s->domid);
    const int rc = libxl__xs_result(s->batch);
    return rc ? rc : await_running(ao, s);
}

/* ---- STARTING, FAILING: wait until QEMU runs, or read why it has ended */

static int started(libxl__ao *ao, libxl__qemu_start *s)
{
    const int rc = libxl__await_step(ao, &s->running);
    if (rc != LIBXL__AO_WAIT || s->process.running)
        return rc;
    return libxl__qemu_start_explain(ao, s);
}

static int failed(libxl__ao *ao, libxl__qemu_start *s)
{
    if (s->job.job.state != LIBXL__JOB_DONE)
        return LIBXL__AO_WAIT;
    return libxl__ao_fail(ao, ERROR_DEVICE_MODEL, "the device model has ended%s%s", *s->job.words ? ": " : "",
                          s->job.words);
}

int libxl__qemu_start_poll(libxl__ao *ao, libxl__qemu_start *s)
{
    switch (s->step) {
    case LIBXL__QEMU_LOOKING: return looked(ao, s);
    case LIBXL__QEMU_FINDING: return found(ao, s);
    case LIBXL__QEMU_PREPARING: return prepared(ao, s);
    case LIBXL__QEMU_LAUNCHING: return launched(ao, s);
    case LIBXL__QEMU_IDENTIFYING: return identified(ao, s);
    case LIBXL__QEMU_ANNOUNCING: return announced(ao, s);
    case LIBXL__QEMU_STARTING: return started(ao, s);
    case LIBXL__QEMU_FAILING: break;
    }
    return failed(ao, s);
}

/* ---- undo: end the QEMU that was launched */

/* Removes QEMU's nodes. Only a worker removes its sockets. */
static int clean(libxl__ao *ao, libxl__qemu_start *s)
{
    char path[LIBXL__QEMU_PATH], pid[LIBXL__QEMU_PATH];
    s->undoing = LIBXL__QEMU_CLEANING;
    const int rc = new_batch(ao, s);
    if (rc)
        return rc;
    libxl__qemu_pid_path(path, s->server, s->domid);
    *strrchr(path, '/') = 0;
    libxl__xs_read(s->batch, "%s", path); /* read first, as libxl__device_read_parents explains */
    libxl__xs_remove(s->batch, LIBXL__QEMU_NODES_IN, s->server, s->domid);
    libxl__qemu_pid_path(pid, s->server, s->domid);
    libxl__xs_remove(s->batch, "%s", pid);
    libxl__xs_prune(s->batch, 1, "%s", path);
    libxl__xs_run_anyway(s->batch, LIBXL__XS_TRANSACTION);
    return run_job(ao, s, libxl__qemu_clean);
}

static int begin_undo(libxl__ao *ao, libxl__qemu_start *s)
{
    if (!s->begun)
        return 0;
    if (s->job.job.state == LIBXL__JOB_QUEUED || s->job.job.state == LIBXL__JOB_RUNNING)
        return LIBXL__AO_WAIT;
    if (s->launcher.running)
        return LIBXL__AO_WAIT;
    if (s->batch && !libxl__xs_done(s->batch) && !libxl__xs_take_back(s->batch))
        return LIBXL__AO_WAIT;
    if (s->step == LIBXL__QEMU_LAUNCHING && s->told) {
        close_files(s);
        if (find_launched(ao, s) == LIBXL__AO_WAIT)
            return LIBXL__AO_WAIT;
        /* No worker can be started, so the thread that runs the undo makes the blocking calls. */
        libxl__qemu_find(ao->ctx, &s->job.job);
    }
    if (s->step == LIBXL__QEMU_IDENTIFYING) {
        take_process(ao, s);
        s->step = LIBXL__QEMU_ANNOUNCING;
    }
    close_files(s);
    if (!s->arguments)
        return 0; /* QEMU was not launched and no file was opened, so there is nothing to undo */
    s->undoing = LIBXL__QEMU_DYING;
    libxl__process_signal(&s->process, SIGKILL);
    return libxl__qemu_start_undo(ao, s);
}

int libxl__qemu_start_undo(libxl__ao *ao, libxl__qemu_start *s)
{
    switch (s->undoing) {
    case LIBXL__QEMU_KEPT: return begin_undo(ao, s);
    case LIBXL__QEMU_DYING:
        if (s->process.running)
            return LIBXL__AO_WAIT;
        return clean(ao, s);
    case LIBXL__QEMU_CLEANING:
        if (!libxl__xs_done(s->batch) || s->job.job.state != LIBXL__JOB_DONE)
            return LIBXL__AO_WAIT;
        s->undoing = LIBXL__QEMU_GONE;
        return libxl__xs_rc(s->batch);
    case LIBXL__QEMU_GONE: break;
    }
    return 0;
}
