/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Virtual processors: their states, affinities and triggers. Owns nothing: each function frees libxenctrl's
 * bitmaps before it returns. Any thread may call the functions, locked or not.
 */
#include "running.h"
#include "xen.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <libxl_utils.h>

/* Records in ao that there is no memory for `what`. */
static int no_memory(libxl__ao *ao, const char *what)
{
    libxl__ao_fail(ao, ERROR_NOMEM, "no memory for %s", what);
    return ERROR_NOMEM;
}

/* Copies a bitmap of libxenctrl, which has `size` octets, to a public bitmap. */
static int bitmap_from(libxl__ao *ao, libxl_bitmap *out, const uint8_t *map, int size)
{
    if (libxl_bitmap_alloc(ao->ctx, out, size * 8))
        return no_memory(ao, "a set of processors");
    if (out->map && map) /* both are NULL for a bitmap of 0 octets */
        memcpy(out->map, map, (size_t)size);
    return 0;
}

/*
 * Copies a public bitmap to a bitmap of libxenctrl, which has `size` octets. Bits that do not fit are
 * ignored.
 */
static void bitmap_to(uint8_t *map, int size, const libxl_bitmap *from)
{
    if (!map) /* a bitmap of 0 octets */
        return;
    memset(map, 0, (size_t)size);
    if (from->map)
        memcpy(map, from->map, from->size < (uint32_t)size ? from->size : (size_t)size);
}

/* ---- listing the virtual processors */

struct maps {
    int size; /* the size of each bitmap, in octets */
    xc_cpumap_t hard, soft;
};

static void free_maps(struct maps *maps)
{
    free(maps->hard);
    free(maps->soft);
}

static int make_maps(libxl__ao *ao, struct maps *maps)
{
    xc_interface *xch = libxl__xch(ao->ctx);
    *maps = (struct maps){.size = xc_get_cpumap_size(xch)};
    if (maps->size <= 0)
        return libxl__ao_fail(ao, libxl__errno_rc(LIBXL__CALL_HOST, errno), "asking about the host: %m");
    maps->hard = calloc(1, (size_t)maps->size);
    maps->soft = calloc(1, (size_t)maps->size);
    if (maps->hard && maps->soft)
        return 0;
    free_maps(maps);
    return no_memory(ao, "sets of processors");
}

static int fill_vcpu(libxl__ao *ao, uint32_t domid, uint32_t vcpuid, const struct maps *maps,
                     libxl_vcpuinfo *out)
{
    xc_interface *xch = libxl__xch(ao->ctx);
    xc_vcpuinfo_t info;
    if (xc_vcpu_getinfo(xch, domid, vcpuid, &info) ||
        xc_vcpu_getaffinity(xch, domid, (int)vcpuid, maps->hard, maps->soft,
                            XEN_VCPUAFFINITY_HARD | XEN_VCPUAFFINITY_SOFT))
        return libxl__hv_fail(ao, LIBXL__CALL_DOMAIN, "asking about the vcpus of", domid);
    out->vcpuid = vcpuid;
    out->cpu = info.online ? info.cpu : ~0u;
    out->online = info.online;
    out->blocked = info.blocked;
    out->running = info.running;
    out->vcpu_time = info.cpu_time;
    int rc = bitmap_from(ao, &out->cpumap, maps->hard, maps->size);
    if (!rc)
        rc = bitmap_from(ao, &out->cpumap_soft, maps->soft, maps->size);
    return rc;
}

int libxl__hv_list_vcpus(libxl__ao *ao, uint32_t domid, libxl_vcpu_list *out)
{
    xc_domaininfo_t info;
    struct maps maps;
    libxl_vcpu_list list = {.num_vcpus = 0};
    int rc = libxl__hv_info(ao, domid, &info);
    if (!rc)
        rc = make_maps(ao, &maps);
    if (rc)
        return rc;
    const uint32_t count = info.max_vcpu_id == XEN_INVALID_MAX_VCPU_ID ? 0 : info.max_vcpu_id + 1;
    list.vcpus = calloc(count ? count : 1, sizeof(*list.vcpus));
    if (!list.vcpus)
        rc = no_memory(ao, "the list of vcpus");
    for (uint32_t i = 0; !rc && i < count; i++) {
        libxl_vcpuinfo_init(&list.vcpus[i]);
        list.num_vcpus = (int)i + 1;
        rc = fill_vcpu(ao, domid, i, &maps, &list.vcpus[i]);
    }
    free_maps(&maps);
    if (rc)
        libxl_vcpu_list_dispose(&list);
    else
        *out = list;
    return rc;
}

/* ---- the affinities of virtual processors */

/*
 * Sets the affinities of one virtual processor. Fills the maps for each call, because the hypervisor
 * overwrites them with the affinities that have come into effect.
 */
static int set_one(libxl__ao *ao, uint32_t domid, uint32_t vcpuid, struct maps *maps,
                   const libxl_bitmap *hard, const libxl_bitmap *soft, uint32_t flags)
{
    if (hard)
        bitmap_to(maps->hard, maps->size, hard);
    if (soft)
        bitmap_to(maps->soft, maps->size, soft);
    if (!xc_vcpu_setaffinity(libxl__xch(ao->ctx), domid, (int)vcpuid, hard ? maps->hard : NULL,
                             soft ? maps->soft : NULL, flags))
        return 0;
    return libxl__hv_fail(ao, LIBXL__CALL_SETTING,
                          hard ? "hard: setting the affinity of" : "soft: setting the affinity of", domid);
}

/*
 * Checks that the domain has the virtual processor `vcpuid`. Stores the numbers of the first and the last
 * virtual processor that `vcpuid` means.
 */
static int range(libxl__ao *ao, uint32_t domid, uint32_t vcpuid, uint32_t *first, uint32_t *last)
{
    xc_domaininfo_t info;
    const int rc = libxl__hv_info(ao, domid, &info);
    if (rc)
        return rc;
    *first = vcpuid == LIBXL__ALL_VCPUS ? 0 : vcpuid;
    *last = vcpuid == LIBXL__ALL_VCPUS ? info.max_vcpu_id : vcpuid;
    if (info.max_vcpu_id == XEN_INVALID_MAX_VCPU_ID || *last > info.max_vcpu_id)
        return libxl__ao_fail(ao, ERROR_INVAL, "vcpuid: domain %u has no vcpu %u", domid, *first);
    return 0;
}

int libxl__hv_set_affinity(libxl__ao *ao, uint32_t domid, uint32_t vcpuid, const libxl_bitmap *hard,
                           const libxl_bitmap *soft, bool force)
{
    const uint32_t flags = (hard ? XEN_VCPUAFFINITY_HARD : 0u) | (soft ? XEN_VCPUAFFINITY_SOFT : 0u) |
                           (force ? XEN_VCPUAFFINITY_FORCE : 0u);
    uint32_t first, last;
    struct maps maps;
    if (!hard && !soft)
        return libxl__ao_fail(ao, ERROR_INVAL, "hard, soft: neither is given");
    int rc = range(ao, domid, vcpuid, &first, &last);
    if (!rc)
        rc = make_maps(ao, &maps);
    if (rc)
        return rc;
    for (uint32_t i = first; !rc && i <= last; i++)
        rc = set_one(ao, domid, i, &maps, hard, soft, flags);
    free_maps(&maps);
    return rc;
}

/* ---- the node affinity of a domain */

/*
 * Makes an empty bitmap of nodes, and stores its size, in octets, in *size. Returns the bitmap. After an
 * error returns NULL and stores the error in *rc.
 */
static xc_nodemap_t make_nodes(libxl__ao *ao, int *size, int *rc)
{
    xc_interface *xch = libxl__xch(ao->ctx);
    *size = xc_get_nodemap_size(xch);
    if (*size <= 0) {
        *rc = libxl__ao_fail(ao, libxl__errno_rc(LIBXL__CALL_HOST, errno), "asking about the host: %m");
        return NULL;
    }
    xc_nodemap_t map = calloc(1, (size_t)*size);
    if (!map)
        *rc = no_memory(ao, "a set of nodes");
    return map;
}

int libxl__hv_set_nodes(libxl__ao *ao, uint32_t domid, const libxl_bitmap *nodes)
{
    xc_domaininfo_t info;
    int size, rc = libxl__hv_info(ao, domid, &info);
    if (rc)
        return rc;
    xc_nodemap_t map = make_nodes(ao, &size, &rc);
    if (!map)
        return rc;
    bitmap_to(map, size, nodes);
    if (xc_domain_node_setaffinity(libxl__xch(ao->ctx), domid, map))
        rc = libxl__hv_fail(ao, LIBXL__CALL_SETTING, "nodemap: setting the nodes of", domid);
    free(map);
    return rc;
}

int libxl__hv_get_nodes(libxl__ao *ao, uint32_t domid, libxl_bitmap *nodes)
{
    xc_domaininfo_t info;
    int size, rc = libxl__hv_info(ao, domid, &info);
    if (rc)
        return rc;
    xc_nodemap_t map = make_nodes(ao, &size, &rc);
    if (!map)
        return rc;
    if (xc_domain_node_getaffinity(libxl__xch(ao->ctx), domid, map))
        rc = libxl__hv_fail(ao, LIBXL__CALL_DOMAIN, "asking for the nodes of", domid);
    else
        rc = bitmap_from(ao, nodes, map, size);
    free(map);
    return rc;
}

/* ---- sending triggers */

static const struct {
    libxl_trigger trigger;
    uint32_t number;
} triggers[] = {
    {LIBXL_TRIGGER_POWER, XEN_DOMCTL_SENDTRIGGER_POWER}, {LIBXL_TRIGGER_SLEEP, XEN_DOMCTL_SENDTRIGGER_SLEEP},
    {LIBXL_TRIGGER_NMI, XEN_DOMCTL_SENDTRIGGER_NMI},     {LIBXL_TRIGGER_INIT, XEN_DOMCTL_SENDTRIGGER_INIT},
    {LIBXL_TRIGGER_RESET, XEN_DOMCTL_SENDTRIGGER_RESET},
};

int libxl__hv_trigger(libxl__ao *ao, uint32_t domid, libxl_trigger trigger, uint32_t vcpuid)
{
    xc_interface *xch = libxl__xch(ao->ctx);
    uint32_t first, last;
    int rc = range(ao, domid, vcpuid, &first, &last);
    if (rc)
        return rc;
    if (trigger == LIBXL_TRIGGER_S3RESUME)
        return xc_hvm_param_set(xch, domid, HVM_PARAM_ACPI_S_STATE, 0)
                   ? libxl__hv_fail(ao, LIBXL__CALL_SETTING, "trigger: waking", domid)
                   : 0;
    for (size_t i = 0; i < sizeof(triggers) / sizeof(*triggers); i++)
        if (triggers[i].trigger == trigger)
            return xc_domain_send_trigger(xch, domid, triggers[i].number, vcpuid)
                       ? libxl__hv_fail(ao, LIBXL__CALL_SETTING, "trigger: sending it to", domid)
                       : 0;
    return libxl__ao_fail(ao, ERROR_INVAL, "trigger: none is given");
}
