/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * QEMU's character devices: terminals, and sockets that accept connections. Some sockets are monitors. Owns
 * the descriptors of all devices.
 */
#include "qemu.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static bool socket_open(struct chardev *c)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    memcpy(a.sun_path, c->path, sizeof c->path);
    unlink(c->path);
    c->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return c->listener >= 0 && !bind(c->listener, (struct sockaddr *)&a, sizeof a) && !listen(c->listener, 4);
}

bool pty_open(int *master, char name[108])
{
    *master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    return *master >= 0 && !grantpt(*master) && !unlockpt(*master) && !ptsname_r(*master, name, 108);
}

bool chardevs_open(struct options *o)
{
    for (uint32_t i = 0; i < o->nr_chardevs; i++) {
        struct chardev *c = &o->chardevs[i];
        if (c->silent || c->listener >= 0 || (c->pty ? pty_open(&c->client, c->path) : socket_open(c)))
            continue;
        fprintf(stderr, "qemu: -chardev %s: %s\n", c->id, strerror(errno));
        return false;
    }
    return true;
}

void chardevs_remove(const struct options *o)
{
    for (uint32_t i = 0; i < o->nr_chardevs; i++)
        if (!o->chardevs[i].pty && !o->chardevs[i].silent && *o->chardevs[i].path)
            unlink(o->chardevs[i].path);
}

static void accept_client(struct chardev *c)
{
    const int fd = accept4(c->listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0 && c->client >= 0) {
        close(fd);
        return;
    }
    c->client = fd;
    if (fd >= 0 && c->monitor)
        send(fd, qmp_greeting, strlen(qmp_greeting), MSG_NOSIGNAL);
}

/*
 * Answers the lines that have arrived. An incomplete line ends the connection, because clients send whole
 * lines.
 */
static void serve(struct options *o, struct chardev *c)
{
    char request[QMP_ANSWER_SIZE], answer[QMP_ANSWER_SIZE], *next = request;
    const ssize_t got = recv(c->client, request, sizeof request - 1, 0);
    if (got <= 0) {
        close(c->client);
        c->client = -1;
        return;
    }
    request[got] = 0;
    for (char *line; c->monitor && (line = strsep(&next, "\r\n"));)
        if (*line)
            send(c->client, answer, qmp_answer(o, line, answer), MSG_NOSIGNAL);
}

void chardevs_wait(struct options *o, int fd, int limit_ms)
{
    struct pollfd polled[1 + MAX_CHARDEVS] = {{.fd = fd, .events = POLLIN}};
    for (uint32_t i = 0; i < o->nr_chardevs; i++) {
        const struct chardev *c = &o->chardevs[i];
        polled[1 + i] = (struct pollfd){.fd = c->pty || c->silent ? -1
                                              : c->client >= 0    ? c->client
                                                                  : c->listener,
                                        .events = POLLIN};
    }
    if (poll(polled, 1 + o->nr_chardevs, limit_ms) <= 0)
        return;
    for (uint32_t i = 0; i < o->nr_chardevs; i++) {
        if (!polled[1 + i].revents)
            continue;
        if (o->chardevs[i].client < 0)
            accept_client(&o->chardevs[i]);
        else
            serve(o, &o->chardevs[i]);
    }
}
