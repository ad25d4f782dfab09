/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: the kept names, and a watch for each. The context's lock guards them.
 *
 * A kept name is known if its value was read after the last event of its watch. Watch events are numbered by
 * the context's event_seq. If an event arrives between the request and the answer of a read, the name may
 * have changed after the read. So the name in the answer is not kept.
 */
#include "kept_names.h"
#include "xen.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEPT_SECONDS = 10 };

struct libxl__kept_name {
    uint32_t domid;
    libxl_uuid uuid;
    libxl__watch *watch; /* the watch of the name; NULL: xenstored has refused the watch */
    uint64_t event_seq;  /* The number of the last event of `watch`; UINT64_MAX: no event has arrived yet. */
    bool known;          /* `text` is the domain's present name */
    char *text;          /* the name that was read; NULL: the domain has no name */
};

/* Compares two names for bsearch and qsort. */
static int by_domid(const void *left, const void *right)
{
    uint32_t a = (*(libxl__kept_name *const *)left)->domid, b = (*(libxl__kept_name *const *)right)->domid;
    return (a > b) - (a < b);
}

static libxl__kept_name *name_of(const libxl__kept_names *kept, uint32_t domid)
{
    const libxl__kept_name key = {.domid = domid}, *at = &key;
    libxl__kept_name **found =
        kept->count ? bsearch(&at, kept->names, kept->count, sizeof(*kept->names), by_domid) : NULL;
    return found ? *found : NULL;
}

static void drop(libxl_ctx *ctx, libxl__kept_name *name)
{
    libxl__watch_remove(ctx, name->watch);
    free(name->text);
    free(name);
}

static void forget_all(libxl_ctx *ctx, libxl__timer *timer)
{
    (void)timer;
    libxl__kept_names *kept = &ctx->xen->kept_names;
    while (kept->count)
        drop(ctx, kept->names[--kept->count]);
    free(kept->names);
    kept->names = NULL;
    kept->room = 0;
    kept->keeping = false;
}

void libxl__kept_names_forget(libxl_ctx *ctx)
{
    libxl__timer_stop(ctx, &ctx->xen->kept_names.forget);
    forget_all(ctx, NULL);
}

void libxl__kept_names_close(libxl_ctx *ctx)
{
    libxl__kept_names *kept = &ctx->xen->kept_names;
    libxl__timer_stop(ctx, &kept->forget);
    for (uint32_t i = 0; i < kept->count; i++) {
        free(kept->names[i]->text); /* libxl__watches_close frees the watches */
        free(kept->names[i]);
    }
    free(kept->names);
}

void libxl__kept_names_extend(libxl_ctx *ctx)
{
    libxl__kept_names *kept = &ctx->xen->kept_names;
    if (ctx->xen->transport->in_order &&
        !libxl__timer_start(ctx, &kept->forget, LIBXL__SECONDS(KEPT_SECONDS), forget_all))
        kept->keeping = true;
}

/* The callback of the watch of a name. */
static void may_have_changed(libxl_ctx *ctx, void *user, bool failed)
{
    libxl__kept_name *name = user;
    name->known = false;
    name->event_seq = ctx->xen->watches.event_seq;
    if (failed) {
        libxl__watch_remove(ctx, name->watch);
        name->watch = NULL;
    }
}

static void add(libxl_ctx *ctx, const xc_domaininfo_t *info)
{
    libxl__kept_names *kept = &ctx->xen->kept_names;
    char path[64];
    if (kept->count == kept->room) {
        const uint32_t room = kept->room ? 2 * kept->room : 16;
        libxl__kept_name **larger = realloc(kept->names, room * sizeof(*larger));
        if (!larger)
            return;
        kept->names = larger;
        kept->room = room;
    }
    libxl__kept_name *name = calloc(1, sizeof(*name));
    if (!name)
        return;
    name->domid = info->domain;
    name->event_seq = UINT64_MAX;
    memcpy(name->uuid.uuid, info->handle, sizeof(name->uuid.uuid));
    snprintf(path, sizeof(path), "/local/domain/%u/name", name->domid);
    if (libxl__watch_add(ctx, path, may_have_changed, name, true, &name->watch))
        drop(ctx, name);
    else
        kept->names[kept->count++] = name;
}

static void add_missing(libxl_ctx *ctx, const xc_domaininfo_t *list, uint32_t count)
{
    libxl__kept_names *kept = &ctx->xen->kept_names;
    const uint32_t before = kept->count;
    uint32_t at = 0;
    for (uint32_t i = 0; i < count; i++) {
        while (at < before && kept->names[at]->domid < list[i].domain)
            at++;
        if (at == before || kept->names[at]->domid != list[i].domain)
            add(ctx, &list[i]);
    }
    if (kept->count != before)
        qsort(kept->names, kept->count, sizeof(*kept->names), by_domid);
}

static void drop_gone(libxl_ctx *ctx, const xc_domaininfo_t *list, uint32_t count)
{
    libxl__kept_names *kept = &ctx->xen->kept_names;
    uint32_t left = 0, at = 0;
    for (uint32_t i = 0; i < kept->count; i++) {
        libxl__kept_name *name = kept->names[i];
        while (at < count && list[at].domain < name->domid)
            at++;
        if (at < count && list[at].domain == name->domid &&
            memcmp(list[at].handle, name->uuid.uuid, sizeof(name->uuid.uuid)) == 0)
            kept->names[left++] = name;
        else
            drop(ctx, name);
    }
    kept->count = left;
}

void libxl__kept_names_update(libxl_ctx *ctx, const xc_domaininfo_t *list, uint32_t count, bool add)
{
    drop_gone(ctx, list, count);
    if (add && ctx->xen->kept_names.keeping)
        add_missing(ctx, list, count);
}

void libxl__kept_names_note(libxl_ctx *ctx, uint32_t domid, const char *text, uint64_t event_seq)
{
    libxl__kept_name *name = name_of(&ctx->xen->kept_names, domid);
    if (!name || !name->watch || name->event_seq > event_seq)
        return;
    char *copy = text ? strdup(text) : NULL;
    if (text && !copy)
        return;
    free(name->text);
    name->text = copy;
    name->known = true;
}

bool libxl__kept_names_known(libxl_ctx *ctx, uint32_t domid)
{
    const libxl__kept_name *name = name_of(&ctx->xen->kept_names, domid);
    return name && name->known;
}

uint32_t libxl__kept_names_find(libxl_ctx *ctx, const char *text)
{
    const libxl__kept_names *kept = &ctx->xen->kept_names;
    for (uint32_t i = kept->count; i-- > 0;)
        if (kept->names[i]->known && kept->names[i]->text && strcmp(kept->names[i]->text, text) == 0)
            return kept->names[i]->domid;
    return LIBXL_DOMID_INVALID;
}
