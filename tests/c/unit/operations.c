/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Operations in the core alone. The tests concern starting, ending, stopping, the run queue, the
 * index and callbacks. */
#include "core.h"

#include <stdlib.h>

/* ---- the test operation; its `user` is a struct play */

struct play {
    int rc;    /* The result of the body. */
    int steps; /* The number of times that the body waits before it returns `rc`. */
    int calls;
    /* The list to which the body appends `number`. The first element of the list is its length. */
    int *order, number;
    libxl__ao *ao;
    libxl__alarm alarm;
};

static int play_body(libxl__ao *ao, void *args)
{
    struct play *p = *(void **)args;
    p->ao = ao;
    p->calls++;
    if (p->order)
        p->order[p->order[0]++] = p->number;
    if (p->steps-- > 0)
        return LIBXL__AO_WAIT;
    return p->rc;
}

static const libxl__ao_class play_class = {
    .name = "play", .body = play_body, .args_size = sizeof(void *), .slow = true};

static int start(libxl_ctx *ctx, struct play *p, uint64_t for_event)
{
    return core_start(ctx, &play_class, for_event, p);
}

static void wake(libxl_ctx *ctx, struct play *p)
{
    libxl__ctx_lock(ctx);
    libxl__ao_wake(p->ao);
    libxl__ctx_leave(ctx);
}

/* ---- starting and ending */

static void an_instant_body_is_called_once(scene *s)
{
    struct play p = {.rc = 0};
    assert_int_equal(RUN(s, core_begin(s->ctx, &play_class, &p, how)), 0);
    assert_int_equal(p.calls, 1);
}

static void an_error_of_the_first_step_is_returned(scene *s)
{
    struct play p = {.rc = ERROR_INVAL};
    op *o = START(s, core_begin, s->ctx, &play_class, &p, how);
    assert_true(op_done(o)); /* The harness checks that no completion follows. */
    assert_int_equal(op_result(o), ERROR_INVAL);
    assert_int_equal(p.calls, 1);
}

static void an_error_of_a_later_step_is_the_result(scene *s)
{
    struct play p = {.rc = ERROR_INVAL, .steps = 3};
    op *o = START(s, core_begin, s->ctx, &play_class, &p, how);
    for (int i = 0; i < 3; i++) {
        pump(s, 1);
        assert_false(op_done(o));
        wake(s->ctx, &p);
    }
    assert_int_equal(op_result(o), ERROR_INVAL);
    assert_int_equal(p.calls, 4);
}

static void closing_refuses_new_operations(scene *s)
{
    libxl_ctx *ctx = core_open();
    struct play p = {.steps = 1}, late = {.rc = 0};
    assert_int_equal(start(ctx, &p, 1), ERROR_ASYNC_INPROGRESS);
    assert_int_equal(libxl__ctx_drain(ctx), 0);
    assert_int_equal(start(ctx, &late, 2), ERROR_CLOSED);
    assert_int_equal(ctx->aos.completed, 1);
    assert_int_equal(ctx->aos.aborted, 1);
    libxl__ctx_destroy(ctx);
    (void)s;
}

/* ---- stopping */

/* The body of an operation that still waits in `steps` calls after a stop request. */
static int stop_slowly(libxl__ao *ao, void *state)
{
    struct play *p = core_user(ao);
    (void)state;
    p->ao = ao;
    return ao->stop && p->steps-- <= 0 ? ao->stop : LIBXL__AO_WAIT;
}

static void begin_to_stop(libxl__ao *ao, void *state)
{
    (void)ao, (void)state;
}

static const libxl__phase slow_phase = {
    .name = "slow", .start = stop_slowly, .poll = stop_slowly, .stop = begin_to_stop};
static const libxl__phases slow_phases = {.list = &slow_phase, .count = 1};

static void the_first_reason_to_stop_is_kept(scene *s)
{
    static const libxl__ao_class slow_to_stop = {
        .name = "slow_to_stop", .phases = &slow_phases, .args_size = sizeof(void *), .slow = true};
    const int reasons[] = {ERROR_TIMEDOUT, ERROR_ABORTED};
    for (int i = 0; i < 2; i++) {
        struct play p = {.steps = 1};
        op *o = START(s, core_begin, s->ctx, &slow_to_stop, &p, how);
        for (int k = 0; k < 2; k++) {
            libxl__ctx_lock(s->ctx);
            assert_int_equal(libxl__ao_request_stop(p.ao, reasons[i ^ k]), k ? ERROR_ABORTED : 0);
            libxl__ctx_leave(s->ctx);
        }
        wake(s->ctx, &p);
        assert_int_equal(op_result(o), reasons[i]);
    }
}

static void the_limit_of_a_class_ends_the_operation(scene *s)
{
    static const libxl__ao_class limited = {
        .name = "limited", .body = play_body, .args_size = sizeof(void *), .limit_ms = 30, .slow = true};
    struct play p = {.steps = 100}, freed = {.steps = 1};
    uint64_t began = now_ms();
    op *o = START(s, core_begin, s->ctx, &limited, &p, how);
    op *free = START(s, core_begin, s->ctx, &limited, &freed, how);
    /* The application's time limit, here none, overrides the limit of the class. */
    assert_int_equal(libxl_ao_set_limit(s->ctx, &free->how, 0), 0);
    assert_int_equal(op_result(o), ERROR_TIMEDOUT);
    assert_in_range(now_ms() - began, 29, 2000);
    pump_for(s, 40);
    assert_false(op_done(free));
    wake(s->ctx, &freed);
    assert_int_equal(op_result(free), 0);
}

/* ---- the run queue */

static void bodies_run_once_in_wake_up_order(scene *s)
{
    enum { MANY = 50 };
    struct play plays[MANY];
    op *ops[MANY];
    int order[1 + 3 * MANY] = {1};
    for (int i = 0; i < MANY; i++) {
        plays[i] = (struct play){.steps = 1, .number = i};
        ops[i] = START(s, core_begin, s->ctx, &play_class, &plays[i], how);
    }
    libxl__ctx_lock(s->ctx);
    for (int i = MANY - 1; i >= 0; i--) {
        plays[i].order = order;
        for (int again = 0; again < 3; again++)
            libxl__ao_wake(plays[i].ao);
    }
    libxl__ctx_leave(s->ctx);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(op_result(ops[i]), 0);
    assert_int_equal(order[0], 1 + MANY);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(order[1 + i], MANY - 1 - i);
}

static int cycle_body(libxl__ao *ao, void *args)
{
    struct play *p = *(void **)args;
    if (p->calls++ == p->steps)
        return 0;
    return libxl__alarm_set(ao, &p->alarm, 0) ? ERROR_FAIL : LIBXL__AO_WAIT;
}

static void repeated_steps_use_no_more_memory(scene *s)
{
    static const libxl__ao_class cycle = {.name = "cycle", .body = cycle_body, .args_size = sizeof(void *)};
    libxl_ctx *ctx = core_open();
    struct play p = {.steps = 100000};
    assert_int_equal(core_start(ctx, &cycle, 1, &p), ERROR_ASYNC_INPROGRESS);
    assert_int_equal(core_result(ctx, NULL), 0);
    assert_int_equal(p.calls, p.steps + 1);
    assert_in_range(ctx->aos.records[0].count, 0, 1); /* The only record is in the free list, or was freed. */
    core_close(ctx);
    (void)s;
}

/* ---- finding an operation by its how */

static void the_index_grows_and_finds_every_operation(scene *s)
{
    enum { MANY = 5000 };
    libxl_ctx *ctx = core_open();
    struct play *plays = calloc(MANY, sizeof(*plays));
    uint32_t size = ctx->aos.index.size;
    for (int i = 0; i < MANY; i++) {
        plays[i].steps = 1;
        assert_int_equal(start(ctx, &plays[i], (uint64_t)i * 64), ERROR_ASYNC_INPROGRESS);
    }
    assert_true(ctx->aos.index.size > size);
    libxl__ctx_lock(ctx);
    for (int i = 0; i < MANY; i++) {
        const libxl_asyncop_how how = {.u.for_event = (uint64_t)i * 64};
        assert_ptr_equal(libxl__ao_index_find(ctx, &how), plays[i].ao);
    }
    libxl__ctx_unlock(ctx);
    for (int i = 0; i < MANY; i++) {
        const libxl_asyncop_how how = {.u.for_event = (uint64_t)i * 64};
        assert_int_equal(libxl_ao_abort(ctx, &how), 0);
        assert_int_equal(core_result(ctx, NULL), ERROR_ABORTED);
        assert_int_equal(libxl_ao_abort(ctx, &how), ERROR_NOTFOUND);
    }
    assert_int_equal(ctx->aos.index.count, 0);
    free(plays);
    core_close(ctx);
    (void)s;
}

/* The index grows between the starts of operations with equal hows. */
static void the_oldest_of_equal_hows_is_found(scene *s)
{
    enum { ALIKE = 40, OTHERS = 200 };
    libxl_ctx *ctx = core_open();
    struct play alike[ALIKE] = {{.rc = 0}}, others[OTHERS] = {{.rc = 0}};
    const libxl_asyncop_how how = {.u.for_event = 1000};
    for (int i = 0; i < OTHERS; i++) {
        others[i].steps = 1;
        assert_int_equal(start(ctx, &others[i], (uint64_t)i), ERROR_ASYNC_INPROGRESS);
        if (i % 5 == 0) {
            alike[i / 5].steps = 1;
            assert_int_equal(start(ctx, &alike[i / 5], 1000), ERROR_ASYNC_INPROGRESS);
        }
    }
    for (int i = 0; i < ALIKE; i++) {
        libxl__ctx_lock(ctx);
        assert_ptr_equal(libxl__ao_index_find(ctx, &how), alike[i].ao);
        libxl__ctx_unlock(ctx);
        assert_int_equal(libxl_ao_abort(ctx, &how), 0);
        assert_int_equal(core_result(ctx, NULL), ERROR_ABORTED);
    }
    assert_int_equal(libxl_ao_abort(ctx, &how), ERROR_NOTFOUND);
    for (int i = 0; i < OTHERS; i++)
        wake(ctx, &others[i]);
    for (int i = 0; i < OTHERS; i++)
        assert_int_equal(core_result(ctx, NULL), 0);
    core_close(ctx);
    (void)s;
}

/* ---- callbacks that start operations */

struct chain {
    int links, ended;
    libxl_ctx *contexts[2]; /* The two contexts. The operations use them alternately. */
};

static void next_link(libxl_ctx *ctx, int rc, void *user)
{
    struct chain *c = user;
    struct play p = {.rc = 0};
    const libxl_asyncop_how how = {.callback = next_link, .u.for_callback = c};
    assert_int_equal(rc, 0);
    (void)ctx;
    if (++c->ended < c->links)
        assert_int_equal(core_begin(c->contexts[c->ended % 2], &play_class, &p, &how),
                         ERROR_ASYNC_INPROGRESS);
}

/* Starts a chain of operations. The thread has a small stack, which would overflow if callbacks nested. */
static void *start_chain(void *user)
{
    libxl_ctx *const *contexts = user;
    struct chain c = {.links = 100000, .contexts = {contexts[0], contexts[1]}};
    next_link(contexts[0], 0, &c);
    /* Each turn of the loop delivers some of the completions. */
    while (c.ended < c.links && (core_continue(contexts[0]) || core_continue(contexts[1])))
        ;
    return c.ended == c.links ? NULL : user;
}

static void run_chain(libxl_ctx *first, libxl_ctx *second)
{
    libxl_ctx *contexts[] = {first, second};
    pthread_attr_t attributes;
    pthread_t thread;
    void *bad;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 1 << 20);
    assert_int_equal(pthread_create(&thread, &attributes, start_chain, contexts), 0);
    pthread_join(thread, &bad);
    pthread_attr_destroy(&attributes);
    assert_null(bad);
}

static void a_chain_of_callbacks_uses_no_stack(scene *s)
{
    libxl_ctx *ctx = core_open(), *other = core_open();
    run_chain(ctx, ctx);
    run_chain(ctx, other);
    core_close(other);
    core_close(ctx);
    (void)s;
}

static const body bodies[] = {
    BODY(an_instant_body_is_called_once),
    BODY(an_error_of_the_first_step_is_returned),
    BODY(an_error_of_a_later_step_is_the_result),
    BODY(closing_refuses_new_operations, NO_CONTEXT),
    BODY(the_first_reason_to_stop_is_kept),
    BODY(the_limit_of_a_class_ends_the_operation, ASYNCHRONOUS),
    BODY(bodies_run_once_in_wake_up_order),
    BODY(repeated_steps_use_no_more_memory, NO_CONTEXT),
    BODY(the_index_grows_and_finds_every_operation, NO_CONTEXT),
    BODY(the_oldest_of_equal_hows_is_found, NO_CONTEXT),
    BODY(a_chain_of_callbacks_uses_no_stack, NO_CONTEXT),
};

HARNESS_MAIN(bodies)
