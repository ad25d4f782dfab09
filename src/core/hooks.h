/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What an application can hook into a context: its receiver of events (src/core/receiver.c) and its event loop
 * (src/core/osevent.c).
 */
#ifndef LIBXL__HOOKS_H
#define LIBXL__HOOKS_H

#include <pthread.h>
#include <stdbool.h>

#include <libxl.h>

#include "event.h"

typedef struct libxl__hooks {
    const libxl_event_hooks *receiver; /* the application's; NULL: none */
    void *receiver_user;
    const libxl_osevent_hooks *loop; /* the application's; NULL: none */
    void *loop_user;
    void *for_app; /* what the application's fd_register has stored; fd_deregister gets it back */
    bool registered, registering;
    pthread_cond_t registration_done; /* signalled when `registering` becomes false */
} libxl__hooks;

/* While the context is made. */
void libxl__hooks_open(libxl_ctx *ctx);
/* While the context is freed: ends the registration with the application's loop. Unlocked; no other thread uses it. */
void libxl__hooks_close(libxl_ctx *ctx);

/* Locked. Whether the application's receiver wants this event. */
bool libxl__hooks_want(libxl_ctx *ctx, const libxl_event *event);

/*
 * Locked; gives up the lock meanwhile. Registers the context's descriptor with the application's loop, if there is one and
 * it is not registered yet. To be called before anything is started that has to be waited for. Returns 0, or whatever the
 * application's hook has returned.
 */
int libxl__hooks_need_loop(libxl_ctx *ctx);

#endif
