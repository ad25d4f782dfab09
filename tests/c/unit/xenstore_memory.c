/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Requests to xenstored when allocations fail. No transaction stays open, and no request is carried
 * out in part. */
#include "xenstored.h"

#include "allocation.h"
#include "simulation.h"
#include "wire.h"

#include <xen/io/xs_wire.h>

static void fill_with_one(libxl__xs_batch *batch)
{
    libxl__xs_write(batch, LIBXL__XS_INHERITS, "1", "/one");
}

/* Fills the batch with more data than the buffer of an idle connection holds. */
static void fill_with_much(libxl__xs_batch *batch)
{
    for (int i = 0; i < 300; i++)
        libxl__xs_write(batch, LIBXL__XS_INHERITS, "a value of some length, so that much is sent", "/much/%d",
                        i);
}

/* Runs a batch, and makes the n-th allocation fail. Returns whether the batch has made n allocations. */
static bool make_with_failure(unsigned n)
{
    xenstored x;
    libxl_ctx *ctx = xenstored_open(&x);
    allocation_fail(n);
    int rc = xenstored_run(ctx, fill_with_much, LIBXL__XS_TRANSACTION, NULL);
    bool failed = allocations() >= n;
    allocation_fail(0);
    /* If only the shrinking of a buffer fails, the batch succeeds. */
    assert_true(!rc || (failed && rc == ERROR_NOMEM));
    assert_int_equal(xenstored_run(ctx, fill_with_one, LIBXL__XS_TRANSACTION, NULL), 0);
    xenstored_close(&x, ctx); /* This call fails the test if a transaction is open. */
    return failed;
}

static void a_transaction_is_ended_when_memory_runs_out(scene *s)
{
    unsigned n = 1;
    while (make_with_failure(n))
        n++;
    assert_in_range(n, 10, 200);
    (void)s;
}

static void ignore(libxl_ctx *ctx, void *owner, libxl__xs_request *request, int errnoval, const char *body,
                   size_t length)
{
    (void)ctx, (void)owner, (void)request, (void)errnoval, (void)body, (void)length;
}

/* Fills the list of expected answers except one entry. So the requests of a destruction make the list grow,
 * which needs memory. */
static void expect_many(libxl_ctx *ctx)
{
    enum { ROOM = 256 };
    const libxl__wire_expected expected = {.answered = ignore};
    libxl__ctx_lock(ctx);
    for (int i = 1; i < ROOM; i++)
        assert_int_equal(libxl__wire_put(ctx, expected, XS_READ, 0, LIBXL__WIRE_TEXT("/"),
                                         LIBXL__WIRE_NOTHING, LIBXL__WIRE_NOTHING),
                         0);
    libxl__wire_send_soon(ctx);
    libxl__ctx_leave(ctx);
}

/* If memory runs out at the start of a destruction, the domain is not destroyed and its nodes stay. */
static void without_memory_a_destruction_changes_nothing(scene *s)
{
    enum { PROMPT_MS = 20 };
    libxl_dominfo info;
    libxl_domid domid = guest(s, "b", true);
    simulate("xenstored stop");
    expect_many(s->ctx);
    op *o;
    for (unsigned n = 1;; n++) {
        o = op_begin(s);
        allocation_fail(n);
        const int rc = libxl_domain_destroy(s->ctx, domid, op_how(o));
        allocation_fail(0);
        op_started(o, rc);
        pump_for(s, PROMPT_MS);
        if (!op_done(o))
            break; /* Each allocation of the operation has failed once. */
        assert_int_equal(op_result(o), ERROR_NOMEM);
        assert_int_equal(libxl_domain_info(s->ctx, &info, domid), 0);
        assert_false(info.paused || info.dying);
    }
    simulate("xenstored cont");
    assert_int_equal(op_result(o), 0);
    assert_null(guest_node(domid, "name"));
}

static const body bodies[] = {
    BODY(a_transaction_is_ended_when_memory_runs_out, NO_CONTEXT), /* This test has its own xenstored. */
    BODY(without_memory_a_destruction_changes_nothing, RUNS_ONCE),
};

HARNESS_MAIN(bodies)
