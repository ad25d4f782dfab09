/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Simulates netlink sockets. Each of them is in fact a unix datagram socket, whose address is unique in the world. A
 * process that sends a request also simulates the kernel: it carries out the request (host_rtnetlink.c), and sends
 * the answer to its own socket. Notifications are sent to the sockets of all processes.
 *
 * A datagram socket has room for only a few datagrams. Answers that do not fit wait in the memory of the
 * process. A notification that does not fit is dropped. The next read then fails with ENOBUFS, as in Linux.
 *
 * Lock: machine->lock. `waiting_lock` guards the answers that wait.
 */
#include "host_netlink.h"
#include "machine.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

struct answer {
    struct answer *next;
    uint64_t to;
    size_t size;
    char message[];
};

static bool any; /* this process has opened a netlink socket */
static pthread_mutex_t waiting_lock = PTHREAD_MUTEX_INITIALIZER;
static struct answer *waiting;

#define NEXT(name)                                                                                           \
    static __typeof__(&name) next;                                                                           \
    if (!next)                                                                                               \
    next = (__typeof__(next))dlsym(RTLD_NEXT, #name)

/* ---- the netlink sockets of this process */

static socklen_t address_of(struct sockaddr_un *a, uint64_t id)
{
    *a = (struct sockaddr_un){.sun_family = AF_UNIX};
    int n = snprintf(a->sun_path + 1, sizeof a->sun_path - 1, "aioxen-sim/%016llx/netlink/%llu",
                     (unsigned long long)machine->world, (unsigned long long)id);
    return offsetof(struct sockaddr_un, sun_path) + 1 + n;
}

/* Returns the id of a netlink socket, or 0 for any other descriptor. */
static uint64_t number_of(int fd)
{
    struct sockaddr_un a = {0};
    socklen_t size = sizeof a - 1;
    unsigned long long world, id;
    NEXT(getsockname);
    if (!__atomic_load_n(&any, __ATOMIC_RELAXED) || next(fd, (struct sockaddr *)&a, &size) ||
        a.sun_family != AF_UNIX || sscanf(a.sun_path + 1, "aioxen-sim/%16llx/netlink/%llu", &world, &id) != 2)
        return 0;
    return id;
}

EXPORT int socket(int domain, int type, int protocol)
{
    NEXT(socket);
    if (domain != AF_NETLINK || protocol != NETLINK_ROUTE || !machine_attach())
        return next(domain, type, protocol);
    const int error = fault_check(CALL_HOST_NETLINK_OPEN);
    if (error) {
        errno = error;
        return -1;
    }
    struct sockaddr_un a;
    const int fd = next(AF_UNIX, SOCK_DGRAM | (type & (SOCK_CLOEXEC | SOCK_NONBLOCK)), 0);
    if (fd < 0)
        return -1;
    machine_lock();
    const uint64_t id = ++machine->host.next_socket;
    machine_unlock();
    const socklen_t size = address_of(&a, id);
    static int (*bind_next)(int, const struct sockaddr *, socklen_t);
    if (!bind_next)
        bind_next = dlsym(RTLD_NEXT, "bind");
    if (bind_next(fd, (struct sockaddr *)&a, size)) {
        close(fd);
        return -1;
    }
    __atomic_store_n(&any, true, __ATOMIC_RELAXED);
    return fd;
}

static bool is_netlink(const struct sockaddr *address, int fd, uint64_t *id)
{
    return address && address->sa_family == AF_NETLINK && machine_attach() && (*id = number_of(fd));
}

static bool answers(uint64_t id)
{
    struct sockaddr_un a;
    const socklen_t size = address_of(&a, id);
    static int (*connect_next)(int, const struct sockaddr *, socklen_t);
    static int (*socket_next)(int, int, int);
    if (!connect_next) {
        connect_next = dlsym(RTLD_NEXT, "connect");
        socket_next = dlsym(RTLD_NEXT, "socket");
    }
    const int fd = socket_next(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const bool there = fd >= 0 && !connect_next(fd, (struct sockaddr *)&a, size);
    if (fd >= 0)
        close(fd);
    return there;
}

static void listen_to_links(uint64_t id)
{
    struct link_listener *free_place = NULL;
    machine_lock();
    for (struct link_listener *l = machine->host.listeners; l < machine->host.listeners + MAX_LINK_LISTENERS;
         l++) {
        if (l->id && l->id != id && !answers(l->id))
            l->id = 0; /* the process of this entry has closed the socket or has ended */
        if (!l->id && !free_place)
            free_place = l;
    }
    if (free_place)
        *free_place = (struct link_listener){.id = id};
    machine_unlock();
}

EXPORT int bind(int fd, const struct sockaddr *address, socklen_t size)
{
    uint64_t id;
    NEXT(bind);
    if (!is_netlink(address, fd, &id))
        return next(fd, address, size);
    if (((const struct sockaddr_nl *)address)->nl_groups & RTMGRP_LINK)
        listen_to_links(id);
    return 0;
}

EXPORT int getsockname(int fd, struct sockaddr *restrict address, socklen_t *restrict size)
{
    NEXT(getsockname);
    const uint64_t id = number_of(fd);
    if (!id)
        return next(fd, address, size);
    const struct sockaddr_nl nl = {.nl_family = AF_NETLINK, .nl_pid = (uint32_t)id};
    memcpy(address, &nl, *size < sizeof nl ? *size : sizeof nl);
    *size = sizeof nl;
    return 0;
}

EXPORT int setsockopt(int fd, int level, int option, const void *value, socklen_t size)
{
    NEXT(setsockopt);
    return level == SOL_NETLINK && number_of(fd) ? 0 : next(fd, level, option, value, size);
}

/* ---- answers and notifications */

static ssize_t deliver(uint64_t to, const void *message, size_t size)
{
    static ssize_t (*send_next)(int, const void *, size_t, int, const struct sockaddr *, socklen_t);
    if (!send_next)
        send_next = dlsym(RTLD_NEXT, "sendto");
    struct sockaddr_un a;
    const socklen_t length = address_of(&a, to);
    return send_next(send_fd, message, size, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&a, length);
}

/* Sends the waiting answers that fit into their sockets. */
static void send_waiting(void)
{
    pthread_mutex_lock(&waiting_lock);
    for (struct answer **at = &waiting; *at;) {
        struct answer *answer = *at;
        if (deliver(answer->to, answer->message, answer->size) < 0 && errno == EAGAIN) {
            at = &answer->next;
            continue;
        }
        *at = answer->next;
        free(answer);
    }
    pthread_mutex_unlock(&waiting_lock);
}

void host_netlink_answer(uint64_t to, const struct nlmsghdr *message)
{
    struct answer *answer = malloc(sizeof *answer + message->nlmsg_len);
    if (!answer)
        abort();
    *answer = (struct answer){.to = to, .size = message->nlmsg_len};
    memcpy(answer->message, message, message->nlmsg_len);
    pthread_mutex_lock(&waiting_lock);
    struct answer **end = &waiting;
    while (*end)
        end = &(*end)->next;
    *end = answer;
    pthread_mutex_unlock(&waiting_lock);
    send_waiting();
}

void host_netlink_notify(const struct nlmsghdr *message)
{
    for (struct link_listener *l = machine->host.listeners; l < machine->host.listeners + MAX_LINK_LISTENERS;
         l++)
        if (l->id && deliver(l->id, message, message->nlmsg_len) < 0) {
            if (errno == EAGAIN)
                l->overrun = true;
            else
                l->id = 0; /* the listener's process has ended */
        }
}

EXPORT ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
    NEXT(recvmsg);
    const socklen_t room = message->msg_namelen;
    const uint64_t id = message->msg_name ? number_of(fd) : 0;
    if (!id)
        return next(fd, message, flags);
    send_waiting();
    const ssize_t received = next(fd, message, flags);
    if (received >= 0 && room >= sizeof(struct sockaddr_nl)) {
        *(struct sockaddr_nl *)message->msg_name = (struct sockaddr_nl){.nl_family = AF_NETLINK};
        message->msg_namelen = sizeof(struct sockaddr_nl);
    }
    const int saved = errno;
    send_waiting();
    errno = saved;
    if (received >= 0 || errno != EAGAIN)
        return received;
    bool overrun = false;
    machine_lock();
    for (struct link_listener *l = machine->host.listeners; l < machine->host.listeners + MAX_LINK_LISTENERS;
         l++)
        if (l->id == id) {
            overrun = l->overrun;
            l->overrun = false;
        }
    machine_unlock();
    errno = overrun ? ENOBUFS : EAGAIN;
    return -1;
}

/* ---- requests */

static ssize_t take_request(uint64_t from, const void *data, size_t size)
{
    _Alignas(struct nlmsghdr) char copy[NETLINK_MESSAGE];
    if (size < sizeof(struct nlmsghdr) || size > sizeof copy ||
        ((const struct nlmsghdr *)data)->nlmsg_len > size) {
        errno = EINVAL;
        return -1;
    }
    memcpy(copy, data, size);
    host_rtnetlink_serve(from, (void *)copy);
    return (ssize_t)size;
}

EXPORT ssize_t sendto(int fd, const void *data, size_t size, int flags, const struct sockaddr *address,
                      socklen_t length)
{
    uint64_t id;
    NEXT(sendto);
    if (is_netlink(address, fd, &id))
        return take_request(id, data, size);
    return next(fd, data, size, flags, address, length);
}

EXPORT ssize_t send(int fd, const void *data, size_t size, int flags)
{
    NEXT(send);
    const uint64_t id = number_of(fd);
    return id ? take_request(id, data, size) : next(fd, data, size, flags);
}

/* Supports only messages in one buffer, as iproute2 sends them. */
EXPORT ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    NEXT(sendmsg);
    const uint64_t id = number_of(fd);
    return id ? take_request(id, message->msg_iov->iov_base, message->msg_iov->iov_len)
              : next(fd, message, flags);
}
