/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an application hooks into the library: its receiver of events, and its event loop. */
#ifndef LIBXL__HOOKS_H
#define LIBXL__HOOKS_H

#include <pthread.h>
#include <stdbool.h>

#include <libxl.h>

#include "event.h"

typedef struct libxl__hooks {
    const libxl_event_hooks *receiver;
    void *receiver_user;
    const libxl_osevent_hooks *loop;
    void *loop_user;
    void *for_app; /* the application's word for our registration */
    bool registered, registering;
    pthread_cond_t registration_done; /* registering is over */
} libxl__hooks;

/* Locked, all of them. */

void libxl__hooks_open(libxl_ctx *ctx);
/* Ends the registration. Not locked: nobody else has the context any more. */
void libxl__hooks_close(libxl_ctx *ctx);

/* Whether the application's receiver takes this event. */
bool libxl__hooks_want(libxl_ctx *ctx, const libxl_event *event);

/*
 * Something will have to be waited for from now on: registers the context's descriptor with the application's
 * loop, if there are hooks and it is not registered yet. Gives up the lock meanwhile. 0, or what the hook
 * returned, unchanged.
 */
int libxl__hooks_need_loop(libxl_ctx *ctx);

#endif
