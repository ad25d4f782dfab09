/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libxl's synchronous functions for cpupools (libxl_host.h, libxl_utils.h). Each runs an operation of this
 * library. Owns nothing: arrays belong to the caller. Any thread may call these functions, without the
 * context's lock.
 */
#include "ops.h"

#include <libxl_utils.h>
#include <stdlib.h>
#include <string.h>

/*
 * Finds a cpupool by its name, or, if `name` is NULL, by its number. Moves it into *info, which the caller
 * disposes of. Returns 0, NOTFOUND without a message, or an error.
 */
static int find(libxl_ctx *ctx, const char *name, uint32_t poolid, libxl_cpupoolinfo *info)
{
    libxl_cpupool_list list;
    int rc = libxl_host_list_cpupools(ctx, &list, NULL);
    if (rc)
        return rc;
    rc = ERROR_NOTFOUND;
    for (int i = 0; rc && i < list.num_pools; i++) {
        libxl_cpupoolinfo *pool = &list.pools[i];
        if (name ? strcmp(name, pool->pool_name) != 0 : pool->poolid != poolid)
            continue;
        *info = *pool;
        libxl_cpupoolinfo_init(pool);
        rc = 0;
    }
    libxl_cpupool_list_dispose(&list);
    return rc;
}

int libxl_cpupool_info(libxl_ctx *ctx, libxl_cpupoolinfo *info, uint32_t poolid)
{
    const int rc = find(ctx, NULL, poolid, info);
    return rc == ERROR_NOTFOUND ? libxl__refuse(ERROR_INVAL, "poolid: there is no cpupool %u", poolid) : rc;
}

int libxl_cpupool_create(libxl_ctx *ctx, const char *name, libxl_scheduler sched, libxl_bitmap cpumap,
                         libxl_uuid *uuid, uint32_t *poolid)
{
    uint32_t made;
    const int rc = libxl_host_create_cpupool(ctx, name, sched, &cpumap, uuid, *poolid, &made, NULL);
    if (!rc)
        *poolid = made;
    return rc;
}

int libxl_cpupool_destroy(libxl_ctx *ctx, uint32_t poolid)
{
    return libxl_host_destroy_cpupool(ctx, poolid, NULL);
}

int libxl_cpupool_rename(libxl_ctx *ctx, const char *name, uint32_t poolid)
{
    return libxl_host_rename_cpupool(ctx, poolid, name, NULL);
}

int libxl_cpupool_movedomain(libxl_ctx *ctx, uint32_t poolid, uint32_t domid)
{
    return libxl_domain_set_cpupool(ctx, domid, poolid, NULL);
}

int libxl_get_freecpus(libxl_ctx *ctx, libxl_bitmap *cpumap)
{
    return libxl_host_free_cpus(ctx, cpumap, NULL);
}

/* ---- processors of a cpupool */

typedef int change_fn(libxl_ctx *ctx, uint32_t poolid, const libxl_bitmap *cpumap,
                      const libxl_asyncop_how *how);

static int change_one(libxl_ctx *ctx, change_fn *change, uint32_t poolid, int cpu)
{
    libxl_bitmap map;
    if (cpu < 0)
        return libxl__refuse(ERROR_INVAL, "cpu: %d is negative", cpu);
    int rc = libxl_bitmap_alloc(ctx, &map, cpu + 1);
    if (rc)
        return rc;
    libxl_bitmap_set(&map, cpu);
    rc = change(ctx, poolid, &map, NULL);
    libxl_bitmap_dispose(&map);
    return rc;
}

static int change_node(libxl_ctx *ctx, change_fn *change, uint32_t poolid, int node, int *cpus)
{
    libxl_cputopology_list list;
    *cpus = 0;
    const int rc = libxl_host_cpu_topology(ctx, &list, NULL);
    if (rc)
        return rc;
    for (int i = 0; i < list.num_cpus; i++)
        if (list.cpus[i].core != LIBXL_CPUTOPOLOGY_INVALID_ENTRY && list.cpus[i].node == (uint32_t)node)
            *cpus += !change_one(ctx, change, poolid, i);
    libxl_cputopology_list_dispose(&list);
    return 0;
}

int libxl_cpupool_cpuadd(libxl_ctx *ctx, uint32_t poolid, int cpu)
{
    return change_one(ctx, libxl_host_add_cpupool_cpus, poolid, cpu);
}

int libxl_cpupool_cpuadd_cpumap(libxl_ctx *ctx, uint32_t poolid, const libxl_bitmap *cpumap)
{
    return libxl_host_add_cpupool_cpus(ctx, poolid, cpumap, NULL);
}

int libxl_cpupool_cpuadd_node(libxl_ctx *ctx, uint32_t poolid, int node, int *cpus)
{
    return change_node(ctx, libxl_host_add_cpupool_cpus, poolid, node, cpus);
}

int libxl_cpupool_cpuremove(libxl_ctx *ctx, uint32_t poolid, int cpu)
{
    return change_one(ctx, libxl_host_remove_cpupool_cpus, poolid, cpu);
}

int libxl_cpupool_cpuremove_cpumap(libxl_ctx *ctx, uint32_t poolid, const libxl_bitmap *cpumap)
{
    return libxl_host_remove_cpupool_cpus(ctx, poolid, cpumap, NULL);
}

int libxl_cpupool_cpuremove_node(libxl_ctx *ctx, uint32_t poolid, int node, int *cpus)
{
    return change_node(ctx, libxl_host_remove_cpupool_cpus, poolid, node, cpus);
}

/* ---- names */

int libxl_name_to_cpupoolid(libxl_ctx *ctx, const char *name, uint32_t *poolid)
{
    libxl_cpupoolinfo info;
    const int rc = find(ctx, name, 0, &info);
    if (rc == ERROR_NOTFOUND)
        return libxl__refuse(ERROR_INVAL, "name: there is no cpupool '%s'", name);
    if (rc)
        return rc;
    *poolid = info.poolid;
    libxl_cpupoolinfo_dispose(&info);
    return 0;
}

char *libxl_cpupoolid_to_name(libxl_ctx *ctx, uint32_t poolid)
{
    libxl_cpupoolinfo info;
    if (libxl_cpupool_info(ctx, &info, poolid))
        return NULL;
    char *name = info.pool_name;
    info.pool_name = NULL;
    libxl_cpupoolinfo_dispose(&info);
    return name;
}

int libxl_cpupoolid_is_valid(libxl_ctx *ctx, uint32_t poolid)
{
    libxl_cpupoolinfo info;
    if (libxl_cpupool_info(ctx, &info, poolid))
        return 0;
    libxl_cpupoolinfo_dispose(&info);
    return 1;
}

int libxl_cpupool_qualifier_to_cpupoolid(libxl_ctx *ctx, const char *p, uint32_t *poolid_r, int *was_name_r)
{
    const bool is_name = !*p || p[strspn(p, "0123456789")];
    if (was_name_r)
        *was_name_r = is_name;
    if (is_name)
        return libxl_name_to_cpupoolid(ctx, p, poolid_r);
    *poolid_r = (uint32_t)strtoul(p, NULL, 10);
    return 0;
}
