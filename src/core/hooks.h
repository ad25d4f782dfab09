/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The application's hooks in a context: its receiver of events (src/core/receiver.c) and its event loop
 * (src/core/osevent.c). The context's lock guards the structure. The hooks belong to the application.
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
    void *for_app;                    /* the value that fd_register stored; fd_deregister gets it */
    bool registered, registering;     /* libxl_ctx_fd is, or is being, registered with `loop` */
    pthread_cond_t registration_done; /* signalled when `registering` becomes false */
} libxl__hooks;

/* Called once, while the context is created. */
void libxl__hooks_open(libxl_ctx *ctx);
/* Called once, unlocked, while the context is destroyed. Deregisters the descriptor from the application's loop. */
void libxl__hooks_close(libxl_ctx *ctx);

/* Call it with the context locked, from any thread. Returns whether the application's receiver wants this event. */
bool libxl__hooks_want(libxl_ctx *ctx, const libxl_event *event);

/*
 * Call it with the context locked, not on a worker. Releases the lock while the hook runs or while it waits for another
 * thread's registration. Registers the context's descriptor with the application's loop, if there is a loop and the
 * descriptor is not registered yet. Call this before work starts that needs the loop. Errors: the value that the
 * application's fd_register returned.
 */
int libxl__hooks_need_loop(libxl_ctx *ctx);

#endif
