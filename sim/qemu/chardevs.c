/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * QEMU's character devices: terminals, and sockets that accept connections. Some sockets are monitors. Owns
 * the descriptors of all devices. The program has one thread, so it needs no lock for them.
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
    c->length = 0;
    c->negotiated = false;
    if (fd >= 0 && c->monitor)
        send(fd, qmp_greeting, strlen(qmp_greeting), MSG_NOSIGNAL);
}

/*
 * Ends a connection. If it was a monitor's connection, also removes all sets of descriptors (command add-fd). Media
 * stay in their drives, because a drive has the path of its medium's file.
 */
static void hang_up(struct options *o, struct chardev *c)
{
    close(c->client);
    c->client = -1;
    for (int i = 0; c->monitor && i < MAX_SETS; i++) {
        if (o->sets[i] >= 0)
            close(o->sets[i]);
        o->sets[i] = -1;
    }
}

void chardevs_tell(const struct options *o, const char *event)
{
    char line[128];
    const int length = snprintf(line, sizeof line,
                                "{\"timestamp\": {\"seconds\": 1, \"microseconds\": 0}, "
                                "\"event\": \"%s\"}\r\n",
                                event);
    for (uint32_t i = 0; i < o->nr_chardevs; i++)
        if (o->chardevs[i].client >= 0 && o->chardevs[i].negotiated)
            send(o->chardevs[i].client, line, (size_t)length, MSG_NOSIGNAL);
}

/* Receives octets, and a descriptor that may come with them. Returns what recvmsg returns. */
static ssize_t receive(struct chardev *c, int *passed)
{
    union {
        struct cmsghdr header;
        char buffer[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec octets = {c->request + c->length, sizeof c->request - 1 - c->length};
    struct msghdr message = {.msg_iov = &octets,
                             .msg_iovlen = 1,
                             .msg_control = control.buffer,
                             .msg_controllen = sizeof control.buffer};
    const ssize_t got = recvmsg(c->client, &message, MSG_CMSG_CLOEXEC);
    const struct cmsghdr *header = got > 0 ? CMSG_FIRSTHDR(&message) : NULL;
    if (header && header->cmsg_type == SCM_RIGHTS)
        memcpy(passed, CMSG_DATA(header), sizeof *passed);
    return got;
}

/* Answers the complete lines that have arrived. A descriptor belongs to the line with the octet that it came with. */
static void serve(struct options *o, struct chardev *c)
{
    char answer[QMP_ANSWER_SIZE], *line = c->request, *end;
    int passed = -1;
    const ssize_t got = receive(c, &passed);
    if (passed >= 0) {
        if (c->passed >= 0)
            close(c->passed);
        c->passed = passed;
    }
    if (got <= 0 || !c->monitor) {
        if (got <= 0)
            hang_up(o, c);
        return;
    }
    c->length += (size_t)got;
    c->request[c->length] = 0;
    for (; (end = strpbrk(line, "\r\n")); line = end + 1) {
        *end = 0;
        if (*line)
            send(c->client, answer, qmp_answer(o, line, &c->passed, answer), MSG_NOSIGNAL);
        c->negotiated = c->negotiated || strstr(line, "qmp_capabilities");
    }
    c->length = strlen(line);
    memmove(c->request, line, c->length + 1);
    if (c->length == sizeof c->request - 1)
        hang_up(o, c);
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
