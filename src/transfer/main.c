/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The program's start, its messages, and its log.
 *
 * Owns: the descriptors, the handle of libxenctrl, and the first error of libxenguest. The main thread makes all calls
 * of libxenguest and sends all messages, and takes no lock. The threads that compress, expand or pace the stream may
 * call stopped(), write_all() and read_all() only. The two signal handlers run on the main thread. They only set
 * `stopping` and replace the descriptor STREAM.
 */
#include "program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BETWEEN_REPORTS 100 /* the shortest time between two reports of progress, in ms */

static volatile sig_atomic_t stopping;
static int refusing = -1;                 /* a descriptor on which every write fails */
static char logged[LIBXL__TRANSFER_TEXT]; /* the first error of libxenguest */

/*
 * Ends a save. libxenguest's next write fails, and libxenguest then ends log-dirty mode. A write that is
 * blocked is interrupted, because the handler is installed without SA_RESTART.
 */
static void on_term(int number)
{
    const int saved = errno;
    (void)number;
    stopping = 1;
    dup2(refusing, STREAM);
    errno = saved;
}

/* Ends the transfer if the library's process has ended. Without this a blocked write or read could block for ever. */
static void on_io(int number)
{
    const int saved = errno;
    if (is_alone())
        on_term(number);
    errno = saved;
}

bool stopped(void)
{
    return stopping;
}

void send_message(libxl__transfer_message *message)
{
    while (send(CONTROL, message, sizeof(*message), MSG_NOSIGNAL) < 0 && errno == EINTR)
        ;
}

bool receive_message(libxl__transfer_kind kind, libxl__transfer_message *message)
{
    ssize_t got;
    do
        got = recv(CONTROL, message, sizeof(*message), 0);
    while (got < 0 && errno == EINTR && !stopping);
    return got == sizeof(*message) && message->kind == (uint32_t)kind;
}

bool is_alone(void)
{
    struct pollfd control = {.fd = CONTROL, .events = POLLRDHUP};
    return poll(&control, 1, 0) == 1 && control.revents & (POLLHUP | POLLRDHUP | POLLERR);
}

int report(libxl__transfer_end result, int errnoval, const char *text)
{
    libxl__transfer_message message = {.kind = LIBXL__TRANSFER_RESULT, .value = (int32_t)result};
    message.numbers[0] = (uint64_t)errnoval;
    snprintf(message.text, sizeof(message.text), "%s", text);
    send_message(&message);
    return result == LIBXL__TRANSFER_OK ? 0 : 1;
}

int report_xen(const char *what, int errnoval)
{
    char text[LIBXL__TRANSFER_TEXT];
    if (stopping)
        return report(LIBXL__TRANSFER_STOPPED, 0, "");
    if (*logged)
        return report(LIBXL__TRANSFER_XEN, errnoval, logged);
    snprintf(text, sizeof(text), "%s: %s", what, strerror(errnoval));
    return report(LIBXL__TRANSFER_XEN, errnoval, text);
}

const char *first_error(const char *otherwise)
{
    return *logged ? logged : otherwise;
}

bool write_all(int fd, const void *data, size_t size)
{
    for (const char *at = data; size;) {
        const ssize_t wrote = write(fd, at, size);
        if (wrote < 0 && errno == EINTR && !stopping)
            continue;
        if (wrote <= 0)
            return false;
        at += wrote;
        size -= (size_t)wrote;
    }
    return true;
}

bool read_all(int fd, void *data, size_t size)
{
    for (char *at = data; size;) {
        const ssize_t got = read(fd, at, size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            errno = got ? errno : 0;
            return false;
        }
        at += got;
        size -= (size_t)got;
    }
    return true;
}

bool join_thread(pthread_t thread)
{
    for (;;) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec++;
        errno = pthread_timedjoin_np(thread, NULL, &until);
        if (errno != ETIMEDOUT || stopping)
            return !errno;
    }
}

/* ---- the log of libxenguest */

static void on_message(xentoollog_logger *logger, xentoollog_level level, int errnoval, const char *context,
                       const char *format, va_list args)
{
    libxl__transfer_message message = {.kind = LIBXL__TRANSFER_LOG, .value = (int32_t)level};
    (void)logger, (void)context;
    const int length = vsnprintf(message.text, sizeof(message.text), format, args);
    if (errnoval >= 0 && length >= 0 && (size_t)length < sizeof(message.text))
        snprintf(message.text + length, sizeof(message.text) - (size_t)length, ": %s", strerror(errnoval));
    if (level >= XTL_ERROR && !*logged)
        memcpy(logged, message.text, sizeof(logged));
    if (level >= XTL_WARN)
        send_message(&message);
}

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void on_progress(xentoollog_logger *logger, const char *context, const char *doing, int percent,
                        unsigned long done, unsigned long total)
{
    static uint64_t last;
    static int32_t round = -1;
    libxl__transfer_message message = {.kind = LIBXL__TRANSFER_PROGRESS, .numbers = {done, total}};
    (void)logger, (void)context, (void)doing, (void)percent;
    if (!total)
        return;
    if (!done)
        round++;
    const uint64_t now = now_ms();
    if (done && done != total && now - last < BETWEEN_REPORTS)
        return;
    last = now;
    message.value = round < 0 ? 0 : round;
    send_message(&message);
}

static void on_destroy(xentoollog_logger *logger)
{
    (void)logger;
}

static xentoollog_logger logger = {.vmessage = on_message, .progress = on_progress, .destroy = on_destroy};

/* ---- starting the program */

static bool prepare(void)
{
    const struct sigaction term = {.sa_handler = on_term};
    /* With SA_RESTART no hypercall fails with EINTR. If on_io replaces STREAM, a restarted write fails. */
    const struct sigaction io = {.sa_handler = on_io, .sa_flags = SA_RESTART};
    signal(SIGPIPE, SIG_IGN);
    /*
     * A terminal sends these signals to all its processes. This program ignores them, because it must let the guest
     * run again if the application ends.
     */
    signal(SIGINT, SIG_IGN);
    signal(SIGQUIT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    refusing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    return refusing >= 0 && !sigaction(SIGTERM, &term, NULL) && !sigaction(SIGIO, &io, NULL) &&
           !fcntl(CONTROL, F_SETOWN, getpid()) && !fcntl(CONTROL, F_SETFL, O_ASYNC);
}

static int usage(void)
{
    fputs("aioxen-transfer is run by libaioxen: it saves or restores a domain. Run `aioxen save` instead.\n",
          stderr);
    return 2;
}

static int save_domain(xc_interface *xch, char *const *arguments)
{
    const save_options options = {
        .flags = (uint32_t)strtoul(arguments[1], NULL, 10),
        .rate = strtoull(arguments[2], NULL, 10),
        .has_model = *arguments[3] == '1',
        .level = (int)strtol(arguments[4], NULL, 10),
        .threads = (unsigned)strtoul(arguments[5], NULL, 10),
    };
    return save(xch, (uint32_t)strtoul(arguments[0], NULL, 10), &options);
}

int main(int count, char **arguments)
{
    const char *task = count > 1 ? arguments[1] : "";
    const bool saves = strcmp(task, "save") == 0 && count == 8;
    const bool restores = strcmp(task, "restore") == 0 && count == 3;
    if (!saves && !restores)
        return usage();
    if (!prepare())
        return report(LIBXL__TRANSFER_IO, errno, "starting");
    xc_interface *xch = xc_interface_open(&logger, &logger, 0);
    if (!xch)
        return report_xen("opening the hypervisor's interface", errno);
    const int status = saves ? save_domain(xch, arguments + 2) : restore(xch, *arguments[2] == '1');
    xc_interface_close(xch);
    return status;
}
