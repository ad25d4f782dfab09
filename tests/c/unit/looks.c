/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The periodic check of domains. While a domain is followed, the library lists all domains regularly, even
 * without an event from xenstored. */
#include "core.h"

#include "simulation.h"
#include "xen.h"

enum { SOON_S = 3, LONG_S = 3600, LAST_DOMID = LIBXL__DOMID_FIRST_RESERVED - 1 };

/* Returns whether the next check is within the next seconds. Fails the test if the check is neither soon
 * nor in the far future. */
static bool is_scheduled(scene *s)
{
    libxl__ctx_lock(s->ctx);
    const uint64_t deadline = s->ctx->xen->domains.again.deadline;
    libxl__ctx_unlock(s->ctx);
    const bool soon = deadline < libxl__now() + LIBXL__SECONDS(SOON_S);
    assert_true(soon || deadline > libxl__now() + LIBXL__SECONDS(LONG_S));
    return soon;
}

/* Runs the scheduled check now. */
static void run_check_now(scene *s)
{
    libxl__ctx_lock(s->ctx);
    libxl__timer *timer = &s->ctx->xen->domains.again;
    libxl__timer_stop(s->ctx, timer);
    timer->callback(s->ctx, timer);
    libxl__ctx_leave(s->ctx);
}

static void the_check_is_scheduled_while_a_domain_is_followed(scene *s)
{
    libxl_domid domid = guest_new(s->ctx, "b", true);
    run_check_now(s);
    assert_false(is_scheduled(s)); /* No domain is followed. */
    op *o = START(s, libxl_domain_wait_gone, s->ctx, domid, how);
    assert_true(is_scheduled(s));
    run_check_now(s);
    assert_true(is_scheduled(s));
    assert_int_equal(libxl_ao_abort(s->ctx, op_how(o)), 0);
    assert_int_equal(op_result(o), ERROR_ABORTED);
    run_check_now(s);
    assert_false(is_scheduled(s));
    o = START(s, libxl_domain_wait_gone, s->ctx, domid, how);
    assert_true(is_scheduled(s));
    guest_destroy(s->ctx, domid);
    assert_int_equal(op_result(o), 0);
}

/* A check that was scheduled for an earlier follower also serves the next follower. */
static void the_next_follower_uses_the_scheduled_check(scene *s)
{
    libxl_domid domid = guest_new(s->ctx, "b", true);
    op *first = START(s, libxl_domain_wait_gone, s->ctx, domid, how);
    assert_int_equal(libxl_ao_abort(s->ctx, op_how(first)), 0);
    assert_int_equal(op_result(first), ERROR_ABORTED);
    op *second = START(s, libxl_domain_wait_gone, s->ctx, domid, how);
    run_check_now(s);
    assert_true(is_scheduled(s));
    guest_destroy(s->ctx, domid);
    assert_int_equal(op_result(second), 0);
}

/* The @releaseDomain watch fires as soon as the head of its event has arrived. */
static void the_release_watch_fires_early(scene *s)
{
    libxl_domid domid = guest_new(s->ctx, "b", true);
    op *o = START(s, libxl_domain_wait_gone, s->ctx, domid, how);
    libxl__ctx_lock(s->ctx);
    const libxl__watch *early = s->ctx->xen->watches.early_fire;
    assert_non_null(early);
    assert_string_equal(early->path, "@releaseDomain");
    libxl__ctx_unlock(s->ctx);
    guest_destroy(s->ctx, domid);
    assert_int_equal(op_result(o), 0);
}

/* ---- following fails */

static int refuse_watch(libxl_ctx *ctx, libxl__watch *watch)
{
    (void)ctx, (void)watch;
    return ERROR_NO_XENSTORE;
}

/* This error message replaces the message of the thread's previous error. */
static void the_error_of_a_failed_follow_has_its_own_message(scene *s)
{
    const libxl__xs_transport *working = s->ctx->xen->transport;
    libxl__xs_transport broken = *working;
    broken.add_watch = refuse_watch;
    s->ctx->xen->transport = &broken;
    for (int all = 0; all <= 1; all++) {
        libxl_evgen_domain_lifecycle *evgen;
        const libxl_domid domid = all ? LIBXL_DOMID_ALL : 0;
        assert_int_equal(libxl_domain_pause(s->ctx, LAST_DOMID, NULL), ERROR_DOMAIN_NOTFOUND);
        assert_int_equal(libxl_evenable_domain_lifecycle(s->ctx, domid, 1, &evgen), ERROR_NO_XENSTORE);
        assert_string_equal(libxl_error_message(),
                            "xenstored does not answer on this machine (following a domain)");
    }
    s->ctx->xen->transport = working;
}

static const body bodies[] = {
    BODY(the_check_is_scheduled_while_a_domain_is_followed, ASYNCHRONOUS | ALONE),
    BODY(the_next_follower_uses_the_scheduled_check, ASYNCHRONOUS | ALONE),
    BODY(the_release_watch_fires_early, ASYNCHRONOUS | ALONE),
    BODY(the_error_of_a_failed_follow_has_its_own_message, ASYNCHRONOUS | ALONE),
};

HARNESS_MAIN(bodies)
