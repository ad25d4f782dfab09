/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Requests and watches by the wire protocol, against a xenstored of the test's own. */
#include "xenstored.h"

#include <stdlib.h>

static const libxl__xs_mode modes[] = {LIBXL__XS_ONE_BY_ONE, LIBXL__XS_TRANSACTION};
enum { BOTH_MODES = sizeof(modes) / sizeof(*modes) };

/* ---- errors */

static void fill_with_two_errors(libxl__xs_batch *batch)
{
    libxl__xs_read(batch, "/good");
    libxl__xs_write(batch, LIBXL__XS_INHERITS, "", "/errors/EACCES/first");
    libxl__xs_write(batch, LIBXL__XS_INHERITS, "", "/errors/EIO/second");
    libxl__xs_read(batch, "/errors/EINVAL/third");
}

static void the_first_error_of_a_batch_wins(scene *s)
{
    xenstored x;
    libxl_ctx *ctx = xenstored_open(&x);
    for (int i = 0; i < BOTH_MODES; i++) {
        char *message;
        assert_int_equal(xenstored_run(ctx, fill_with_two_errors, modes[i], &message), ERROR_PERMISSION);
        assert_non_null(strstr(message, "/errors/EACCES/first: Permission denied"));
        free(message);
    }
    assert_int_equal(x.begun, 1);
    xenstored_close(&x, ctx);
    (void)s;
}

static void fill_with_too_much(libxl__xs_batch *batch)
{
    char value[5000];
    memset(value, 'x', sizeof(value) - 1);
    value[sizeof(value) - 1] = '\0';
    libxl__xs_write(batch, LIBXL__XS_INHERITS, value, "/too/long");
}

static void a_request_too_long_is_refused_by_its_path(scene *s)
{
    xenstored x;
    libxl_ctx *ctx = xenstored_open(&x);
    for (int i = 0; i < BOTH_MODES; i++) {
        char *message;
        assert_int_equal(xenstored_run(ctx, fill_with_too_much, modes[i], &message), ERROR_INVAL);
        assert_non_null(strstr(message, "/too/long: Argument list too long"));
        free(message);
    }
    xenstored_close(&x, ctx);
    (void)s;
}

/* ---- transactions */

static void fill_with_one(libxl__xs_batch *batch)
{
    libxl__xs_write(batch, LIBXL__XS_INHERITS, "1", "/one");
}

static void a_transaction_that_meets_another_is_made_again(scene *s)
{
    xenstored x;
    libxl_ctx *ctx = xenstored_open(&x);
    x.conflicts = 3;
    assert_int_equal(xenstored_run(ctx, fill_with_one, LIBXL__XS_TRANSACTION, NULL), 0);
    assert_int_equal(x.begun, 4);
    xenstored_close(&x, ctx);
    (void)s;
}

enum { MANY = 100 };

struct one_of_many {
    void (*fill)(libxl__xs_batch *batch);
    libxl__xs_batch *batch;
    int *done;
};

static int one_of_many_body(libxl__ao *ao, void *args)
{
    struct one_of_many *one = core_user(ao);
    (void)args;
    if (!one->batch) {
        one->batch = libxl__xs_batch_new(ao, 1);
        one->fill(one->batch);
        assert_int_equal(libxl__xs_run(one->batch, LIBXL__XS_TRANSACTION), 0);
        return LIBXL__AO_WAIT;
    }
    if (!ao->stop && !libxl__xs_done(one->batch))
        return LIBXL__AO_WAIT;
    ++*one->done;
    return ao->stop;
}

static const libxl__ao_class one_of_many_class = {
    .name = "one of many", .body = one_of_many_body, .args_size = sizeof(void *), .slow = true};

/* Starts so many, each with its number from 1 on as its event's. */
static void start_many(libxl_ctx *ctx, struct one_of_many *many, uint64_t number,
                       void (*fill)(libxl__xs_batch *), int *done)
{
    for (uint64_t i = 0; i < number; i++) {
        many[i] = (struct one_of_many){.fill = fill, .done = done};
        assert_int_equal(core_start(ctx, &one_of_many_class, i + 1, &many[i]), ERROR_ASYNC_INPROGRESS);
    }
}

/* Those from the first of these numbers to the last. */
static void abort_many(libxl_ctx *ctx, uint64_t first, uint64_t last)
{
    for (uint64_t i = first; i <= last; i++)
        assert_int_equal(libxl_ao_abort(ctx, &(libxl_asyncop_how){.u.for_event = i}), 0);
}

/* xenstored's work for each grows with how many are open; those that are given up in line never begin. */
static void many_transactions_take_turns(scene *s)
{
    xenstored x;
    libxl_ctx *ctx = xenstored_open(&x);
    struct one_of_many many[MANY];
    int done = 0, aborted = 0;
    start_many(ctx, many, MANY, fill_with_one, &done);
    abort_many(ctx, MANY / 2 + 1, MANY);
    for (int i = 0; i < MANY; i++)
        aborted += core_result(ctx, NULL) == ERROR_ABORTED;
    assert_int_equal(done, MANY - aborted);
    assert_int_equal(aborted, MANY / 2);
    xenstored_close(&x, ctx);
    assert_int_equal(x.begun, MANY / 2);
    assert_in_range(x.most, 2, 16);
    (void)s;
}

static void fill_with_contended(libxl__xs_batch *batch)
{
    libxl__xs_read(batch, "/contended/node");
}

/* As those of guests that write to their nodes without end. */
static void transactions_that_always_meet_another_hold_up_nobody(scene *s)
{
    enum { CONTENDED = 20 };
    xenstored x;
    libxl_ctx *ctx = xenstored_open(&x);
    struct one_of_many many[CONTENDED];
    int done = 0;
    start_many(ctx, many, CONTENDED, fill_with_contended, &done);
    assert_int_equal(xenstored_run(ctx, fill_with_one, LIBXL__XS_TRANSACTION, NULL), 0);
    assert_int_equal(done, 0);
    abort_many(ctx, 1, CONTENDED);
    for (int i = 0; i < CONTENDED; i++)
        assert_int_equal(core_result(ctx, NULL), ERROR_ABORTED);
    assert_int_equal(xenstored_run(ctx, fill_with_one, LIBXL__XS_TRANSACTION, NULL),
                     0); /* they are over by then */
    xenstored_close(&x, ctx);
    (void)s;
}

/* Those that wait for their turn, too, fail; nothing of the connection's is counted as an operation's. */
static void transactions_whose_connection_is_lost_end(scene *s)
{
    enum { LOST = 40 };
    xenstored x;
    libxl_ctx *ctx = xenstored_open(&x);
    struct one_of_many many[LOST];
    int done = 0;
    assert_int_equal(xenstored_run(ctx, fill_with_one, LIBXL__XS_TRANSACTION, NULL), 0);
    start_many(ctx, many, LOST, fill_with_contended, &done);
    xenstored_hang_up(&x);
    for (int i = 0; i < LOST; i++)
        assert_int_equal(core_result(ctx, NULL), 0);
    assert_int_equal(done, LOST);
    assert_int_equal(xenstored_run(ctx, fill_with_one, LIBXL__XS_TRANSACTION, NULL), ERROR_NO_XENSTORE);
    xenstored_close(&x, ctx);
    (void)s;
}

/* ---- watches */

static void count_call(libxl_ctx *ctx, void *user, bool failed)
{
    (void)ctx;
    assert_false(failed);
    ++*(int *)user;
}

/* xenstored may have sent it before it heard that the watch is over. */
static void an_event_of_a_watch_that_is_over_is_not_taken_for_its_successor_s(scene *s)
{
    xenstored x;
    libxl_ctx *ctx = xenstored_open(&x);
    libxl__watch *watch;
    int first = 0, second = 0;
    libxl__ctx_lock(ctx);
    assert_int_equal(libxl__watch_add(ctx, "/watched", count_call, &first, false, &watch), 0);
    core_run(ctx, &first);
    libxl__watch_remove(ctx, watch);
    core_run_for(ctx, 20); /* its place is free */
    assert_int_equal(libxl__watch_add(ctx, "/watched", count_call, &second, false, &watch), 0);
    core_run(ctx, &second);
    assert_int_equal(watch->slot, 0); /* the same place */
    xenstored_wait_watches(&x, 2);
    xenstored_event(&x, "/watched", x.tokens[0]);
    core_run_for(ctx, 20);
    assert_int_equal(first, 1);
    assert_int_equal(second, 1);
    xenstored_event(&x, "/watched", x.tokens[1]);
    core_run_for(ctx, 20);
    assert_int_equal(second, 2);
    libxl__watch_remove(ctx, watch);
    libxl__ctx_unlock(ctx);
    xenstored_close(&x, ctx);
    (void)s;
}

/* ---- an event in halves */

struct halves {
    xenstored x;
    libxl_ctx *ctx;
    libxl__watch *urgent, *other;
    int urgent_calls, other_calls;
};

/* Two watches whose events have one length; locked. */
static void open_halves(struct halves *h)
{
    h->urgent_calls = h->other_calls = 0;
    h->ctx = xenstored_open(&h->x);
    libxl__ctx_lock(h->ctx);
    assert_int_equal(libxl__watch_add(h->ctx, "@special", count_call, &h->urgent_calls, false, &h->urgent),
                     0);
    libxl__watch_urgent(h->ctx, h->urgent);
    assert_int_equal(libxl__watch_add(h->ctx, "/another", count_call, &h->other_calls, false, &h->other), 0);
    core_run(h->ctx, &h->other_calls);
    assert_int_equal(h->urgent_calls, 1); /* at its registration */
}

static void close_halves(struct halves *h)
{
    libxl__watch_remove(h->ctx, h->urgent);
    libxl__watch_remove(h->ctx, h->other);
    libxl__ctx_unlock(h->ctx);
    xenstored_close(&h->x, h->ctx);
}

/* The numbers of calls, once what has been said is heard. */
static void expect_calls(struct halves *h, int urgent, int other)
{
    core_run_for(h->ctx, 20);
    assert_int_equal(h->urgent_calls, urgent);
    assert_int_equal(h->other_calls, other);
}

static void an_urgent_watch_is_told_by_the_head(scene *s)
{
    struct halves h;
    open_halves(&h);
    for (int i = 0; i < 2; i++) {
        xenstored_event_head(&h.x, "@special", h.x.tokens[0]);
        expect_calls(&h, 2 + 2 * i, 1);
        xenstored_event_body(&h.x, "@special", h.x.tokens[0]);
        expect_calls(&h, 2 + 2 * i, 1); /* not again */
        xenstored_event(&h.x, "@special", h.x.tokens[0]);
        expect_calls(&h, 3 + 2 * i, 1);
    }
    close_halves(&h);
    (void)s;
}

static void another_s_head_may_be_taken_for_it_but_not_its_body(scene *s)
{
    struct halves h;
    open_halves(&h);
    xenstored_event_head(&h.x, "/another", h.x.tokens[1]);
    expect_calls(&h, 2, 1);
    xenstored_event_body(&h.x, "/another", h.x.tokens[1]);
    expect_calls(&h, 2, 2);
    xenstored_event(&h.x, "@special", h.x.tokens[0]);
    expect_calls(&h, 3, 2);
    xenstored_event_head(&h.x, "/another/below", h.x.tokens[1]); /* of another length */
    expect_calls(&h, 3, 2);
    xenstored_event_body(&h.x, "/another/below", h.x.tokens[1]);
    expect_calls(&h, 3, 3);
    close_halves(&h);
    (void)s;
}

static void an_urgent_watch_may_go_between_the_halves(scene *s)
{
    struct halves h;
    open_halves(&h);
    xenstored_event_head(&h.x, "@special", h.x.tokens[0]);
    expect_calls(&h, 2, 1);
    libxl__watch_remove(h.ctx, h.urgent);
    h.urgent = NULL;
    xenstored_event_body(&h.x, "@special", h.x.tokens[0]);
    xenstored_event_head(&h.x, "@special", h.x.tokens[0]);
    expect_calls(&h, 2, 1);
    xenstored_event_body(&h.x, "@special", h.x.tokens[0]);
    xenstored_event(&h.x, "/another", h.x.tokens[1]);
    expect_calls(&h, 2, 2);
    close_halves(&h);
    (void)s;
}

/* Nobody has heard yet that xenstored is gone: the asking itself meets it, and the watch has failed by its return. */
static void following_finds_the_connection_lost(scene *s)
{
    xenstored x;
    libxl_ctx *ctx = xenstored_open(&x);
    assert_int_equal(xenstored_run(ctx, fill_with_one, LIBXL__XS_ONE_BY_ONE, NULL), 0);
    libxl__ctx_lock(ctx);
    xenstored_hang_up(&x);
    assert_int_equal(libxl__domains_watch(ctx), ERROR_NO_XENSTORE);
    assert_null(ctx->xen->watches.urgent);
    libxl__timer_stop(ctx, &ctx->xen->domains.again);
    libxl__ctx_unlock(ctx);
    xenstored_close(&x, ctx);
    (void)s;
}

/* Below a context: what there is of xenstore here is the connection alone. */
static void a_socket_s_path_that_is_too_long_is_told_as_cut(scene *s)
{
    libxl_ctx *ctx;
    char path[200] = "", *before = getenv("XENSTORED_PATH");
    before = before ? strdup(before) : NULL;
    memset(path, 'p', sizeof(path) - 1);
    setenv("XENSTORED_PATH", path, 1);
    const int rc = libxl_ctx_alloc(&ctx, LIBXL_VERSION, 0, NULL);
    if (before)
        setenv("XENSTORED_PATH", before, 1);
    else
        unsetenv("XENSTORED_PATH");
    free(before);
    assert_int_equal(rc, ERROR_NO_XENSTORE);
    assert_non_null(strstr(libxl_error_message(), "pppp...: File name too long"));
    (void)s;
}

static const body bodies[] = {
    BODY(the_first_error_of_a_batch_wins, NO_CONTEXT),
    BODY(a_request_too_long_is_refused_by_its_path, NO_CONTEXT),
    BODY(a_transaction_that_meets_another_is_made_again, NO_CONTEXT),
    BODY(many_transactions_take_turns, NO_CONTEXT),
    BODY(transactions_that_always_meet_another_hold_up_nobody, NO_CONTEXT),
    BODY(transactions_whose_connection_is_lost_end, NO_CONTEXT),
    BODY(an_urgent_watch_is_told_by_the_head, NO_CONTEXT),
    BODY(another_s_head_may_be_taken_for_it_but_not_its_body, NO_CONTEXT),
    BODY(an_urgent_watch_may_go_between_the_halves, NO_CONTEXT),
    BODY(following_finds_the_connection_lost, NO_CONTEXT),
    BODY(a_socket_s_path_that_is_too_long_is_told_as_cut, NO_CONTEXT),
    BODY(an_event_of_a_watch_that_is_over_is_not_taken_for_its_successor_s, NO_CONTEXT),
};

HARNESS_MAIN(bodies)
