/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Simulates rtnetlink. A netlink socket is a datagram socket, whose address is unique in the world. A process
 * that sends a request also simulates the kernel: it carries out the request, and sends the answer to its own
 * socket. Notifications are sent to the sockets of all processes.
 *
 * A datagram socket has room for only a few datagrams. Answers that do not fit wait in the memory of the
 * process. A notification that does not fit is dropped. The next read then fails with ENOBUFS, as in Linux.
 *
 * Lock: machine->lock. `waiting_lock` guards the answers that wait.
 */
#include "machine.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#define MESSAGE 1024

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

static void answer_with(uint64_t to, const struct nlmsghdr *message)
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

static void *put(struct nlmsghdr *message, uint16_t type, const void *data, size_t size)
{
    struct rtattr *attribute = (void *)((char *)message + NLMSG_ALIGN(message->nlmsg_len));
    attribute->rta_type = type;
    attribute->rta_len = RTA_LENGTH(size);
    if (size)
        memcpy(RTA_DATA(attribute), data, size);
    message->nlmsg_len = NLMSG_ALIGN(message->nlmsg_len) + RTA_ALIGN(attribute->rta_len);
    return attribute;
}

static void describe(const struct link *link, uint16_t type, uint32_t sequence, uint32_t pid,
                     struct nlmsghdr *message)
{
    memset(message, 0, MESSAGE);
    *message = (struct nlmsghdr){.nlmsg_len = NLMSG_LENGTH(sizeof(struct ifinfomsg)),
                                 .nlmsg_type = type,
                                 .nlmsg_seq = sequence,
                                 .nlmsg_pid = pid};
    *(struct ifinfomsg *)NLMSG_DATA(message) = (struct ifinfomsg){
        .ifi_type = ARPHRD_ETHER, .ifi_index = link->index, .ifi_flags = link->up ? IFF_UP | IFF_RUNNING : 0};
    const uint32_t queue = 1000;
    put(message, IFLA_IFNAME, link->name, strlen(link->name) + 1);
    put(message, IFLA_MTU, &link->mtu, sizeof link->mtu);
    put(message, IFLA_TXQLEN, &queue, sizeof queue);
    put(message, IFLA_ADDRESS, link->address, sizeof link->address);
    if (link->master)
        put(message, IFLA_MASTER, &link->master, sizeof link->master);
    struct rtattr *info = put(message, IFLA_LINKINFO, NULL, 0);
    put(message, IFLA_INFO_KIND, link->kind, strlen(link->kind) + 1);
    info->rta_len = (uint16_t)((char *)message + message->nlmsg_len - (char *)info);
}

void host_link_changed(const struct link *link, bool gone)
{
    _Alignas(struct nlmsghdr) char buffer[MESSAGE];
    describe(link, gone ? RTM_DELLINK : RTM_NEWLINK, 0, 0, (void *)buffer);
    for (struct link_listener *l = machine->host.listeners; l < machine->host.listeners + MAX_LINK_LISTENERS;
         l++)
        if (l->id && deliver(l->id, buffer, ((struct nlmsghdr *)buffer)->nlmsg_len) < 0) {
            if (errno == EAGAIN)
                l->overrun = true;
            else
                l->id = 0; /* the listener's process has ended */
        }
}

/* ---- carrying out requests */

struct change {
    const struct ifinfomsg *header;
    const char *name, *words; /* `name`: the interface's name. `words`: the kernel's text about an error. */
    const uint32_t *mtu, *master;
    const uint8_t *address;
    const char *kind;
};

static void read_kind(struct rtattr *nested, struct change *c)
{
    int left = (int)RTA_PAYLOAD(nested);
    for (struct rtattr *a = RTA_DATA(nested); RTA_OK(a, left); a = RTA_NEXT(a, left))
        if (a->rta_type == IFLA_INFO_KIND)
            c->kind = RTA_DATA(a);
}

static void read_request(struct nlmsghdr *message, struct change *c)
{
    int left = (int)IFLA_PAYLOAD(message);
    c->header = NLMSG_DATA(message);
    for (struct rtattr *a = IFLA_RTA(NLMSG_DATA(message)); RTA_OK(a, left); a = RTA_NEXT(a, left))
        switch (a->rta_type & NLA_TYPE_MASK) {
        case IFLA_IFNAME: c->name = RTA_DATA(a); break;
        case IFLA_MTU: c->mtu = RTA_DATA(a); break;
        case IFLA_MASTER: c->master = RTA_DATA(a); break;
        case IFLA_ADDRESS: c->address = RTA_DATA(a); break;
        case IFLA_LINKINFO: read_kind(a, c); break;
        }
}

static struct link *target_of(const struct change *c)
{
    return c->header->ifi_index ? host_link_by_index(c->header->ifi_index)
           : c->name            ? host_link_find(c->name)
                                : NULL;
}

static int rename_link(struct link *link, const char *name)
{
    if (!strcmp(link->name, name))
        return 0;
    if (host_link_find(name))
        return EEXIST;
    if (link->up)
        return EBUSY;
    snprintf(link->name, sizeof link->name, "%s", name);
    return 0;
}

static int enslave(struct link *link, int master, const char **words)
{
    const struct link *bridge = host_link_by_index(master);
    if (master && (!bridge || strcmp(bridge->kind, "bridge"))) {
        *words = bridge ? "Device does not allow enslaving to it" : NULL;
        return bridge ? EOPNOTSUPP : EINVAL;
    }
    link->master = master;
    return 0;
}

/* Changes an interface, or makes a new one. Returns 0 or an errno. */
static int change(const struct nlmsghdr *message, struct change *c)
{
    struct link *link = target_of(c);
    int error = 0;
    if (!link && message->nlmsg_flags & NLM_F_CREATE && c->name)
        return -host_link_add(c->name, c->kind ? c->kind : "");
    if (!link)
        return ENODEV;
    if (message->nlmsg_flags & NLM_F_EXCL)
        return EEXIST;
    if (c->mtu && (*c->mtu < 68 || *c->mtu > 65535)) {
        c->words = *c->mtu < 68 ? "mtu less than device minimum" : "mtu greater than device maximum";
        return EINVAL;
    }
    if (c->address)
        memcpy(link->address, c->address, sizeof link->address);
    if (c->mtu)
        link->mtu = *c->mtu;
    if (c->name)
        error = rename_link(link, c->name);
    if (!error && c->master)
        error = enslave(link, (int)*c->master, &c->words);
    if (!error && c->header->ifi_change & IFF_UP)
        link->up = c->header->ifi_flags & IFF_UP;
    host_link_changed(link, false);
    return error;
}

static void answer_error(uint64_t to, const struct nlmsghdr *request, int error, const char *words)
{
    _Alignas(struct nlmsghdr) char buffer[MESSAGE] = {0};
    struct nlmsghdr *message = (void *)buffer;
    *message = (struct nlmsghdr){.nlmsg_len = NLMSG_LENGTH(sizeof(struct nlmsgerr)),
                                 .nlmsg_type = NLMSG_ERROR,
                                 .nlmsg_flags = NLM_F_CAPPED | (words ? NLM_F_ACK_TLVS : 0),
                                 .nlmsg_seq = request->nlmsg_seq,
                                 .nlmsg_pid = (uint32_t)to};
    *(struct nlmsgerr *)NLMSG_DATA(message) = (struct nlmsgerr){.error = -error, .msg = *request};
    if (words)
        put(message, NLMSGERR_ATTR_MSG, words, strlen(words) + 1);
    answer_with(to, message);
}

static void answer_list(uint64_t to, const struct nlmsghdr *request)
{
    _Alignas(struct nlmsghdr) char buffer[MESSAGE];
    struct nlmsghdr *message = (void *)buffer;
    for (uint32_t i = 0; i < machine->host.nr_links; i++)
        if (machine->host.links[i].index) {
            describe(&machine->host.links[i], RTM_NEWLINK, request->nlmsg_seq, (uint32_t)to, message);
            message->nlmsg_flags |= NLM_F_MULTI;
            answer_with(to, message);
        }
    *message = (struct nlmsghdr){.nlmsg_len = NLMSG_LENGTH(sizeof(int)),
                                 .nlmsg_type = NLMSG_DONE,
                                 .nlmsg_flags = NLM_F_MULTI,
                                 .nlmsg_seq = request->nlmsg_seq,
                                 .nlmsg_pid = (uint32_t)to};
    *(int *)NLMSG_DATA(message) = 0;
    answer_with(to, message);
}

static int look(uint64_t to, const struct nlmsghdr *request, const struct change *c)
{
    _Alignas(struct nlmsghdr) char buffer[MESSAGE];
    const struct link *link = target_of(c);
    if (!link)
        return ENODEV;
    describe(link, RTM_NEWLINK, request->nlmsg_seq, (uint32_t)to, (void *)buffer);
    answer_with(to, (void *)buffer);
    return 0;
}

/* Carries out a request, and sends the answer to it. */
static void serve(uint64_t from, struct nlmsghdr *request)
{
    const uint16_t type = request->nlmsg_type;
    struct change c = {0};
    const enum call call = type == RTM_GETLINK ? CALL_HOST_GETLINK : CALL_HOST_NEWLINK;
    int error = fault_check(call);
    if (request->nlmsg_len < NLMSG_LENGTH(sizeof(struct ifinfomsg)))
        error = EINVAL;
    else
        read_request(request, &c);
    machine_lock();
    const bool list = !error && type == RTM_GETLINK && request->nlmsg_flags & NLM_F_DUMP;
    if (list)
        answer_list(from, request);
    else if (!error && type == RTM_GETLINK)
        error = look(from, request, &c);
    else if (!error && type == RTM_NEWLINK)
        error = change(request, &c);
    else if (!error && type == RTM_DELLINK && target_of(&c))
        host_link_delete(target_of(&c));
    else if (!error)
        error = type == RTM_DELLINK ? ENODEV : EOPNOTSUPP;
    machine_unlock();
    if (error || (request->nlmsg_flags & NLM_F_ACK && !list))
        answer_error(from, request, error, c.words);
}

static ssize_t take_request(uint64_t from, const void *data, size_t size)
{
    _Alignas(struct nlmsghdr) char copy[MESSAGE];
    if (size < sizeof(struct nlmsghdr) || size > sizeof copy ||
        ((const struct nlmsghdr *)data)->nlmsg_len > size) {
        errno = EINVAL;
        return -1;
    }
    memcpy(copy, data, size);
    serve(from, (void *)copy);
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
