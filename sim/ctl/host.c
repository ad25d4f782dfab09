/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Commands for the loop devices and the network interfaces of domain 0. Lock: machine->lock. */
#include "ctl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/loop.h>

void loops_list(int argc, char **argv)
{
    (void)argc, (void)argv;
    machine_lock();
    host_loops_refresh();
    for (uint32_t i = 0; i < machine->host.nr_loops; i++) {
        const struct loop *loop = &machine->host.loops[i];
        if (loop->bound)
            printf("%u %s%s %s\n", i, loop->flags & LO_FLAGS_READ_ONLY ? "r" : "w",
                   loop->flags & LO_FLAGS_AUTOCLEAR ? "a" : "", loop->file);
    }
    machine_unlock();
}

void loop_take(int argc, char **argv)
{
    const bool read_only = argc == 2 && !strcmp(argv[0], "-r");
    if (argc == 2 && !read_only)
        fail("expected [-r] FILE");
    const int number = host_loop_take(argv[argc - 1], read_only);
    if (number < 0)
        fail("%s: %s", argv[argc - 1], strerror(-number));
    printf("%d\n", number);
}

void loop_free(int argc, char **argv)
{
    (void)argc;
    const uint64_t number = number_in(argv[0], "NUMBER", MAX_LOOPS - 1);
    const int result = host_loop_clear((uint32_t)number);
    if (result)
        fail("loop%llu: %s", (unsigned long long)number, strerror(-result));
}

void links_list(int argc, char **argv)
{
    (void)argc, (void)argv;
    machine_lock();
    for (uint32_t i = 0; i < machine->host.nr_links; i++) {
        const struct link *link = &machine->host.links[i], *bridge = host_link_by_index(link->master);
        const uint8_t *a = link->address;
        if (link->index)
            printf("%s %s %s %s %u %02x:%02x:%02x:%02x:%02x:%02x\n", link->name,
                   *link->kind ? link->kind : "-", link->up ? "up" : "down", bridge ? bridge->name : "-",
                   link->mtu, a[0], a[1], a[2], a[3], a[4], a[5]);
    }
    machine_unlock();
}

void link_add(int argc, char **argv)
{
    machine_lock();
    const int result = host_link_add(argv[0], argc == 2 ? argv[1] : "dummy");
    machine_unlock();
    if (result)
        fail("%s: %s", argv[0], strerror(-result));
}

void link_delete(int argc, char **argv)
{
    (void)argc;
    machine_lock();
    struct link *link = host_link_find(argv[0]);
    if (link)
        host_link_delete(link);
    machine_unlock();
    if (!link)
        fail("%s: there is no such interface", argv[0]);
}

void link_join(int argc, char **argv)
{
    (void)argc;
    machine_lock();
    struct link *link = host_link_find(argv[0]);
    const struct link *bridge = host_link_find(argv[1]);
    const bool fits = link && bridge && !strcmp(bridge->kind, "bridge");
    if (fits) {
        link->master = bridge->index;
        link->up = true;
        host_link_changed(link, false);
    }
    machine_unlock();
    if (!fits)
        fail("%s: %s", link ? argv[1] : argv[0],
             link && bridge ? "not a bridge" : "there is no such interface");
}
