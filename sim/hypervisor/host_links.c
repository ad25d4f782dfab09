/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The network interfaces of domain 0. Lock: machine->lock, for all functions. */
#include "machine.h"

#include <signal.h>
#include <string.h>

#define MTU 1500

static struct host *host(void)
{
    return &machine->host;
}

void host_links_refresh(void)
{
    for (uint32_t i = 0; i < host()->nr_links; i++) {
        struct link *link = &host()->links[i];
        if (link->index && link->owner && kill(link->owner, 0) && errno == ESRCH)
            host_link_delete(link);
    }
}

struct link *host_link_by_index(int index)
{
    host_links_refresh();
    for (uint32_t i = 0; index && i < host()->nr_links; i++)
        if (host()->links[i].index == index)
            return &host()->links[i];
    return NULL;
}

struct link *host_link_find(const char *name)
{
    host_links_refresh();
    for (uint32_t i = 0; i < host()->nr_links; i++)
        if (host()->links[i].index && !strcmp(host()->links[i].name, name))
            return &host()->links[i];
    return NULL;
}

int host_link_add(const char *name, const char *kind)
{
    struct host *h = host();
    uint32_t i = 0;
    if (!*name || strlen(name) >= LINK_NAME)
        return -EINVAL;
    if (host_link_find(name))
        return -EEXIST;
    while (i < MAX_LINKS && h->links[i].index)
        i++;
    if (i == MAX_LINKS)
        return -ENOSPC;
    if (i >= h->nr_links)
        h->nr_links = i + 1;
    struct link *link = &h->links[i];
    *link = (struct link){.index = ++h->next_index, .mtu = MTU, .address = {0x02, 0, 0, 0, i >> 8, i & 0xff}};
    strncpy(link->name, name, LINK_NAME - 1);
    strncpy(link->kind, kind, LINK_NAME - 1);
    host_link_changed(link, false);
    return 0;
}

void host_link_delete(struct link *link)
{
    for (uint32_t i = 0; i < host()->nr_links; i++)
        if (host()->links[i].master == link->index)
            host()->links[i].master = 0;
    host_link_changed(link, true);
    link->index = 0;
}
