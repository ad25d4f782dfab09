/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_list_unfinished and domain_remove_unfinished: they find and remove domains whose creations were not finished
 * (marks.h).
 *
 * A mark contains only the UUID, and the domain is found by its UUID. A domain of another toolstack may have the same
 * UUID; the value of its tree's top node differs (LIBXL__TREE_OWNER). A domain without a tree is assumed to be the
 * unfinished one, because a domain has no tree while it is built.
 *
 * Owns: nothing beyond the operations. Locks: the context's lock, held by the caller.
 */
#include "ops.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Returns whether the tree /local/domain/N belongs to another toolstack. */
static bool is_foreign(const libxl__xs_request *tree)
{
    const char *owner = libxl__xs_value(tree);
    return owner && strcmp(owner, LIBXL__TREE_OWNER) != 0;
}

/* ---- domain_list_unfinished */

enum { MOST_RESTARTS = 10 };

struct candidate {
    libxl_uuid uuid;
    libxl__mark mark;
    libxl__xs_request *request; /* reads the mark, then the tree; NULL: no domain was found */
    uint32_t domid;
};

typedef struct list_unfinished {
    libxl__xs_batch *batch;
    libxl__xs_request *names;
    const char *version; /* version of the list of marks; NULL: nothing has been read yet */
    uint32_t offset, restarts;
    struct candidate *all; /* in the operation's memory */
    uint32_t count, room;
} domain_list_unfinished_state;

static int begin_batch(libxl__ao *ao, struct list_unfinished *s)
{
    libxl__xs_batch_free(s->batch);
    s->batch = libxl__xs_batch_new(ao, 0);
    return s->batch ? 0 : ERROR_NOMEM;
}

static int list_start(libxl__ao *ao, struct list_unfinished *s)
{
    int rc = begin_batch(ao, s);
    if (rc)
        return rc;
    s->names = libxl__xs_list(s->batch, s->offset, LIBXL__MARKS);
    rc = libxl__xs_run(s->batch, LIBXL__XS_ONE_BY_ONE);
    return rc ? rc : LIBXL__AO_WAIT;
}

/* Adds a candidate, unless the name is no UUID. Errors: NOMEM. */
static int add_candidate(libxl__ao *ao, struct list_unfinished *s, const char *name)
{
    if (s->count == s->room) {
        const uint32_t room = s->room ? 2 * s->room : 32;
        struct candidate *larger = libxl__gc_alloc(&ao->gc, room * sizeof(*larger));
        if (!larger)
            return ERROR_NOMEM;
        if (s->count)
            memcpy(larger, s->all, s->count * sizeof(*larger));
        s->all = larger;
        s->room = room;
    }
    struct candidate *added = &s->all[s->count];
    *added = (struct candidate){.domid = LIBXL_DOMID_INVALID};
    s->count += !libxl_uuid_from_string(&added->uuid, name);
    return 0;
}

/* Reads a part of the list of names. Returns 0 at the list's end, LIBXL__AO_WAIT if there is more to read, or an error. */
static int read_names(libxl__ao *ao, struct list_unfinished *s, const char *names, size_t size)
{
    size_t at = 0;
    while (at < size && names[at]) {
        const size_t length = strnlen(names + at, size - at);
        const int rc = add_candidate(ao, s, names + at);
        if (rc)
            return rc;
        at += length + 1;
    }
    if (at < size || !at)
        return 0;
    s->offset += (uint32_t)at;
    return LIBXL__AO_WAIT;
}

/*
 * Handles a part of the list. If the list has changed between two parts, reads it again from the start, MOST_RESTARTS
 * times at most.
 */
static int list_poll(libxl__ao *ao, struct list_unfinished *s)
{
    const char *version;
    size_t size;
    if (!libxl__xs_done(s->batch))
        return LIBXL__AO_WAIT;
    int rc = libxl__xs_result(s->batch);
    const char *names = rc ? NULL : libxl__xs_names(s->names, &size, &version);
    if (!names)
        return rc;
    if (s->version && strcmp(version, s->version) != 0 && s->restarts++ < MOST_RESTARTS) {
        s->offset = s->count = 0;
        s->version = NULL;
        return list_start(ao, s);
    }
    s->version = libxl__gc_printf(&ao->gc, "%s", version);
    if (!s->version)
        return ERROR_NOMEM;
    rc = read_names(ao, s, names, size);
    return rc == LIBXL__AO_WAIT ? list_start(ao, s) : rc;
}

static int read_start(libxl__ao *ao, struct list_unfinished *s)
{
    int rc = begin_batch(ao, s);
    if (rc)
        return rc;
    for (uint32_t i = 0; i < s->count; i++)
        s->all[i].request =
            libxl__xs_read(s->batch, LIBXL__MARKS "/" LIBXL_UUID_FMT, LIBXL_UUID_BYTES(s->all[i].uuid));
    rc = libxl__xs_run(s->batch, LIBXL__XS_ONE_BY_ONE);
    return rc ? rc : LIBXL__AO_WAIT;
}

static int by_uuid(const void *left, const void *right)
{
    return libxl_uuid_compare(&((const struct candidate *)left)->uuid,
                              &((const struct candidate *)right)->uuid);
}

/* Keeps the candidates whose mark is `left`, sorted by UUID and without duplicates. */
static void keep_left(libxl__ao *ao, struct list_unfinished *s)
{
    uint32_t kept = 0;
    if (s->count)
        qsort(s->all, s->count, sizeof(*s->all), by_uuid);
    for (uint32_t i = 0; i < s->count; i++) {
        struct candidate *c = &s->all[i];
        const char *text = libxl__xs_value(c->request);
        const bool again =
            kept && by_uuid(&s->all[kept - 1], c) == 0; /* the list has changed while it was read */
        if (!again && text && libxl__mark_read(ao->ctx, text, &c->mark) && c->mark.left)
            s->all[kept++] = *c;
    }
    s->count = kept;
}

/* Stores the domids of the candidates. Ignores dying domains, because nothing remains to be done for them. */
static int find_domains(libxl__ao *ao, struct list_unfinished *s)
{
    const xc_domaininfo_t *list;
    const int count = libxl__hv_list(ao->ctx, &list);
    if (count < 0)
        return libxl__ao_fail(ao, libxl__errno_rc(LIBXL__CALL_HOST, errno), "listing the domains: %m");
    for (int i = 0; i < count; i++) {
        struct candidate key, *found;
        memcpy(key.uuid.uuid, list[i].handle, sizeof(key.uuid.uuid));
        found = s->count ? bsearch(&key, s->all, s->count, sizeof(key), by_uuid) : NULL;
        if (found && !(list[i].flags & XEN_DOMINF_dying))
            found->domid = list[i].domain;
    }
    return 0;
}

static int read_poll(libxl__ao *ao, struct list_unfinished *s)
{
    if (!libxl__xs_done(s->batch))
        return LIBXL__AO_WAIT;
    const int rc = libxl__xs_result(s->batch);
    if (rc)
        return rc;
    keep_left(ao, s);
    return find_domains(ao, s);
}

static int compare_start(libxl__ao *ao, struct list_unfinished *s)
{
    int rc = begin_batch(ao, s);
    if (rc)
        return rc;
    for (uint32_t i = 0; i < s->count; i++)
        s->all[i].request = s->all[i].domid == LIBXL_DOMID_INVALID
                                ? NULL
                                : libxl__xs_read(s->batch, "/local/domain/%u", s->all[i].domid);
    rc = libxl__xs_run(s->batch, LIBXL__XS_ONE_BY_ONE);
    return rc ? rc : LIBXL__AO_WAIT;
}

static int compare_poll(libxl__ao *ao, struct list_unfinished *s)
{
    const libxl__domain_list_unfinished_args *args = libxl__ao_args(ao);
    if (!libxl__xs_done(s->batch))
        return LIBXL__AO_WAIT;
    const int rc = libxl__xs_result(s->batch);
    if (rc)
        return rc;
    libxl_unfinished_domain *domains = calloc(s->count ? s->count : 1, sizeof(*domains));
    if (!domains)
        return ERROR_NOMEM;
    for (uint32_t i = 0; i < s->count; i++) {
        const struct candidate *c = &s->all[i];
        const bool ours = c->request && !is_foreign(c->request);
        domains[i] = (libxl_unfinished_domain){
            .uuid = c->uuid, .domid = ours ? c->domid : LIBXL_DOMID_INVALID, .age_ms = c->mark.age_ms};
    }
    args->out.list->domains = domains;
    args->out.list->num_domains = (int)s->count;
    return 0;
}

/* ---- domain_remove_unfinished */

typedef struct remove_unfinished {
    libxl__xs_batch *batch;
    libxl__xs_request *mark, *tree, *ring, *tty;
    uint32_t domid;   /* LIBXL_DOMID_INVALID: only the mark is left */
    const char *text; /* the mark's text */
    libxl__await console;
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

static int find_start(libxl__ao *ao, struct remove_unfinished *s)
{
    s->batch = libxl__xs_batch_new(ao, 0);
    if (!s->batch)
        return ERROR_NOMEM;
    s->mark = libxl__xs_read(s->batch, LIBXL__MARKS "/" LIBXL_UUID_FMT, LIBXL_UUID_BYTES(*uuid_of(ao)));
    return run_batch(s, LIBXL__XS_ONE_BY_ONE);
}

static int find_poll(libxl__ao *ao, struct remove_unfinished *s)
{
    libxl__mark mark;
    if (!libxl__xs_done(s->batch))
        return LIBXL__AO_WAIT;
    const int rc = libxl__xs_result(s->batch);
    if (rc)
        return rc;
    const char *text = libxl__xs_value(s->mark);
    if (!text || !libxl__mark_read(ao->ctx, text, &mark))
        return libxl__ao_fail(ao, ERROR_NOTFOUND, "uuid: no creation of " LIBXL_UUID_FMT " is unfinished",
                              LIBXL_UUID_BYTES(*uuid_of(ao)));
    if (!mark.left)
        return libxl__ao_fail(ao, ERROR_NOTFOUND, "uuid: process %u is creating " LIBXL_UUID_FMT, mark.pid,
                              LIBXL_UUID_BYTES(*uuid_of(ao)));
    s->text = libxl__gc_printf(&ao->gc, "%s", text);
    return s->text ? libxl__hv_find(ao, uuid_of(ao), LIBXL_DOMID_INVALID, &s->domid) : ERROR_NOMEM;
}

static int tree_start(libxl__ao *ao, struct remove_unfinished *s)
{
    libxl__xs_batch_free(s->batch);
    s->batch = libxl__xs_batch_new(ao, 0);
    if (!s->batch)
        return ERROR_NOMEM;
    s->tree = libxl__xs_read(s->batch, "/local/domain/%u", s->domid);
    s->ring = libxl__xs_read(s->batch, "/local/domain/%u/console/ring-ref", s->domid);
    s->tty = libxl__xs_read(s->batch, "/local/domain/%u/console/tty", s->domid);
    return run_batch(s, LIBXL__XS_ONE_BY_ONE);
}

static int tree_poll(libxl__ao *ao, struct remove_unfinished *s)
{
    (void)ao;
    if (!libxl__xs_done(s->batch))
        return LIBXL__AO_WAIT;
    const int rc = libxl__xs_result(s->batch);
    if (!rc && is_foreign(s->tree))
        s->domid = LIBXL_DOMID_INVALID;
    return rc;
}

static int xenconsoled_start(libxl__ao *ao, struct remove_unfinished *s)
{
    char path[64];
    if (s->domid == LIBXL_DOMID_INVALID || !libxl__xs_value(s->ring) || libxl__xs_value(s->tty))
        return 0;
    snprintf(path, sizeof(path), "/local/domain/%u/console/tty", s->domid);
    const int rc = libxl__await_start(ao, &s->console, path, libxl__await_present, NULL);
    return rc ? rc : LIBXL__AO_WAIT;
}

static int xenconsoled_poll(libxl__ao *ao, struct remove_unfinished *s)
{
    return libxl__await_step(ao, &s->console);
}

/* Removes the mark. Fails with NOTFOUND if the mark has changed, because another creation uses the UUID then. */
static int remove_mark(libxl__ao *ao, struct remove_unfinished *s)
{
    libxl__xs_batch *batch = libxl__xs_batch_new(ao, 0);
    if (!batch)
        return ERROR_NOMEM;
    libxl__xs_require(batch, ERROR_NOTFOUND, s->text, LIBXL__MARKS "/" LIBXL_UUID_FMT,
                      LIBXL_UUID_BYTES(*uuid_of(ao)));
    libxl__mark_remove(batch, uuid_of(ao));
    s->batch = batch;
    return run_batch(s, LIBXL__XS_TRANSACTION);
}

static int remove_start(libxl__ao *ao, struct remove_unfinished *s)
{
    if (s->domid == LIBXL_DOMID_INVALID)
        return remove_mark(ao, s);
    const int rc = libxl__teardown_reserve(ao, &s->teardown, true);
    if (rc)
        return rc;
    libxl__teardown_start(&s->teardown, s->domid, uuid_of(ao));
    return LIBXL__AO_WAIT;
}

static int remove_poll(libxl__ao *ao, struct remove_unfinished *s)
{
    if (s->domid != LIBXL_DOMID_INVALID)
        return libxl__teardown_poll(ao, &s->teardown);
    return libxl__xs_done(s->batch) ? libxl__xs_result(s->batch) : LIBXL__AO_WAIT;
}

#include "_libxl_phases_domain_list_unfinished.h"
#include "_libxl_phases_domain_remove_unfinished.h"
