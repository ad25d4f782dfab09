/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: the registration of a descriptor while a message is awaited, or while octets cannot be written. The
 * descriptors are the application's. They are blocking, because libxenguest uses them. So this file reads or writes
 * only when the call cannot block: poll(2) has reported the descriptor as ready, and the call moves no more octets than
 * are there or fit into a pipe at once.
 */
#include "peer.h"

#include "transfer.h"
#include "libxl_internal.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const struct {
    const char *octets;
    size_t size;
} messages[] = {
    /* All messages except the greeting end with a zero octet. */
    [LIBXL__PEER_GREETING] = {"xl migration receiver ready, send binary domain data.\n",
                              sizeof("xl migration receiver ready, send binary domain data.\n") - 1},
    [LIBXL__PEER_RECEIVED] = {"domain received, ready to unpause",
                              sizeof("domain received, ready to unpause")},
    [LIBXL__PEER_GO] = {"domain is yours, you are cleared to unpause",
                        sizeof("domain is yours, you are cleared to unpause")},
    [LIBXL__PEER_ANSWER] = {"my copy unpause results are as follows",
                            sizeof("my copy unpause results are as follows")},
    [LIBXL__PEER_STATUS] = {NULL, 1},
};
_Static_assert(sizeof(libxl__peer_text) - 1 <= PIPE_BUF, "a text fits into a pipe that can be written");

/* A writable socket takes this number of octets at once, even if it has the smallest buffer. */
enum { PART = 1024 };

static void forget(libxl_ctx *ctx, libxl__source *source)
{
    libxl__fd_deregister(ctx, &LIBXL__CONTAINER(source, libxl__peer, source)->ready);
}

static void ready(libxl_ctx *ctx, libxl__fd *fd, uint32_t revents)
{
    (void)ctx, (void)revents;
    libxl__source_fire(&LIBXL__CONTAINER(fd, libxl__peer, ready)->source);
}

/* Registers one of the descriptors, so that the operation is woken. Returns LIBXL__AO_WAIT or an error. */
static int await_ready(libxl__ao *ao, libxl__peer *peer, const char *field, int fd, uint32_t events)
{
    if (peer->source.ao)
        return LIBXL__AO_WAIT;
    const int rc = libxl__fd_register(ao->ctx, &peer->ready, fd, events, ready);
    if (rc)
        return libxl__ao_fail(ao, rc, "%s: cannot be polled: %s", field, strerror(errno));
    libxl__source_attach(ao, &peer->source, forget);
    return LIBXL__AO_WAIT;
}

int libxl__peer_open(libxl__ao *ao, libxl__peer *peer, int in, int out, const char *who)
{
    int rc = libxl__transfer_check(ao, "in_fd", in, false);
    if (!rc)
        rc = libxl__transfer_check(ao, "out_fd", out, true);
    peer->in = in;
    peer->out = out;
    peer->who = who;
    return rc;
}

/* ---- sending */

static int send_octets(libxl__ao *ao, libxl__peer *peer, const void *octets, size_t size, bool *sent_out)
{
    struct pollfd fd = {.fd = peer->out, .events = POLLOUT};
    bool sent = false;
    if (!sent_out)
        sent_out = &sent;
    *sent_out = false;
    /* The other side has read all earlier octets, because it waits for this message. So there is room. */
    if (poll(&fd, 1, 0) != 1)
        return libxl__ao_fail(ao, ERROR_FAIL, "%s: the connection takes no more octets", peer->who);
    ssize_t wrote;
    do
        wrote = libxl__write_quietly(peer->out, octets, size);
    while (wrote < 0 && errno == EINTR);
    if (wrote == (ssize_t)size) {
        *sent_out = true;
        return 0;
    }
    *sent_out = wrote > 0;
    return libxl__ao_fail(ao, ERROR_FAIL, "%s: the connection cannot be written: %s", peer->who,
                          wrote < 0 ? strerror(errno) : "only a part was written");
}

int libxl__peer_send(libxl__ao *ao, libxl__peer *peer, libxl__peer_message message, bool *sent_out)
{
    return send_octets(ao, peer, messages[message].octets, messages[message].size, sent_out);
}

int libxl__peer_send_status(libxl__ao *ao, libxl__peer *peer, unsigned char status)
{
    return send_octets(ao, peer, &status, 1, NULL);
}

int libxl__peer_send_text(libxl__ao *ao, libxl__peer *peer, const char *text)
{
    char octets[sizeof(libxl__peer_text) + 1];
    const int size = snprintf(octets, sizeof(octets), "%0*zu%s", LIBXL__PEER_LENGTH, strlen(text), text);
    return send_octets(ao, peer, octets, (size_t)size, NULL);
}

int libxl__peer_send_parts(libxl__ao *ao, libxl__peer *peer, const void *octets, size_t size)
{
    while (peer->count < size) {
        struct pollfd fd = {.fd = peer->out, .events = POLLOUT};
        const size_t part = size - peer->count < PART ? size - peer->count : PART;
        if (poll(&fd, 1, 0) != 1)
            return await_ready(ao, peer, "out_fd", peer->out, EPOLLOUT);
        const ssize_t wrote = libxl__write_quietly(peer->out, (const char *)octets + peer->count, part);
        if (wrote < 0 && errno != EINTR)
            return libxl__ao_fail(ao, ERROR_FAIL, "%s: the connection cannot be written: %s", peer->who,
                                  strerror(errno));
        peer->count += wrote > 0 ? (size_t)wrote : 0;
    }
    libxl__source_stop(ao->ctx, &peer->source);
    peer->count = 0;
    return 0;
}

/* ---- reading */

static int fail_unexpected(libxl__ao *ao, const libxl__peer *peer)
{
    return libxl__ao_fail(ao, ERROR_FAIL, "%s has sent something else than xl's message: '%.*s'", peer->who,
                          (int)peer->count, peer->got);
}

/* Reads the octets of the message that have arrived. Returns LIBXL__AO_WAIT if there are none. */
static int read_part(libxl__ao *ao, libxl__peer *peer, char *into, size_t size)
{
    struct pollfd fd = {.fd = peer->in, .events = POLLIN};
    if (poll(&fd, 1, 0) != 1)
        return LIBXL__AO_WAIT;
    const ssize_t got = read(peer->in, into + peer->count, size - peer->count);
    if (got < 0 && errno == EINTR)
        return 0;
    if (got > 0) {
        peer->count += (size_t)got;
        return 0;
    }
    peer->lost = true;
    return libxl__ao_fail(ao, ERROR_FAIL, "%s has closed the connection%s%s", peer->who, got ? ": " : "",
                          got ? strerror(errno) : "");
}

int libxl__peer_expect(libxl__ao *ao, libxl__peer *peer, libxl__peer_message message)
{
    const size_t size = messages[message].size;
    while (peer->count < size) {
        const int rc = read_part(ao, peer, peer->got, size);
        if (rc == LIBXL__AO_WAIT)
            return await_ready(ao, peer, "in_fd", peer->in, EPOLLIN);
        if (rc)
            return rc;
        if (messages[message].octets && memcmp(peer->got, messages[message].octets, peer->count) != 0)
            return fail_unexpected(ao, peer);
    }
    /* Between two messages aioxen-transfer uses the descriptor, so this operation must not be woken. */
    libxl__source_stop(ao->ctx, &peer->source);
    peer->status = (unsigned char)*peer->got;
    peer->count = 0;
    return 0;
}

/*
 * Returns the length of a text from those of its digits that were read. `count` octets were read, the digits
 * included. Returns -1 if the digits are wrong.
 */
static int length_of(const libxl__peer_text *buffer, size_t count)
{
    int length = 0;
    for (size_t i = 0; i < count && i < LIBXL__PEER_LENGTH; i++) {
        if (buffer->length[i] < '0' || buffer->length[i] > '9')
            return -1;
        length = 10 * length + buffer->length[i] - '0';
    }
    return length > LIBXL__PEER_LONGEST_TEXT ? -1 : length;
}

int libxl__peer_expect_text(libxl__ao *ao, libxl__peer *peer, libxl__peer_text *buffer)
{
    for (;;) {
        const int length = length_of(buffer, peer->count);
        if (length < 0)
            return libxl__ao_fail(ao, ERROR_FAIL, "%s has sent something else than an answer", peer->who);
        const size_t known = peer->count < LIBXL__PEER_LENGTH ? 0 : (size_t)length;
        if (peer->count >= LIBXL__PEER_LENGTH && peer->count == LIBXL__PEER_LENGTH + known) {
            buffer->text[known] = 0;
            break;
        }
        const int rc = read_part(ao, peer, (char *)buffer, LIBXL__PEER_LENGTH + known);
        if (rc == LIBXL__AO_WAIT)
            return await_ready(ao, peer, "in_fd", peer->in, EPOLLIN);
        if (rc)
            return rc;
    }
    libxl__source_stop(ao->ctx, &peer->source);
    peer->count = 0;
    return 0;
}

void libxl__peer_stop_reading(libxl__ao *ao, libxl__peer *peer)
{
    libxl__source_stop(ao->ctx, &peer->source);
}
