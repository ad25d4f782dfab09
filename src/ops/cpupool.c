/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The operations on cpupools that use xenstore. The hypervisor has the cpupools. xenstore has their names, in
 * /local/pool/N/name. Cpupool 0 has no such node until a toolstack renames it.
 *
 * Owns: nothing except the operations' states. The caller holds the context's lock.
 */
#include "cpupools.h"
#include "create.h"
#include "ops.h"
#include "running.h"

#include <errno.h>
#include <libxl_utils.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POOL "/local/pool/%u"

/* ---- host_list_cpupools */

typedef libxl__pool_names host_list_cpupools_state;

/* Adds a request for the name of the cpupool. Returns 0 or NOMEM. */
static int add_name(libxl__ao *ao, libxl__pool_names *s, uint32_t poolid)
{
    if (s->count == s->room) {
        libxl__pool_name *larger = libxl__gc_alloc(&ao->gc, (size_t)2 * (s->room + 4) * sizeof(*larger));
        if (!larger)
            return ERROR_NOMEM;
        if (s->count)
            memcpy(larger, s->names, (size_t)s->count * sizeof(*larger));
        s->names = larger;
        s->room = 2 * (s->room + 4);
    }
    s->names[s->count++] = (libxl__pool_name){poolid, libxl__xs_read(s->batch, POOL "/name", poolid)};
    return 0;
}

static int names_start(libxl__ao *ao, libxl__pool_names *s)
{
    s->batch = libxl__xs_batch_new(ao, 0);
    int rc = s->batch ? 0 : ERROR_NOMEM;
    for (uint32_t from = 0; !rc;) {
        libxl_cpupoolinfo next;
        rc = libxl__hv_next_cpupool(ao, from, &next);
        if (rc)
            break;
        rc = add_name(ao, s, next.poolid);
        from = next.poolid + 1;
        libxl_cpupoolinfo_dispose(&next);
    }
    if (rc == ERROR_NOTFOUND)
        rc = libxl__xs_run(s->batch, LIBXL__XS_ONE_BY_ONE);
    return rc ? rc : LIBXL__AO_WAIT;
}

/* Returns the stored name. For a cpupool without a stored name, returns the name that libxl gives it. */
static char *name_of(uint32_t poolid, const char *stored)
{
    char made[32];
    snprintf(made, sizeof(made), "Pool-%u", poolid);
    return strdup(stored ? stored : made);
}

/* Describes the cpupools that still exist. */
static int describe(libxl__ao *ao, const libxl__pool_names *s, libxl_cpupool_list *list)
{
    list->pools = calloc((size_t)s->count + 1, sizeof(*list->pools));
    if (!list->pools)
        return ERROR_NOMEM;
    for (int i = 0; i < s->count; i++) {
        const libxl__pool_name *name = &s->names[i];
        libxl_cpupoolinfo *pool = &list->pools[list->num_pools];
        const int rc = libxl__hv_next_cpupool(ao, name->poolid, pool);
        if (rc == ERROR_NOTFOUND)
            return 0;
        if (rc)
            return rc;
        list->num_pools++;
        if (pool->poolid != name->poolid) {
            libxl_cpupoolinfo_dispose(pool);
            list->num_pools--;
        } else if (!(pool->pool_name = name_of(pool->poolid, libxl__xs_value(name->request)))) {
            return ERROR_NOMEM;
        }
    }
    return 0;
}

static int names_poll(libxl__ao *ao, libxl__pool_names *s)
{
    const libxl__host_list_cpupools_args *args = libxl__ao_args(ao);
    libxl_cpupool_list list = {.num_pools = 0};
    if (!libxl__xs_done(s->batch))
        return LIBXL__AO_WAIT;
    int rc = libxl__xs_result(s->batch);
    if (!rc)
        rc = describe(ao, s, &list);
    if (rc)
        libxl_cpupool_list_dispose(&list);
    else
        *args->out.list = list;
    return rc;
}

/* ---- the cpupool of a domain that is being created */

static int no_such_pool(libxl__ao *ao, const char *name)
{
    return libxl__ao_fail(ao, ERROR_INVAL, "d_config.c_info.pool_name: there is no cpupool '%s'", name);
}

/*
 * Stores the number of a cpupool whose name is a number. Errors: INVAL (there is no such cpupool), and those of
 * libxl__hv_has_cpupool.
 */
static int numbered_pool(libxl__ao *ao, const char *name, uint32_t *poolid)
{
    bool found = false;
    errno = 0;
    const unsigned long long number = strtoull(name, NULL, 10);
    const int rc = !errno && number < UINT32_MAX ? libxl__hv_has_cpupool(ao, (uint32_t)number, &found) : 0;
    if (rc || !found)
        return rc ? rc : no_such_pool(ao, name);
    *poolid = (uint32_t)number;
    return 0;
}

int libxl__create_pool_start(libxl__ao *ao, libxl__pool_names *s, libxl_domain_create_info *info)
{
    const char *name = info->pool_name;
    if (!name)
        return 0;
    if (*name && !name[strspn(name, "0123456789")])
        return numbered_pool(ao, name, &info->poolid);
    const int rc = names_start(ao, s);
    return rc == LIBXL__AO_WAIT ? 0 : rc;
}

int libxl__create_pool_poll(libxl__ao *ao, const libxl__pool_names *s, libxl_domain_create_info *info)
{
    if (!s->batch)
        return 0;
    if (!libxl__xs_done(s->batch))
        return LIBXL__AO_WAIT;
    const int rc = libxl__xs_result(s->batch);
    for (int i = 0; !rc && i < s->count; i++) {
        char *name = name_of(s->names[i].poolid, libxl__xs_value(s->names[i].request));
        if (!name)
            return ERROR_NOMEM;
        const bool found = !strcmp(name, info->pool_name);
        free(name);
        if (found) {
            info->poolid = s->names[i].poolid;
            return 0;
        }
    }
    return rc ? rc : no_such_pool(ao, info->pool_name);
}

/* ---- writing a cpupool's name; the request can be taken back until it is sent completely */

typedef struct naming {
    libxl__xs_batch *batch;
    bool taken_back, written;
} naming;

static int naming_new(libxl__ao *ao, naming *n)
{
    n->batch = libxl__xs_batch_new(ao, 0);
    return n->batch ? 0 : ERROR_NOMEM;
}

static int naming_run(naming *n)
{
    const int rc = libxl__xs_run(n->batch, LIBXL__XS_TRANSACTION);
    return rc ? rc : LIBXL__AO_WAIT;
}

static int naming_poll(libxl__ao *ao, naming *n)
{
    if (n->taken_back)
        return ao->stop;
    if (!libxl__xs_done(n->batch))
        return LIBXL__AO_WAIT;
    const int rc = libxl__xs_result(n->batch);
    n->written = !rc;
    return rc;
}

static void naming_stop(naming *n)
{
    if (!libxl__xs_take_back(n->batch))
        return;
    libxl__xs_batch_free(n->batch);
    n->batch = NULL;
    n->taken_back = true;
}

/* ---- host_create_cpupool */

typedef struct create_pool {
    uint32_t poolid;
    bool made;
    naming naming;
} host_create_cpupool_state;

static int make_start(libxl__ao *ao, struct create_pool *s)
{
    const libxl__host_create_cpupool_args *args = libxl__ao_args(ao);
    int rc = libxl__check_name(ao, "name", args->in.name);
    if (rc)
        return rc;
    s->poolid = args->in.wanted;
    rc = libxl__hv_make_cpupool(ao, args->in.sched, &s->poolid);
    s->made = !rc;
    if (!rc && args->in.has_cpumap)
        rc = libxl__hv_change_cpus(ao, s->poolid, &args->in.cpumap, true);
    return rc;
}

/* Takes all processors from a cpupool and destroys it. */
static int end_pool(libxl__ao *ao, uint32_t poolid)
{
    libxl_cpupoolinfo pool;
    int rc = libxl__hv_cpupool(ao, poolid, &pool);
    if (rc)
        return rc;
    rc = pool.n_dom ? libxl__ao_fail(ao, ERROR_BUSY, "poolid: cpupool %u has %u domains", poolid, pool.n_dom)
                    : libxl__hv_change_cpus(ao, poolid, &pool.cpumap, false);
    libxl_cpupoolinfo_dispose(&pool);
    return rc ? rc : libxl__hv_end_cpupool(ao, poolid);
}

static int make_undo(libxl__ao *ao, struct create_pool *s)
{
    if (s->naming.written)
        return LIBXL__AO_CARRIED_OUT;
    return s->made ? end_pool(ao, s->poolid) : 0;
}

static int name_start(libxl__ao *ao, struct create_pool *s)
{
    const libxl__host_create_cpupool_args *args = libxl__ao_args(ao);
    libxl_uuid uuid = {{0}};
    const int rc = naming_new(ao, &s->naming);
    if (rc)
        return rc;
    if (args->in.has_uuid)
        uuid = args->in.uuid;
    else
        libxl_uuid_generate(&uuid);
    char text[LIBXL_UUID_FMTLEN + 1];
    snprintf(text, sizeof(text), LIBXL_UUID_FMT, LIBXL_UUID_BYTES(uuid));
    libxl__xs_write(s->naming.batch, LIBXL__XS_INHERITS, text, POOL "/uuid", s->poolid);
    libxl__xs_write(s->naming.batch, LIBXL__XS_INHERITS, args->in.name, POOL "/name", s->poolid);
    return naming_run(&s->naming);
}

static int name_poll(libxl__ao *ao, struct create_pool *s)
{
    const libxl__host_create_cpupool_args *args = libxl__ao_args(ao);
    const int rc = naming_poll(ao, &s->naming);
    if (!rc)
        *args->out.poolid = s->poolid;
    return rc;
}

static void name_stop(libxl__ao *ao, struct create_pool *s)
{
    (void)ao;
    naming_stop(&s->naming);
}

/* ---- host_destroy_cpupool */

typedef struct destroy_pool {
    libxl__xs_batch *batch;
} host_destroy_cpupool_state;

static int release_start(libxl__ao *ao, struct destroy_pool *s)
{
    const libxl__host_destroy_cpupool_args *args = libxl__ao_args(ao);
    (void)s;
    return end_pool(ao, args->in.poolid);
}

static int clean_start(libxl__ao *ao, struct destroy_pool *s)
{
    const libxl__host_destroy_cpupool_args *args = libxl__ao_args(ao);
    s->batch = libxl__xs_batch_new(ao, 0);
    if (!s->batch)
        return ERROR_NOMEM;
    libxl__xs_remove(s->batch, POOL, args->in.poolid);
    const int rc = libxl__xs_run(s->batch, LIBXL__XS_ONE_BY_ONE);
    return rc ? rc : LIBXL__AO_WAIT;
}

static int clean_poll(libxl__ao *ao, struct destroy_pool *s)
{
    (void)ao;
    return libxl__xs_done(s->batch) ? libxl__xs_result(s->batch) : LIBXL__AO_WAIT;
}

/* ---- host_rename_cpupool */

typedef naming host_rename_cpupool_state;

static int store_start(libxl__ao *ao, naming *n)
{
    const libxl__host_rename_cpupool_args *args = libxl__ao_args(ao);
    libxl_cpupoolinfo pool;
    int rc = libxl__check_name(ao, "name", args->in.name);
    if (!rc)
        rc = libxl__hv_cpupool(ao, args->in.poolid, &pool);
    if (rc)
        return rc;
    libxl_cpupoolinfo_dispose(&pool);
    rc = naming_new(ao, n);
    if (rc)
        return rc;
    libxl__xs_write(n->batch, LIBXL__XS_INHERITS, args->in.name, POOL "/name", args->in.poolid);
    return naming_run(n);
}

static int store_poll(libxl__ao *ao, naming *n)
{
    return naming_poll(ao, n);
}

static void store_stop(libxl__ao *ao, naming *n)
{
    (void)ao;
    naming_stop(n);
}

#include "_libxl_phases_host_list_cpupools.h"
#include "_libxl_phases_host_create_cpupool.h"
#include "_libxl_phases_host_destroy_cpupool.h"
#include "_libxl_phases_host_rename_cpupool.h"
