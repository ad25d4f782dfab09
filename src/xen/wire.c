/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: the socket to xenstored, what is still to be written to it, and the ring of answers that are
 * expected. Guarded by the context's lock; nothing blocks, no thread of its own.
 *
 * The protocol is xen/io/xs_wire.h. xenstored answers the requests of one connection in order, so answers
 * need no search; between them come events of watches. When the connection is lost everything under way
 * fails, and so does what comes later.
 */
#include "wire.h"
#include "xen.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <xen/io/xs_wire.h>

enum { READS_AT_ONCE = 64, BUFFER = 64 << 10, OUT = 16 << 10, EXPECTED = 256 };

struct libxl__xs_wire {
    libxl__fd source;
    int fd;
    bool lost, writing; /* writing: waits until the socket takes more */
    char *out;
    size_t out_begin, out_end, out_room;
    libxl__wire_expected *expected; /* a ring */
    uint32_t put, sent, answered;   /* counts of messages, modulo 2^32: appended, on their way, done */
    uint32_t expected_room;         /* a power of 2 */
    uint32_t reserved_messages;     /* room is kept for these besides those that are put */
    size_t reserved_octets;         /* of these messages, with their headers */
    size_t have;                    /* octets of `in` */
    char in[BUFFER];
};

/* ---- sending */

static struct libxl__xs_wire *wire_of(libxl_ctx *ctx)
{
    return ctx->xen->wire;
}

/* Makes room for so many octets besides the reserved ones. */
static int make_room(struct libxl__xs_wire *wire, size_t length)
{
    length += wire->reserved_octets;
    if (wire->out_begin > wire->out_room / 2 || wire->out_begin == wire->out_end) {
        if (wire->out)
            memmove(wire->out, wire->out + wire->out_begin, wire->out_end - wire->out_begin);
        wire->out_end -= wire->out_begin;
        wire->out_begin = 0;
    }
    if (wire->out_room - wire->out_end >= length)
        return 0;
    size_t room = wire->out_room ? wire->out_room : OUT;
    while (room - wire->out_end < length)
        room *= 2;
    char *larger = realloc(wire->out, room);
    if (!larger)
        return ERROR_NOMEM;
    wire->out = larger;
    wire->out_room = room;
    return 0;
}

static libxl__wire_expected *expected_at(const struct libxl__xs_wire *wire, uint32_t number)
{
    return &wire->expected[number & (wire->expected_room - 1)];
}

/* Makes room for so many answers besides the reserved ones. */
static int make_answer_room(struct libxl__xs_wire *wire, uint32_t count)
{
    const uint32_t needed = wire->put - wire->answered + wire->reserved_messages + count;
    if (needed <= wire->expected_room)
        return 0;
    uint32_t room = wire->expected_room ? wire->expected_room : EXPECTED;
    while (room < needed)
        room *= 2;
    libxl__wire_expected *larger = malloc(room * sizeof(*larger));
    if (!larger)
        return ERROR_NOMEM;
    for (uint32_t i = wire->answered; i != wire->put; i++)
        larger[i & (room - 1)] = *expected_at(wire, i);
    free(wire->expected);
    wire->expected = larger;
    wire->expected_room = room;
    return 0;
}

/* After a burst: memory is given back. */
static void give_back(struct libxl__xs_wire *wire)
{
    if (wire->reserved_messages)
        return;
    if (wire->out_begin == wire->out_end && wire->out_room > OUT) {
        free(wire->out);
        wire->out = NULL;
        wire->out_begin = wire->out_end = wire->out_room = 0;
    }
    if (wire->answered == wire->put && wire->expected_room > EXPECTED) {
        free(wire->expected);
        wire->expected = NULL;
        wire->expected_room = 0;
    }
}

static size_t octets_of(uint32_t messages, size_t octets)
{
    return messages * sizeof(struct xsd_sockmsg) + octets;
}

int libxl__wire_reserve(libxl_ctx *ctx, uint32_t messages, size_t octets)
{
    struct libxl__xs_wire *wire = wire_of(ctx);
    if (make_room(wire, octets_of(messages, octets)) || make_answer_room(wire, messages))
        return ERROR_NOMEM;
    wire->reserved_messages += messages;
    wire->reserved_octets += octets_of(messages, octets);
    return 0;
}

void libxl__wire_release(libxl_ctx *ctx, uint32_t messages, size_t octets)
{
    struct libxl__xs_wire *wire = wire_of(ctx);
    wire->reserved_messages -= messages;
    wire->reserved_octets -= octets_of(messages, octets);
}

int libxl__wire_put(libxl_ctx *ctx, libxl__wire_expected expected, uint32_t type, uint32_t transaction,
                    libxl__wire_part a, libxl__wire_part b, libxl__wire_part c)
{
    struct libxl__xs_wire *wire = wire_of(ctx);
    struct xsd_sockmsg header = {
        .type = type,
        .req_id = wire->put,
        .tx_id = transaction,
        .len = (uint32_t)(a.length + b.length + c.length),
    };
    if (a.length + b.length + c.length > XENSTORE_PAYLOAD_MAX)
        return ERROR_INVAL;
    if (make_room(wire, octets_of(1, header.len)) || make_answer_room(wire, 1))
        return ERROR_NOMEM;
    const libxl__wire_part parts[] = {{(const char *)&header, sizeof(header)}, a, b, c};
    for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
        if (parts[i].length)
            memcpy(wire->out + wire->out_end, parts[i].text, parts[i].length);
        wire->out_end += parts[i].length;
    }
    *expected_at(wire, wire->put++) = expected;
    return 0;
}

/* Gives the next answer to who expects it. */
static void answer(libxl_ctx *ctx, int errnoval, const char *body, size_t length)
{
    struct libxl__xs_wire *wire = wire_of(ctx);
    libxl__wire_expected expected = *expected_at(wire, wire->answered++);
    expected.answered(ctx, expected.owner, expected.request, errnoval, body, length);
}

static void lose(libxl_ctx *ctx, int errnoval)
{
    struct libxl__xs_wire *wire = wire_of(ctx);
    if (wire->lost)
        return;
    wire->lost = true;
    if (errnoval != ESHUTDOWN) /* we are not closing it ourselves */
        libxl__log(ctx, XTL_ERROR, errnoval, "the connection to xenstored is lost");
    libxl__fd_deregister(ctx, &wire->source);
    while (wire->answered != wire->put)
        answer(ctx, errnoval, NULL, 0);
    if (errnoval != ESHUTDOWN)
        libxl__watches_lost(ctx);
}

static void flush(libxl_ctx *ctx)
{
    struct libxl__xs_wire *wire = wire_of(ctx);
    while (!wire->lost && wire->out_begin < wire->out_end) {
        ssize_t put = send(wire->fd, wire->out + wire->out_begin, wire->out_end - wire->out_begin,
                           MSG_NOSIGNAL | MSG_DONTWAIT);
        if (put > 0)
            wire->out_begin += (size_t)put;
        else if (errno == EAGAIN)
            break;
        else if (errno != EINTR)
            lose(ctx, errno);
    }
    give_back(wire);
    bool more = wire->out_begin < wire->out_end;
    if (!more)
        wire->sent = wire->put;
    if (!wire->lost && more != wire->writing) {
        wire->writing = more;
        libxl__fd_modify(ctx, &wire->source, more ? EPOLLIN | EPOLLOUT : EPOLLIN);
    }
}

void libxl__wire_send_soon(libxl_ctx *ctx)
{
    const struct libxl__xs_wire *wire = wire_of(ctx);
    if (wire->answered == wire->sent)
        flush(ctx);
}

bool libxl__wire_lost(const libxl_ctx *ctx)
{
    return ctx->xen->wire->lost;
}

/* ---- receiving */

static int errno_of(const char *name, size_t length)
{
    for (size_t i = 0; i < sizeof(xsd_errors) / sizeof(*xsd_errors); i++)
        if (strncmp(xsd_errors[i].errstring, name, length) == 0 && strlen(xsd_errors[i].errstring) <= length)
            return xsd_errors[i].errnum;
    return EIO;
}

/* An event is a path and a token, each with its zero; what is not that is an event of no watch. */
static void watch_event(libxl_ctx *ctx, const char *body, size_t length)
{
    size_t path = strnlen(body, length) + 1;
    const bool whole = path < length && memchr(body + path, 0, length - path);
    libxl__watch_event(ctx, whole ? body + path : "");
}

static void message(libxl_ctx *ctx, const struct xsd_sockmsg *header, const char *body)
{
    struct libxl__xs_wire *wire = wire_of(ctx);
    if (header->type == XS_WATCH_EVENT) {
        watch_event(ctx, body, header->len);
        return;
    }
    if (wire->answered == wire->put || header->req_id != wire->answered)
        lose(ctx, EPROTO);
    else
        answer(ctx, header->type == XS_ERROR ? errno_of(body, header->len) : 0, body, header->len);
}

/* Handles the whole messages that have come, and keeps the rest. */
static void messages(libxl_ctx *ctx)
{
    struct libxl__xs_wire *wire = wire_of(ctx);
    struct xsd_sockmsg header;
    size_t at = 0;
    while (!wire->lost && wire->have - at >= sizeof(header)) {
        memcpy(&header, wire->in + at, sizeof(header));
        if (header.len > XENSTORE_PAYLOAD_MAX) {
            lose(ctx, EPROTO);
            return;
        }
        if (wire->have - at < sizeof(header) + header.len) {
            if (header.type == XS_WATCH_EVENT)
                libxl__watch_early_fire(ctx, header.len);
            break;
        }
        message(ctx, &header, wire->in + at + sizeof(header));
        at += sizeof(header) + header.len;
    }
    wire->have -= at;
    memmove(wire->in, wire->in + at, wire->have);
}

static void ready(libxl_ctx *ctx, libxl__fd *source, uint32_t revents)
{
    (void)source, (void)revents;
    struct libxl__xs_wire *wire = wire_of(ctx);
    bool more = true; /* a read that is not filled has emptied the socket, or epoll will tell */
    for (int i = 0; i < READS_AT_ONCE && more && !wire->lost; i++) {
        const size_t room = sizeof(wire->in) - wire->have;
        const ssize_t got = recv(wire->fd, wire->in + wire->have, room, MSG_DONTWAIT);
        if (got > 0) {
            more = (size_t)got == room;
            wire->have += (size_t)got;
            messages(ctx);
        } else if (got == 0) {
            lose(ctx, EPIPE);
        } else if (errno == EAGAIN) {
            break;
        } else if (errno != EINTR) {
            lose(ctx, errno);
        }
    }
    flush(ctx);
}

/* ---- opening and closing */

/* As libxenstore finds it: XENSTORED_PATH, or "socket" in XENSTORED_RUNDIR. */
static int socket_path(struct sockaddr_un *address)
{
    const char *path = getenv("XENSTORED_PATH"), *rundir = getenv("XENSTORED_RUNDIR");
    int length = path ? snprintf(address->sun_path, sizeof(address->sun_path), "%s", path)
                      : snprintf(address->sun_path, sizeof(address->sun_path), "%s/socket",
                                 rundir ? rundir : "/run/xenstored");
    address->sun_family = AF_UNIX;
    return length < (int)sizeof(address->sun_path) ? 0 : ENAMETOOLONG;
}

/* Errors: NO_XENSTORE, PERMISSION, FAIL, NOMEM. */
static int connect_socket(int fd)
{
    struct sockaddr_un address;
    errno = socket_path(&address);
    if (!errno && !connect(fd, (const struct sockaddr *)&address, sizeof(address)))
        return 0;
    return libxl__refuse(libxl__open_rc(errno, ERROR_NO_XENSTORE), "connecting to xenstored, %s%s: %m",
                         address.sun_path, errno == ENAMETOOLONG ? "..." : "");
}

void libxl__wire_close(libxl_ctx *ctx)
{
    struct libxl__xs_wire *wire = wire_of(ctx);
    if (!wire)
        return;
    lose(ctx, ESHUTDOWN);
    if (wire->fd >= 0)
        close(wire->fd);
    free(wire->out);
    free(wire->expected);
    free(wire);
    ctx->xen->wire = NULL;
}

int libxl__wire_open(libxl_ctx *ctx)
{
    struct libxl__xs_wire *wire = ctx->xen->wire = calloc(1, sizeof(*wire));
    if (!wire)
        return libxl__refuse(ERROR_NOMEM, NULL);
    int rc;
    wire->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (wire->fd < 0)
        rc = libxl__refuse(libxl__open_rc(errno, ERROR_FAIL), "socket: %m");
    else
        rc = connect_socket(wire->fd);
    if (!rc)
        rc = libxl__fd_register(ctx, &wire->source, wire->fd, EPOLLIN, ready);
    if (rc)
        libxl__wire_close(ctx);
    return rc;
}

void libxl__wire_postfork(libxl_ctx *ctx)
{
    close(wire_of(ctx)->fd);
}
