/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The table of known devices, indexed by the backend's directory. devices.h describes the lock and lifetimes.
 */
#include "devices.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NR_CHAINS 1024

static struct device *chains[NR_CHAINS];

static struct device **chain_of(const char *backend)
{
    uint32_t hash = 2166136261u;
    while (*backend)
        hash = (hash ^ (uint8_t)*backend++) * 16777619u;
    return &chains[hash % NR_CHAINS];
}

struct device *device_find(const char *backend)
{
    struct device *d = *chain_of(backend);
    while (d && strcmp(d->backend, backend))
        d = d->next;
    return d;
}

static int state_in(const char *text)
{
    return text[0] >= '1' && text[0] <= '8' && !text[1] ? text[0] - '0' : 0;
}

static char *read_in(const char *dir, const char *node, char *value, size_t size)
{
    char path[PATH_SIZE + 32];
    snprintf(path, sizeof path, "%s/%s", dir, node);
    return store_read(path, value, size);
}

static void watch_frontend(struct device *d)
{
    char path[PATH_SIZE + 32];
    if (d->frontend[0])
        return;
    read_in(d->backend, "frontend", d->frontend, sizeof d->frontend);
    snprintf(path, sizeof path, "%s/state", d->frontend);
    if (d->frontend[0])
        xs_watch(store, path, d->backend);
}

/*
 * Forgets the former device of a backend's directory. Called when the directory may have been removed and made again.
 */
static void begin_again(struct device *d)
{
    backend_release(d);
    d->plugged = d->scripted = d->served = false;
    memset(d->due_ns, 0, sizeof d->due_ns);
    memset(d->reported, 0, sizeof d->reported);
}

void device_refresh(struct device *d, const char *node)
{
    char value[32];
#define CHANGED(name) (!node || !strcmp(node, name))
    if (CHANGED("state")) {
        const int before = d->states[BACKEND];
        d->states[BACKEND] = state_in(read_in(d->backend, "state", value, sizeof value));
        if (d->states[BACKEND] == XenbusStateInitialising && before != XenbusStateInitialising) {
            begin_again(d);
            node = NULL;
        }
        d->gone = !d->states[BACKEND] && !store_exists(d->backend);
    }
    if (!d->gone && CHANGED("frontend"))
        watch_frontend(d);
    if (d->frontend[0] && CHANGED("/frontend"))
        d->states[FRONTEND] = state_in(read_in(d->frontend, "state", value, sizeof value));
    if (CHANGED("online"))
        d->online = !strcmp(read_in(d->backend, "online", value, sizeof value), "1");
    if (d->kind->physical && CHANGED("physical-device"))
        read_in(d->backend, "physical-device", d->physical, sizeof d->physical);
    if (d->kind->hotplug && CHANGED("hotplug-status"))
        d->plugged = !strcmp(read_in(d->backend, "hotplug-status", value, sizeof value), "connected");
#undef CHANGED
}

struct device *device_found(const char *backend)
{
    char name[32];
    struct device d = {0};
    int end = 0;
    if (sscanf(backend, "/local/domain/%u/backend/%31[^/]/%u/%u%n", &d.backend_domid, name, &d.guest,
               &d.number, &end) != 4 ||
        backend[end] || end >= PATH_SIZE || !(d.kind = kind_find(name)))
        return NULL;
    struct device *known = device_find(backend), **chain = chain_of(backend);
    if (known || !(known = malloc(sizeof *known)))
        return known;
    machine_lock();
    const struct domain *server = domain_get(d.backend_domid);
    d.with_daemon = d.backend_domid && server && server->driver != DRIVER_KERNEL;
    machine_unlock();
    *known = d;
    snprintf(known->backend, sizeof known->backend, "%s", backend);
    known->next = *chain;
    *chain = known;
    device_refresh(known, NULL);
    return known;
}

void devices_visit(device_visitor *visit)
{
    for (int i = 0; i < NR_CHAINS; i++)
        for (struct device *d = chains[i]; d; d = d->next)
            while (!d->gone && visit(d))
                ;
}

static void forget(struct device *d)
{
    char path[PATH_SIZE + 32];
    snprintf(path, sizeof path, "%s/state", d->frontend);
    if (d->frontend[0])
        xs_unwatch(store, path, d->backend);
    backend_release(d);
    counters_remove(d);
    free(d);
}

void devices_forget_gone(void)
{
    for (int i = 0; i < NR_CHAINS; i++)
        for (struct device **at = &chains[i]; *at;) {
            struct device *d = *at;
            if (!d->gone) {
                at = &d->next;
                continue;
            }
            *at = d->next;
            forget(d);
        }
}
