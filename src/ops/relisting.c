/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns: nothing except the operation's state. The caller holds the context's lock. */
#include "relisting.h"
#include "xs_link.h"

#include <stdio.h>

#define RETRY_INTERVAL LIBXL__SECONDS(1)

static void go_on(libxl__relisting *relisting)
{
    relisting->paused = false;
    libxl__source_fire(relisting->source);
}

static void connected(libxl_ctx *ctx, libxl__xs_observer *observer, bool again)
{
    libxl__relisting *relisting = LIBXL__CONTAINER(observer, libxl__relisting, observer);
    if (again && relisting->lost)
        relisting->lost(ctx, relisting->source);
    relisting->list_again |= again;
    go_on(relisting);
}

static void pause_is_over(libxl_ctx *ctx, libxl__timer *timer)
{
    /* This cannot fail, because the timer has just left the heap. */
    libxl__timer_start(ctx, timer, LIBXL__NEVER, pause_is_over);
    go_on(LIBXL__CONTAINER(timer, libxl__relisting, retry));
}

int libxl__relisting_open(libxl_ctx *ctx, libxl__relisting *relisting)
{
    relisting->list_again = true;
    relisting->observer.connected = connected;
    libxl__xs_observe(ctx, &relisting->observer);
    /* The timer is started here, so that a pause needs no memory. */
    return libxl__timer_start(ctx, &relisting->retry, LIBXL__NEVER, pause_is_over);
}

void libxl__relisting_pause(libxl__ao *ao, libxl__relisting *relisting, int rc)
{
    char text[128];
    libxl__ao_forget_failure(ao);
    relisting->list_again = true;
    relisting->paused = rc != ERROR_NO_XENSTORE || !libxl__xs_link_is_up(ao->ctx);
    if (rc == ERROR_NO_XENSTORE)
        return;
    snprintf(text, sizeof(text), "%s: %s; this is tried again", relisting->what, libxl_error_describe(rc));
    libxl__log_recurring(ao->ctx, &relisting->failures, XTL_ERROR, -1, text);
    libxl__timer_start(ao->ctx, &relisting->retry, RETRY_INTERVAL, pause_is_over);
}

void libxl__relisting_close(libxl_ctx *ctx, libxl__relisting *relisting)
{
    libxl__timer_stop(ctx, &relisting->retry);
    libxl__xs_unobserve(&relisting->observer);
}
