/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_remove_unfinished: takes down a domain whose creation was not finished (marks.h), or whose guest has moved to
 * another machine (save_mark.h). unfinished.h says which domain belongs to the mark of a creation.
 *
 * If no domain belongs to the mark, another program has destroyed the domain, or the process has ended before
 * it made a domain. In this case the operation removes the nodes that are left. These are the mark, /vm/UUID
 * (unless a living domain has the UUID), and some trees /local/domain/N. A tree is removed if this library
 * has made it, its `vm` node names the UUID, and its domain does not exist. All nodes are removed in one
 * transaction. The transaction fails if the mark or the trees have changed since they were read.
 *
 * Owns: nothing except the operation's state. The caller holds the context's lock.
 */
#include "unfinished.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* A tree /local/domain/N whose domain does not exist or is dying. */
struct dead_tree {
    uint32_t domid;
    libxl__xs_request *owner, *vm;
};

typedef struct remove_unfinished {
    libxl__xs_batch *batch;
    libxl__xs_request *mark, *save, *tree, *ring, *tty;
    /* the domid of the domain with the UUID, which may have the mark of a save; LIBXL_DOMID_INVALID: there is none */
    uint32_t saved;
    uint32_t domid; /* the domid of the mark's domain; LIBXL_DOMID_INVALID: no domain belongs to the mark */
    libxl_uuid handle; /* the UUID that the hypervisor has for `domid` */
    const char *text;  /* the value of the mark's node */
    libxl__mark found; /* the mark; zero if only the mark of a save was found */
    libxl__await console;
    libxl__xs_directory domains; /* lists the names in /local/domain */
    /* The array of trees, in the operation's memory; NULL: the trees are not known yet. */
    struct dead_tree *trees;
    uint32_t count;
    libxl__nested teardown;
} domain_remove_unfinished_state;

static const libxl_uuid *uuid_of(libxl__ao *ao)
{
    const libxl__domain_remove_unfinished_args *args = libxl__ao_args(ao);
    return &args->in.uuid;
}

static int run_batch(struct remove_unfinished *s, libxl__xs_mode mode)
{
    const int rc = libxl__xs_run(s->batch, mode);
    return rc ? rc : LIBXL__AO_WAIT;
}

/* ---- find: the marks are read, and the domain is looked up */

static int find_start(libxl__ao *ao, struct remove_unfinished *s)
{
    const int rc = libxl__hv_find(ao, uuid_of(ao), LIBXL_DOMID_INVALID, &s->saved);
    if (rc)
        return rc;
    s->batch = libxl__xs_batch_new(ao, 0);
    if (!s->batch)
        return ERROR_NOMEM;
    s->mark = libxl__xs_read(s->batch, LIBXL__MARK_FMT, LIBXL__MARK_OF(*uuid_of(ao)));
    if (s->saved != LIBXL_DOMID_INVALID)
        s->save = libxl__xs_read(s->batch, LIBXL__SAVE_MARK, s->saved);
    return run_batch(s, LIBXL__XS_ONE_BY_ONE);
}

/* Stores the mark's domain, or LIBXL_DOMID_INVALID. */
static int find_domain(libxl__ao *ao, struct remove_unfinished *s, const libxl__mark *mark)
{
    xc_domaininfo_t info;
    s->domid = LIBXL_DOMID_INVALID;
    s->handle = mark->handle;
    if (!libxl_uuid_is_nil(&mark->handle)) {
        const int rc = libxl__hv_find(ao, &mark->handle, LIBXL_DOMID_INVALID, &s->domid);
        if (rc || s->domid != LIBXL_DOMID_INVALID)
            return rc;
    }
    s->handle = *uuid_of(ao);
    if (mark->domid == LIBXL_DOMID_INVALID)
        return 0;
    const int rc = libxl__hv_look(ao, mark->domid, &info);
    if (!rc && libxl__mark_names(mark, uuid_of(ao), &info))
        s->domid = mark->domid;
    return rc == ERROR_DOMAIN_NOTFOUND ? 0 : rc;
}

/* Returns whether the mark of a save says that the domain's guest runs on another machine (save_mark.h). */
static bool is_moved(libxl__ao *ao, const struct remove_unfinished *s)
{
    libxl__save_mark found;
    return s->save && libxl__save_mark_read(ao->ctx, libxl__xs_value(s->save), &found) && found.mark.left &&
           found.stage == LIBXL__SAVE_MOVED;
}

static int find_poll(libxl__ao *ao, struct remove_unfinished *s)
{
    libxl__mark *mark = &s->found;
    if (!libxl__xs_done(s->batch))
        return LIBXL__AO_WAIT;
    const int rc = libxl__xs_result(s->batch);
    if (rc)
        return rc;
    const char *text = libxl__xs_value(s->mark);
    if (is_moved(ao, s)) {
        s->domid = s->saved;
        s->handle = *uuid_of(ao);
        return 0;
    }
    if (!text || !libxl__mark_read(ao->ctx, text, mark))
        return libxl__ao_fail(ao, ERROR_NOTFOUND, "uuid: no creation of " LIBXL_UUID_FMT " is unfinished",
                              LIBXL_UUID_BYTES(*uuid_of(ao)));
    if (!mark->left)
        return libxl__ao_fail(ao, ERROR_NOTFOUND, "uuid: process %u is creating " LIBXL_UUID_FMT, mark->pid,
                              LIBXL_UUID_BYTES(*uuid_of(ao)));
    s->text = libxl__gc_printf(&ao->gc, "%s", text);
    return s->text ? find_domain(ao, s, mark) : ERROR_NOMEM;
}

/* ---- tree: a domain of another toolstack is left alone, and so is a domain that has run */

static int begin_batch(libxl__ao *ao, struct remove_unfinished *s)
{
    libxl__xs_batch_free(s->batch);
    s->batch = libxl__xs_batch_new(ao, 0);
    return s->batch ? 0 : ERROR_NOMEM;
}

static int tree_start(libxl__ao *ao, struct remove_unfinished *s)
{
    /*
     * Only a domain whose creation was not finished is checked for other toolstacks and waits for xenconsoled. A
     * domain that a migration has marked may belong to any toolstack, and its console is complete, because the domain
     * has run.
     */
    if (s->domid == LIBXL_DOMID_INVALID || is_moved(ao, s))
        return 0;
    const int rc = begin_batch(ao, s);
    if (rc)
        return rc;
    s->tree = libxl__xs_read(s->batch, "/local/domain/%u", s->domid);
    s->ring = libxl__xs_read(s->batch, "/local/domain/%u/console/ring-ref", s->domid);
    s->tty = libxl__xs_read(s->batch, "/local/domain/%u/console/tty", s->domid);
    return run_batch(s, LIBXL__XS_ONE_BY_ONE);
}

static int check_not_run(libxl__ao *ao, const struct remove_unfinished *s)
{
    xc_domaininfo_t info;
    const int rc = libxl__hv_look(ao, s->domid, &info);
    if (rc)
        return rc == ERROR_DOMAIN_NOTFOUND ? 0 : rc;
    if (!libxl__has_handle(&info, &s->handle) || info.flags & XEN_DOMINF_dying ||
        !libxl__is_complete(&s->found, &info))
        return 0;
    return libxl__ao_fail(ao, ERROR_NOTFOUND, "uuid: domain %u has run, so its creation is complete",
                          s->domid);
}

static int tree_poll(libxl__ao *ao, struct remove_unfinished *s)
{
    if (!libxl__xs_done(s->batch))
        return LIBXL__AO_WAIT;
    const int rc = libxl__xs_result(s->batch);
    if (rc)
        return rc;
    if (s->found.resets || !libxl__tree_is_foreign(s->tree))
        return check_not_run(ao, s);
    s->domid = LIBXL_DOMID_INVALID;
    return 0;
}

/*
 * ---- xenconsoled: waits for the terminal's node that xenconsoled writes, so that the teardown removes this node, too
 */

static int xenconsoled_start(libxl__ao *ao, struct remove_unfinished *s)
{
    char path[64];
    if (s->domid == LIBXL_DOMID_INVALID || !s->ring || !libxl__xs_value(s->ring) || libxl__xs_value(s->tty))
        return 0;
    snprintf(path, sizeof(path), "/local/domain/%u/console/tty", s->domid);
    const int rc = libxl__await_start(ao, &s->console, path, libxl__await_present, NULL);
    return rc ? rc : LIBXL__AO_WAIT;
}

static int xenconsoled_poll(libxl__ao *ao, struct remove_unfinished *s)
{
    return libxl__await_step(ao, &s->console);
}

/* ---- trees: if no domain belongs to the mark, finds the trees that are left */

static int trees_start(libxl__ao *ao, struct remove_unfinished *s)
{
    return s->domid == LIBXL_DOMID_INVALID ? libxl__xs_directory_start(ao, &s->domains, "/local/domain") : 0;
}

static int by_domid(const void *key, const void *info)
{
    const uint32_t left = *(const uint32_t *)key, right = ((const xc_domaininfo_t *)info)->domain;
    return (left > right) - (left < right);
}

/*
 * Adds the requests that read a tree. Does nothing unless the name is the domid of a domain that is gone or
 * dying.
 */
static void read_tree(struct remove_unfinished *s, const char *name, const xc_domaininfo_t *list,
                      size_t count)
{
    char *end;
    const unsigned long number = strtoul(name, &end, 10);
    const uint32_t domid = (uint32_t)number;
    if (*end || !number || number >= LIBXL__DOMID_FIRST_RESERVED)
        return;
    const xc_domaininfo_t *info = bsearch(&domid, list, count, sizeof(*list), by_domid);
    if (info && !(info->flags & XEN_DOMINF_dying))
        return;
    s->trees[s->count++] = (struct dead_tree){.domid = domid,
                                              .owner = libxl__xs_read(s->batch, "/local/domain/%u", domid),
                                              .vm = libxl__xs_read(s->batch, "/local/domain/%u/vm", domid)};
}

static int read_trees(libxl__ao *ao, struct remove_unfinished *s)
{
    const xc_domaininfo_t *list;
    const int count = libxl__hv_list(ao->ctx, &list), rc = begin_batch(ao, s);
    if (count < 0)
        return libxl__ao_fail(ao, libxl__errno_rc(LIBXL__CALL_HOST, errno), "listing the domains: %m");
    s->trees = libxl__gc_alloc(&ao->gc, s->domains.count * sizeof(*s->trees));
    if (rc || !s->trees)
        return ERROR_NOMEM;
    for (uint32_t i = 0; i < s->domains.count; i++)
        read_tree(s, s->domains.names[i], list, (size_t)count);
    return run_batch(s, LIBXL__XS_ONE_BY_ONE);
}

/* Removes from the array all trees that this library has not made for the UUID. */
static void keep_trees(libxl__ao *ao, struct remove_unfinished *s)
{
    char path[64];
    uint32_t kept = 0;
    snprintf(path, sizeof(path), "/vm/" LIBXL_UUID_FMT, LIBXL_UUID_BYTES(*uuid_of(ao)));
    for (uint32_t i = 0; i < s->count; i++) {
        const char *vm = libxl__xs_value(s->trees[i].vm);
        if (libxl__xs_value(s->trees[i].owner) && !libxl__tree_is_foreign(s->trees[i].owner) && vm &&
            strcmp(vm, path) == 0)
            s->trees[kept++] = s->trees[i];
    }
    s->count = kept;
}

static int trees_poll(libxl__ao *ao, struct remove_unfinished *s)
{
    if (!s->trees) {
        const int rc = libxl__xs_directory_step(ao, &s->domains);
        return rc ? rc : read_trees(ao, s);
    }
    if (!libxl__xs_done(s->batch))
        return LIBXL__AO_WAIT;
    const int rc = libxl__xs_result(s->batch);
    if (!rc)
        keep_trees(ao, s);
    return rc;
}

/* ---- remove: the domain is taken down, or the nodes are removed */

/*
 * Starts to remove the nodes. The transaction fails with NOTFOUND if the mark has changed, because then
 * another creation uses the UUID.
 */
static int remove_nodes(libxl__ao *ao, struct remove_unfinished *s)
{
    const libxl_uuid uuid = *uuid_of(ao);
    uint32_t other;
    int rc = libxl__hv_find(ao, &uuid, LIBXL_DOMID_INVALID, &other);
    if (!rc)
        rc = begin_batch(ao, s);
    if (rc)
        return rc;
    libxl__xs_require(s->batch, ERROR_NOTFOUND, s->text, LIBXL__MARK_FMT, LIBXL__MARK_OF(uuid));
    for (uint32_t i = 0; i < s->count; i++) {
        const uint32_t domid = s->trees[i].domid;
        char vm[64];
        snprintf(vm, sizeof(vm), "/vm/" LIBXL_UUID_FMT, LIBXL_UUID_BYTES(uuid));
        libxl__xs_require(s->batch, ERROR_XENSTORE, vm, "/local/domain/%u/vm", domid);
        libxl__xs_remove(s->batch, "/local/domain/%u", domid);
        libxl__xs_remove(s->batch, "/libxl/%u", domid);
    }
    if (other == LIBXL_DOMID_INVALID)
        libxl__xs_remove(s->batch, "/vm/" LIBXL_UUID_FMT, LIBXL_UUID_BYTES(uuid));
    libxl__mark_remove(s->batch, &uuid);
    return run_batch(s, LIBXL__XS_TRANSACTION);
}

static int remove_start(libxl__ao *ao, struct remove_unfinished *s)
{
    if (s->domid == LIBXL_DOMID_INVALID)
        return remove_nodes(ao, s);
    const int rc = libxl__teardown_reserve(ao, &s->teardown, true);
    if (rc)
        return rc;
    libxl__teardown_start(&s->teardown, s->domid, uuid_of(ao), &s->handle);
    return LIBXL__AO_WAIT;
}

static int remove_poll(libxl__ao *ao, struct remove_unfinished *s)
{
    if (s->domid != LIBXL_DOMID_INVALID)
        return libxl__teardown_poll(ao, &s->teardown);
    return libxl__xs_done(s->batch) ? libxl__xs_result(s->batch) : LIBXL__AO_WAIT;
}

#include "_libxl_phases_domain_remove_unfinished.h"
