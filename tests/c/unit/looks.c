/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* When the hypervisor's list is looked at though xenstored has told of nothing. */
#include "core.h"

#include "simulation.h"
#include "xen.h"

enum { SOON_S = 3, LONG_S = 3600, LAST_DOMID = LIBXL__DOMID_FIRST_RESERVED - 1 };

static bool planned(scene *s)
{
    libxl__ctx_lock(s->ctx);
    const uint64_t deadline = s->ctx->xen->domains.again.deadline;
    libxl__ctx_unlock(s->ctx);
    const bool soon = deadline < libxl__now() + LIBXL__SECONDS(SOON_S);
    assert_true(soon || deadline > libxl__now() + LIBXL__SECONDS(LONG_S));
    return soon;
}

/* The planned look comes now. */
static void time_is_up(scene *s)
{
    libxl__ctx_lock(s->ctx);
    libxl__timer *timer = &s->ctx->xen->domains.again;
    libxl__timer_stop(s->ctx, timer);
    timer->callback(s->ctx, timer);
    libxl__ctx_leave(s->ctx);
}

static void while_someone_is_followed(scene *s)
{
    libxl_domid domid = guest_new(s->ctx, "b", true);
    time_is_up(s);
    assert_false(planned(s)); /* nobody is */
    op *o = START(s, libxl_domain_wait_gone, s->ctx, domid, how);
    assert_true(planned(s));
    time_is_up(s);
    assert_true(planned(s));
    assert_int_equal(libxl_ao_abort(s->ctx, op_how(o)), 0);
    assert_int_equal(op_result(o), ERROR_ABORTED);
    time_is_up(s);
    assert_false(planned(s));
    o = START(s, libxl_domain_wait_gone, s->ctx, domid, how);
    assert_true(planned(s));
    guest_destroy(s->ctx, domid);
    assert_int_equal(op_result(o), 0);
}

/* Whoever comes next is followed by the look that was planned for another. */
static void what_was_planned_for_another_comes(scene *s)
{
    libxl_domid domid = guest_new(s->ctx, "b", true);
    op *first = START(s, libxl_domain_wait_gone, s->ctx, domid, how);
    assert_int_equal(libxl_ao_abort(s->ctx, op_how(first)), 0);
    assert_int_equal(op_result(first), ERROR_ABORTED);
    op *second = START(s, libxl_domain_wait_gone, s->ctx, domid, how);
    time_is_up(s);
    assert_true(planned(s));
    guest_destroy(s->ctx, domid);
    assert_int_equal(op_result(second), 0);
}

/* xenstored's word that a domain has ended is heard at its beginning. */
static void ends_are_urgent(scene *s)
{
    libxl_domid domid = guest_new(s->ctx, "b", true);
    op *o = START(s, libxl_domain_wait_gone, s->ctx, domid, how);
    libxl__ctx_lock(s->ctx);
    const libxl__watch *urgent = s->ctx->xen->watches.urgent;
    assert_non_null(urgent);
    assert_string_equal(urgent->path, "@releaseDomain");
    libxl__ctx_unlock(s->ctx);
    guest_destroy(s->ctx, domid);
    assert_int_equal(op_result(o), 0);
}

/* ---- those who cannot follow */

static int refuse_watch(libxl_ctx *ctx, libxl__watch *watch)
{
    (void)ctx, (void)watch;
    return ERROR_NO_XENSTORE;
}

/* Not what the thread was told before. */
static void who_cannot_follow_is_told_why(scene *s)
{
    const libxl__xs_transport *whole = s->ctx->xen->transport;
    libxl__xs_transport broken = *whole;
    broken.add_watch = refuse_watch;
    s->ctx->xen->transport = &broken;
    for (int all = 0; all <= 1; all++) {
        libxl_evgen_domain_lifecycle *evgen;
        const libxl_domid domid = all ? LIBXL_DOMID_ALL : 0;
        assert_int_equal(libxl_domain_pause(s->ctx, LAST_DOMID, NULL), ERROR_DOMAIN_NOTFOUND);
        assert_int_equal(libxl_evenable_domain_lifecycle(s->ctx, domid, 1, &evgen), ERROR_NO_XENSTORE);
        assert_string_equal(libxl_error_message(), libxl_error_describe(ERROR_NO_XENSTORE));
    }
    s->ctx->xen->transport = whole;
}

static const body bodies[] = {
    BODY(while_someone_is_followed, ASYNCHRONOUS | ALONE),
    BODY(what_was_planned_for_another_comes, ASYNCHRONOUS | ALONE),
    BODY(ends_are_urgent, ASYNCHRONOUS | ALONE),
    BODY(who_cannot_follow_is_told_why, ASYNCHRONOUS | ALONE),
};

HARNESS_MAIN(bodies)
