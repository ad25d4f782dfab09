/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libxenforeignmemory: maps a domain's memory and its grant table. Lock: machine->lock while frames are
 * looked up. Lifetime: a map is valid until it is unmapped. After the domain was freed, the map contains
 * zeros.
 */
#include "machine.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <xen/memory.h>
#include <xenforeignmemory.h>

struct xenforeignmemory_handle {
    char unused;
};

struct xenforeignmemory_resource_handle {
    void *addr;
    size_t size;
};

EXPORT xenforeignmemory_handle *xenforeignmemory_open(xentoollog_logger *logger, unsigned int flags)
{
    (void)logger, (void)flags;
    if (!machine_attach())
        return NULL;
    int error = fault_check(CALL_FOREIGN_OPEN);
    if (error) {
        errno = error;
        return NULL;
    }
    return calloc(1, sizeof(xenforeignmemory_handle));
}

EXPORT int xenforeignmemory_close(xenforeignmemory_handle *h)
{
    free(h);
    return 0;
}

EXPORT int xenforeignmemory_restrict(xenforeignmemory_handle *h, domid_t domid)
{
    (void)h, (void)domid;
    return 0;
}

/*
 * Looks up the frames for frame numbers of a domain, and stores them in frames[]. Stores the error for each
 * number in errors[], which may be NULL. Returns 0, or an error that concerns the whole call.
 */
static int look_up(uint32_t domid, size_t count, const xen_pfn_t numbers[], uint32_t frames[], int errors[])
{
    int first = 0;
    machine_lock();
    struct domain *d = domain_get(domid);
    for (size_t i = 0; i < count; i++) {
        const bool of_xen = domid == DOMID_XEN; /* DOMID_XEN owns the table m2p (pv.c) */
        frames[i] = of_xen ? m2p_frame(numbers[i]) : d ? frame_of(d, numbers[i]) : NO_FRAME;
        int error = frames[i] ? 0 : d || of_xen ? EINVAL : ESRCH;
        if (errors)
            errors[i] = -error;
        if (!first)
            first = error;
    }
    machine_unlock();
    return errors && (d || domid == DOMID_XEN) ? 0 : first;
}

EXPORT void *xenforeignmemory_map2(xenforeignmemory_handle *h, uint32_t domid, void *addr, int prot,
                                   int flags, size_t count, const xen_pfn_t numbers[], int errors[])
{
    (void)h;
    void *map = NULL;
    int error = fault_check(CALL_FOREIGN_MAP);
    uint32_t *frames = error ? NULL : malloc(sizeof *frames * (count + 1));
    if (!error && !frames)
        error = ENOMEM;
    if (!error)
        error = look_up(domid, count, numbers, frames, errors);
    if (!error && !(map = frames_map(addr, prot, flags & ~MAP_SHARED, count, frames)))
        error = errno;
    free(frames);
    trace("foreign.map dom %u pages %zu from %#lx -> %d", domid, count, count ? numbers[0] : 0, -error);
    if (error)
        errno = error;
    return map;
}

EXPORT void *xenforeignmemory_map(xenforeignmemory_handle *h, uint32_t domid, int prot, size_t count,
                                  const xen_pfn_t numbers[], int errors[])
{
    return xenforeignmemory_map2(h, domid, NULL, prot, 0, count, numbers, errors);
}

EXPORT int xenforeignmemory_unmap(xenforeignmemory_handle *h, void *addr, size_t count)
{
    (void)h;
    return munmap(addr, count << XC_PAGE_SHIFT);
}

static int grant_frames(domid_t domid, unsigned int type, unsigned int id, unsigned long first,
                        unsigned long count, uint32_t frames[GRANT_FRAMES])
{
    if (type != XENMEM_resource_grant_table || id != XENMEM_resource_grant_table_id_shared)
        return EOPNOTSUPP;
    if (first + count < count || first + count > GRANT_FRAMES)
        return EINVAL;
    machine_lock();
    const struct domain *d = domain_get(domid);
    for (unsigned long i = 0; d && i < count; i++)
        frames[i] = d->grant_frame[first + i];
    bool dying = d && d->state == DOMAIN_DYING;
    machine_unlock();
    return !d ? ESRCH : dying ? EINVAL : 0;
}

EXPORT xenforeignmemory_resource_handle *
xenforeignmemory_map_resource(xenforeignmemory_handle *h, domid_t domid, unsigned int type, unsigned int id,
                              unsigned long first, unsigned long count, void **addr, int prot, int flags)
{
    (void)h;
    uint32_t frames[GRANT_FRAMES];
    xenforeignmemory_resource_handle *r = NULL;
    int error = fault_check(CALL_FOREIGN_MAP_RESOURCE);
    if (!error)
        error = grant_frames(domid, type, id, first, count, frames);
    if (!error && !(r = malloc(sizeof *r)))
        error = ENOMEM;
    if (!error && !(*addr = frames_map(*addr, prot, flags & ~MAP_SHARED, count, frames)))
        error = errno;
    trace("foreign.map_resource dom %u type %u frames %lu -> %d", domid, type, count, -error);
    if (error) {
        free(r);
        errno = error;
        return NULL;
    }
    *r = (xenforeignmemory_resource_handle){.addr = *addr, .size = count << XC_PAGE_SHIFT};
    return r;
}

EXPORT int xenforeignmemory_unmap_resource(xenforeignmemory_handle *h, xenforeignmemory_resource_handle *r)
{
    (void)h;
    int result = r ? munmap(r->addr, r->size) : 0;
    free(r);
    return result;
}

EXPORT int xenforeignmemory_resource_size(xenforeignmemory_handle *h, domid_t domid, unsigned int type,
                                          unsigned int id, size_t *size)
{
    (void)h, (void)domid, (void)type, (void)id;
    *size = GRANT_FRAMES << XC_PAGE_SHIFT;
    return 0;
}
