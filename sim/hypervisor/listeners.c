/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the open event channel handles ("listeners") of all processes. Each handle has a datagram socket,
 * which is readable while the handle's queue of ports in the shared state is not empty. The socket holds at
 * most one datagram, because the kernel's queue of a socket is short.
 *
 * Lock: machine->lock for all functions. Lifetime: a handle exists until it is closed. The handles of a
 * killed process are closed when any process opens a handle.
 */
#include "machine.h"

#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int send_fd = -1;

static uint32_t key_of(uint32_t domid, uint32_t port)
{
    return domid << 16 | port;
}

static socklen_t address_of(struct sockaddr_un *a, uint64_t id)
{
    *a = (struct sockaddr_un){.sun_family = AF_UNIX};
    int n = snprintf(a->sun_path + 1, sizeof a->sun_path - 1, "aioxen-sim/%016llx/%llu",
                     (unsigned long long)machine->world, (unsigned long long)id);
    return offsetof(struct sockaddr_un, sun_path) + 1 + n;
}

static void close_channels(uint16_t listener)
{
    for (uint32_t port = 1; port <= machine->top_port; port++)
        if (machine->dom0_ports[port].listener == listener)
            channel_close(0, port);
}

static void close_dead(void)
{
    for (uint16_t i = 1; i < machine->next_listener && i < MAX_LISTENERS; i++)
        if (machine->listeners[i].used && kill(machine->listeners[i].pid, 0) && errno == ESRCH)
            listener_close(i, -1);
}

int listener_open(bool cloexec, uint16_t *listener)
{
    close_dead();
    uint16_t i = 1;
    while (i < MAX_LISTENERS && machine->listeners[i].used)
        i++;
    if (i == MAX_LISTENERS)
        return -ENOSPC;
    uint64_t id = machine->next_listener++;
    struct sockaddr_un a;
    socklen_t size = address_of(&a, id);
    int fd = socket(AF_UNIX, SOCK_DGRAM | (cloexec ? SOCK_CLOEXEC : 0), 0);
    if (fd < 0)
        return -errno;
    if (bind(fd, (struct sockaddr *)&a, size)) {
        int error = errno;
        close(fd);
        return -error;
    }
    machine->listeners[i] = (struct listener){.used = true, .pid = getpid(), .id = id};
    *listener = i;
    return fd;
}

void listener_close(uint16_t listener, int fd)
{
    close_channels(listener);
    machine->listeners[listener].used = false;
    if (fd >= 0)
        close(fd);
}

bool listeners_attach(void)
{
    send_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return send_fd >= 0;
}

static bool wake(const struct listener *l)
{
    struct sockaddr_un a;
    socklen_t size = address_of(&a, l->id);
    return sendto(send_fd, "", 1, MSG_NOSIGNAL, (struct sockaddr *)&a, size) == 1;
}

void listener_queue(uint16_t listener, uint32_t domid, uint32_t port)
{
    struct listener *l = &machine->listeners[listener];
    if (!l->used || (!l->head && !wake(l)))
        return; /* the process of the handle has died */
    uint32_t key = key_of(domid, port);
    if (l->head)
        channel_get(l->tail >> 16, l->tail & 0xffff)->next = key;
    else
        l->head = key;
    l->tail = key;
    struct channel *c = channel_get(domid, port);
    c->queued = true;
    c->next = 0;
}

void listener_drain(uint16_t listener, int fd)
{
    char byte;
    if (!machine->listeners[listener].head)
        recv(fd, &byte, 1, MSG_DONTWAIT);
}

void listener_unqueue(uint16_t listener, uint32_t domid, uint32_t port)
{
    struct listener *l = &machine->listeners[listener];
    uint32_t key = key_of(domid, port), before = 0;
    for (uint32_t at = l->head; at && at != key; at = channel_get(at >> 16, at & 0xffff)->next)
        before = at;
    struct channel *c = channel_get(domid, port);
    if (before)
        channel_get(before >> 16, before & 0xffff)->next = c->next;
    else
        l->head = c->next;
    if (l->tail == key)
        l->tail = before;
    c->queued = false;
}

bool listener_pop(uint16_t listener, int fd, uint32_t *domid, uint32_t *port)
{
    struct listener *l = &machine->listeners[listener];
    uint32_t key = l->head;
    if (key) {
        *domid = key >> 16;
        *port = key & 0xffff;
        struct channel *c = channel_get(*domid, *port);
        c->queued = false;
        l->head = c->next;
    }
    listener_drain(listener, fd);
    return key != 0;
}
