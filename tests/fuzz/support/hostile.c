/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns: the listening socket and a descriptor of its file, as long as the process runs, and the connection of the present run. */
#include "hostile.h"

#include "world.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <xen/io/xs_wire.h>

enum { HELD = 16 << 10 };

static struct {
    int connection; /* The present connection. -1: there is none. */
    char received[HELD];
    size_t have;
    /* The end of a message of which only the beginning was sent. It is sent before the next message. */
    char held[HELD];
    size_t holds;
} peer;

static int listener = -1;

static void accept_connection(void)
{
    const int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return;
    if (peer.connection >= 0)
        close(peer.connection);
    peer.connection = fd;
    peer.have = peer.holds = 0;
}

/* Reads the octets that the library has sent. Drops octets for which there is no room. */
void peer_receive(void)
{
    char rest[1024];
    accept_connection();
    if (peer.connection < 0)
        return;
    ssize_t got = recv(peer.connection, peer.received + peer.have, HELD - peer.have, MSG_DONTWAIT);
    peer.have += got > 0 ? (size_t)got : 0;
    while (peer.have == HELD && recv(peer.connection, rest, sizeof(rest), MSG_DONTWAIT) > 0)
        ;
}

/* Takes the oldest request. Returns false if no complete request has arrived. */
static bool take_request(struct xsd_sockmsg *header, char *body, size_t room)
{
    peer_receive();
    if (peer.have < sizeof(*header))
        return false;
    memcpy(header, peer.received, sizeof(*header));
    const size_t length = sizeof(*header) + header->len;
    CHECK(header->len <= XENSTORE_PAYLOAD_MAX);
    if (peer.have < length)
        return false;
    memset(body, 0, room);
    memcpy(body, peer.received + sizeof(*header), header->len < room ? header->len : room - 1);
    memmove(peer.received, peer.received + length, peer.have - length);
    peer.have -= length;
    return true;
}

static void send_octets(const void *octets, size_t length)
{
    if (peer.connection >= 0)
        (void)!send(peer.connection, octets, length, MSG_NOSIGNAL | MSG_DONTWAIT);
}

void peer_send_held(void)
{
    send_octets(peer.held, peer.holds);
    peer.holds = 0;
}

/* Sends a message. If `hold` is not 0, the end of the message may be held back until the next message is
 * sent. */
static void send_message(struct xsd_sockmsg header, const char *body, size_t length, unsigned hold)
{
    char text[sizeof(header) + XENSTORE_PAYLOAD_MAX];
    peer_send_held();
    memcpy(text, &header, sizeof(header));
    memcpy(text + sizeof(header), body, length);
    const size_t all = sizeof(header) + length, now = hold ? hold % all : all;
    send_octets(text, now);
    memcpy(peer.held, text + now, all - now);
    peer.holds = all - now;
}

/* Sends the answer that xenstored would give, or an answer that differs from xenstored's in one respect. */
void peer_answer(bytes *input, unsigned way)
{
    static const char *const errors[] = {"ENOENT", "EACCES", "EAGAIN", "EINVAL", "ENOSPC", "E", "", "EQUOTA"};
    struct xsd_sockmsg header;
    char body[64], text[64] = "OK";
    if (!take_request(&header, body, sizeof(body)))
        return;
    size_t length = 3;
    if (header.type == XS_TRANSACTION_START)
        length = (size_t)snprintf(text, sizeof(text), "%u", 1 + next_below(input, 4)) + 1;
    else if (header.type == XS_READ)
        length = strlen(strcpy(text, body));
    switch (way) {
    case 1:
    case 2:
        header.type = XS_ERROR;
        length = strlen(strcpy(text, errors[next_below(input, sizeof(errors) / sizeof(*errors))]));
        length += way & 1; /* The name of the error has a terminating zero or lacks it. */
        break;
    case 3: header.req_id += next_byte(input); break;
    case 4: header.type = next_byte(input); break;
    case 5:
        length = next_below(input, sizeof(text));
        for (size_t i = 0; i < length; i++)
            text[i] = (char)next_byte(input);
        break;
    default: break;
    }
    header.len = (uint32_t)length;
    if (way == 6)
        header.len = next_byte(input) << (next_byte(input) % 24);
    send_message(header, text, length, way == 7 ? next_byte(input) : 0);
}

void peer_send_event(bytes *input, unsigned way, const char *token)
{
    struct xsd_sockmsg header = {.type = XS_WATCH_EVENT, .req_id = next_byte(input)};
    char text[64];
    size_t length = (size_t)snprintf(text, sizeof(text), "@x%c%s", 0, token) + 1;
    if (way == 1)
        text[next_below(input, (unsigned)length)] = (char)next_byte(input);
    if (way == 2)
        length = next_below(input, (unsigned)length);
    header.len = (uint32_t)length;
    send_message(header, text, length, way == 3 ? next_byte(input) : 0);
}

void peer_send_raw(bytes *input, unsigned length)
{
    char text[16];
    for (unsigned i = 0; i < length; i++)
        text[i] = (char)next_byte(input);
    peer_send_held();
    send_octets(text, length);
}

void peer_hang_up(void)
{
    if (peer.connection >= 0)
        close(peer.connection);
    peer.connection = -1;
}

/* Opens the socket, and removes its file at once. So the file does not stay when the fuzzer or a fault ends the
 * process. The library connects by a descriptor of the file. */
static void open_listener(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char path[32];
    snprintf(address.sun_path, sizeof(address.sun_path), "/tmp/aioxen-fuzz-%d", (int)getpid());
    unlink(address.sun_path);
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    CHECK(!bind(listener, (struct sockaddr *)&address, sizeof(address)) && !listen(listener, 8));
    const int file = open(address.sun_path, O_PATH | O_CLOEXEC);
    CHECK(file >= 0 && !unlink(address.sun_path));
    snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
    setenv("XENSTORED_PATH", path, 1);
}

/* Closes the connections that the previous run has not closed. */
static void forget_connections(void)
{
    for (int fd; (fd = accept(listener, NULL, NULL)) >= 0;)
        close(fd);
}

void peer_begin(void)
{
    if (listener < 0)
        open_listener();
    forget_connections();
    memset(&peer, 0, sizeof(peer));
    peer.connection = -1;
}
