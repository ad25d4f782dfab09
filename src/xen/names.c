/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: the names that are kept, and their watches. Guarded by the context's lock.
 *
 * A kept name is true if its watch had told what it had to before the name was asked for, and has told nothing since.
 * (An event that is on its way may stand for a later change, too: so one that comes between question and answer makes
 * the answer worthless.) What the watches have to tell of the time before a search may be on its way still, but in front
 * of the next answer: so a search first has something answered, then reads what it does not know.
 *
 * By libxenstore, where requests and watches have a connection each, nothing is kept.
 */
#include "names.h"
#include "xen.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { KEPT_SECONDS = 10 };

struct libxl__name {
    uint32_t domid;
    libxl_uuid uuid;
    libxl__watch *watch; /* NULL: it could not be had */
    uint64_t told;       /* when its watch told something last, as `heard` counts; UINT64_MAX: not yet */
    bool known;          /* `text` is its name now; NULL: it has none */
    char *text;
};

struct libxl__name_read {
    uint32_t domid;
    libxl__xs_request *request;
};

/* ---- names that are kept */

static int by_domid(const void *left, const void *right)
{
    uint32_t a = (*(libxl__name *const *)left)->domid, b = (*(libxl__name *const *)right)->domid;
    return (a > b) - (a < b);
}

static libxl__name *kept_name(const libxl__names *names, uint32_t domid)
{
    const libxl__name key = {.domid = domid}, *at = &key;
    libxl__name **found =
        names->count ? bsearch(&at, names->kept, names->count, sizeof(*names->kept), by_domid) : NULL;
    return found ? *found : NULL;
}

static void drop(libxl_ctx *ctx, libxl__name *name)
{
    libxl__watch_remove(ctx, name->watch);
    free(name->text);
    free(name);
}

static void forget_all(libxl_ctx *ctx, libxl__timer *timer)
{
    (void)timer;
    libxl__names *names = &ctx->xen->names;
    while (names->count)
        drop(ctx, names->kept[--names->count]);
    free(names->kept);
    names->kept = NULL;
    names->room = 0;
    names->keeping = false;
}

/* Both are in order of domid. */
static void drop_gone(libxl_ctx *ctx, const xc_domaininfo_t *list, uint32_t count)
{
    libxl__names *names = &ctx->xen->names;
    uint32_t left = 0, at = 0;
    for (uint32_t i = 0; i < names->count; i++) {
        libxl__name *name = names->kept[i];
        while (at < count && list[at].domain < name->domid)
            at++;
        if (at < count && list[at].domain == name->domid &&
            memcmp(list[at].handle, name->uuid.uuid, sizeof(name->uuid.uuid)) == 0)
            names->kept[left++] = name;
        else
            drop(ctx, name);
    }
    names->count = left;
}

static void may_have_changed(libxl_ctx *ctx, void *user, bool failed)
{
    libxl__name *name = user;
    name->known = false;
    name->told = ctx->xen->watches.heard;
    if (failed) {
        libxl__watch_remove(ctx, name->watch);
        name->watch = NULL;
    }
}

/* From now on it is kept, once it has been read. Without memory, or a watch, it is read each time. */
static void keep(libxl_ctx *ctx, const xc_domaininfo_t *info)
{
    libxl__names *names = &ctx->xen->names;
    char path[64];
    if (names->count == names->room) {
        const uint32_t room = names->room ? 2 * names->room : 16;
        libxl__name **larger = realloc(names->kept, room * sizeof(*larger));
        if (!larger)
            return;
        names->kept = larger;
        names->room = room;
    }
    libxl__name *name = calloc(1, sizeof(*name));
    if (!name)
        return;
    name->domid = info->domain;
    name->told = UINT64_MAX;
    memcpy(name->uuid.uuid, info->handle, sizeof(name->uuid.uuid));
    snprintf(path, sizeof(path), "/local/domain/%u/name", name->domid);
    if (libxl__watch_add(ctx, path, may_have_changed, name, true, &name->watch))
        drop(ctx, name);
    else
        names->kept[names->count++] = name;
}

static void keep_new(libxl_ctx *ctx, const xc_domaininfo_t *list, uint32_t count)
{
    libxl__names *names = &ctx->xen->names;
    const uint32_t before = names->count;
    uint32_t at = 0;
    for (uint32_t i = 0; i < count; i++) {
        while (at < before && names->kept[at]->domid < list[i].domain)
            at++;
        if (at == before || names->kept[at]->domid != list[i].domain)
            keep(ctx, &list[i]);
    }
    if (names->count != before)
        qsort(names->kept, names->count, sizeof(*names->kept), by_domid);
}

/* What has been read, unless it may have changed since. */
static void note(libxl_ctx *ctx, const struct libxl__name_read *read, uint64_t heard)
{
    libxl__name *name = kept_name(&ctx->xen->names, read->domid);
    if (!name || !name->watch || name->told > heard)
        return;
    const char *text = libxl__xs_value(read->request);
    char *copy = text ? strdup(text) : NULL;
    if (text && !copy)
        return;
    free(name->text);
    name->text = copy;
    name->known = true;
}

void libxl__names_close(libxl_ctx *ctx)
{
    libxl__timer_stop(ctx, &ctx->xen->names.forget);
    libxl__names *names = &ctx->xen->names;
    for (uint32_t i = 0; i < names->count; i++) {
        free(names->kept[i]->text); /* the watches go with all watches */
        free(names->kept[i]);
    }
    free(names->kept);
}

/* ---- searching */

static void compare(libxl__name_search *search, uint32_t domid, const char *text)
{
    if (text && strcmp(text, search->name) == 0)
        search->domid = domid;
}

/* Looks through the names that are known, and sets the reading of the others going. */
static int look(libxl__ao *ao, libxl__name_search *search)
{
    libxl__names *names = &ao->ctx->xen->names;
    const xc_domaininfo_t *list;
    const int listed = libxl__hv_list(ao->ctx, &list);
    if (listed < 0)
        return libxl__ao_fail(ao, libxl__errno_rc(errno), "listing the domains: %s", strerror(errno));
    const uint32_t count = (uint32_t)listed;
    search->reads = libxl__gc_alloc(&ao->gc, count * sizeof(*search->reads));
    search->batch = libxl__xs_batch_new(ao, 0);
    if (!search->reads || !search->batch)
        return ERROR_NOMEM;
    drop_gone(ao->ctx, list, count);
    for (uint32_t i = 0; i < names->count; i++)
        if (names->kept[i]->known)
            compare(search, names->kept[i]->domid, names->kept[i]->text);
    for (uint32_t i = 0; i < count && search->domid == LIBXL_DOMID_INVALID; i++) {
        const uint32_t domid = list[i].domain;
        const libxl__name *name = kept_name(names, domid);
        if (!name || !name->known)
            search->reads[search->count++] = (struct libxl__name_read){
                .domid = domid, .request = libxl__xs_read(search->batch, "/local/domain/%u/name", domid)};
    }
    if (search->keep && names->keeping)
        keep_new(ao->ctx, list, count); /* watched first, then read */
    search->heard = ao->ctx->xen->watches.heard;
    search->phase = LIBXL__NAMES_READING;
    return libxl__xs_run(search->batch, LIBXL__XS_ONE_BY_ONE);
}

/* Whoever makes one domain may make another: names are kept from the second time on. */
static void go_on_keeping(libxl_ctx *ctx)
{
    libxl__names *names = &ctx->xen->names;
    if (ctx->xen->transport->in_order &&
        !libxl__timer_start(ctx, &names->forget, LIBXL__SECONDS(KEPT_SECONDS), forget_all))
        names->keeping = true;
}

int libxl__name_search_start(libxl__ao *ao, libxl__name_search *search, const char *name, bool keep)
{
    *search = (libxl__name_search){.name = name, .keep = keep, .domid = LIBXL_DOMID_INVALID};
    if (!ao->ctx->xen->names.count) {
        int rc = look(ao, search);
        if (keep && !rc)
            go_on_keeping(ao->ctx);
        return rc;
    }
    if (keep)
        go_on_keeping(ao->ctx);
    search->batch = libxl__xs_batch_new(ao, 0);
    if (!search->batch)
        return ERROR_NOMEM;
    libxl__xs_read(search->batch, "/local/domain");
    return libxl__xs_run(search->batch, LIBXL__XS_ONE_BY_ONE);
}

int libxl__name_search_step(libxl__ao *ao, libxl__name_search *search, uint32_t *domid_out)
{
    if (!libxl__xs_done(search->batch))
        return LIBXL__AO_WAIT;
    int rc = libxl__xs_result(search->batch);
    if (!rc && search->phase == LIBXL__NAMES_LISTENING) {
        libxl__xs_batch_free(search->batch);
        rc = look(ao, search);
        return rc ? rc : libxl__name_search_step(ao, search, domid_out);
    }
    for (uint32_t i = 0; !rc && i < search->count; i++) {
        note(ao->ctx, &search->reads[i], search->heard);
        compare(search, search->reads[i].domid, libxl__xs_value(search->reads[i].request));
    }
    *domid_out = search->domid;
    return rc;
}
