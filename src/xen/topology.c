/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The host's processors, NUMA nodes and free memory, and its debug keys. Owns nothing. Any thread may call the
 * functions, locked or not.
 */
#include "running.h"
#include "xen.h"

#include <errno.h>
#include <stdlib.h>

_Static_assert(LIBXL_CPUTOPOLOGY_INVALID_ENTRY == XEN_INVALID_CORE_ID,
               "an offline processor has Xen's numbers");

static int fail(libxl__ao *ao, const char *what)
{
    return libxl__ao_fail(ao, libxl__errno_rc(LIBXL__CALL_HOST, errno), "%s: %m", what);
}

/*
 * The first hypercall returns the number of processors. The second hypercall fills as many elements as the
 * array has.
 */
int libxl__hv_topology(libxl__ao *ao, libxl_cputopology_list *out)
{
    xc_interface *xch = libxl__xch(ao->ctx);
    unsigned count = 0;
    if (xc_cputopoinfo(xch, &count, NULL))
        return fail(ao, "asking for the number of processors");
    xc_cputopo_t *xen = calloc(count + 1, sizeof(*xen));
    libxl_cputopology *list = calloc(count + 1, sizeof(*list));
    int rc = 0;
    if (!xen || !list) {
        libxl__ao_fail(ao, ERROR_NOMEM, "no memory for %u processors", count);
        rc = ERROR_NOMEM;
    } else if (xc_cputopoinfo(xch, &count, xen)) {
        rc = fail(ao, "asking for the processors");
    }
    for (unsigned i = 0; !rc && i < count; i++)
        list[i] = (libxl_cputopology){.core = xen[i].core, .socket = xen[i].socket, .node = xen[i].node};
    free(xen);
    if (rc)
        free(list);
    else
        *out = (libxl_cputopology_list){.cpus = list, .num_cpus = (int)count};
    return rc;
}

/* Converts the hypervisor's information about the nodes. Returns true, or false if there is no memory. */
static bool convert_nodes(libxl_numainfo_list *list, unsigned count, const xc_meminfo_t *memory,
                          const uint32_t *distance)
{
    for (unsigned i = 0; i < count; i++) {
        libxl_numainfo *node = &list->nodes[i];
        *node =
            (libxl_numainfo){.size = memory[i].memsize, .free = memory[i].memfree, .num_dists = (int)count};
        if (memory[i].memsize == XEN_INVALID_MEM_SZ)
            node->size = node->free = LIBXL_NUMAINFO_INVALID_ENTRY;
        node->dists = calloc(count, sizeof(*node->dists));
        list->num_nodes = (int)i + 1;
        if (!node->dists)
            return false;
        for (unsigned j = 0; j < count; j++)
            node->dists[j] = distance[i * count + j];
    }
    return true;
}

int libxl__hv_numa(libxl__ao *ao, libxl_numainfo_list *out)
{
    xc_interface *xch = libxl__xch(ao->ctx);
    libxl_numainfo_list list = {.num_nodes = 0};
    unsigned count = 0;
    if (xc_numainfo(xch, &count, NULL, NULL))
        return fail(ao, "asking for the number of nodes");
    xc_meminfo_t *memory = calloc(count + 1, sizeof(*memory));
    uint32_t *distance = calloc((size_t)count * count + 1, sizeof(*distance));
    list.nodes = calloc(count + 1, sizeof(*list.nodes));
    int rc = 0;
    if (!memory || !distance || !list.nodes) {
        libxl__ao_fail(ao, ERROR_NOMEM, "no memory for %u nodes", count);
        rc = ERROR_NOMEM;
    } else if (xc_numainfo(xch, &count, memory, distance)) {
        rc = fail(ao, "asking for the nodes");
    }
    if (!rc && !convert_nodes(&list, count, memory, distance))
        rc = libxl__ao_fail(ao, ERROR_NOMEM, "no memory for %u nodes", count);
    free(memory);
    free(distance);
    if (rc)
        libxl_numainfo_list_dispose(&list);
    else
        *out = list;
    return rc;
}

int libxl__hv_free_memory(libxl__ao *ao, uint64_t *kb_out)
{
    libxl_physinfo info;
    const int rc = libxl__hv_physinfo(ao, &info);
    if (!rc)
        *kb_out = (info.free_pages + info.scrub_pages - info.outstanding_pages) * 4;
    return rc;
}

int libxl__hv_debug_keys(libxl__ao *ao, const char *keys)
{
    if (!*keys)
        return libxl__ao_fail(ao, ERROR_INVAL, "keys: empty");
    return xc_send_debug_keys(libxl__xch(ao->ctx), keys) ? fail(ao, "sending debug keys") : 0;
}
