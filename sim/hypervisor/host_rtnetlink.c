/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Simulates the kernel's part of rtnetlink: carries out requests to look up, change, make and delete network
 * interfaces. Lock: machine->lock.
 */
#include "host_netlink.h"
#include "machine.h"

#include <stdio.h>
#include <string.h>

#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

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
    memset(message, 0, NETLINK_MESSAGE);
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
    _Alignas(struct nlmsghdr) char buffer[NETLINK_MESSAGE];
    describe(link, gone ? RTM_DELLINK : RTM_NEWLINK, 0, 0, (void *)buffer);
    host_netlink_notify((void *)buffer);
}

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
    _Alignas(struct nlmsghdr) char buffer[NETLINK_MESSAGE] = {0};
    struct nlmsghdr *message = (void *)buffer;
    *message = (struct nlmsghdr){.nlmsg_len = NLMSG_LENGTH(sizeof(struct nlmsgerr)),
                                 .nlmsg_type = NLMSG_ERROR,
                                 .nlmsg_flags = NLM_F_CAPPED | (words ? NLM_F_ACK_TLVS : 0),
                                 .nlmsg_seq = request->nlmsg_seq,
                                 .nlmsg_pid = (uint32_t)to};
    *(struct nlmsgerr *)NLMSG_DATA(message) = (struct nlmsgerr){.error = -error, .msg = *request};
    if (words)
        put(message, NLMSGERR_ATTR_MSG, words, strlen(words) + 1);
    host_netlink_answer(to, message);
}

static void answer_list(uint64_t to, const struct nlmsghdr *request)
{
    _Alignas(struct nlmsghdr) char buffer[NETLINK_MESSAGE];
    struct nlmsghdr *message = (void *)buffer;
    host_links_refresh();
    for (uint32_t i = 0; i < machine->host.nr_links; i++)
        if (machine->host.links[i].index) {
            describe(&machine->host.links[i], RTM_NEWLINK, request->nlmsg_seq, (uint32_t)to, message);
            message->nlmsg_flags |= NLM_F_MULTI;
            host_netlink_answer(to, message);
        }
    *message = (struct nlmsghdr){.nlmsg_len = NLMSG_LENGTH(sizeof(int)),
                                 .nlmsg_type = NLMSG_DONE,
                                 .nlmsg_flags = NLM_F_MULTI,
                                 .nlmsg_seq = request->nlmsg_seq,
                                 .nlmsg_pid = (uint32_t)to};
    *(int *)NLMSG_DATA(message) = 0;
    host_netlink_answer(to, message);
}

static int look(uint64_t to, const struct nlmsghdr *request, const struct change *c)
{
    _Alignas(struct nlmsghdr) char buffer[NETLINK_MESSAGE];
    const struct link *link = target_of(c);
    if (!link)
        return ENODEV;
    describe(link, RTM_NEWLINK, request->nlmsg_seq, (uint32_t)to, (void *)buffer);
    host_netlink_answer(to, (void *)buffer);
    return 0;
}

void host_rtnetlink_serve(uint64_t from, struct nlmsghdr *request)
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
