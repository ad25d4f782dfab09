/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: the socket to xenstored, the output buffer, and the ring of expected answers, all in ctx->xen->wire.
 * The context's lock guards them. Nothing blocks, and there is no thread.
 *
 * xenstored answers the messages of a connection in the order in which it receives them. So the expected
 * answers form a queue, and an answer is matched to its message without a search. Watch events arrive between
 * the answers. When the connection is lost, all messages without an answer fail. xs_link.c decides when this
 * file connects again.
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

enum {
    READS_AT_ONCE = 64,    /* the number of reads after which other descriptors are served */
    IN_OCTETS = 64 << 10,  /* the size of the input buffer, in octets */
    OUT_OCTETS = 16 << 10, /* the initial size of the output buffer, in octets */
    /*
     * The greatest length of the messages that are sent by one call, in octets. Linux takes up to 32 KiB for a Unix
     * socket as one buffer, so it takes either all of these octets or none.
     */
    SEND_OCTETS = 32 << 10,
    EXPECTED_ANSWERS = 256, /* the initial size of the ring, in entries; a power of 2 */
};

struct libxl__xs_wire {
    libxl__fd source;
    struct sockaddr_un address;
    int fd; /* the descriptor of the socket; -1: not connected */
    /*
     * The socket accepts no more octets. The octets that are left are sent when the socket is writable again.
     */
    bool writing;
    char *out;
    size_t out_begin, out_end, out_room; /* the octets from out_begin to out_end must still be sent */
    size_t begun; /* the number of octets from out_begin to the end of a message that was sent in part */
    /* The ring of expected answers. The entry for message N has the index N modulo expected_room. */
    libxl__wire_expected *expected;
    /*
     * The number of messages that were put into `out`, the number that were sent, and the number that were
     * answered; modulo 2^32.
     */
    uint32_t put, sent, answered;
    uint32_t expected_room;     /* the size of the ring, in entries: a power of 2 */
    uint32_t reserved_messages; /* the number of messages that are reserved but not put yet */
    size_t reserved_octets;     /* the length of the reserved messages with their headers, in octets */
    size_t have;                /* the number of octets that are in the buffer `in` */
    char in[IN_OCTETS];
};

/* ---- sending messages */

static struct libxl__xs_wire *wire_of(libxl_ctx *ctx)
{
    return ctx->xen->wire;
}

/* Moves the octets that must still be sent to the beginning of the output buffer. */
static void compact(struct libxl__xs_wire *wire)
{
    if (wire->out)
        memmove(wire->out, wire->out + wire->out_begin, wire->out_end - wire->out_begin);
    wire->out_end -= wire->out_begin;
    wire->out_begin = 0;
}

/*
 * Makes room for `length` octets in the output buffer, in addition to the reserved octets. Returns 0 or
 * NOMEM.
 */
static int make_out_room(struct libxl__xs_wire *wire, size_t length)
{
    length += wire->reserved_octets;
    if (wire->out_begin > wire->out_room / 2 || wire->out_begin == wire->out_end)
        compact(wire);
    if (wire->out_room - wire->out_end >= length)
        return 0;
    size_t room = wire->out_room ? wire->out_room : OUT_OCTETS;
    while (room - wire->out_end < length)
        room *= 2;
    char *larger = realloc(wire->out, room);
    if (!larger) {
        compact(wire);
        return wire->out_room - wire->out_end >= length ? 0 : ERROR_NOMEM;
    }
    wire->out = larger;
    wire->out_room = room;
    return 0;
}

static libxl__wire_expected *expected_at(const struct libxl__xs_wire *wire, uint32_t number)
{
    return &wire->expected[number & (wire->expected_room - 1)];
}

/*
 * Makes room for `count` answers in the ring, in addition to the answers of the reserved messages. Errors:
 * NOMEM.
 */
static int make_answer_room(struct libxl__xs_wire *wire, uint32_t count)
{
    const uint32_t needed = wire->put - wire->answered + wire->reserved_messages + count;
    if (needed <= wire->expected_room)
        return 0;
    uint32_t room = wire->expected_room ? wire->expected_room : EXPECTED_ANSWERS;
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

/*
 * Shrinks buffers that have grown. A buffer must be empty, and the reserved messages must fit into a buffer
 * of the initial size.
 */
static void shrink(struct libxl__xs_wire *wire)
{
    if (wire->reserved_messages > EXPECTED_ANSWERS || wire->reserved_octets > OUT_OCTETS)
        return;
    if (wire->out_begin == wire->out_end && wire->out_room > OUT_OCTETS) {
        char *smaller = realloc(wire->out, OUT_OCTETS);
        wire->out_begin = wire->out_end = 0;
        if (smaller) {
            wire->out = smaller;
            wire->out_room = OUT_OCTETS;
        }
    }
    if (wire->answered == wire->put && wire->expected_room > EXPECTED_ANSWERS) {
        libxl__wire_expected *smaller = realloc(wire->expected, EXPECTED_ANSWERS * sizeof(*smaller));
        if (smaller) {
            wire->expected = smaller;
            wire->expected_room = EXPECTED_ANSWERS;
        }
    }
}

/*
 * Returns the total length of `messages` messages with their headers, in octets. `octets` is the total length
 * of the bodies.
 */
static size_t length_of(uint32_t messages, size_t octets)
{
    return messages * sizeof(struct xsd_sockmsg) + octets;
}

int libxl__wire_reserve(libxl_ctx *ctx, uint32_t messages, size_t octets)
{
    struct libxl__xs_wire *wire = wire_of(ctx);
    if (make_out_room(wire, length_of(messages, octets)) || make_answer_room(wire, messages))
        return ERROR_NOMEM;
    wire->reserved_messages += messages;
    wire->reserved_octets += length_of(messages, octets);
    return 0;
}

void libxl__wire_release(libxl_ctx *ctx, uint32_t messages, size_t octets)
{
    struct libxl__xs_wire *wire = wire_of(ctx);
    wire->reserved_messages -= messages;
    wire->reserved_octets -= length_of(messages, octets);
}

void libxl__wire_renew(libxl_ctx *ctx, uint32_t messages, size_t octets)
{
    struct libxl__xs_wire *wire = wire_of(ctx);
    wire->reserved_messages += messages;
    wire->reserved_octets += length_of(messages, octets);
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
    if (make_out_room(wire, length_of(1, header.len)) || make_answer_room(wire, 1))
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

/* Takes the next expected answer from the ring, and calls the function for it. */
static void deliver_answer(libxl_ctx *ctx, int errnoval, const char *body, size_t length)
{
    struct libxl__xs_wire *wire = wire_of(ctx);
    libxl__wire_expected expected = *expected_at(wire, wire->answered++);
    expected.answered(ctx, expected.owner, expected.request, errnoval, body, length);
}

void libxl__wire_disconnect(libxl_ctx *ctx)
{
    struct libxl__xs_wire *wire = wire_of(ctx);
    libxl__fd_deregister(ctx, &wire->source);
    if (wire->fd >= 0)
        close(wire->fd);
    wire->fd = -1;
    while (wire->answered != wire->put)
        deliver_answer(ctx, ENOTCONN, NULL, 0);
    wire->sent = wire->put;
    wire->out_begin = wire->out_end = wire->begun = wire->have = 0;
    wire->writing = false;
}

/* Returns the length of the messages that the next call sends, in octets. */
static size_t length_to_send(const struct libxl__xs_wire *wire)
{
    struct xsd_sockmsg header;
    size_t length = wire->begun;
    for (size_t next = length; next <= SEND_OCTETS && wire->out_begin + next < wire->out_end;) {
        memcpy(&header, wire->out + wire->out_begin + next, sizeof(header));
        next += sizeof(header) + header.len;
        if (next <= SEND_OCTETS)
            length = next;
    }
    return length;
}

/*
 * Sends as many whole messages as the socket accepts. If messages are left, asks the loop to report when the
 * socket is writable again. xenstored 4.17 blocks when it has received the header of a message and nothing of the
 * body. So if this process stopped after a part of a message, xenstored would answer nobody.
 */
static void flush(libxl_ctx *ctx)
{
    struct libxl__xs_wire *wire = wire_of(ctx);
    while (wire->fd >= 0 && wire->out_begin < wire->out_end) {
        const size_t length = length_to_send(wire);
        const ssize_t written =
            send(wire->fd, wire->out + wire->out_begin, length, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (written > 0) {
            wire->out_begin += (size_t)written;
            wire->begun = length - (size_t)written;
        } else if (errno == EAGAIN) {
            break;
        } else if (errno != EINTR) {
            libxl__xs_link_lost(ctx, errno);
        }
    }
    shrink(wire);
    bool more = wire->out_begin < wire->out_end;
    if (!more)
        wire->sent = wire->put;
    if (wire->fd >= 0 && more != wire->writing) {
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

/* ---- receiving messages */

/*
 * Returns the errno for the name in a message XS_ERROR, for example "ENOENT". Returns EIO for an unknown
 * name.
 */
static int errno_of(const char *name, size_t length)
{
    for (size_t i = 0; i < sizeof(xsd_errors) / sizeof(*xsd_errors); i++)
        if (strncmp(xsd_errors[i].errstring, name, length) == 0 && strlen(xsd_errors[i].errstring) <= length)
            return xsd_errors[i].errnum;
    return EIO;
}

/*
 * Reports an event to watch.c. The event's body is a path and a token, each with a terminating zero. Any
 * other body is ignored.
 */
static void handle_event(libxl_ctx *ctx, const char *body, size_t length)
{
    size_t path = strnlen(body, length) + 1;
    const bool whole = path < length && memchr(body + path, 0, length - path);
    libxl__watch_event(ctx, body, whole ? body + path : "");
}

/* Handles a message: a watch event or the next answer. A message that is neither ends the connection. */
static void handle_message(libxl_ctx *ctx, const struct xsd_sockmsg *header, const char *body)
{
    struct libxl__xs_wire *wire = wire_of(ctx);
    if (header->type == XS_WATCH_EVENT) {
        handle_event(ctx, body, header->len);
        return;
    }
    if (wire->answered == wire->put || header->req_id != wire->answered) {
        libxl__xs_link_lost(ctx, EPROTO);
        return;
    }
    libxl__xs_link_answered(ctx);
    deliver_answer(ctx, header->type == XS_ERROR ? errno_of(body, header->len) : 0, body, header->len);
    if (!libxl__xs_link_is_up(ctx))
        libxl__xs_link_proved(ctx);
}

/* Handles the complete messages in the input buffer. An incomplete message stays in the buffer. */
static void handle_messages(libxl_ctx *ctx)
{
    struct libxl__xs_wire *wire = wire_of(ctx);
    struct xsd_sockmsg header;
    size_t at = 0;
    while (wire->fd >= 0 && wire->have - at >= sizeof(header)) {
        memcpy(&header, wire->in + at, sizeof(header));
        if (header.len > XENSTORE_PAYLOAD_MAX) {
            libxl__xs_link_lost(ctx, EPROTO);
            return;
        }
        if (wire->have - at < sizeof(header) + header.len) {
            if (header.type == XS_WATCH_EVENT)
                libxl__watch_early_fire(ctx, header.len);
            break;
        }
        handle_message(ctx, &header, wire->in + at + sizeof(header));
        at += sizeof(header) + header.len;
    }
    /* The connection was lost while a message was handled, and the buffer was emptied. */
    if (wire->fd < 0)
        return;
    wire->have -= at;
    memmove(wire->in, wire->in + at, wire->have);
}

void libxl__wire_receive(libxl_ctx *ctx)
{
    struct libxl__xs_wire *wire = wire_of(ctx);
    /* A read that does not fill the buffer has emptied the socket. */
    bool more = true;
    for (int i = 0; i < READS_AT_ONCE && more && wire->fd >= 0; i++) {
        const size_t room = sizeof(wire->in) - wire->have;
        const ssize_t got = recv(wire->fd, wire->in + wire->have, room, MSG_DONTWAIT);
        if (got > 0) {
            more = (size_t)got == room;
            wire->have += (size_t)got;
            handle_messages(ctx);
        } else if (got == 0) {
            libxl__xs_link_lost(ctx, EPIPE);
        } else if (errno == EAGAIN) {
            break;
        } else if (errno != EINTR) {
            libxl__xs_link_lost(ctx, errno);
        }
    }
    flush(ctx);
}

static void socket_ready(libxl_ctx *ctx, libxl__fd *source, uint32_t revents)
{
    (void)source, (void)revents;
    libxl__wire_receive(ctx);
}

/* ---- connecting, opening and closing */

/*
 * Finds the path of the socket by libxenstore's rules: it is $XENSTORED_PATH, or the file "socket" in
 * $XENSTORED_RUNDIR. If the path is too long, libxl__wire_connect returns an error.
 */
static void find_socket(libxl_ctx *ctx)
{
    struct sockaddr_un *address = &wire_of(ctx)->address;
    const char *path = getenv("XENSTORED_PATH"), *rundir = getenv("XENSTORED_RUNDIR");
    const size_t room = sizeof(address->sun_path);
    const int length =
        path ? snprintf(address->sun_path, room, "%s", path)
             : snprintf(address->sun_path, room, "%s/socket", rundir ? rundir : "/run/xenstored");
    address->sun_family = length < (int)room ? AF_UNIX : AF_UNSPEC;
    snprintf(ctx->xen->link.address, sizeof(ctx->xen->link.address), "%s%s", address->sun_path,
             length < (int)room ? "" : "...");
}

/*
 * Called for the answer to the first request. Any answer proves that the connection works, so the contents
 * are ignored.
 */
static void probe_answered(libxl_ctx *ctx, void *owner, libxl__xs_request *request, int errnoval,
                           const char *body, size_t length)
{
    (void)ctx, (void)owner, (void)request, (void)errnoval, (void)body, (void)length;
}

/* Returns a connected socket, or -1 with errno. */
static int connect_socket(const struct sockaddr_un *address)
{
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || !connect(fd, (const struct sockaddr *)address, sizeof(*address)))
        return fd;
    const int error = errno;
    close(fd);
    errno = error;
    return -1;
}

int libxl__wire_connect(libxl_ctx *ctx)
{
    struct libxl__xs_wire *wire = wire_of(ctx);
    const libxl__wire_expected probe = {.answered = probe_answered};
    if (wire->address.sun_family != AF_UNIX)
        return ENAMETOOLONG;
    const int fd = connect_socket(&wire->address);
    if (fd < 0)
        return errno;
    if (libxl__fd_register(ctx, &wire->source, fd, EPOLLIN, socket_ready)) {
        close(fd);
        return ENOMEM;
    }
    libxl__fd_mark_internal(ctx, &wire->source);
    wire->fd = fd;
    if (wire->put == wire->answered && libxl__wire_put(ctx, probe, XS_READ, 0, LIBXL__WIRE_TEXT("/"),
                                                       LIBXL__WIRE_NOTHING, LIBXL__WIRE_NOTHING)) {
        libxl__wire_disconnect(ctx);
        return ENOMEM;
    }
    flush(ctx);
    return 0;
}

void libxl__wire_close(libxl_ctx *ctx)
{
    struct libxl__xs_wire *wire = wire_of(ctx);
    free(wire->out);
    free(wire->expected);
    free(wire);
    ctx->xen->wire = NULL;
}

int libxl__wire_open(libxl_ctx *ctx)
{
    ctx->xen->wire = calloc(1, sizeof(*ctx->xen->wire));
    if (!ctx->xen->wire)
        return libxl__refuse_in(ERROR_NOMEM, "libxl_ctx_alloc");
    ctx->xen->wire->fd = -1;
    find_socket(ctx);
    return 0;
}

void libxl__wire_postfork(libxl_ctx *ctx)
{
    if (wire_of(ctx)->fd >= 0)
        close(wire_of(ctx)->fd);
}
