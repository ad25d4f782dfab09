/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Requests to xenstored while memory runs out: no transaction stays open there. */
#include "xenstored.h"

#include "allocation.h"

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

/* Below a context: what there is of xenstore here is the connection alone. */
static const body bodies[] = {
    BODY(a_transaction_is_ended_whatever_memory_there_is, NO_CONTEXT),
};

HARNESS_MAIN(bodies)
