/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: the socket and the head (a memfd, transfer_messages.h) of each program that runs. The context's lock guards
 * them. The program is a part of the library, of the same release, so its messages are trusted. The texts in the
 * messages may contain octets of the stream. src/core escapes the texts.
 */
#include "transfer.h"

#include "errno_rc.h"
#include "host.h"
#include "libxl_internal.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define PROGRAM "aioxen-transfer"

static void disconnect(libxl_ctx *ctx, libxl__transfer *t)
{
    if (!t->control.registered)
        return;
    const int control = t->control.fd;
    libxl__fd_deregister(ctx, &t->control);
    close(control);
}

static void release(libxl_ctx *ctx, libxl__source *source)
{
    libxl__transfer *t = LIBXL__CONTAINER(source, libxl__transfer, source);
    const int head = t->head.fd;
    disconnect(ctx, t);
    libxl__fd_deregister(ctx, &t->head);
    close(head);
}

static void readable(libxl_ctx *ctx, libxl__fd *fd, uint32_t revents)
{
    (void)ctx, (void)revents;
    libxl__source_fire(&LIBXL__CONTAINER(fd, libxl__transfer, control)->source);
}

/* ---- starting the program */

/*
 * Returns the path of the program. In the build tree and in the Python package the program is in the library's
 * directory. After an installation it is in the directory `aioxen` beside the library. The environment variable
 * AIOXEN_TRANSFER overrides this. Returns NULL if there is no memory.
 */
static const char *find_program(libxl__ao *ao)
{
    const char *given = secure_getenv("AIOXEN_TRANSFER");
    Dl_info library = {.dli_fname = NULL};
    if (given)
        return given;
    if (!dladdr((void *)find_program, &library) || !library.dli_fname)
        return PROGRAM;
    const char *slash = strrchr(library.dli_fname, '/');
    const int length = slash ? (int)(slash - library.dli_fname) : 1;
    const char *beside = libxl__gc_printf(&ao->gc, "%.*s/" PROGRAM, length, slash ? library.dli_fname : ".");
    if (beside && access(beside, X_OK) == 0)
        return beside;
    return libxl__gc_printf(&ao->gc, "%.*s/aioxen/" PROGRAM, length, slash ? library.dli_fname : ".");
}

/*
 * Returns the environment of the program: the variables of this library, the variables of the dynamic linker,
 * which the program may need to find its libraries, and those that name the socket of xenstored. Returns NULL if
 * there is no memory.
 */
static const char *const *make_environment(libxl__ao *ao)
{
    static const char *const passed[] = {"LD_", "AIOXEN_", "XENSTORED_"};
    size_t count = 0, kept = 0;
    while (environ[count])
        count++;
    const char **environment = libxl__gc_alloc(&ao->gc, (count + 1) * sizeof(*environment));
    for (size_t i = 0; environment && i < count; i++)
        for (size_t k = 0; k < sizeof(passed) / sizeof(*passed); k++)
            if (strncmp(environ[i], passed[k], strlen(passed[k])) == 0)
                environment[kept++] = environ[i];
    return environment;
}

/* Makes the memfd with the head in it. Returns its descriptor, or -1 with errno. */
static int make_head(const void *head, size_t size)
{
    const int fd = memfd_create("aioxen-head", MFD_CLOEXEC);
    if (fd < 0 || !size)
        return fd;
    if (pwrite(fd, head, size, 0) == (ssize_t)size)
        return fd;
    const int error = errno;
    close(fd);
    errno = error;
    return -1;
}

int libxl__transfer_check(libxl__ao *ao, const char *field, int fd, bool writes)
{
    const int flags = fcntl(fd, F_GETFL);
    if (flags < 0)
        return libxl__ao_fail(ao, ERROR_INVAL, "%s: %s", field, strerror(errno));
    if ((flags & O_ACCMODE) == (writes ? O_RDONLY : O_WRONLY))
        return libxl__ao_fail(ao, ERROR_INVAL, "%s: not open for %s", field, writes ? "writing" : "reading");
    if (!(flags & O_NONBLOCK))
        return 0;
    if (ao->ctx->conventions && ao->ctx->conventions->makes_blocking &&
        !fcntl(fd, F_SETFL, flags & ~O_NONBLOCK))
        return 0;
    return libxl__ao_fail(ao, ERROR_INVAL, "%s: not blocking", field);
}

static int fail_start(libxl__ao *ao, int error)
{
    return libxl__ao_fail(ao, error == ENOMEM ? ERROR_NOMEM : ERROR_FAIL, "preparing " PROGRAM ": %s",
                          strerror(error));
}

/* Opens both ends of the socket, and registers the library's end. Returns 0 or an errno. */
static int connect_program(libxl__ao *ao, libxl__transfer *t, const void *head, size_t head_size, int *theirs)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
        return errno;
    const int memory = make_head(head, head_size);
    if (memory >= 0 && !libxl__fd_register(ao->ctx, &t->control, ends[0], EPOLLIN, readable)) {
        t->control.close_on_fork = true;
        libxl__fd_hold(ao->ctx, &t->head, memory);
        *theirs = ends[1];
        return 0;
    }
    const int error = errno;
    if (memory >= 0)
        close(memory);
    close(ends[0]);
    close(ends[1]);
    return error;
}

int libxl__transfer_start(libxl__ao *ao, libxl__transfer *t, const char *const arguments[], int stream,
                          const void *head, size_t head_size)
{
    const char *argv[9] = {find_program(ao)};
    int theirs = -1;
    for (unsigned i = 0; arguments[i]; i++)
        argv[i + 1] = arguments[i];
    t->child.environment = make_environment(ao);
    if (!argv[0] || !t->child.environment)
        return ERROR_NOMEM;
    const int error = connect_program(ao, t, head, head_size, &theirs);
    if (error)
        return fail_start(ao, error);
    libxl__source_attach(ao, &t->source, release);
    const int rc = libxl__child_start(ao, &t->child, argv, (const int[]){theirs, stream, t->head.fd}, 0);
    close(theirs);
    return rc;
}

/* ---- messages */

static void take_log(libxl__ao *ao, const libxl__transfer_message *message)
{
    libxl__log(ao->ctx, (xentoollog_level)message->value, -1, "%s", message->text);
}

int libxl__transfer_next(libxl__ao *ao, libxl__transfer *t, libxl__transfer_message *message)
{
    while (t->control.registered) {
        const ssize_t got = recv(t->control.fd, message, sizeof(*message), MSG_DONTWAIT);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && errno == EAGAIN)
            return LIBXL__AO_WAIT;
        if (got != sizeof(*message)) {
            disconnect(ao->ctx, t);
            break;
        }
        message->text[sizeof(message->text) - 1] = 0;
        if (message->kind == LIBXL__TRANSFER_LOG)
            take_log(ao, message);
        else if (message->kind == LIBXL__TRANSFER_PROGRESS)
            libxl__ao_count(ao, message->numbers[0], message->numbers[1], "pages");
        else if (message->kind == LIBXL__TRANSFER_RESULT)
            t->result = *message;
        else
            return 0;
    }
    return LIBXL__AO_WAIT;
}

void libxl__transfer_send(const libxl__transfer *t, const libxl__transfer_message *message)
{
    if (t->control.registered)
        (void)send(t->control.fd, message, sizeof(*message), MSG_NOSIGNAL | MSG_DONTWAIT);
}

char *libxl__transfer_head(libxl__ao *ao, const libxl__transfer *t, uint64_t offset, uint64_t length)
{
    char *text = length > LIBXL__TRANSFER_LONGEST_HEAD ? NULL : libxl__gc_alloc(&ao->gc, length + 1);
    return text && pread(t->head.fd, text, length, (off_t)offset) == (ssize_t)length ? text : NULL;
}

/* ---- the end of the program */

bool libxl__transfer_done(const libxl__transfer *t)
{
    return t->child.done;
}

int libxl__transfer_result(libxl__ao *ao, const libxl__transfer *t, const char *field)
{
    const int error = (int)t->result.numbers[0];
    if (t->result.kind != LIBXL__TRANSFER_RESULT)
        return libxl__child_result(&t->child, PROGRAM)
                   ? ERROR_FAIL
                   : libxl__ao_fail(ao, ERROR_FAIL, PROGRAM " has ended without a result");
    switch ((libxl__transfer_end)t->result.value) {
    case LIBXL__TRANSFER_OK: return 0;
    case LIBXL__TRANSFER_STOPPED: return ao->stop ? ao->stop : ERROR_ABORTED;
    case LIBXL__TRANSFER_BAD_STREAM: return libxl__ao_fail(ao, ERROR_INVAL, "%s: %s", field, t->result.text);
    case LIBXL__TRANSFER_IO:
        return libxl__ao_fail(ao, error == ENOMEM ? ERROR_NOMEM : ERROR_FAIL, "%s: %s", field,
                              strerror(error));
    case LIBXL__TRANSFER_NO_MODEL: return libxl__ao_fail(ao, ERROR_DEVICE_MODEL, "%s", t->result.text);
    case LIBXL__TRANSFER_XEN: break;
    }
    return libxl__ao_fail(ao, libxl__errno_rc(LIBXL__CALL_DOMAIN, error), "%s", t->result.text);
}

void libxl__transfer_stop(const libxl__transfer *t)
{
    if (t->child.running)
        pidfd_send_signal(t->child.exited.fd, SIGTERM, NULL, 0);
}

void libxl__transfer_kill(libxl_ctx *ctx, libxl__transfer *t)
{
    libxl__child_kill(&t->child);
    disconnect(ctx, t);
}
