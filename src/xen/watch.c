/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: all watches of the context, and the array of slots that refer to them. The context's lock guards
 * both.
 *
 * In xenstored's events, a token identifies the watch. The token consists of the watch's slot and generation.
 * By the slot, the watch is found without a search. The generation distinguishes events of a removed watch
 * from events of a later watch in the same slot.
 */
#include "xen.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The greatest number of octets that name a domain in the path of an event: a slash and five digits. */
enum { LONGEST_DOMID = 6 };

/* ---- the slots of watches */

static union libxl__watch_slot free_slot(uint32_t number)
{
    return (union libxl__watch_slot){.next_free = 2 * (uintptr_t)number + 1};
}

static libxl__watch *watch_in(union libxl__watch_slot slot)
{
    return slot.next_free % 2 ? NULL : slot.watch;
}

static int add_slots(libxl__watches *watches)
{
    uint32_t room = watches->room ? 2 * watches->room : 16;
    union libxl__watch_slot *larger = realloc(watches->slots, room * sizeof(*larger));
    if (!larger)
        return ERROR_NOMEM;
    for (uint32_t i = watches->room; i < room; i++)
        larger[i] = free_slot(i + 1);
    watches->free = free_slot(watches->room);
    watches->slots = larger;
    watches->room = room;
    return 0;
}

/* Assigns a slot and a generation to the watch. Returns 0 or NOMEM. */
static int take_slot(libxl__watches *watches, libxl__watch *watch)
{
    if (watches->free.next_free / 2 == watches->room && add_slots(watches))
        return ERROR_NOMEM;
    watch->slot = (uint32_t)(watches->free.next_free / 2);
    watch->generation = ++watches->generation;
    watches->free = watches->slots[watch->slot];
    watches->slots[watch->slot].watch = watch;
    return 0;
}

libxl__watch_token libxl__watch_token_of(const libxl__watch *watch)
{
    libxl__watch_token token;
    snprintf(token.text, sizeof(token.text), "%x.%x", watch->slot, watch->generation);
    return token;
}

static libxl__watch *watch_of_token(const libxl__watches *watches, const char *token)
{
    char *end;
    unsigned long slot = strtoul(token, &end, 16);
    unsigned long generation = *end == '.' ? strtoul(end + 1, NULL, 16) : 0;
    if (slot >= watches->room)
        return NULL;
    libxl__watch *watch = watch_in(watches->slots[slot]);
    return watch && watch->generation == generation ? watch : NULL;
}

/* Frees a watch and the transport's memory, which is in front of the watch. */
static void free_memory(libxl_ctx *ctx, libxl__watch *watch)
{
    if (watch)
        free((char *)watch - ctx->xen->transport->watch_room);
}

void libxl__watch_leave(libxl_ctx *ctx, libxl__watch *watch)
{
    libxl__watches *watches = &ctx->xen->watches;
    watches->slots[watch->slot] = watches->free;
    watches->free = free_slot(watch->slot);
}

void libxl__watch_free(libxl_ctx *ctx, libxl__watch *watch)
{
    libxl__watch_leave(ctx, watch);
    free_memory(ctx, watch);
}

/* ---- adding, removing and firing watches */

static int send_watch(libxl_ctx *ctx, libxl__watch *watch)
{
    watch->sent = true;
    watch->depth = watch->names_domain;
    return ctx->xen->transport->add_watch(ctx, watch);
}

static int add(libxl_ctx *ctx, const char *path, libxl__watch_callback *callback, void *user, bool own,
               bool names_domain, libxl__watch **watch_out)
{
    libxl__watches *watches = &ctx->xen->watches;
    const size_t length = strlen(path) + 1, room = ctx->xen->transport->watch_room;
    char *memory = calloc(1, room + offsetof(libxl__watch, path) + length);
    if (!memory)
        return ERROR_NOMEM;
    libxl__watch *watch = (libxl__watch *)(void *)(memory + room);
    watch->callback = callback;
    watch->user = user;
    watch->own = own;
    watch->names_domain = names_domain;
    memcpy(watch->path, path, length);
    if (take_slot(watches, watch)) {
        free_memory(ctx, watch);
        /* cppcheck-suppress memleak; free_memory has freed the memory that contains `watch`. */
        return ERROR_NOMEM;
    }
    watches->count += !own;
    /* Set before the transport is called, because the transport may call the callback at once. */
    *watch_out = watch;
    const int rc = own && libxl__xs_link_is_down(ctx) ? 0 : send_watch(ctx, watch);
    if (rc) {
        *watch_out = NULL;
        watches->count -= !own;
        libxl__watch_free(ctx, watch);
    }
    return rc;
}

int libxl__watch_add(libxl_ctx *ctx, const char *path, libxl__watch_callback *callback, void *user, bool own,
                     libxl__watch **watch_out)
{
    return add(ctx, path, callback, user, own, false, watch_out);
}

int libxl__watch_add_domains(libxl_ctx *ctx, const char *path, libxl__watch_callback *callback, void *user,
                             libxl__watch **watch_out)
{
    return add(ctx, path, callback, user, true, true, watch_out);
}

bool libxl__watch_domid(const libxl_ctx *ctx, uint32_t *domid_out)
{
    const char *path = ctx->xen->watches.event_path, *number = path ? strchr(path, '/') : NULL;
    if (!number || !number[1] || strspn(number + 1, "0123456789") != strlen(number + 1))
        return false;
    const unsigned long domid = strtoul(number + 1, NULL, 10);
    *domid_out = (uint32_t)domid;
    return domid < LIBXL__DOMID_FIRST_RESERVED;
}

bool libxl__watch_defer(libxl_ctx *ctx)
{
    libxl__watches *watches = &ctx->xen->watches;
    if (watches->event_path || !watches->fired_early || !watches->fired_early->depth)
        return false;
    watches->fired_early = NULL;
    return true;
}

void libxl__watch_remove(libxl_ctx *ctx, libxl__watch *watch)
{
    if (!watch)
        return;
    libxl__watches *watches = &ctx->xen->watches;
    watch->callback = NULL;
    watches->count -= !watch->own;
    if (watches->early_fire == watch)
        watches->early_fire = NULL;
    ctx->xen->transport->remove_watch(ctx, watch);
}

void libxl__watch_added(libxl_ctx *ctx, libxl__watch *watch, int errnoval)
{
    if (!watch->callback) {
        ctx->xen->transport->remove_watch(ctx, watch);
        return;
    }
    if (errnoval == EINVAL && watch->depth) {
        watch->depth = false;
        if (!ctx->xen->transport->add_watch(ctx, watch))
            return;
    }
    if (errnoval) {
        watch->errnoval = errnoval;
        libxl__log(ctx, XTL_ERROR, errnoval, "xenstore: %s: cannot be watched", watch->path);
        watch->callback(ctx, watch->user, true);
    }
}

void libxl__watches_lost(libxl_ctx *ctx)
{
    const libxl__watches *watches = &ctx->xen->watches;
    for (uint32_t i = 0; i < watches->room; i++) {
        libxl__watch *watch = watch_in(watches->slots[i]);
        if (!watch || !watch->sent)
            continue;
        watch->sent = false;
        if (watch->callback && !watch->own)
            watch->callback(ctx, watch->user, true);
    }
}

void libxl__watches_restore(libxl_ctx *ctx)
{
    const libxl__watches *watches = &ctx->xen->watches;
    for (uint32_t i = 0; i < watches->room && !libxl__xs_link_is_down(ctx); i++) {
        libxl__watch *watch = watch_in(watches->slots[i]);
        if (!watch || watch->sent || !watch->own || !watch->callback || !send_watch(ctx, watch))
            continue;
        /* There is no memory. The watch is sent again after the next loss of the connection. */
        watch->sent = false;
        libxl__log(ctx, XTL_ERROR, -1, "xenstore: %s: cannot be watched", watch->path);
    }
}

bool libxl__watch_is_lost(const libxl__watch *watch)
{
    return !watch->sent;
}

int libxl__watch_refusal(const libxl__watch *watch)
{
    return watch->errnoval ? libxl__errno_rc(LIBXL__CALL_ASK_NODE, watch->errnoval) : 0;
}

void libxl__watch_event(libxl_ctx *ctx, const char *path, const char *token)
{
    libxl__watches *watches = &ctx->xen->watches;
    libxl__watch *watch = watch_of_token(watches, token);
    const bool fired = watch == watches->fired_early;
    watches->fired_early = NULL;
    watches->event_seq++;
    if (!watch || !watch->callback || fired)
        return;
    watches->event_path = path;
    watch->callback(ctx, watch->user, false);
    watches->event_path = NULL;
}

void libxl__watch_fire_early(libxl_ctx *ctx, libxl__watch *watch)
{
    libxl__watches *watches = &ctx->xen->watches;
    const libxl__watch_token token = libxl__watch_token_of(watch);
    watches->early_fire = watch;
    watches->early_fire_length = strlen(watch->path) + 1 + strlen(token.text) + 1;
}

void libxl__watch_early_fire(libxl_ctx *ctx, size_t length)
{
    libxl__watches *watches = &ctx->xen->watches;
    libxl__watch *watch = watches->early_fire;
    if (!watch || watches->fired_early || length < watches->early_fire_length ||
        length > watches->early_fire_length + (watch->depth ? LONGEST_DOMID : 0))
        return;
    watches->fired_early = watch;
    watch->callback(ctx, watch->user, false);
}

void libxl__watches_close(libxl_ctx *ctx)
{
    libxl__watches *watches = &ctx->xen->watches;
    for (uint32_t i = 0; i < watches->room; i++)
        free_memory(ctx, watch_in(watches->slots[i]));
    free(watches->slots);
}
