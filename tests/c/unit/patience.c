/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What becomes of a request to shut down whose 60 s have passed: here they pass at once. */
#include "core.h"

#include "simulation.h"
#include "xen.h"

#include <poll.h>
#include <stdlib.h>

enum { LONG_S = 30, SHORT_S = 3, SHORT_MS = 100, LATE_MS = 3000, REQUESTS = 8 };

/* Locked. What was to happen in so many seconds or later happens now. */
static void time_is_up(libxl_ctx *ctx, unsigned seconds)
{
    const uint64_t far = libxl__now() + LIBXL__SECONDS(seconds);
    for (uint32_t i = 0; i < ctx->timers.count; i++) {
        libxl__timer *timer = ctx->timers.heap[i];
        if (timer->deadline < far || timer->deadline > far + LIBXL__SECONDS(LONG_S))
            continue; /* those that are for ever stay so */
        libxl__timer_stop(ctx, timer);
        timer->callback(ctx, timer);
        i = (uint32_t)-1; /* the heap is in another order now */
    }
}

static void time_passes(libxl_ctx *ctx, unsigned seconds)
{
    libxl__ctx_lock(ctx);
    time_is_up(ctx, seconds);
    libxl__ctx_leave(ctx);
}

static op *ask(scene *s, libxl_domid *domid)
{
    *domid = guest_new(s->ctx, "b", true);
    op *o = START(s, libxl_domain_shutdown, s->ctx, *domid, how);
    wait_node(s, *domid, "control/shutdown", "poweroff");
    pump(s, SHORT_MS); /* and the library has been told of it */
    return o;
}

static void put(libxl_domid domid, const char *value)
{
    char path[64];
    snprintf(path, sizeof(path), "/local/domain/%u/control/shutdown", domid);
    fixture_write(path, value);
}

static void who_has_not_acknowledged_is_asked_no_more(scene *s)
{
    libxl_domid domid;
    op *o = ask(s, &domid);
    assert_false(op_done(o));
    time_passes(s->ctx, LONG_S);
    assert_int_equal(op_result(o), ERROR_GUEST_TIMEDOUT);
    wait_node(s, domid, "control/shutdown", "");
    guest_destroy(s->ctx, domid);
}

/* Waits on, until the domain ends. */
static void goes_on(scene *s, op *o, libxl_domid domid, const char *node)
{
    time_passes(s->ctx, LONG_S);
    for (uint64_t end = now_ms() + SHORT_MS; now_ms() < end;)
        pump(s, SHORT_MS);
    assert_false(op_done(o));
    wait_node(s, domid, "control/shutdown", node);
    guest_destroy(s->ctx, domid);
    assert_int_equal(op_result(o), ERROR_DOMAIN_DESTROYED);
}

static void who_has_acknowledged_is_waited_for(scene *s)
{
    libxl_domid domid;
    op *o = ask(s, &domid);
    put(domid, "");
    goes_on(s, o, domid, "");
}

static void another_s_request_is_left_alone(scene *s)
{
    libxl_domid domid;
    op *o = ask(s, &domid);
    put(domid, "reboot");
    goes_on(s, o, domid, "reboot");
}

/* Nothing else happens to it afterwards that would be heard: it is not noticed by an alarm, seconds later. */
static void who_ends_while_the_request_is_taken_back_has_ended(scene *s)
{
    libxl_domid domid;
    op *o = ask(s, &domid);
    put(domid, "");
    libxl__ctx_lock(s->ctx);
    time_is_up(s->ctx, LONG_S);
    libxl__aos_run(s->ctx); /* now xenstored is asked, and cannot be heard */
    assert_int_equal(xc_domain_shutdown(libxl__xch(s->ctx), domid, SHUTDOWN_poweroff), 0);
    assert_int_equal(libxl__domains_look(s->ctx), 0);
    libxl__ctx_leave(s->ctx);
    const uint64_t before = now_ms();
    assert_int_equal(op_result(o), 0);
    assert_in_range(now_ms() - before, 0, LATE_MS);
    guest_destroy(s->ctx, domid);
}

static void a_xenstored_that_does_not_answer_does_not_keep_us(scene *s)
{
    libxl_domid domid = guest_new(s->ctx, "b", true);
    simulate("xenstored stop");
    op *o = START(s, libxl_domain_shutdown, s->ctx, domid, how);
    time_passes(s->ctx, LONG_S);
    time_passes(s->ctx, SHORT_S); /* it is not waited for to take the request back, either */
    const uint64_t before = now_ms();
    const int rc = op_result(o);
    const uint64_t took = now_ms() - before;
    simulate("xenstored cont");
    assert_int_equal(rc, ERROR_GUEST_TIMEDOUT);
    assert_in_range(took, 0, LATE_MS);
    guest_destroy(s->ctx, domid);
}

/* Neither does an abort wait for it; and what it has not heard of yet, it does not do when it goes on. */
static void an_abort_does_not_wait_for_a_xenstored_that_does_not_answer(scene *s)
{
    libxl_domid domid = guest_new(s->ctx, "b", true);
    simulate("xenstored stop");
    op *o = START(s, libxl_domain_shutdown, s->ctx, domid, how);
    pump(s, SHORT_MS);
    assert_int_equal(libxl_ao_abort(s->ctx, &o->how), 0);
    pump_for(s, SHORT_MS);
    assert_false(op_done(o)); /* it might answer in time */
    time_passes(s->ctx, SHORT_S);
    const uint64_t before = now_ms();
    const int rc = op_result(o);
    const uint64_t took = now_ms() - before;
    simulate("xenstored cont");
    assert_int_equal(rc, ERROR_ABORTED);
    assert_in_range(took, 0, LATE_MS);
    pump_for(s, SHORT_MS);
    wait_node(s, domid, "control/shutdown", "");
    guest_destroy(s->ctx, domid);
}

/*
 * Whether it has been asked, once xenstored has done all that the library wants of it: it takes a request of each
 * connection in turn.
 */
static bool is_asked(libxl_domid domid)
{
    bool asked = false;
    for (int i = 0; i < REQUESTS && !asked; i++) {
        char *node = guest_node(domid, "control/shutdown");
        asked = node && strcmp(node, "poweroff") == 0;
        free(node);
    }
    return asked;
}

/* Asks, and hears nothing of the answer: xenstored has written the request, and stops. */
static op *ask_unheard(scene *s, libxl_domid *domid)
{
    struct pollfd heard = {.fd = libxl_ctx_fd(s->ctx), .events = POLLIN};
    *domid = guest_new(s->ctx, "b", true);
    op *o = START(s, libxl_domain_shutdown, s->ctx, *domid, how);
    while (!is_asked(*domid)) {
        assert_int_equal(poll(&heard, 1, LATE_MS), 1);
        simulate("xenstored stop"); /* whatever has woken us: what is sent now is not answered now */
        assert_int_equal(libxl_ctx_process(s->ctx), 0);
        simulate("xenstored cont");
    }
    simulate("xenstored stop");
    return o;
}

static void what_xenstored_may_have_written_is_taken_back(scene *s)
{
    libxl_domid domid;
    op *o = ask_unheard(s, &domid);
    assert_int_equal(libxl_ao_abort(s->ctx, &o->how), 0);
    pump_for(s, SHORT_MS);
    assert_false(op_done(o));
    simulate("xenstored cont");
    assert_int_equal(op_result(o), ERROR_ABORTED);
    wait_node(s, domid, "control/shutdown", "");
    guest_destroy(s->ctx, domid);
}

/* There is nothing to take back, which is no acknowledgement here: the guest has not been asked. */
static void who_was_not_asked_has_not_acknowledged(scene *s)
{
    libxl_domid domid = guest_new(s->ctx, "b", true);
    simulate("xenstored stop");
    op *o = START(s, libxl_domain_shutdown, s->ctx, domid, how);
    time_passes(s->ctx, LONG_S);
    simulate("xenstored cont");
    assert_int_equal(op_result(o), ERROR_GUEST_TIMEDOUT);
    wait_node(s, domid, "control/shutdown", "");
    guest_destroy(s->ctx, domid);
}

/* So many more transactions are open, and so many more have ended, than it seems. */
static void crowd(scene *s, uint32_t open, uint32_t ended)
{
    libxl__ctx_lock(s->ctx);
    s->ctx->xen->transactions.open += open;
    s->ctx->xen->transactions.ended += ended;
    libxl__ctx_leave(s->ctx);
}

/* As where thousands are withdrawn at once; given up only if nothing moves any more. */
static void who_waits_for_his_turn_to_take_a_request_back_gets_it(scene *s)
{
    enum { MANY = 1000 };
    for (int moves = 0; moves <= 1; moves++) {
        libxl_domid domid, other;
        op *o = ask(s, &domid);
        crowd(s, MANY, 0);
        time_passes(s->ctx, LONG_S);
        for (int i = 0; i < 3; i++) {
            crowd(s, 0, 1);
            time_passes(s->ctx, SHORT_S);
            pump(s, SHORT_MS);
            assert_false(op_done(o));
        }
        if (!moves)
            time_passes(s->ctx, SHORT_S);
        crowd(s, -MANY, 0);
        op *next = ask(s, &other);
        assert_int_equal(op_result(o), ERROR_GUEST_TIMEDOUT);
        wait_node(s, domid, "control/shutdown", moves ? "" : "poweroff");
        guest_destroy(s->ctx, domid);
        guest_destroy(s->ctx, other);
        assert_int_equal(op_result(next), ERROR_DOMAIN_DESTROYED);
    }
}

static const body bodies[] = {
    BODY(who_has_not_acknowledged_is_asked_no_more, ALONE),
    BODY(who_has_acknowledged_is_waited_for, ALONE),
    BODY(another_s_request_is_left_alone, ALONE),
    BODY(a_xenstored_that_does_not_answer_does_not_keep_us, ALONE),
    BODY(an_abort_does_not_wait_for_a_xenstored_that_does_not_answer, ASYNCHRONOUS | ALONE | SLOW),
    BODY(what_xenstored_may_have_written_is_taken_back, OF_WAITING),
    BODY(who_was_not_asked_has_not_acknowledged, ALONE),
    BODY(who_ends_while_the_request_is_taken_back_has_ended, ALONE),
    BODY(who_waits_for_his_turn_to_take_a_request_back_gets_it, ALONE),
};

HARNESS_MAIN(bodies)
