/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What happens when a shutdown request reaches its time limit, 60 s. The tests run the timers early instead
 * of waiting. */
#include "core.h"

#include "simulation.h"
#include "xen.h"

#include <poll.h>
#include <stdlib.h>

enum {
    LONG_MS = 40000,     /* Less than the time limit of a phase, and more than half of it. */
    WITHDRAWAL_MS = 600, /* Less than the time limit of a withdrawal, and more than half of it. */
    SHORT_MS = 100,
    TRAFFIC_MS = 10,
    LATE_MS = 3000,
    REQUESTS = 8,
};

/* Caller holds the lock. Runs each timer whose deadline is at least `ms` away, but less than twice `ms`. */
static void run_timers(libxl_ctx *ctx, unsigned ms)
{
    const uint64_t from = libxl__now() + LIBXL__MILLISECONDS(ms);
    for (uint32_t i = 0; i < ctx->timers.count; i++) {
        libxl__timer *timer = ctx->timers.heap[i];
        if (timer->deadline < from || timer->deadline >= from + LIBXL__MILLISECONDS(ms))
            continue;
        libxl__timer_stop(ctx, timer);
        timer->callback(ctx, timer);
        i = (uint32_t)-1; /* The search starts again, because the heap has been reordered. */
    }
}

static void pass_time(libxl_ctx *ctx, unsigned ms)
{
    libxl__ctx_lock(ctx);
    run_timers(ctx, ms);
    libxl__ctx_leave(ctx);
}

static op *ask(scene *s, libxl_domid *domid)
{
    *domid = guest_new(s->ctx, "b", true);
    op *o = START(s, libxl_domain_shutdown, s->ctx, *domid, how);
    wait_node(s, *domid, "control/shutdown", "poweroff");
    pump(s, SHORT_MS); /* The library reads xenstored's answer. */
    return o;
}

static void put(libxl_domid domid, const char *value)
{
    char path[64];
    snprintf(path, sizeof(path), "/local/domain/%u/control/shutdown", domid);
    fixture_write(path, value);
}

/* Starts a request, and passes the request's deadline. Before the deadline, writes `value` into the
 * request's node unless `value` is NULL. After the deadline, the node must hold `left`. */
static void check_timeout(scene *s, const char *value, const char *left)
{
    libxl_domid domid;
    op *o = ask(s, &domid);
    assert_false(op_done(o));
    if (value)
        put(domid, value);
    pass_time(s->ctx, LONG_MS);
    assert_int_equal(op_result(o), ERROR_GUEST_TIMEDOUT);
    wait_node(s, domid, "control/shutdown", left);
    guest_destroy(s->ctx, domid);
}

static void an_unacknowledged_request_is_withdrawn(scene *s)
{
    check_timeout(s, NULL, "");
}

static void another_request_is_not_withdrawn(scene *s)
{
    check_timeout(s, "reboot", "reboot");
}

/* The guest stops during the withdrawal. The operation must notice this before the periodic
 * check of domains. */
static void a_guest_that_stops_during_the_withdrawal_has_stopped(scene *s)
{
    libxl_domid domid;
    op *o = ask(s, &domid);
    put(domid, "");
    libxl__ctx_lock(s->ctx);
    run_timers(s->ctx, LONG_MS);
    /* The withdrawal is sent, and the answer of xenstored is not read yet. */
    libxl__aos_run(s->ctx, &(libxl__turn){0});
    assert_int_equal(xc_domain_shutdown(libxl__xch(s->ctx), domid, SHUTDOWN_poweroff), 0);
    libxl__domains_look(s->ctx);
    libxl__ctx_leave(s->ctx);
    const uint64_t before = now_ms();
    assert_int_equal(op_result(o), 0);
    assert_in_range(now_ms() - before, 0, LATE_MS);
    guest_destroy(s->ctx, domid);
}

static void a_hung_xenstored_does_not_delay_the_time_limit(scene *s)
{
    libxl_domid domid = guest_new(s->ctx, "b", true);
    simulate("xenstored stop");
    op *o = START(s, libxl_domain_shutdown, s->ctx, domid, how);
    pass_time(s->ctx, LONG_MS);
    pass_time(s->ctx, WITHDRAWAL_MS); /* The time limit of the withdrawal passes. */
    const uint64_t before = now_ms();
    const int rc = op_result(o);
    const uint64_t took = now_ms() - before;
    simulate("xenstored cont");
    assert_int_equal(rc, ERROR_GUEST_TIMEDOUT);
    assert_in_range(took, 0, LATE_MS);
    guest_destroy(s->ctx, domid);
}

/* xenstored is stopped when the operation is aborted. The request must not reach the guest when xenstored
 * runs again. */
static void a_hung_xenstored_does_not_delay_an_abort(scene *s)
{
    libxl_domid domid = guest_new(s->ctx, "b", true);
    simulate("xenstored stop");
    op *o = START(s, libxl_domain_shutdown, s->ctx, domid, how);
    pump(s, SHORT_MS);
    assert_int_equal(libxl_ao_abort(s->ctx, &o->how), 0);
    assert_int_equal(op_result(o), ERROR_ABORTED); /* xenstored is still stopped. */
    simulate("xenstored cont");
    pump_for(s, SHORT_MS);
    wait_node(s, domid, "control/shutdown", "");
    guest_destroy(s->ctx, domid);
}

/*
 * Returns whether the guest's node holds a request to shut down. xenstored serves the connections
 * alternately, one request at a time. So xenstored also processes the library's requests during the reads of
 * this function.
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

/* Asks the guest to shut down. Stops xenstored after xenstored has written the request, and before the
 * library reads the answer. */
static op *ask_without_an_answer(scene *s, libxl_domid *domid)
{
    struct pollfd fd = {.fd = libxl_ctx_fd(s->ctx), .events = POLLIN};
    *domid = guest_new(s->ctx, "b", true);
    op *o = START(s, libxl_domain_shutdown, s->ctx, *domid, how);
    while (!is_asked(*domid)) {
        assert_int_equal(poll(&fd, 1, LATE_MS), 1);
        simulate("xenstored stop"); /* From here on, xenstored answers no request. */
        assert_int_equal(libxl_ctx_process(s->ctx), 0);
        simulate("xenstored cont");
    }
    simulate("xenstored stop");
    return o;
}

static void a_request_that_may_have_been_written_is_withdrawn(scene *s)
{
    libxl_domid domid;
    op *o = ask_without_an_answer(s, &domid);
    assert_int_equal(libxl_ao_abort(s->ctx, &o->how), 0);
    pump_for(s, SHORT_MS);
    assert_false(op_done(o));
    simulate("xenstored cont");
    assert_int_equal(op_result(o), ERROR_ABORTED);
    wait_node(s, domid, "control/shutdown", "");
    guest_destroy(s->ctx, domid);
}

/* The request was never written, so the node is empty. The library must not take the empty node for
 * an acknowledgement. */
static void an_unwritten_request_is_not_acknowledged(scene *s)
{
    libxl_domid domid = guest_new(s->ctx, "b", true);
    simulate("xenstored stop");
    op *o = START(s, libxl_domain_shutdown, s->ctx, domid, how);
    pass_time(s->ctx, LONG_MS);
    simulate("xenstored cont");
    assert_int_equal(op_result(o), ERROR_GUEST_TIMEDOUT);
    wait_node(s, domid, "control/shutdown", "");
    guest_destroy(s->ctx, domid);
}

/* Adds `many` to the number of open transactions. */
static void add_transactions(scene *s, uint32_t many)
{
    libxl__ctx_lock(s->ctx);
    s->ctx->xen->transactions.open += many;
    libxl__ctx_leave(s->ctx);
}

/* Counts a transaction as ended every few milliseconds. After a stall of the process, this timer expires before
 * the time limit of a withdrawal. */
static void end_one(libxl_ctx *ctx, libxl__timer *timer)
{
    ctx->xen->transactions.ended++;
    assert_int_equal(libxl__timer_start(ctx, timer, LIBXL__MILLISECONDS(TRAFFIC_MS), end_one), 0);
}

static void start_traffic(scene *s, libxl__timer *traffic)
{
    libxl__ctx_lock(s->ctx);
    end_one(s->ctx, traffic);
    libxl__ctx_leave(s->ctx);
}

static void stop_traffic(scene *s, libxl__timer *traffic)
{
    libxl__ctx_lock(s->ctx);
    libxl__timer_stop(s->ctx, traffic);
    libxl__ctx_leave(s->ctx);
}

/* The test raises the number of open transactions to simulate a thousand withdrawals at once. No withdrawal is
 * given up as long as transactions end. */
static void a_queued_withdrawal_is_carried_out(scene *s)
{
    enum { MANY = 1000 };
    for (int moves = 0; moves <= 1; moves++) {
        libxl__timer traffic = {0};
        libxl_domid domid, other;
        op *o = ask(s, &domid);
        add_transactions(s, MANY);
        start_traffic(s, &traffic);
        pass_time(s->ctx, LONG_MS);
        for (int i = 0; i < 3; i++) {
            pump_for(s, SHORT_MS);
            pass_time(s->ctx, WITHDRAWAL_MS);
            assert_false(op_done(o));
        }
        if (!moves) {
            stop_traffic(s, &traffic);
            pass_time(s->ctx, WITHDRAWAL_MS); /* Transactions have ended since the last look. */
            pass_time(s->ctx, WITHDRAWAL_MS);
        }
        add_transactions(s, -MANY);
        op *next = ask(s, &other);
        assert_int_equal(op_result(o), ERROR_GUEST_TIMEDOUT);
        wait_node(s, domid, "control/shutdown", moves ? "" : "poweroff");
        stop_traffic(s, &traffic);
        guest_destroy(s->ctx, domid);
        guest_destroy(s->ctx, other);
        assert_int_equal(op_result(next), ERROR_DOMAIN_DESTROYED);
    }
}

static const body bodies[] = {
    BODY(an_unacknowledged_request_is_withdrawn, ALONE),
    BODY(another_request_is_not_withdrawn, ALONE),
    BODY(a_hung_xenstored_does_not_delay_the_time_limit, ALONE),
    BODY(a_hung_xenstored_does_not_delay_an_abort, ASYNCHRONOUS | ALONE | SLOW),
    BODY(a_request_that_may_have_been_written_is_withdrawn, RUNS_ONCE),
    BODY(an_unwritten_request_is_not_acknowledged, ALONE),
    BODY(a_guest_that_stops_during_the_withdrawal_has_stopped, ALONE),
    BODY(a_queued_withdrawal_is_carried_out, ALONE),
};

HARNESS_MAIN(bodies)
