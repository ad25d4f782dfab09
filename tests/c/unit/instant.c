/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Instant operations. A synchronous call of an instant operation uses the caller's stack and takes
 * no lock. */
#include "core.h"

struct body_record {
    int calls;
    bool on_the_stack; /* true: the operation's record is on the caller's stack. */
};

/* The address of the record in this thread's last call(). */
static _Thread_local const void *room;

static int instant_body(libxl__ao *ao, void *args)
{
    struct body_record *s = *(void **)args;
    s->calls++;
    s->on_the_stack = ao == room;
    /* LeakSanitizer reports memory that is not freed. */
    return libxl__gc_alloc(&ao->gc, 10000) ? 0 : ERROR_NOMEM;
}

static const libxl__ao_class instant_class = {
    .name = "instant", .body = instant_body, .args_size = sizeof(void *)};

static int failing_body(libxl__ao *ao, void *args)
{
    (void)args;
    return libxl__ao_fail(ao, ERROR_INVAL, "number %d is wrong", 5);
}

static const libxl__ao_class failing_class = {
    .name = "failing", .body = failing_body, .args_size = sizeof(void *)};

/* Starts an operation of a class, as a generated initiator does. Returns the initiator's result. */
static int call(libxl_ctx *ctx, const libxl__ao_class *cls, void *user, const libxl_asyncop_how *how)
{
    libxl__ao *ao;
    LIBXL__AO_HERE(here, void *);
    room = here;
    int rc = libxl__ao_create_instant(ctx, cls, 0, how, here, &ao);
    if (rc)
        return rc;
    *(void **)libxl__ao_args(ao) = user;
    return libxl__ao_start(ao);
}

struct caller {
    libxl_ctx *ctx;
    struct body_record seen;
    int rc;
    atomic_bool done;
};

static void *call_on_thread(void *argument)
{
    struct caller *c = argument;
    c->rc = call(c->ctx, &instant_class, &c->seen, NULL);
    atomic_store(&c->done, true);
    return NULL;
}

static void it_runs_while_another_thread_holds_the_lock(scene *s)
{
    struct caller caller = {.ctx = core_open()};
    pthread_t thread;
    (void)s;
    libxl__ctx_lock(caller.ctx);
    pthread_create(&thread, NULL, call_on_thread, &caller);
    for (int i = 0; i < 5000 && !atomic_load(&caller.done); i++)
        sleep_ms(1);
    const bool done = atomic_load(&caller.done);
    libxl__ctx_unlock(caller.ctx);
    pthread_join(thread, NULL);
    assert_true(done);
    assert_int_equal(caller.rc, 0);
    assert_int_equal(caller.seen.calls, 1);
    assert_true(caller.seen.on_the_stack);
    core_close(caller.ctx);
}

static void its_error_has_a_message(scene *s)
{
    libxl_ctx *ctx = core_open();
    (void)s;
    assert_int_equal(call(ctx, &failing_class, NULL, NULL), ERROR_INVAL);
    assert_string_equal(libxl_error_message(), "number 5 is wrong (failing 0)");
    core_close(ctx);
}

static void an_asynchronous_one_completes_like_any_operation(scene *s)
{
    libxl_ctx *ctx = core_open();
    struct body_record seen = {.calls = 0};
    const libxl_asyncop_how how = {.u.for_event = 8};
    uint64_t number;
    (void)s;
    assert_int_equal(call(ctx, &instant_class, &seen, &how), ERROR_ASYNC_INPROGRESS);
    assert_int_equal(core_result(ctx, &number), 0);
    assert_int_equal(number, 8);
    assert_int_equal(seen.calls, 1);
    assert_false(seen.on_the_stack); /* The record is not on the stack, because it outlives the call. */
    core_close(ctx);
}

/* A chain of operations. The callback of each operation starts the next operation, in the two
 * contexts alternately. */
struct chain {
    libxl_ctx *ctx[2];
    /* `left` is the number of operations that are still to start. `depth` is the number of callbacks on
     * the stack, and `deepest` is the greatest depth so far. */
    int left, deepest, depth;
    struct body_record seen;
};

static void next_link(libxl_ctx *ctx, int rc, void *user)
{
    struct chain *c = user;
    const libxl_asyncop_how how = {.callback = next_link, .u.for_callback = c};
    (void)ctx;
    assert_int_equal(rc, 0);
    c->depth++;
    c->deepest = c->depth > c->deepest ? c->depth : c->deepest;
    if (c->left-- > 0)
        assert_int_equal(call(c->ctx[c->left % 2], &instant_class, &c->seen, &how), ERROR_ASYNC_INPROGRESS);
    c->depth--;
}

static void callbacks_nest_once_per_context_at_most(scene *s)
{
    enum { LINKS = 1000 };
    libxl_ctx *one = core_open(), *other = core_open();
    const struct chain chains[] = {{.ctx = {one, one}, .left = LINKS}, {.ctx = {one, other}, .left = LINKS}};
    (void)s;
    for (int i = 0; i < 2; i++) {
        struct chain c = chains[i];
        const libxl_asyncop_how how = {.callback = next_link, .u.for_callback = &c};
        assert_int_equal(call(one, &instant_class, &c.seen, &how), ERROR_ASYNC_INPROGRESS);
        assert_int_equal(c.left, -1); /* All callbacks have run before the first initiator returned. */
        assert_int_equal(c.seen.calls, LINKS + 1);
        assert_in_range(c.deepest, 1, 1 + i);
    }
    core_close(other);
    core_close(one);
}

static void close_context(libxl_ctx *ctx, int rc, void *user)
{
    *(int *)user = rc ? rc : libxl__ctx_drain(ctx);
}

static void its_callback_cannot_close_the_context(scene *s)
{
    libxl_ctx *ctx = core_open();
    struct body_record seen = {.calls = 0};
    int rc = 0;
    const libxl_asyncop_how how = {.callback = close_context, .u.for_callback = &rc};
    (void)s;
    assert_int_equal(call(ctx, &instant_class, &seen, &how), ERROR_ASYNC_INPROGRESS);
    assert_int_equal(rc, ERROR_INVAL);
    core_close(ctx);
}

static void a_closing_context_refuses_it(scene *s)
{
    libxl_ctx *ctx = core_open();
    struct body_record seen = {.calls = 0};
    (void)s;
    ctx->closing = true;
    assert_int_equal(call(ctx, &instant_class, &seen, NULL), ERROR_CLOSED);
    assert_int_equal(seen.calls, 0);
    core_close(ctx);
}

static const body bodies[] = {
    BODY(it_runs_while_another_thread_holds_the_lock, NO_CONTEXT),
    BODY(its_error_has_a_message, NO_CONTEXT),
    BODY(an_asynchronous_one_completes_like_any_operation, NO_CONTEXT),
    BODY(callbacks_nest_once_per_context_at_most, NO_CONTEXT),
    BODY(its_callback_cannot_close_the_context, NO_CONTEXT),
    BODY(a_closing_context_refuses_it, NO_CONTEXT),
};

HARNESS_MAIN(bodies)
