/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: ctx->xen->link, the state of the connection to xenstored, and its timer. The context's lock guards
 * it.
 *
 * Nothing blocks, because a transport's `connect` only begins to connect. The connection is UP only after
 * xenstored has answered. xenstored must answer within a second. A successful connect does not prove that
 * xenstored works: the socket accepts connections while xenstored is stopped, and the kernel's device can be
 * opened without a xenstored.
 */
#include "xs_link.h"
#include "xen.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>

#define LIMIT LIBXL__SECONDS(1) /* the longest time until the answer that proves a connection */
/* The time between two attempts while xenstored's queue of new connections is full. */
#define ROOM_DELAY LIBXL__MILLISECONDS(5)
/* The time until the first attempt to connect again; doubled after each attempt. */
#define FIRST_DELAY LIBXL__MILLISECONDS(10)
#define LAST_DELAY  LIBXL__SECONDS(1)
#define PING_DELAY  LIBXL__SECONDS(1)

static libxl__timer_callback timer_expired;

static void plan(libxl_ctx *ctx, uint64_t delay)
{
    libxl__timer_start(ctx, &ctx->xen->link.timer, delay, timer_expired);
}

/* Changes the state, and wakes the thread that waits in libxl__xs_link_open. */
static void enter(libxl_ctx *ctx, libxl__xs_link_state state)
{
    libxl__xs_link *link = &ctx->xen->link;
    link->state = state;
    if (link->opener)
        libxl__waiter_wake(ctx, link->opener);
}

bool libxl__xs_link_is_down(const libxl_ctx *ctx)
{
    return ctx->xen->link.state == LIBXL__XS_DOWN;
}

bool libxl__xs_link_is_up(const libxl_ctx *ctx)
{
    return ctx->xen->link.state == LIBXL__XS_UP;
}

uint32_t libxl__xs_answers(const libxl_ctx *ctx)
{
    return ctx->xen->link.answers;
}

void libxl__xs_link_answered(libxl_ctx *ctx)
{
    ctx->xen->link.answers++;
}

/* ---- batches that are deferred until there is a connection */

bool libxl__xs_link_defer(libxl_ctx *ctx, libxl__xs_batch *batch)
{
    libxl__xs_link *link = &ctx->xen->link;
    if (link->state != LIBXL__XS_DOWN || !link->lost_at || libxl__now() - link->lost_at >= LIMIT)
        return false;
    batch->deferred = true;
    batch->state = LIBXL__XS_UNDER_WAY;
    TAILQ_INSERT_TAIL(&link->deferred, batch, deferred_link);
    return true;
}

void libxl__xs_link_forget(libxl_ctx *ctx, libxl__xs_batch *batch)
{
    TAILQ_REMOVE(&ctx->xen->link.deferred, batch, deferred_link);
    batch->deferred = false;
    batch->state = LIBXL__XS_IDLE;
}

static void run_deferred(libxl_ctx *ctx, bool connected)
{
    libxl__xs_batch *batch;
    while ((batch = TAILQ_FIRST(&ctx->xen->link.deferred))) {
        libxl__xs_link_forget(ctx, batch);
        libxl__xs_run_deferred(batch, connected);
    }
}

/* ---- changes of the connection's state */

/*
 * Enters the state DOWN, and plans the next attempt to connect. If the connection was lost a second ago or earlier,
 * ends the deferred batches.
 */
static void retry_later(libxl_ctx *ctx)
{
    libxl__xs_link *link = &ctx->xen->link;
    enter(ctx, LIBXL__XS_DOWN);
    plan(ctx, link->delay);
    if (libxl__now() - link->lost_at >= LIMIT)
        run_deferred(ctx, false);
    link->delay = link->delay < LAST_DELAY / 2 ? 2 * link->delay : LAST_DELAY;
}

/*
 * Begins to connect. Returns 0 or an errno. If xenstored's queue of new connections is full, plans another
 * attempt and returns 0.
 */
static int connect_now(libxl_ctx *ctx)
{
    libxl__xs_link *link = &ctx->xen->link;
    const int error = ctx->xen->transport->connect(ctx);
    const uint64_t now = libxl__now(), left = link->give_up > now ? link->give_up - now : 0;
    link->waits_for_room = error == EAGAIN;
    /* `connect` may have changed the state to DOWN or UP. */
    if (link->state == LIBXL__XS_PROVING)
        plan(ctx, link->waits_for_room && left > ROOM_DELAY ? ROOM_DELAY : left);
    return link->waits_for_room ? 0 : error;
}

/*
 * Starts the timer for the next ping, if the transport has a `ping`. Such a transport notices a lost
 * connection only at a request. If `now` is true, also pings at once.
 */
static void keep_up(libxl_ctx *ctx, bool now)
{
    void (*const ping)(libxl_ctx *) = ctx->xen->transport->ping;
    plan(ctx, ping ? PING_DELAY : LIBXL__NEVER);
    if (ping && now)
        ping(ctx);
}

static int attempt(libxl_ctx *ctx)
{
    libxl__xs_link *link = &ctx->xen->link;
    enter(ctx, LIBXL__XS_PROVING);
    link->give_up = libxl__now() + LIMIT;
    return connect_now(ctx);
}

static void timer_expired(libxl_ctx *ctx, libxl__timer *timer)
{
    libxl__xs_link *link = LIBXL__CONTAINER(timer, libxl__xs_link, timer);
    /* Cannot fail: the timer has just expired and left the loop's heap, so the heap has a free slot for it. */
    plan(ctx, LIBXL__NEVER);
    /* The answer may have arrived while the application was busy. */
    if (link->state == LIBXL__XS_PROVING)
        ctx->xen->transport->receive(ctx);
    if (link->state == LIBXL__XS_UP) {
        keep_up(ctx, true);
        return;
    }
    if (link->state == LIBXL__XS_PROVING && libxl__now() >= link->give_up) {
        libxl__xs_link_lost(ctx, ETIMEDOUT);
        return;
    }
    const int error = link->waits_for_room ? connect_now(ctx) : attempt(ctx);
    if (error) /* there is no connection, so the next attempt must be planned */
        retry_later(ctx);
}

/*
 * Records the loss of the connection. If xenstored crashes again and again, every new connection is lost at once. In
 * this case the attempts to connect and the log lines must be rare. So the delay is reset only if the connection was
 * UP for a second.
 */
static void note_loss(libxl_ctx *ctx, int errnoval)
{
    libxl__xs_link *link = &ctx->xen->link;
    char text[sizeof(link->address) + 64];
    link->lost_at = libxl__now();
    if (link->lost_at - link->up_at >= LIMIT)
        link->delay = FIRST_DELAY;
    snprintf(text, sizeof(text), "the connection to xenstored, %s, is lost", link->address);
    link->loss_logged = libxl__log_recurring(ctx, &link->losses, XTL_ERROR, errnoval, text);
}

void libxl__xs_link_lost(libxl_ctx *ctx, int errnoval)
{
    libxl__xs_link *link = &ctx->xen->link;
    if (link->state == LIBXL__XS_DOWN)
        return;
    if (link->state == LIBXL__XS_UP)
        note_loss(ctx, errnoval);
    link->waits_for_room = false;
    link->errnoval = errnoval;
    retry_later(ctx);
    ctx->xen->transport->disconnect(ctx);
    libxl__kept_names_forget(ctx);
    libxl__watches_lost(ctx);
    libxl__domains_unwatched(ctx);
}

/* Logs that xenstored answers again. Calls the listeners for missed changes of domains. */
static void report_reconnection(libxl_ctx *ctx)
{
    libxl__xs_link *link = &ctx->xen->link;
    if (link->loss_logged)
        libxl__log(ctx, XTL_NOTICE, -1, "xenstored, %s, answers again", link->address);
    link->loss_logged = false;
    libxl__domains_lost(ctx);
}

static void call_observers(libxl_ctx *ctx, bool again)
{
    libxl__xs_observer *observer, *next;
    for (observer = LIST_FIRST(&ctx->xen->link.observers); observer; observer = next) {
        next = LIST_NEXT(observer, link);
        observer->connected(ctx, observer, again);
    }
}

void libxl__xs_link_proved(libxl_ctx *ctx)
{
    libxl__xs_link *link = &ctx->xen->link;
    const bool again = link->was_up;
    if (link->state != LIBXL__XS_PROVING)
        return;
    enter(ctx, LIBXL__XS_UP);
    keep_up(ctx, false);
    link->up_at = libxl__now();
    link->was_up = true;
    /* The next two calls send messages, and may find that the connection is lost again. */
    run_deferred(ctx, true);
    libxl__watches_restore(ctx);
    if (again && libxl__xs_link_is_up(ctx))
        report_reconnection(ctx);
    if (libxl__xs_link_is_up(ctx))
        call_observers(ctx, again);
}

void libxl__xs_observe(libxl_ctx *ctx, libxl__xs_observer *observer)
{
    LIST_INSERT_HEAD(&ctx->xen->link.observers, observer, link);
}

void libxl__xs_unobserve(libxl__xs_observer *observer)
{
    LIST_REMOVE(observer, link);
}

/* ---- opening and closing the link */

/* Waits until xenstored has answered or the connection is lost. */
static int wait_for_proof(libxl_ctx *ctx)
{
    libxl__xs_link *link = &ctx->xen->link;
    libxl__waiter waiter = {.predicate = NULL};
    int rc = 0;
    libxl__waiter_begin(ctx, &waiter);
    link->opener = &waiter;
    while (!rc && link->state == LIBXL__XS_PROVING)
        rc = libxl__waiter_wait(ctx, &waiter, 0);
    link->opener = NULL;
    libxl__waiter_end(ctx, &waiter);
    return rc;
}

int libxl__xs_link_open(libxl_ctx *ctx, bool wait)
{
    libxl__xs_link *link = &ctx->xen->link;
    TAILQ_INIT(&link->deferred);
    link->delay = FIRST_DELAY;
    int rc = libxl__timer_start(ctx, &link->timer, LIBXL__NEVER, timer_expired);
    if (rc)
        return libxl__refuse_in(rc, "connecting to xenstored");
    libxl__ctx_lock(ctx);
    int error = attempt(ctx);
    link->refused = error;
    if (error)
        enter(ctx, LIBXL__XS_DOWN);
    else if (wait)
        rc = wait_for_proof(ctx);
    if (!error && wait && link->state == LIBXL__XS_DOWN)
        error = link->errnoval;
    libxl__ctx_unlock(ctx);
    errno = error;
    if (error == ETIMEDOUT)
        return libxl__refuse(ERROR_NO_XENSTORE, "xenstored, %s, does not answer", link->address);
    if (error)
        return libxl__refuse(libxl__errno_rc(LIBXL__CALL_REACH_STORE, error),
                             "connecting to xenstored, %s: %m", link->address);
    return libxl__refuse_in(rc, "connecting to xenstored");
}

void libxl__xs_link_close(libxl_ctx *ctx)
{
    libxl__xs_link *link = &ctx->xen->link;
    link->state = LIBXL__XS_DOWN;
    libxl__timer_stop(ctx, &link->timer);
    ctx->xen->transport->disconnect(ctx);
}
