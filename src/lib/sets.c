/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libxl's functions for sets of processors, NUMA nodes and sockets (libxl_utils.h). They run
 * host_cpu_topology. Own nothing: the sets belong to the caller. Any thread may call these functions, without the
 * context's lock.
 */
#include "ops.h"

#include <libxl_utils.h>

static bool is_online(const libxl_cputopology *cpu)
{
    return cpu->core != LIBXL_CPUTOPOLOGY_INVALID_ENTRY;
}

/* Makes the set of the processors on one of these nodes. */
int libxl_nodemap_to_cpumap(libxl_ctx *ctx, const libxl_bitmap *nodemap, libxl_bitmap *cpumap)
{
    libxl_cputopology_list list;
    int rc = libxl_host_cpu_topology(ctx, &list, NULL);
    if (rc)
        return rc;
    libxl_bitmap_dispose(cpumap);
    rc = libxl_bitmap_alloc(ctx, cpumap, list.num_cpus);
    for (int i = 0; !rc && i < list.num_cpus; i++)
        if (is_online(&list.cpus[i]) && libxl_bitmap_test(nodemap, (int)list.cpus[i].node))
            libxl_bitmap_set(cpumap, i);
    libxl_cputopology_list_dispose(&list);
    return rc;
}

int libxl_node_to_cpumap(libxl_ctx *ctx, int node, libxl_bitmap *cpumap)
{
    libxl_bitmap nodes;
    if (node < 0)
        return libxl__refuse(ERROR_INVAL, "node: %d is negative", node);
    int rc = libxl_bitmap_alloc(ctx, &nodes, node + 1);
    if (rc)
        return rc;
    libxl_bitmap_set(&nodes, node);
    rc = libxl_nodemap_to_cpumap(ctx, &nodes, cpumap);
    libxl_bitmap_dispose(&nodes);
    return rc;
}

int libxl_cpumap_to_nodemap(libxl_ctx *ctx, const libxl_bitmap *cpumap, libxl_bitmap *nodemap)
{
    libxl_cputopology_list list;
    int rc = libxl_host_cpu_topology(ctx, &list, NULL);
    if (rc)
        return rc;
    libxl_bitmap_dispose(nodemap);
    rc = libxl_node_bitmap_alloc(ctx, nodemap, 0);
    for (int i = 0; !rc && i < list.num_cpus; i++)
        if (is_online(&list.cpus[i]) && libxl_bitmap_test(cpumap, i))
            libxl_bitmap_set(nodemap, (int)list.cpus[i].node);
    libxl_cputopology_list_dispose(&list);
    return rc;
}

/* ---- sockets */

int libxl_socket_bitmap_alloc(libxl_ctx *ctx, libxl_bitmap *socketmap, int max_sockets)
{
    libxl_cputopology_list list;
    if (max_sockets < 0)
        return libxl__refuse(ERROR_INVAL, "max_sockets: %d is negative", max_sockets);
    if (max_sockets)
        return libxl_bitmap_alloc(ctx, socketmap, max_sockets);
    const int rc = libxl_host_cpu_topology(ctx, &list, NULL);
    if (rc)
        return rc;
    for (int i = 0; i < list.num_cpus; i++)
        if (is_online(&list.cpus[i]) && (int)list.cpus[i].socket >= max_sockets)
            max_sockets = (int)list.cpus[i].socket + 1;
    libxl_cputopology_list_dispose(&list);
    return libxl_bitmap_alloc(ctx, socketmap, max_sockets);
}

int libxl_get_online_socketmap(libxl_ctx *ctx, libxl_bitmap *socketmap)
{
    libxl_cputopology_list list;
    const int rc = libxl_host_cpu_topology(ctx, &list, NULL);
    if (rc)
        return rc;
    for (int i = 0; i < list.num_cpus; i++)
        if (is_online(&list.cpus[i]))
            libxl_bitmap_set(socketmap, (int)list.cpus[i].socket);
    libxl_cputopology_list_dispose(&list);
    return 0;
}
