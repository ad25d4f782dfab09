/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Requests to xenstored while memory runs out: no transaction stays open there, and nothing is half done. */
#include "xenstored.h"

#include "allocation.h"
#include "simulation.h"
#include "wire.h"

#include <xen/io/xs_wire.h>

static void fill_with_one(libxl__xs_batch *batch)
{
    libxl__xs_write(batch, LIBXL__XS_INHERITS, "1", "/one");
}

/* More than the connection keeps room for when it is idle. */
static void fill_with_much(libxl__xs_batch *batch)
{
    for (int i = 0; i < 300; i++)
        libxl__xs_write(batch, LIBXL__XS_INHERITS, "a value of some length, so that much is sent", "/much/%d",
                        i);
}

/* The n-th allocation fails; whether there was one. */
static bool make_with_failure(unsigned n)
{
    xenstored x;
    libxl_ctx *ctx = xenstored_open(&x);
    allocation_fail(n);
    int rc = xenstored_run(ctx, fill_with_much, LIBXL__XS_TRANSACTION, NULL);
    bool failed = allocations() >= n;
    allocation_fail(0);
    assert_int_equal(rc, failed ? ERROR_NOMEM : 0);
    assert_int_equal(xenstored_run(ctx, fill_with_one, LIBXL__XS_TRANSACTION, NULL), 0);
    xenstored_close(&x, ctx); /* which looks for transactions that are open */
    return failed;
}

static void a_transaction_is_ended_whatever_memory_there_is(scene *s)
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

/* For one more answer there is room; for the third removal memory is needed. */
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

/* Of a domain: neither is it destroyed, nor are nodes of it left. */
static void without_memory_nothing_of_a_destruction_is_done(scene *s)
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
            break; /* all that it needs it has had */
        assert_int_equal(op_result(o), ERROR_NOMEM);
        assert_int_equal(libxl_domain_info(s->ctx, &info, domid), 0);
        assert_false(info.paused || info.dying);
    }
    simulate("xenstored cont");
    assert_int_equal(op_result(o), 0);
    assert_null(guest_node(domid, "name"));
}

static const body bodies[] = {
    BODY(a_transaction_is_ended_whatever_memory_there_is, NO_CONTEXT), /* its xenstored is its own */
    BODY(without_memory_nothing_of_a_destruction_is_done, OF_WAITING),
};

HARNESS_MAIN(bodies)
