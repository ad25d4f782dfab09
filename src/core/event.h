/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The queue of events, and who gets them. */
#ifndef LIBXL__EVENT_H
#define LIBXL__EVENT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include <libxl.h>

TAILQ_HEAD(libxl__event_list, libxl_event);

typedef struct libxl__events {
    struct libxl__event_list queue;    /* for libxl_event_take, _check and _wait */
    struct libxl__event_list for_hook; /* for the application's event_occurs */
    uint32_t queued;
    uint64_t wakes; /* calls of libxl_ctx_wake */
    const libxl_event_hooks *hooks;
    void *hooks_user;
} libxl__events;

/* Everything here: the context locked. */

void libxl__events_open(libxl_ctx *ctx);
/* Frees what nobody took. */
void libxl__events_close(libxl_ctx *ctx);

/* A new event that is not the completion of an operation. NULL: out of memory. */
libxl_event *libxl__event_new(libxl_ctx *ctx, libxl_event_type type, uint32_t domid, libxl_ev_user for_user);
/* Frees an event that did not occur after all, or was taken. */
void libxl__event_discard(libxl_ctx *ctx, libxl_event *event);
/* Gives the event to the hook or the queue; it is no longer the caller's. Never fails. */
void libxl__event_occurred(libxl_ctx *ctx, libxl_event *event);
/* Events of `type` (0: any) may have been missed, for want of memory: tells the disaster hook, or the log. */
void libxl__event_missed(libxl_ctx *ctx, libxl_event_type type);
/* Delivers one event to the hook, unlocked meanwhile; whether there was one. */
bool libxl__events_deliver_one(libxl_ctx *ctx);

#endif
