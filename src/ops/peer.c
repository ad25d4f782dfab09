/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: the registration of the reading descriptor while a message is awaited. The descriptors are the application's.
 * They are blocking, because libxenguest uses them. So this file reads or writes only when the call cannot block:
 * poll(2) has reported the descriptor as ready, and the call moves no more octets than are there or fit into a pipe
 * at once.
 */
#include "peer.h"

#include "transfer.h"
#include "libxl_internal.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
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
_Static_assert(sizeof("xl migration receiver ready, send binary domain data.\n") <= PIPE_BUF,
               "a message fits into a pipe that can be written");

static void forget(libxl_ctx *ctx, libxl__source *source)
{
    libxl__fd_deregister(ctx, &LIBXL__CONTAINER(source, libxl__peer, source)->readable);
}

static void readable(libxl_ctx *ctx, libxl__fd *fd, uint32_t revents)
{
    (void)ctx, (void)revents;
    libxl__source_fire(&LIBXL__CONTAINER(fd, libxl__peer, readable)->source);
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

/* ---- reading */

static int fail_unexpected(libxl__ao *ao, const libxl__peer *peer)
{
    return libxl__ao_fail(ao, ERROR_FAIL, "%s has sent something else than xl's message: '%.*s'", peer->who,
                          (int)peer->count, peer->got);
}

/* Reads the octets of the message that have arrived. Returns LIBXL__AO_WAIT if there are none. */
static int read_part(libxl__ao *ao, libxl__peer *peer, size_t size)
{
    struct pollfd fd = {.fd = peer->in, .events = POLLIN};
    if (poll(&fd, 1, 0) != 1)
        return LIBXL__AO_WAIT;
    const ssize_t got = read(peer->in, peer->got + peer->count, size - peer->count);
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

/* Registers the descriptor, so that the operation is woken. */
static int await_octets(libxl__ao *ao, libxl__peer *peer)
{
    if (peer->source.ao)
        return LIBXL__AO_WAIT;
    const int rc = libxl__fd_register(ao->ctx, &peer->readable, peer->in, EPOLLIN, readable);
    if (rc)
        return libxl__ao_fail(ao, rc, "in_fd: cannot be polled: %s", strerror(errno));
    libxl__source_attach(ao, &peer->source, forget);
    return LIBXL__AO_WAIT;
}

int libxl__peer_expect(libxl__ao *ao, libxl__peer *peer, libxl__peer_message message)
{
    const size_t size = messages[message].size;
    while (peer->count < size) {
        const int rc = read_part(ao, peer, size);
        if (rc == LIBXL__AO_WAIT)
            return await_octets(ao, peer);
        if (rc)
            return rc;
        if (messages[message].octets && memcmp(peer->got, messages[message].octets, peer->count) != 0)
            return fail_unexpected(ao, peer);
    }
    /* Between two messages the program uses the descriptor, so this operation must not be woken. */
    libxl__source_stop(ao->ctx, &peer->source);
    peer->status = (unsigned char)*peer->got;
    peer->count = 0;
    return 0;
}

void libxl__peer_stop_reading(libxl__ao *ao, libxl__peer *peer)
{
    libxl__source_stop(ao->ctx, &peer->source);
}
