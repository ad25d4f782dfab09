/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libxengnttab: maps pages that a guest has granted. The file also has the two functions of libxendevicemodel
 * that libxenctrl uses.
 *
 * Lock: machine->lock while grants are looked up. A handle's list of maps has a separate mutex, which is
 * taken before machine->lock. Lifetime: a domain with a mapped page cannot be freed. Such a domain stays
 * dying until the page is unmapped or the process has ended.
 */
#include "machine.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/queue.h>
#include <unistd.h>
#include <xen/grant_table.h>
#include <xendevicemodel.h>
#include <xengnttab.h>

#define GRANTS_PER_FRAME (XC_PAGE_SIZE / sizeof(grant_entry_v1_t))

struct map {
    LIST_ENTRY(map) entry;
    void *addr;
    uint32_t count;
    uint32_t domid;
    uint64_t serial;
};

struct xengntdev_handle {
    pthread_mutex_t lock;
    LIST_HEAD(, map) maps;
};

EXPORT xengnttab_handle *xengnttab_open(xentoollog_logger *logger, unsigned int flags)
{
    (void)logger, (void)flags;
    if (!machine_attach())
        return NULL;
    int error = fault_check(CALL_GNTTAB_OPEN);
    xengnttab_handle *h = error ? NULL : calloc(1, sizeof *h);
    if (!h) {
        errno = error ? error : ENOMEM;
        return NULL;
    }
    pthread_mutex_init(&h->lock, NULL);
    return h;
}

static void release_map(struct map *m)
{
    machine_lock();
    domain_unmapped(m->domid, m->serial, 1);
    machine_unlock();
    LIST_REMOVE(m, entry);
    free(m);
}

EXPORT int xengnttab_close(xengnttab_handle *h)
{
    if (!h)
        return 0;
    for (struct map *m; (m = LIST_FIRST(&h->maps));)
        release_map(m);
    pthread_mutex_destroy(&h->lock);
    free(h);
    return 0;
}

EXPORT int xengnttab_fd(xengnttab_handle *h)
{
    (void)h;
    return -1;
}

EXPORT int xengnttab_set_max_grants(xengnttab_handle *h, uint32_t count)
{
    (void)h, (void)count;
    return 0;
}

static uint32_t granted_frame(struct domain *d, uint32_t ref)
{
    grant_entry_v1_t e;
    if (ref / GRANTS_PER_FRAME >= GRANT_FRAMES)
        return NO_FRAME;
    off_t at =
        ((off_t)d->grant_frame[ref / GRANTS_PER_FRAME] << XC_PAGE_SHIFT) + ref % GRANTS_PER_FRAME * sizeof e;
    if (pread(memory_fd, &e, sizeof e, at) != sizeof e)
        return NO_FRAME;
    return (e.flags & GTF_type_mask) == GTF_permit_access && !e.domid ? frame_of(d, e.frame) : NO_FRAME;
}

/* Looks up the frames of granted pages, and registers this process as a holder of the domain's memory. */
static int take(struct map *m, const uint32_t refs[], uint32_t frames[])
{
    int error = 0;
    machine_lock();
    struct domain *d = domain_get(m->domid);
    if (!d || d->state == DOMAIN_DYING)
        error = ESRCH;
    for (uint32_t i = 0; !error && i < m->count; i++)
        if (!(frames[i] = granted_frame(d, refs[i])))
            error = EINVAL;
    if (!error && !domain_hold(d, 1))
        error = EUSERS;
    if (!error)
        m->serial = d->serial;
    machine_unlock();
    return error;
}

EXPORT void *xengnttab_map_domain_grant_refs(xengnttab_handle *h, uint32_t count, uint32_t domid,
                                             uint32_t *refs, int prot)
{
    struct map *m = malloc(sizeof *m);
    uint32_t *frames = malloc(sizeof *frames * (count + 1));
    int error = m && frames ? fault_check(CALL_GNTTAB_MAP) : ENOMEM;
    if (!error) {
        *m = (struct map){.count = count, .domid = domid};
        error = take(m, refs, frames);
    }
    if (!error) {
        pthread_mutex_lock(&h->lock);
        LIST_INSERT_HEAD(&h->maps, m, entry);
        if (!(m->addr = frames_map(NULL, prot, 0, count, frames))) {
            error = errno;
            release_map(m);
            m = NULL;
        }
        pthread_mutex_unlock(&h->lock);
    }
    trace("gnttab.map dom %u ref %u count %u -> %d", domid, count ? refs[0] : 0, count, -error);
    free(frames);
    if (!error)
        return m->addr;
    free(m);
    errno = error;
    return NULL;
}

EXPORT void *xengnttab_map_grant_refs(xengnttab_handle *h, uint32_t count, uint32_t *domids, uint32_t *refs,
                                      int prot)
{
    for (uint32_t i = 1; i < count; i++)
        if (domids[i] != domids[0]) {
            errno = ENOSYS;
            return NULL;
        }
    return xengnttab_map_domain_grant_refs(h, count, domids[0], refs, prot);
}

EXPORT void *xengnttab_map_grant_ref(xengnttab_handle *h, uint32_t domid, uint32_t ref, int prot)
{
    return xengnttab_map_domain_grant_refs(h, 1, domid, &ref, prot);
}

EXPORT void *xengnttab_map_grant_ref_notify(xengnttab_handle *h, uint32_t domid, uint32_t ref, int prot,
                                            uint32_t notify_offset, evtchn_port_t notify_port)
{
    (void)notify_offset, (void)notify_port;
    return xengnttab_map_domain_grant_refs(h, 1, domid, &ref, prot);
}

EXPORT int xengnttab_unmap(xengnttab_handle *h, void *addr, uint32_t count)
{
    struct map *m;
    pthread_mutex_lock(&h->lock);
    LIST_FOREACH (m, &h->maps, entry)
        if (m->addr == addr)
            break;
    int result = munmap(addr, (size_t)count << XC_PAGE_SHIFT);
    if (m)
        release_map(m);
    pthread_mutex_unlock(&h->lock);
    return result;
}

/*
 * libxenctrl opens this handle together with its own. Only these two functions of libxendevicemodel are replaced,
 * because no program in a world calls the others.
 */
EXPORT xendevicemodel_handle *xendevicemodel_open(xentoollog_logger *logger, unsigned int flags)
{
    (void)logger, (void)flags;
    if (!machine_attach())
        return NULL;
    int error = fault_check(CALL_DEVICEMODEL_OPEN);
    if (error) {
        errno = error;
        return NULL;
    }
    return malloc(1);
}

EXPORT int xendevicemodel_close(xendevicemodel_handle *h)
{
    free(h);
    return 0;
}
