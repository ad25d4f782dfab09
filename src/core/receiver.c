/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The application's receiver of events (libxl_event_hooks).
 *
 * Owns: the pointer to the receiver. The context's lock guards it. The receiver's hooks belong to the
 * application, and must live while they are registered. src/core/deliver.c calls them unlocked.
 */
#include "libxl_internal.h"

bool libxl__hooks_want(libxl_ctx *ctx, const libxl_event *event)
{
    const libxl_event_hooks *receiver = ctx->hooks.receiver;
    return receiver && receiver->event_occurs_mask &&
           libxl__event_wanted(event, receiver->event_occurs_mask, NULL, NULL);
}

void libxl_event_register_callbacks(libxl_ctx *ctx, const libxl_event_hooks *hooks, void *user)
{
    libxl__ctx_lock(ctx);
    ctx->hooks.receiver = hooks;
    ctx->hooks.receiver_user = user;
    libxl__ctx_unlock(ctx);
}
