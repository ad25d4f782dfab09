/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_list_unfinished: finds the domains whose creations were not finished (marks.h), and those whose saves were not
 * finished (save_mark.h). unfinished.h has the rules that decide which domain belongs to the mark of a creation.
 *
 * Owns: nothing except the operation's state. The caller holds the context's lock.
 */
#include "unfinished.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct candidate {
    libxl_uuid uuid;
    libxl__mark mark;
    /* The request that reads the candidate's mark, and later the node /local/domain/N; NULL: no domain was found. */
    libxl__xs_request *request;
    uint32_t domid;
    bool complete; /* the domain `domid` is complete (libxl__is_complete) */
    libxl_unfinished_work work;
};

typedef struct list_unfinished {
    /* The names of the groups in LIBXL__MARKS, and the names of the marks in the group that is being read. */
    libxl__xs_directory groups, marks;
    uint32_t group; /* the number of groups whose listing has begun */
    libxl__xs_batch *batch;
    struct candidate *all; /* the array of candidates, in the operation's memory */
    uint32_t count, room, creations;
} domain_list_unfinished_state;

static int list_start(libxl__ao *ao, struct list_unfinished *s)
{
    return libxl__xs_directory_start(ao, &s->groups, LIBXL__MARKS);
}

/* Makes room for `more` candidates. */
static int make_room(libxl__ao *ao, struct list_unfinished *s, uint32_t more)
{
    const uint32_t most = s->count + more;
    if (most <= s->room)
        return 0;
    struct candidate *larger = libxl__gc_alloc(&ao->gc, (size_t)2 * most * sizeof(*larger));
    if (!larger)
        return ERROR_NOMEM;
    if (s->count)
        memcpy(larger, s->all, s->count * sizeof(*larger));
    s->all = larger;
    s->room = 2 * most;
    return 0;
}

/* Adds a candidate for each name of the present group that is a UUID. */
static int add_candidates(libxl__ao *ao, struct list_unfinished *s)
{
    if (make_room(ao, s, s->marks.count))
        return ERROR_NOMEM;
    for (uint32_t i = 0; i < s->marks.count; i++) {
        struct candidate *added = &s->all[s->count];
        *added = (struct candidate){.domid = LIBXL_DOMID_INVALID};
        s->count += !libxl_uuid_from_string(&added->uuid, s->marks.names[i]);
    }
    return 0;
}

/* Starts to list the next group. Returns 0 if all groups were listed. */
static int list_next_group(libxl__ao *ao, struct list_unfinished *s)
{
    if (s->group == s->groups.count)
        return 0;
    const char *path = libxl__gc_printf(&ao->gc, LIBXL__MARKS "/%s", s->groups.names[s->group++]);
    libxl__xs_batch_free(s->marks.batch);
    return path ? libxl__xs_directory_start(ao, &s->marks, path) : ERROR_NOMEM;
}

static int list_poll(libxl__ao *ao, struct list_unfinished *s)
{
    int rc = libxl__xs_directory_step(ao, s->group ? &s->marks : &s->groups);
    if (!rc && s->group)
        rc = add_candidates(ao, s);
    return rc ? rc : list_next_group(ao, s);
}

static int begin_batch(libxl__ao *ao, struct list_unfinished *s)
{
    libxl__xs_batch_free(s->batch);
    s->batch = libxl__xs_batch_new(ao, 0);
    return s->batch ? 0 : ERROR_NOMEM;
}

static int read_start(libxl__ao *ao, struct list_unfinished *s)
{
    int rc = begin_batch(ao, s);
    if (rc)
        return rc;
    for (uint32_t i = 0; i < s->count; i++)
        s->all[i].request = libxl__xs_read(s->batch, LIBXL__MARK_FMT, LIBXL__MARK_OF(s->all[i].uuid));
    rc = libxl__xs_run(s->batch, LIBXL__XS_ONE_BY_ONE);
    return rc ? rc : LIBXL__AO_WAIT;
}

static int by_uuid(const void *left, const void *right)
{
    return libxl_uuid_compare(&((const struct candidate *)left)->uuid,
                              &((const struct candidate *)right)->uuid);
}

/*
 * Removes the candidates whose creation is still in progress. Sorts the other candidates by UUID, and removes
 * duplicates.
 */
static void keep_left(libxl__ao *ao, struct list_unfinished *s)
{
    uint32_t kept = 0;
    if (s->count)
        qsort(s->all, s->count, sizeof(*s->all), by_uuid);
    for (uint32_t i = 0; i < s->count; i++) {
        struct candidate *c = &s->all[i];
        const char *text = libxl__xs_value(c->request);
        /* The list of names may contain a UUID twice, if the list has changed while it was read. */
        const bool again = kept && by_uuid(&s->all[kept - 1], c) == 0;
        if (!again && text && libxl__mark_read(ao->ctx, text, &c->mark) && c->mark.left)
            s->all[kept++] = *c;
    }
    s->count = kept;
}

static int by_handle(const void *left, const void *right)
{
    const struct candidate *const *l = left, *const *r = right;
    return libxl_uuid_compare(&(*l)->mark.handle, &(*r)->mark.handle);
}

/* Returns the candidates in the order of their handles, in the operation's memory. NULL: no memory. */
static struct candidate **order_by_handle(libxl__ao *ao, struct list_unfinished *s)
{
    struct candidate **ordered =
        libxl__gc_alloc(&ao->gc, (size_t)(s->count + 1) * sizeof(struct candidate *));
    for (uint32_t i = 0; ordered && i < s->count; i++)
        ordered[i] = &s->all[i];
    if (ordered && s->count)
        qsort(ordered, s->count, sizeof(*ordered), by_handle);
    return ordered;
}

/* If the domain belongs to the mark of a candidate, stores the domid in the candidate. */
static void assign(struct list_unfinished *s, struct candidate **ordered, const xc_domaininfo_t *info)
{
    struct candidate key = {.domid = LIBXL_DOMID_INVALID}, *const at = &key;
    memcpy(key.uuid.uuid, info->handle, sizeof(key.uuid.uuid));
    key.mark.handle = key.uuid;
    struct candidate *found = bsearch(&key, s->all, s->count, sizeof(key), by_uuid);
    if (!found || !libxl__mark_names(&found->mark, &found->uuid, info)) {
        struct candidate **const other = bsearch(&at, ordered, s->count, sizeof(at), by_handle);
        found = other ? *other : NULL;
    }
    if (found && libxl__mark_names(&found->mark, &found->uuid, info)) {
        found->domid = info->domain;
        found->complete = libxl__is_complete(&found->mark, info);
    }
}

/* Stores the domids of the candidates. Ignores dying domains, because they need no more work. */
static int find_domains(libxl__ao *ao, struct list_unfinished *s)
{
    const xc_domaininfo_t *list;
    struct candidate **ordered = order_by_handle(ao, s);
    const int count = ordered ? libxl__hv_list(ao->ctx, &list) : 0;
    if (count < 0)
        return libxl__ao_fail(ao, libxl__errno_rc(LIBXL__CALL_HOST, errno), "listing the domains: %m");
    for (int i = 0; s->count && i < count; i++)
        if (!(list[i].flags & XEN_DOMINF_dying))
            assign(s, ordered, &list[i]);
    return ordered ? 0 : ERROR_NOMEM;
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

/*
 * For the candidates that are creations: forgets a domain whose tree belongs to another toolstack, and removes the
 * candidates whose domain is complete.
 */
static int compare_poll(libxl__ao *ao, struct list_unfinished *s)
{
    (void)ao;
    if (!libxl__xs_done(s->batch))
        return LIBXL__AO_WAIT;
    const int rc = libxl__xs_result(s->batch);
    uint32_t kept = 0;
    for (uint32_t i = 0; !rc && i < s->count; i++) {
        struct candidate *c = &s->all[i];
        if (!c->request || (!c->mark.resets && libxl__tree_is_foreign(c->request)))
            c->domid = LIBXL_DOMID_INVALID;
        if (c->domid == LIBXL_DOMID_INVALID || !c->complete)
            s->all[kept++] = *c;
    }
    s->count = kept;
    return rc;
}

/* ---- saves: the marks of saves are in the domains' trees */

static int saves_start(libxl__ao *ao, struct list_unfinished *s)
{
    const xc_domaininfo_t *list;
    const int count = libxl__hv_list(ao->ctx, &list);
    int rc = begin_batch(ao, s);
    if (count < 0)
        return libxl__ao_fail(ao, libxl__errno_rc(LIBXL__CALL_HOST, errno), "listing the domains: %m");
    if (rc || make_room(ao, s, (uint32_t)count))
        return ERROR_NOMEM;
    s->creations = s->count;
    for (int i = 0; i < count; i++) {
        if (!list[i].domain || list[i].flags & XEN_DOMINF_dying)
            continue;
        struct candidate *added = &s->all[s->count++];
        *added = (struct candidate){.domid = list[i].domain, .work = LIBXL_UNFINISHED_WORK_SAVE};
        memcpy(added->uuid.uuid, list[i].handle, sizeof(added->uuid.uuid));
        added->request = libxl__xs_read(s->batch, LIBXL__SAVE_MARK, list[i].domain);
    }
    rc = libxl__xs_run(s->batch, LIBXL__XS_ONE_BY_ONE);
    return rc ? rc : LIBXL__AO_WAIT;
}

/*
 * Stores in `moved` that the guest of its domain runs on another machine. If the domain also has a mark of an
 * unfinished domain, an earlier candidate exists: copies `moved` into it, and returns true.
 */
static bool has_moved(struct list_unfinished *s, struct candidate *moved)
{
    struct candidate *first =
        s->creations ? bsearch(moved, s->all, s->creations, sizeof(*moved), by_uuid) : NULL;
    moved->work = LIBXL_UNFINISHED_WORK_MOVED;
    if (first)
        *first = *moved;
    return first;
}

/*
 * Keeps a candidate only if a save has marked it and the process of this save has ended. Sorts the kept
 * candidates and the creations.
 */
static void keep_left_saves(libxl__ao *ao, struct list_unfinished *s)
{
    uint32_t kept = s->creations;
    for (uint32_t i = kept; i < s->count; i++) {
        struct candidate *c = &s->all[i];
        libxl__save_mark found;
        if (!libxl__save_mark_read(ao->ctx, libxl__xs_value(c->request), &found) || !found.mark.left)
            continue;
        c->mark = found.mark;
        if (found.stage == LIBXL__SAVE_GIVEN)
            c->work = LIBXL_UNFINISHED_WORK_MIGRATION;
        if (found.stage != LIBXL__SAVE_MOVED || !has_moved(s, c))
            s->all[kept++] = *c;
    }
    s->count = kept;
    if (kept)
        qsort(s->all, kept, sizeof(*s->all), by_uuid);
}

static int saves_poll(libxl__ao *ao, struct list_unfinished *s)
{
    const libxl__domain_list_unfinished_args *args = libxl__ao_args(ao);
    if (!libxl__xs_done(s->batch))
        return LIBXL__AO_WAIT;
    const int rc = libxl__xs_result(s->batch);
    if (rc)
        return rc;
    keep_left_saves(ao, s);
    libxl_unfinished_domain *domains = calloc(s->count ? s->count : 1, sizeof(*domains));
    if (!domains)
        return ERROR_NOMEM;
    for (uint32_t i = 0; i < s->count; i++) {
        const struct candidate *c = &s->all[i];
        domains[i] = (libxl_unfinished_domain){
            .uuid = c->uuid, .domid = c->domid, .age_ms = c->mark.age_ms, .work = c->work};
    }
    args->out.list->domains = domains;
    args->out.list->num_domains = (int)s->count;
    return 0;
}

#include "_libxl_phases_domain_list_unfinished.h"
