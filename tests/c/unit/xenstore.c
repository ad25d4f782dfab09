/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Requests and watches over the wire protocol. The tests use their own xenstored; support/xenstored.h
 * describes it. */
#include "xenstored.h"

#include <stdlib.h>
#include <sys/ioctl.h>

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

static void the_first_error_of_a_batch_is_its_result(scene *s)
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

static void the_error_for_a_long_request_names_its_path(scene *s)
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

static void a_conflicting_transaction_is_repeated(scene *s)
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
    libxl__xs_mode mode;
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
        assert_int_equal(libxl__xs_run(one->batch, one->mode), 0);
        return LIBXL__AO_WAIT;
    }
    if (!ao->stop && !libxl__xs_done(one->batch))
        return LIBXL__AO_WAIT;
    ++*one->done;
    return ao->stop;
}

static const libxl__ao_class one_of_many_class = {
    .name = "one of many", .body = one_of_many_body, .args_size = sizeof(void *), .slow = true};

/* Starts `number` operations. The first operation has the for_event 1, and each next operation has the
 * next number. */
static void start_many(libxl_ctx *ctx, struct one_of_many *many, uint64_t number,
                       void (*fill)(libxl__xs_batch *), int *done)
{
    for (uint64_t i = 0; i < number; i++) {
        many[i] = (struct one_of_many){.fill = fill, .mode = LIBXL__XS_TRANSACTION, .done = done};
        assert_int_equal(core_start(ctx, &one_of_many_class, i + 1, &many[i]), ERROR_ASYNC_INPROGRESS);
    }
}

/* Aborts the operations from for_event `first` to `last`. */
static void abort_many(libxl_ctx *ctx, uint64_t first, uint64_t last)
{
    for (uint64_t i = first; i <= last; i++)
        assert_int_equal(libxl_ao_abort(ctx, &(libxl_asyncop_how){.u.for_event = i}), 0);
}

/* The library limits the number of open transactions, because xenstored's work for a transaction grows
 * with this number. A transaction that is aborted in the queue never begins. */
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

/* A guest that writes to its nodes all the time must not delay an operation for ever. */
static void a_transaction_with_endless_conflicts_is_given_up(scene *s)
{
    xenstored x;
    libxl_ctx *ctx = xenstored_open(&x);
    char *message;
    assert_int_equal(xenstored_run(ctx, fill_with_contended, LIBXL__XS_TRANSACTION, &message),
                     ERROR_XENSTORE);
    assert_non_null(strstr(message, "transaction: other clients change its nodes all the time"));
    free(message);
    assert_int_equal(x.begun, 1 + LIBXL__XS_MOST_REPEATS);
    assert_int_equal(xenstored_run(ctx, fill_with_one, LIBXL__XS_TRANSACTION, NULL), 0);
    xenstored_close(&x, ctx);
    (void)s;
}

/* Guests that write to their nodes all the time can cause endless conflicts. */
static void endless_conflicts_do_not_delay_other_transactions(scene *s)
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
    /* This operation waits until xenstored has ended the other transactions. */
    assert_int_equal(xenstored_run(ctx, fill_with_one, LIBXL__XS_TRANSACTION, NULL), 0);
    xenstored_close(&x, ctx);
    (void)s;
}

/* When the connection is lost, the transactions that are queued fail, too. */
static void transactions_end_when_the_connection_is_lost(scene *s)
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

/* xenstored is gone, and the library notices this when it sends the watches. The library keeps the
 * watches. It lists the domains regularly until xenstored is back. */
static void following_needs_no_connection(scene *s)
{
    xenstored x;
    libxl_ctx *ctx = xenstored_open(&x);
    assert_int_equal(xenstored_run(ctx, fill_with_one, LIBXL__XS_ONE_BY_ONE, NULL), 0);
    libxl__ctx_lock(ctx);
    xenstored_hang_up(&x);
    libxl__domain_observer observer = {.appeared = NULL};
    assert_int_equal(libxl__domains_observe(ctx, &observer), 0);
    assert_true(libxl__xs_link_is_down(ctx));
    assert_non_null(ctx->xen->domains.released);
    assert_non_null(ctx->xen->domains.introduced);
    libxl__timer_stop(ctx, &ctx->xen->domains.again);
    libxl__ctx_unlock(ctx);
    xenstored_close(&x, ctx);
    (void)s;
}

static void a_socket_path_that_is_too_long_is_shortened_in_the_message(scene *s)
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

/* ---- requests that the socket does not accept at once */

enum {
    REQUESTS = 20000,
    REQUEST_OCTETS = 16 + 37 + 1, /* a header, a path and a terminating zero */
    SOCKET_LIMIT_MS = 10000,
};

static void fill_the_socket(libxl__xs_batch *batch)
{
    for (int i = 0; i < REQUESTS; i++)
        libxl__xs_read(batch, "/%036d", i);
}

/* Returns the number of octets that the context has sent and the xenstored has not received. */
static int waiting_octets(const xenstored *x)
{
    int octets = 0;
    assert_int_equal(ioctl(x->connection, FIONREAD, &octets), 0);
    return octets;
}

/*
 * xenstored 4.17 blocks when it has received the header of a request and nothing of the body. So the context sends
 * whole requests only. This xenstored receives one request and waits for the lock.
 */
static void a_full_socket_has_whole_requests(scene *s)
{
    xenstored x;
    libxl_ctx *ctx = xenstored_open(&x);
    int done = 0, octets;
    struct one_of_many one = {.fill = fill_the_socket, .mode = LIBXL__XS_ONE_BY_ONE, .done = &done};
    pthread_mutex_lock(&x.lock);
    assert_int_equal(core_start(ctx, &one_of_many_class, 1, &one), ERROR_ASYNC_INPROGRESS);
    for (uint64_t end = now_ms() + scaled_ms(SOCKET_LIMIT_MS);
         (octets = waiting_octets(&x)) % REQUEST_OCTETS != 0 && now_ms() < end;)
        sleep_ms(1);
    pthread_mutex_unlock(&x.lock);
    assert_in_range(octets, REQUEST_OCTETS, (REQUESTS - 1) * REQUEST_OCTETS);
    assert_int_equal(octets % REQUEST_OCTETS, 0);
    assert_int_equal(core_result(ctx, NULL), 0);
    xenstored_close(&x, ctx);
    (void)s;
}

static const body bodies[] = {
    BODY(a_full_socket_has_whole_requests, NO_CONTEXT),
    BODY(the_first_error_of_a_batch_is_its_result, NO_CONTEXT),
    BODY(the_error_for_a_long_request_names_its_path, NO_CONTEXT),
    BODY(a_conflicting_transaction_is_repeated, NO_CONTEXT),
    BODY(many_transactions_take_turns, NO_CONTEXT),
    BODY(a_transaction_with_endless_conflicts_is_given_up, NO_CONTEXT),
    BODY(endless_conflicts_do_not_delay_other_transactions, NO_CONTEXT),
    BODY(transactions_end_when_the_connection_is_lost, NO_CONTEXT),
    BODY(following_needs_no_connection, NO_CONTEXT),
    BODY(a_socket_path_that_is_too_long_is_shortened_in_the_message, NO_CONTEXT),
};

HARNESS_MAIN(bodies)
