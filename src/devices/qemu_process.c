/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Follows the process of a QEMU by its pidfd. Also has the functions of the jobs that find this process and
 * read its log.
 *
 * Owns: the pidfd of each process that is followed. The caller holds the context's lock. The jobs run on a
 * worker, unlocked.
 */
#include "escape.h"
#include "libxl_internal.h"
#include "qemu.h"
#include "qmp.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { OLD_LOGS = 10, COMMAND_LINE = 4096, BACKLOG = 16, MOST_LOOKS = 1000 };

static const struct timespec BETWEEN_LOOKS = {.tv_nsec = 1000000L};

void libxl__qemu_pid_path(char path[LIBXL__QEMU_PATH], uint32_t server, uint32_t domid)
{
    if (server)
        snprintf(path, LIBXL__QEMU_PATH, LIBXL__QEMU_PID_IN, server, domid);
    else
        snprintf(path, LIBXL__QEMU_PATH, LIBXL__QEMU_PID, domid);
}

/* ---- following a process */

static void stop_following(libxl_ctx *ctx, libxl__source *source)
{
    libxl__process *process = (libxl__process *)source;
    if (!process->exited.registered)
        return;
    const int pidfd = process->exited.fd;
    libxl__fd_deregister(ctx, &process->exited);
    close(pidfd);
}

static void process_exited(libxl_ctx *ctx, libxl__fd *fd, uint32_t revents)
{
    (void)revents;
    libxl__process *process = LIBXL__CONTAINER(fd, libxl__process, exited);
    stop_following(ctx, &process->source);
    process->running = false;
    libxl__source_fire(&process->source);
}

int libxl__process_follow(libxl__ao *ao, libxl__process *process, int pidfd)
{
    if (libxl__fd_register(ao->ctx, &process->exited, pidfd, EPOLLIN, process_exited)) {
        const int error = errno;
        close(pidfd);
        return libxl__ao_fail(ao, ERROR_FAIL, "following the device model: %s", strerror(error));
    }
    process->exited.close_on_fork = true;
    process->running = true;
    libxl__source_attach(ao, &process->source, stop_following);
    return 0;
}

void libxl__process_signal(const libxl__process *process, int number)
{
    if (!process->running || pidfd_send_signal(process->exited.fd, 0, NULL, 0))
        return;
    if (process->group)
        kill(-process->group, number);
    pidfd_send_signal(process->exited.fd, number, NULL, 0);
}

/* ---- the functions of the jobs */

static void remove_sockets(uint32_t domid)
{
    static const char *const names[] = {"qmp-libxl", "qmp-libxenstat"};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        char path[64];
        snprintf(path, sizeof(path), "/var/run/xen/%s-%u", names[i], domid);
        unlink(path);
    }
}

void libxl__qemu_clean(libxl_ctx *ctx, libxl__job *job)
{
    char root[64];
    const uint32_t domid = ((libxl__qemu_job *)job)->domid;
    (void)ctx;
    remove_sockets(domid);
    snprintf(root, sizeof(root), LIBXL__QEMU_ROOT, domid);
    rmdir(root);
}

/* Makes the socket on which QEMU's monitor listens. Returns the descriptor, or -1. */
static int make_listener(uint32_t domid)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), LIBXL__MONITOR_SOCKET, domid);
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const mode_t mask = S_IRWXG | S_IRWXO;
    if (fd < 0)
        return -1;
    /* Only root may connect. Nobody can connect before the mode is set, because the socket does not listen. */
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
        chmod(address.sun_path, ACCESSPERMS & ~mask) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    const int error = errno;
    close(fd);
    errno = error;
    return -1;
}

/* Makes the empty root directory of a restricted QEMU. Returns whether it exists afterwards. */
static bool make_root(uint32_t domid)
{
    char root[64];
    snprintf(root, sizeof(root), LIBXL__QEMU_ROOT, domid);
    return mkdir(root, 0755) == 0 || errno == EEXIST;
}

/* Renames older log files: LOG to LOG.1, and each LOG.N to LOG.N+1. */
static void keep_old_logs(const char *log)
{
    char from[LIBXL__QEMU_PATH + 8], to[LIBXL__QEMU_PATH + 8];
    if (access(log, F_OK))
        return;
    for (int i = OLD_LOGS - 1; i >= 0; i--) {
        snprintf(from, sizeof(from), i ? "%s.%d" : "%s", log, i);
        snprintf(to, sizeof(to), "%s.%d", log, i + 1);
        rename(from, to);
    }
}

/*
 * Returns 0 if QEMU can run as this user, which is a name or UID:GID. Otherwise returns an errno: EPERM if the
 * user is root.
 */
static int check_user(const char *user)
{
    enum { WORDS = 4096 };
    char words[WORDS], rest;
    unsigned uid, gid;
    struct passwd entry, *found;
    if (sscanf(user, "%u:%u%c", &uid, &gid, &rest) == 2)
        return uid ? 0 : EPERM;
    const int error = getpwnam_r(user, &entry, words, sizeof(words), &found);
    if (error || !found)
        return error ? error : ENOENT;
    return entry.pw_uid ? 0 : EPERM;
}

void libxl__qemu_prepare(libxl_ctx *ctx, libxl__job *job)
{
    (void)ctx;
    libxl__qemu_job *q = (libxl__qemu_job *)job;
    q->fd = -1;
    q->errnoval = access(q->program, X_OK) ? errno : 0;
    if (!q->errnoval && q->user) {
        q->errnoval = check_user(q->user);
        q->refused = q->errnoval;
    }
    if (q->errnoval)
        return;
    remove_sockets(q->domid);
    keep_old_logs(q->log);
    q->fd = open(q->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    q->errnoval = q->fd < 0 || (q->user && !make_root(q->domid)) ? errno : 0;
    const int listener = q->errnoval || !q->listens ? 0 : make_listener(q->domid);
    if (listener < 0)
        q->errnoval = errno;
    else
        q->listener = listener;
}

static bool has_ended(int pidfd)
{
    struct pollfd polled = {.fd = pidfd, .events = POLLIN};
    return poll(&polled, 1, 0) == 1;
}

/*
 * Returns 0 if a process has "-xen-domid DOMID" in its command line, ESRCH if its command line lacks these words or
 * the process has ended, EAGAIN if the process is becoming another program and has no command line yet, or another
 * errno.
 */
static int check_qemu_of(pid_t pid, int pidfd, uint32_t domid)
{
    static const char option[] = "-xen-domid";
    char path[32], line[COMMAND_LINE + 1], wanted[16];
    snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
    snprintf(wanted, sizeof(wanted), "%u", domid);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    const ssize_t got = fd < 0 ? -1 : read(fd, line, COMMAND_LINE);
    const int error = errno == ENOENT ? ESRCH : errno;
    if (fd >= 0)
        close(fd);
    if (got < 0)
        return error;
    if (!got)
        return has_ended(pidfd) ? ESRCH : EAGAIN;
    line[got] = 0;
    for (const char *at = line, *next; at < line + got; at = next) {
        next = at + strlen(at) + 1;
        if (strcmp(at, option) == 0 && next < line + got)
            return strcmp(next, wanted) == 0 ? 0 : ESRCH;
    }
    return ESRCH;
}

/*
 * Opens the pidfd before it checks the command line. If the process ends between these two steps and another
 * process gets its id, the pidfd still refers to the first process.
 */
void libxl__qemu_find(libxl_ctx *ctx, libxl__job *job)
{
    (void)ctx;
    libxl__qemu_job *q = (libxl__qemu_job *)job;
    errno = ESRCH;
    q->fd = q->pid > 1 ? pidfd_open(q->pid, 0) : -1;
    q->errnoval = q->fd < 0 ? errno : EAGAIN;
    for (int looks = 0; q->errnoval == EAGAIN && looks < MOST_LOOKS; looks++) {
        if (looks)
            nanosleep(&BETWEEN_LOOKS, NULL);
        q->errnoval = check_qemu_of(q->pid, q->fd, q->domid);
    }
    q->group = q->fd >= 0 && getpgid(q->pid) == q->pid ? q->pid : 0;
    if (q->fd < 0 || !q->errnoval)
        return;
    close(q->fd);
    q->fd = -1;
}

/* Joins the last lines of a text by "; ". Cuts the beginning of a result that is too long. */
static void join_lines(char *words, char *text)
{
    char joined[LIBXL__QEMU_WORDS], *rest = NULL;
    size_t length = 0;
    joined[0] = 0;
    for (char *line = strtok_r(text, "\r\n", &rest); line; line = strtok_r(NULL, "\r\n", &rest)) {
        const size_t more = strlen(line) + 2;
        if (more >= sizeof(joined) / 2)
            line[sizeof(joined) / 2 - 3] = 0;
        if (length + strlen(line) + 2 >= sizeof(joined) / 2)
            length = 0;
        length +=
            (size_t)snprintf(joined + length, sizeof(joined) - length, "%s%s", length ? "; " : "", line);
    }
    libxl__escape(words, LIBXL__QEMU_WORDS, joined);
}

void libxl__qemu_read_words(libxl_ctx *ctx, libxl__job *job)
{
    (void)ctx;
    libxl__qemu_job *q = (libxl__qemu_job *)job;
    char text[2048];
    q->words[0] = 0;
    const int fd = open(q->log, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    const off_t size = lseek(fd, 0, SEEK_END), room = sizeof(text) - 1;
    const ssize_t got = pread(fd, text, (size_t)room, size > room ? size - room : 0);
    close(fd);
    if (got <= 0)
        return;
    for (ssize_t i = 0; i < got; i++)
        if (!text[i])
            text[i] = '?';
    text[got] = 0;
    join_lines(q->words, text);
}
