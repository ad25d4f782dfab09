/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns: nothing except the operation's state. The caller holds the context's lock. */
#include "teardown_nodes.h"

#include <stdio.h>

enum { NODES = 4, LONGEST_PATH = LIBXL__MARK_PATH };

static int reserve_batch(libxl__ao *ao, libxl__xs_batch **batch)
{
    *batch = libxl__xs_batch_new(ao, 0);
    return *batch ? libxl__xs_reserve(*batch, NODES, (size_t)NODES * LONGEST_PATH + LIBXL__MARK_TEXT)
                  : ERROR_NOMEM;
}

int libxl__teardown_nodes_reserve(libxl__ao *ao, libxl__teardown_nodes *nodes)
{
    const int rc = reserve_batch(ao, &nodes->first);
    return rc ? rc : reserve_batch(ao, &nodes->last);
}

static void add_vm(const libxl__teardown_nodes *nodes, libxl__xs_batch *batch)
{
    libxl__xs_remove(batch, "/vm/" LIBXL_UUID_FMT, LIBXL_UUID_BYTES(nodes->uuid));
}

static void add_tree(const libxl__teardown_nodes *nodes, libxl__xs_batch *batch)
{
    libxl__xs_remove(batch, "/local/domain/%u", nodes->domid);
    libxl__xs_remove(batch, "/libxl/%u", nodes->domid);
}

void libxl__teardown_nodes_remove(libxl__teardown_nodes *nodes)
{
    const bool made = nodes->domid != LIBXL_DOMID_INVALID;
    if (!nodes->unfinished)
        libxl__mark_remove(nodes->first, &nodes->uuid);
    if (made && !nodes->shared)
        add_vm(nodes, nodes->first);
    if (made && nodes->has_tree && !nodes->keeps_tree)
        add_tree(nodes, nodes->first);
    libxl__xs_run_anyway(nodes->first, LIBXL__XS_ONE_BY_ONE); /* an empty batch is done at once */
}

/* ---- the second step: the nodes that are left when the domain is gone */

/* Returns whether no domain has the domid. If the hypercall fails, stores its error in `uncertain`. */
static bool domid_is_free(libxl__ao *ao, libxl__teardown_nodes *nodes)
{
    const libxl_uuid uuid = ao->subject.uuid;
    xc_domaininfo_t other;
    const int rc = libxl__hv_look(ao, nodes->domid, &other);
    ao->subject.uuid = uuid; /* libxl__hv_look may have stored the UUID of another domain */
    if (rc && rc != ERROR_DOMAIN_NOTFOUND)
        nodes->uncertain = rc;
    return rc == ERROR_DOMAIN_NOTFOUND;
}

int libxl__teardown_nodes_check_tree(libxl__ao *ao, libxl__teardown_nodes *nodes)
{
    nodes->uncertain = 0;
    return domid_is_free(ao, nodes) ? 0 : nodes->uncertain ? nodes->uncertain : ERROR_NOTFOUND;
}

/* Returns the operation that runs the teardown, or NULL if it has ended. */
static const libxl__ao *parent_of(const libxl__ao *ao)
{
    return ao->notify_target == LIBXL__AO_PARENT ? ao->parent : NULL;
}

/*
 * Returns whether no other domain has the UUID, and no domain is being created with the UUID. If the
 * hypercall fails, stores its error in `uncertain`.
 */
static bool uuid_is_free(libxl__ao *ao, libxl__teardown_nodes *nodes)
{
    uint32_t other = LIBXL_DOMID_INVALID;
    /* A soft reset that has changed nothing leaves its domain alive. This domain has the UUID of the mark. */
    const uint32_t own = nodes->resets ? nodes->marked : nodes->domid;
    const int rc = libxl__hv_find(ao, &nodes->uuid, own, &other);
    if (rc)
        nodes->uncertain = rc;
    return !rc && other == LIBXL_DOMID_INVALID &&
           !libxl__creation_has_uuid(ao->ctx, &nodes->uuid, parent_of(ao));
}

/*
 * Adds the requests of the second step. The tree is removed a second time, because xenconsoled may have
 * written a terminal's name after the first removal, if it was started at that time. Now xenconsoled cannot
 * write any more, because the domain is gone only after xenconsoled has unmapped the domain's page. If
 * another domain had the UUID, the first step did not remove /vm/UUID. That domain may be gone now. In a
 * repeated attempt, another domain may have got the domid or the UUID.
 */
static void add_rest(libxl__ao *ao, libxl__teardown_nodes *nodes)
{
    const bool made = nodes->domid != LIBXL_DOMID_INVALID;
    nodes->uncertain = 0;
    if (nodes->again ? uuid_is_free(ao, nodes) : nodes->unfinished)
        libxl__mark_remove(nodes->last, &nodes->uuid);
    if (made && (nodes->again || nodes->shared) && uuid_is_free(ao, nodes))
        add_vm(nodes, nodes->last);
    if (made && nodes->has_tree && !nodes->keeps_tree && domid_is_free(ao, nodes))
        add_tree(nodes, nodes->last);
}

void libxl__teardown_nodes_remove_rest(libxl__ao *ao, libxl__teardown_nodes *nodes)
{
    const bool repeats = !nodes->last || libxl__xs_done(nodes->last);
    nodes->again = repeats || libxl__xs_rc(nodes->first);
    if (repeats) {
        libxl__xs_batch_free(nodes->last);
        nodes->last = libxl__xs_batch_new(ao, 0);
    }
    if (!nodes->last)
        return;
    add_rest(ao, nodes);
    libxl__xs_run_anyway(nodes->last, LIBXL__XS_ONE_BY_ONE);
}

int libxl__teardown_nodes_result(const libxl__teardown_nodes *nodes)
{
    if (nodes->last && !libxl__xs_done(nodes->last))
        return LIBXL__AO_WAIT;
    const int rc = nodes->last ? libxl__xs_result(nodes->last) : ERROR_NOMEM;
    return rc ? rc : nodes->uncertain;
}

bool libxl__teardown_nodes_give_up(libxl__teardown_nodes *nodes)
{
    if (!nodes->given_up) {
        const bool named = libxl_uuid_compare(&nodes->handle, &nodes->uuid) == 0;
        if (nodes->resets)
            libxl__mark_reset(nodes->last, &nodes->uuid, true, nodes->domid);
        else
            libxl__mark_give_up(nodes->last, &nodes->uuid, nodes->domid, named ? NULL : &nodes->handle);
        libxl__xs_run_anyway(nodes->last, LIBXL__XS_ONE_BY_ONE);
    }
    nodes->given_up = true;
    return libxl__xs_done(nodes->last);
}

void libxl__teardown_nodes_describe(const libxl__teardown_nodes *nodes, char text[LIBXL__TEARDOWN_NODES_TEXT])
{
    if (nodes->domid == LIBXL_DOMID_INVALID)
        snprintf(text, LIBXL__TEARDOWN_NODES_TEXT, LIBXL__MARK_FMT, LIBXL__MARK_OF(nodes->uuid));
    else
        snprintf(text, LIBXL__TEARDOWN_NODES_TEXT,
                 "/local/domain/%u, /libxl/%u, /vm/" LIBXL_UUID_FMT " and " LIBXL__MARK_FMT, nodes->domid,
                 nodes->domid, LIBXL_UUID_BYTES(nodes->uuid), LIBXL__MARK_OF(nodes->uuid));
}
