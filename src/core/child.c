/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: the pidfd of each running child, until the child was reaped. The context's lock guards the pidfds.
 *
 * A child counts as a job of its operation until it was reaped. So the operation completes only after the
 * child was reaped. No zombie is left, and the operation's memory is valid as long as the child runs.
 */
#include "libxl_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

/* No other process group can have the child's process id, because the child is not reaped yet. */
void libxl__child_kill(const libxl__child *child)
{
    if (!child->running)
        return;
    pidfd_send_signal(child->exited.fd, SIGKILL, NULL, 0);
    if (child->group)
        kill(-child->pid, SIGKILL);
}

static void child_stop(libxl_ctx *ctx, libxl__source *source)
{
    (void)ctx;
    libxl__child_kill(LIBXL__CONTAINER(source, libxl__child, source));
}

static void limit_reached(libxl_ctx *ctx, libxl__timer *timer)
{
    (void)ctx;
    libxl__child *child = LIBXL__CONTAINER(timer, libxl__child, limit);
    child->timed_out = true;
    libxl__child_kill(child);
}

static void child_exited(libxl_ctx *ctx, libxl__fd *fd, uint32_t revents)
{
    (void)revents;
    libxl__child *child = LIBXL__CONTAINER(fd, libxl__child, exited);
    const int pidfd = fd->fd;
    siginfo_t how = {.si_pid = 0};
    int error = waitid(P_PIDFD, (id_t)pidfd, &how, WEXITED | WNOHANG) ? errno : 0;
    if (!error && !how.si_pid)
        return;
    /* The error is ECHILD if the application has reaped the library's child, or ignores SIGCHLD. */
    child->wait_error = error;
    child->signal = how.si_code == CLD_EXITED ? 0 : how.si_status;
    child->status = how.si_code == CLD_EXITED ? how.si_status : 0;
    libxl__fd_deregister(ctx, fd);
    close(pidfd);
    libxl__timer_stop(ctx, &child->limit);
    child->running = false;
    child->done = true;
    if (child->source.ao)
        libxl__source_fire(&child->source);
    libxl__ao_job_ended(child->ao);
}

enum { MOST = 4 }; /* the greatest number of descriptors that the library passes to a child */

static void close_all(const int fds[MOST])
{
    for (int i = 0; i < MOST; i++)
        if (fds[i] >= 0)
            close(fds[i]);
}

/*
 * Duplicates the `count` descriptors in `given` to descriptors from MOST on. Duplicates are needed because dup2 in the
 * child overwrites the lower descriptors, and `given` may contain these. Returns 0 or an errno.
 */
static int duplicate(const int given[MOST], int count, int duplicates[MOST])
{
    for (int i = 0; i < MOST; i++)
        duplicates[i] = -1;
    for (int i = 0; i < count; i++) {
        int source = given[i] >= 0 ? given[i] : open("/dev/null", O_RDWR | O_CLOEXEC);
        duplicates[i] = source < 0 ? -1 : fcntl(source, F_DUPFD_CLOEXEC, MOST);
        int error = errno;
        if (source >= 0 && source != given[i])
            close(source);
        if (duplicates[i] < 0) {
            close_all(duplicates);
            return error;
        }
    }
    return 0;
}

/* Starts the child. Returns 0 or an errno. If exec() fails, returns its errno. */
static int spawn(libxl__child *child, const char *const argv[], const int stdio[3])
{
    const char *const *environment = child->environment;
    const int group = child->group ? POSIX_SPAWN_SETPGROUP : 0;
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    const int given[MOST] = {stdio[0], stdio[1], stdio[2], child->extra}, count = child->extra ? MOST : 3;
    int duplicates[MOST];
    int error = duplicate(given, count, duplicates);
    if (error)
        return error;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, (short)(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | group));
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawn_file_actions_init(&actions);
    for (int i = 0; i < count; i++)
        posix_spawn_file_actions_adddup2(&actions, duplicates[i], i);
    posix_spawn_file_actions_addclosefrom_np(&actions, count);
    error = posix_spawnp(&child->pid, argv[0], &actions, &attributes, (char *const *)argv,
                         environment ? (char *const *)environment : environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    close_all(duplicates);
    return error;
}

/* Opens and registers the child's pidfd. Returns 0 or an errno. */
static int watch_exit(libxl__ao *ao, libxl__child *child)
{
    int pidfd = pidfd_open(child->pid, 0);
    if (pidfd < 0)
        return errno;
    if (libxl__fd_register(ao->ctx, &child->exited, pidfd, EPOLLIN, child_exited)) {
        int error = errno;
        close(pidfd);
        return error;
    }
    child->exited.close_on_fork = true;
    return 0;
}

static int fail_for_lost_status(libxl__ao *ao, const char *name, int error)
{
    return libxl__ao_fail(ao, ERROR_FAIL, "%s: its exit status was taken away: %s", name, strerror(error));
}

int libxl__child_start(libxl__ao *ao, libxl__child *child, const char *const argv[], const int stdio[3],
                       uint64_t limit_ns)
{
    int error = spawn(child, argv, stdio);
    if (error)
        return libxl__ao_fail(ao, ERROR_FAIL, "running %s: %s", argv[0], strerror(error));
    error = watch_exit(ao, child);
    /* ESRCH: the child has ended, and the application, or the kernel if SIGCHLD is ignored, has already reaped it. */
    if (error == ESRCH)
        return fail_for_lost_status(ao, argv[0], ECHILD);
    if (error) {
        kill(child->pid, SIGKILL);
        waitpid(child->pid, NULL, 0); /* waits only microseconds, because the child was killed */
        return libxl__ao_fail(ao, ERROR_FAIL, "following %s: %s", argv[0], strerror(error));
    }
    child->ao = ao;
    child->running = true;
    ao->jobs++;
    libxl__source_attach(ao, &child->source, child_stop);
    if (limit_ns && libxl__timer_start(ao->ctx, &child->limit, limit_ns, limit_reached))
        return ERROR_NOMEM;
    return 0;
}

int libxl__child_result(const libxl__child *child, const char *name)
{
    if (child->timed_out)
        return libxl__ao_fail(child->ao, ERROR_TIMEDOUT, "%s: did not end in time", name);
    if (child->wait_error)
        return fail_for_lost_status(child->ao, name, child->wait_error);
    if (child->signal)
        return libxl__ao_fail(child->ao, ERROR_FAIL, "%s: killed by signal %d", name, child->signal);
    if (child->status)
        return libxl__ao_fail(child->ao, ERROR_FAIL, "%s: exit status %d", name, child->status);
    return 0;
}
