/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: the structures for the devices and domains of each generator, until the generator's operation ends.
 * The caller holds the context's lock.
 */
#include "device_watched.h"
#include "escape.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS = 400 /* the greatest length of a driver's error text in an event, in octets */ };

const uint64_t *libxl__watched_key(const libxl__index_link *link)
{
    return &LIBXL__CONTAINER(link, struct watched_device, link)->key;
}

const uint64_t *libxl__watched_domain_key(const libxl__index_link *link)
{
    return &LIBXL__CONTAINER(link, struct watched_domain, link)->key;
}

/* ---- reporting events */

libxl_event *libxl__watched_event(struct device_events *s, uint32_t domid, libxl_event_type type)
{
    return libxl__event_new(s->ao->ctx, type, domid, libxl__generator_of_operation(s->ao)->user);
}

/*
 * The structures of the three events begin with the same members. `words` is the error text of DEVICE_FAILED.
 */
void libxl__watched_report(struct device_events *s, const struct watched_device *d, libxl_event_type type,
                           const char *words)
{
    libxl_event *event = libxl__watched_event(s, d->device.domid, type);
    char *kind = strdup(d->device.kind), *message = words ? strdup(words) : NULL;
    if (!event || !kind || (words && !message)) {
        free(kind);
        free(message);
        if (event)
            libxl__event_discard(s->ao->ctx, event);
        libxl__event_missed(s->ao->ctx, type);
        return;
    }
    event->domuuid = d->domain->uuid;
#define FILL(member)                                                                                         \
    event->u.member.kind = kind, event->u.member.devid = d->device.devid,                                    \
    event->u.member.backend_domid = d->device.backend_domid
    if (type == LIBXL_EVENT_TYPE_DEVICE_CONNECTED)
        FILL(device_connected);
    else if (type == LIBXL_EVENT_TYPE_DEVICE_GONE)
        FILL(device_gone);
    else
        FILL(device_failed), event->u.device_failed.message = message;
#undef FILL
    libxl__event_occurred(s->ao->ctx, event);
}

void libxl__watched_failed(struct device_events *s, struct watched_device *d, const char *who,
                           const char *words)
{
    char text[WORDS + 64], escaped[sizeof(text) * 4];
    snprintf(text, sizeof(text), "%s%.*s", who, WORDS, words);
    libxl__escape(escaped, sizeof(escaped), text);
    libxl__watched_report(s, d, LIBXL_EVENT_TYPE_DEVICE_FAILED, escaped);
    d->failed = true;
}

/* ---- the structures for devices and domains */

void libxl__watched_mark(struct watched_device *d)
{
    struct device_events *s = d->events;
    if (d->marked)
        return;
    d->marked = true;
    if (!d->reading)
        TAILQ_INSERT_TAIL(&s->marked, d, queue_link);
    libxl__source_fire(&s->source);
}

static void forget_domain(struct watched_domain *domain)
{
    struct device_events *s = domain->events;
    libxl__domain_unfollow(s->ao->ctx, &domain->follower);
    libxl__index_remove(&s->domains, &domain->link);
    free(domain);
}

void libxl__watched_disconnect(struct watched_device *d)
{
    struct watched_domain *domain = d->domain;
    libxl__watched_unwatch(d);
    d->paid_until = 0;
    d->missing = d->was_online = d->connected = d->failed = false;
    d->domain = NULL;
    if (!domain)
        return;
    LIST_REMOVE(d, domain_link);
    if (LIST_EMPTY(&domain->devices))
        forget_domain(domain);
}

void libxl__watched_forget(struct watched_device *d)
{
    libxl__watched_disconnect(d);
    libxl__index_remove(&d->events->devices, &d->link);
    LIST_REMOVE(d, all_link);
    free(d);
}

static struct watched_device *find_device(struct device_events *s, uint32_t domid, const char *kind,
                                          uint32_t devid)
{
    const uint64_t key = (uint64_t)domid << 32 | devid;
    libxl__index_link *first = libxl__index_find(&s->devices, &key), *link = first;
    for (; link; link = link->newer == first ? NULL : link->newer) {
        struct watched_device *d = LIBXL__CONTAINER(link, struct watched_device, link);
        if (strcmp(d->device.kind, kind) == 0)
            return d;
    }
    return NULL;
}

int libxl__watched_mark_number(struct device_events *s, uint32_t domid, const char *kind, uint32_t devid)
{
    struct watched_device *d = find_device(s, domid, kind, devid);
    if (!d) {
        d = calloc(1, sizeof(*d));
        if (!d)
            return ERROR_NOMEM;
        d->events = s;
        d->key = (uint64_t)domid << 32 | devid;
        d->device.cls = libxl__device_class_of(kind);
        d->device.domid = domid;
        d->device.devid = devid;
        snprintf(d->device.kind, sizeof(d->device.kind), "%s", kind);
        if (d->device.cls->without_tree)
            memcpy(d->device.backend_kind, d->device.kind, sizeof(d->device.kind));
        libxl__index_add(&s->devices, &d->link);
        LIST_INSERT_HEAD(&s->all, d, all_link);
    }
    libxl__watched_mark(d);
    return 0;
}

static struct watched_domain *find_domain(struct device_events *s, uint32_t domid)
{
    const uint64_t key = domid;
    libxl__index_link *link = libxl__index_find(&s->domains, &key);
    return link ? LIBXL__CONTAINER(link, struct watched_domain, link) : NULL;
}

static void mark_devices_of(struct watched_domain *domain)
{
    struct watched_device *d;
    LIST_FOREACH (d, &domain->devices, domain_link)
        libxl__watched_mark(d);
}

void libxl__watched_mark_all(struct device_events *s)
{
    struct watched_device *d;
    LIST_FOREACH (d, &s->all, all_link)
        libxl__watched_mark(d);
}

static void domain_changed(libxl_ctx *ctx, libxl__domain_follower *follower)
{
    (void)ctx;
    struct watched_domain *domain = (struct watched_domain *)follower;
    if (follower->phase != LIBXL__DOMAIN_GONE)
        return;
    domain->gone = true;
    mark_devices_of(domain);
}

int libxl__watched_join(struct device_events *s, struct watched_device *d)
{
    xc_domaininfo_t info;
    struct watched_domain *domain = find_domain(s, d->device.domid);
    if (!domain) {
        int rc = libxl__hv_look(s->ao, d->device.domid, &info);
        if (rc)
            return rc == ERROR_DOMAIN_NOTFOUND ? ERROR_NOTFOUND : rc;
        domain = calloc(1, sizeof(*domain));
        if (!domain)
            return ERROR_NOMEM;
        rc = libxl__domain_follow(s->ao->ctx, &domain->follower, &info, domain_changed);
        if (rc) {
            free(domain);
            return rc;
        }
        domain->events = s;
        domain->key = d->device.domid;
        domain->uuid = domain->follower.domain->uuid;
        libxl__index_add(&s->domains, &domain->link);
    }
    /* Another domain has the domid now, but some devices of the gone domain are not reported as gone yet. */
    if (domain->gone) {
        libxl__watched_mark(d);
        return 0;
    }
    d->domain = domain;
    LIST_INSERT_HEAD(&domain->devices, d, domain_link);
    return 0;
}

/* ---- the watches on the toolstack's tree and on the backends of PCI devices */

/*
 * The path of an event is /libxl/DOMID/device/KIND/DEVID or the path of a node below or above it. The paths
 * at and below that node name the device. An event for a node above means that devices were removed.
 */
static void tree_changed(libxl_ctx *ctx, void *user, bool failed)
{
    struct device_events *s = user;
    const char *path = ctx->xen->watches.event_path;
    char kind[LIBXL__DEVICE_KIND];
    uint32_t domid, devid;
    const int found = failed || !path ? 0 : sscanf(path, "/libxl/%u/device/%31[^/]/%u", &domid, kind, &devid);
    struct watched_domain *domain = found == 1 || found == 2 ? find_domain(s, domid) : NULL;
    if (failed)
        return;
    if (found == 3 && libxl__watched_mark_number(s, domid, kind, devid))
        libxl__event_missed(ctx, 0);
    if (domain)
        mark_devices_of(domain);
    if (!found)
        libxl__watched_mark_all(s);
}

/*
 * The toolstack's tree has no PCI devices. The directory of their backends shows which domains have PCI devices. The
 * path of an event is /local/domain/0/backend/pci/DOMID/0 or the path of a node below or above it. An event below it
 * is ignored if the device is followed: the device's own watches report its changes, and device_rest.c bounds them.
 */
static void pcis_changed(libxl_ctx *ctx, void *user, bool failed)
{
    struct device_events *s = user;
    const char *path = ctx->xen->watches.event_path, *kind = libxl__class_pci.kind;
    uint32_t domid, devid;
    char below;
    const int found =
        failed || !path ? 0 : sscanf(path, "/local/domain/0/backend/pci/%u/%u%c", &domid, &devid, &below);
    if (failed)
        return;
    if (found <= 0) {
        libxl__watched_mark_all(s);
        return;
    }
    const struct watched_device *d = find_device(s, domid, kind, 0);
    if ((found < 3 || !d || !d->domain) && libxl__watched_mark_number(s, domid, kind, 0))
        libxl__event_missed(ctx, 0);
}

int libxl__watched_begin(struct device_events *s, uint32_t domid)
{
    char path[48] = "/libxl", pcis[48] = "/local/domain/0/backend/pci";
    if (domid != LIBXL_DOMID_ALL) {
        snprintf(path, sizeof(path), "/libxl/%u/device", domid);
        snprintf(pcis, sizeof(pcis), "/local/domain/0/backend/pci/%u", domid);
    }
    const int rc = libxl__watch_add(s->ao->ctx, path, tree_changed, s, true, &s->toolstack);
    return rc ? rc : libxl__watch_add(s->ao->ctx, pcis, pcis_changed, s, true, &s->pcis);
}

void libxl__watched_end(struct device_events *s)
{
    libxl__watch_remove(s->ao->ctx, s->toolstack);
    libxl__watch_remove(s->ao->ctx, s->pcis);
}
