/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An instant operation whose caller waits: nobody else sees it, and it needs nobody else. */
#include "core.h"

struct seen_by_body {
    int calls;
    bool where_it_was_called; /* the record is on the caller's stack */
};

/* What this thread's last call had room for a record in. */
static _Thread_local const void *room;

static int instant_body(libxl__ao *ao, void *args)
{
    struct seen_by_body *s = *(void **)args;
    s->calls++;
    s->where_it_was_called = ao == room;
    return libxl__gc_alloc(&ao->gc, 10000) ? 0 : ERROR_NOMEM; /* given back: a leak is seen */
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

/* What a generated initiator does. */
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
    struct seen_by_body seen;
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

static void it_runs_while_another_has_the_lock(scene *s)
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
    assert_true(caller.seen.where_it_was_called);
    core_close(caller.ctx);
}

static void its_failure_is_told_in_words(scene *s)
{
    libxl_ctx *ctx = core_open();
    (void)s;
    assert_int_equal(call(ctx, &failing_class, NULL, NULL), ERROR_INVAL);
    assert_string_equal(libxl_error_message(), "number 5 is wrong");
    core_close(ctx);
}

static void asynchronously_it_is_told_like_any_other(scene *s)
{
    libxl_ctx *ctx = core_open();
    struct seen_by_body seen = {.calls = 0};
    const libxl_asyncop_how how = {.u.for_event = 8};
    uint64_t number;
    (void)s;
    assert_int_equal(call(ctx, &instant_class, &seen, &how), ERROR_ASYNC_INPROGRESS);
    assert_int_equal(core_result(ctx, &number), 0);
    assert_int_equal(number, 8);
    assert_int_equal(seen.calls, 1);
    assert_false(seen.where_it_was_called); /* the record has to live on */
    core_close(ctx);
}

/* Each callback starts the next one, on the two contexts in turn. */
struct chain {
    libxl_ctx *ctx[2];
    int left, deepest, depth;
    struct seen_by_body seen;
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

static void a_chain_is_as_deep_as_there_are_contexts(scene *s)
{
    enum { LINKS = 1000 };
    libxl_ctx *one = core_open(), *other = core_open();
    const struct chain chains[] = {{.ctx = {one, one}, .left = LINKS}, {.ctx = {one, other}, .left = LINKS}};
    (void)s;
    for (int i = 0; i < 2; i++) {
        struct chain c = chains[i];
        const libxl_asyncop_how how = {.callback = next_link, .u.for_callback = &c};
        assert_int_equal(call(one, &instant_class, &c.seen, &how), ERROR_ASYNC_INPROGRESS);
        assert_int_equal(c.left, -1); /* all of them, before the first initiator has returned */
        assert_int_equal(c.seen.calls, LINKS + 1);
        assert_in_range(c.deepest, 1, 1 + i);
    }
    core_close(other);
    core_close(one);
}

static void closes(libxl_ctx *ctx, int rc, void *user)
{
    *(int *)user = rc ? rc : libxl__ctx_drain(ctx);
}

static void its_callback_cannot_close_the_context(scene *s)
{
    libxl_ctx *ctx = core_open();
    struct seen_by_body seen = {.calls = 0};
    int rc = 0;
    const libxl_asyncop_how how = {.callback = closes, .u.for_callback = &rc};
    (void)s;
    assert_int_equal(call(ctx, &instant_class, &seen, &how), ERROR_ASYNC_INPROGRESS);
    assert_int_equal(rc, ERROR_INVAL);
    core_close(ctx);
}

static void a_context_that_is_being_closed_refuses_it(scene *s)
{
    libxl_ctx *ctx = core_open();
    struct seen_by_body seen = {.calls = 0};
    (void)s;
    ctx->closing = true;
    assert_int_equal(call(ctx, &instant_class, &seen, NULL), ERROR_CLOSED);
    assert_int_equal(seen.calls, 0);
    core_close(ctx);
}

static const body bodies[] = {
    BODY(it_runs_while_another_has_the_lock, NO_CONTEXT),
    BODY(its_failure_is_told_in_words, NO_CONTEXT),
    BODY(asynchronously_it_is_told_like_any_other, NO_CONTEXT),
    BODY(a_chain_is_as_deep_as_there_are_contexts, NO_CONTEXT),
    BODY(its_callback_cannot_close_the_context, NO_CONTEXT),
    BODY(a_context_that_is_being_closed_refuses_it, NO_CONTEXT),
};

HARNESS_MAIN(bodies)
