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
    /* The application's hooks for events; belongs to the application; NULL: none are set. */
    const libxl_event_hooks *receiver;
    void *receiver_user;
    /* The hooks of the application's event loop; belongs to the application; NULL: none are set. */
    const libxl_osevent_hooks *loop;
    void *loop_user;
    /* The value that the application's fd_register stored; passed to its fd_deregister. */
    void *for_app;
    /* `registered`: libxl_ctx_fd is registered with `loop`. `registering`: a thread is registering it now. */
    bool registered, registering;
    pthread_cond_t registration_done; /* signalled when `registering` becomes false */
} libxl__hooks;

/* Prepares the structure without hooks. Called once, while the context is created. */
void libxl__hooks_open(libxl_ctx *ctx);
/*
 * Called once, unlocked, while the context is destroyed. Deregisters the context's descriptor from the
 * application's loop.
 */
void libxl__hooks_close(libxl_ctx *ctx);

/* Call it with the context locked, from any thread. Returns whether the application's receiver wants this event. */
bool libxl__hooks_want(libxl_ctx *ctx, const libxl_event *event);

/*
 * Registers the context's descriptor with the application's loop. Does nothing if there is no loop or the
 * descriptor is registered already. Call this before work that needs the loop is started. Call it with the
 * context locked, not on a worker. The lock is released while the hook runs, or while another thread
 * registers the descriptor. Returns 0, or the error that the application's fd_register returned.
 */
int libxl__hooks_need_loop(libxl_ctx *ctx);

#endif
