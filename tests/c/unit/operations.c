/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Operations, on the core alone: the order in which bodies run, how one is found, one inside another. */
#include "core.h"

#include <stdlib.h>

/* ---- bodies for tests; each is started with a `struct play` as its user */

struct play {
    int rc;    /* what the body gives */
    int steps; /* how often it waits first */
    int calls;
    int *order, number; /* where it notes its number */
    libxl__ao *ao;
    libxl__alarm alarm;
    libxl__gather gather;
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

static const libxl__ao_class play_class = {.name = "play", .body = play_body, .args_size = sizeof(void *)};

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

static void an_instant_one_is_complete_when_started(scene *s)
{
    libxl_ctx *ctx = core_open();
    uint64_t number;
    struct play p = {.rc = 0};
    assert_int_equal(start(ctx, &p, 7), ERROR_ASYNC_INPROGRESS);
    assert_int_equal(ctx->events.queued, 1);
    assert_int_equal(core_result(ctx, &number), 0);
    assert_int_equal(number, 7);
    core_close(ctx);
    (void)s;
}

static void one_that_fails_at_once_is_refused(scene *s)
{
    libxl_ctx *ctx = core_open();
    struct play p = {.rc = ERROR_INVAL};
    assert_int_equal(start(ctx, &p, 1), ERROR_INVAL);
    assert_int_equal(ctx->events.queued, 0);
    assert_int_equal(ctx->aos.started, 0);
    core_close(ctx);
    (void)s;
}

static void one_that_fails_later_is_told(scene *s)
{
    libxl_ctx *ctx = core_open();
    struct play p = {.rc = ERROR_INVAL, .steps = 3};
    assert_int_equal(start(ctx, &p, 1), ERROR_ASYNC_INPROGRESS);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(ctx->events.queued, 0);
        wake(ctx, &p);
    }
    assert_int_equal(core_result(ctx, NULL), ERROR_INVAL);
    assert_int_equal(p.calls, 4);
    core_close(ctx);
    (void)s;
}

static void closing_refuses_new_ones(scene *s)
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

/* Puts something back for a while, whatever it was stopped for. */
static int slow_to_stop_body(libxl__ao *ao, void *args)
{
    struct play *p = *(void **)args;
    p->ao = ao;
    libxl__ao_unwinds(ao);
    return ao->stop && p->steps-- <= 0 ? ao->stop : LIBXL__AO_WAIT;
}

static void the_first_reason_to_stop_is_kept(scene *s)
{
    static const libxl__ao_class slow_to_stop = {
        .name = "slow_to_stop", .body = slow_to_stop_body, .args_size = sizeof(void *)};
    libxl_ctx *ctx = core_open();
    const int reasons[] = {ERROR_TIMEDOUT, ERROR_ABORTED};
    for (int i = 0; i < 2; i++) {
        struct play p = {.steps = 1};
        assert_int_equal(core_start(ctx, &slow_to_stop, 1, &p), ERROR_ASYNC_INPROGRESS);
        for (int k = 0; k < 2; k++) {
            libxl__ctx_lock(ctx);
            assert_int_equal(libxl__ao_request_stop(p.ao, reasons[i ^ k]), k ? ERROR_ABORTED : 0);
            libxl__ctx_leave(ctx);
        }
        wake(ctx, &p);
        assert_int_equal(core_result(ctx, NULL), reasons[i]);
    }
    core_close(ctx);
    (void)s;
}

static void a_kind_s_own_limit_ends_it(scene *s)
{
    static const libxl__ao_class limited = {
        .name = "limited", .body = play_body, .args_size = sizeof(void *), .limit_ms = 30};
    libxl_ctx *ctx = core_open();
    struct play p = {.steps = 100}, freed = {.steps = 1};
    const libxl_asyncop_how how = {.u.for_event = 2};
    uint64_t began = now_ms();
    assert_int_equal(core_start(ctx, &limited, 1, &p), ERROR_ASYNC_INPROGRESS);
    assert_int_equal(core_start(ctx, &limited, 2, &freed), ERROR_ASYNC_INPROGRESS);
    assert_int_equal(libxl_ao_set_limit(ctx, &how, 0), 0); /* the application's word goes before it */
    assert_int_equal(core_result(ctx, NULL), ERROR_TIMEDOUT);
    assert_in_range(now_ms() - began, 29, 2000);
    sleep_ms(40);
    assert_int_equal(libxl_ctx_process(ctx), 0);
    wake(ctx, &freed);
    assert_int_equal(core_result(ctx, NULL), 0);
    core_close(ctx);
    (void)s;
}

/* ---- the run queue */

static void bodies_run_in_the_order_of_waking_and_once(scene *s)
{
    enum { MANY = 50 };
    libxl_ctx *ctx = core_open();
    struct play plays[MANY];
    int order[1 + 3 * MANY] = {1};
    for (int i = 0; i < MANY; i++) {
        plays[i] = (struct play){.steps = 1, .number = i};
        assert_int_equal(start(ctx, &plays[i], (uint64_t)i), ERROR_ASYNC_INPROGRESS);
        plays[i].order = order;
    }
    libxl__ctx_lock(ctx);
    for (int i = MANY - 1; i >= 0; i--)
        for (int again = 0; again < 3; again++)
            libxl__ao_wake(plays[i].ao);
    libxl__ctx_leave(ctx);
    assert_int_equal(order[0], 1 + MANY);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(order[1 + i], MANY - 1 - i);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(core_result(ctx, NULL), 0);
    core_close(ctx);
    (void)s;
}

static int cycle_body(libxl__ao *ao, void *args)
{
    struct play *p = *(void **)args;
    if (p->calls++ == p->steps)
        return 0;
    return libxl__alarm_set(ao, &p->alarm, 0) ? ERROR_FAIL : LIBXL__AO_WAIT;
}

static void one_that_cycles_uses_no_more_memory(scene *s)
{
    static const libxl__ao_class cycle = {.name = "cycle", .body = cycle_body, .args_size = sizeof(void *)};
    libxl_ctx *ctx = core_open();
    struct play p = {.steps = 100000};
    assert_int_equal(core_start(ctx, &cycle, 1, &p), ERROR_ASYNC_INPROGRESS);
    assert_int_equal(core_result(ctx, NULL), 0);
    assert_int_equal(p.calls, p.steps + 1);
    assert_in_range(ctx->aos.records[0].count, 0, 1); /* one record, which is there again or was given back */
    core_close(ctx);
    (void)s;
}

/* ---- finding an operation by its how */

static void the_index_grows_and_finds_every_one(scene *s)
{
    enum { MANY = 5000 };
    libxl_ctx *ctx = core_open();
    struct play *plays = calloc(MANY, sizeof(*plays));
    uint32_t size = ctx->aos.index_size;
    for (int i = 0; i < MANY; i++) {
        plays[i].steps = 1;
        assert_int_equal(start(ctx, &plays[i], (uint64_t)i * 64), ERROR_ASYNC_INPROGRESS);
    }
    assert_true(ctx->aos.index_size > size);
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
    assert_int_equal(ctx->aos.indexed, 0);
    free(plays);
    core_close(ctx);
    (void)s;
}

/* Also when the index grows between them. */
static void of_several_alike_the_oldest_is_found(scene *s)
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

/* ---- operations inside operations */

struct part_args {
    int rc, waits;
};

static int part_body(libxl__ao *ao, void *p)
{
    struct part_args *args = p;
    if (args->waits-- <= 0)
        return args->rc;
    libxl__ao_wake(ao);
    return LIBXL__AO_WAIT;
}

static const libxl__ao_class part_class = {
    .name = "part", .body = part_body, .args_size = sizeof(struct part_args)};

static int failing = -1, failing_too = -1; /* the parts that fail, each with an error of its own */

/* Every second one ends at once, the others in steps. */
static void fill_part(libxl__ao *parent, uint32_t index, void *p)
{
    struct part_args *args = p;
    (void)parent;
    *args = (struct part_args){.waits = index % 2 ? 3 : 0};
    if ((int)index == failing)
        args->rc = ERROR_KERNEL;
    if ((int)index == failing_too)
        args->rc = ERROR_INVAL;
}

static int gather_body(libxl__ao *ao, void *args)
{
    struct play *p = *(void **)args;
    p->calls++;
    return libxl__gather_step(ao, &p->gather);
}

static int gather(libxl_ctx *ctx, uint32_t count, uint32_t at_once, struct play *p)
{
    static const libxl__ao_class whole = {.name = "whole", .body = gather_body, .args_size = sizeof(void *)};
    *p = (struct play){.gather = {.cls = &part_class, .fill = fill_part, .count = count, .at_once = at_once}};
    int rc = core_start(ctx, &whole, 1, p);
    return rc == ERROR_ASYNC_INPROGRESS ? core_result(ctx, NULL) : rc;
}

static void none_one_and_many_parts_complete_once(scene *s)
{
    libxl_ctx *ctx = core_open();
    const uint32_t counts[] = {0, 1, 2, 7, 1000};
    struct play p;
    failing = -1;
    for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++)
        for (uint32_t at_once = 1; at_once <= 8; at_once *= 2) {
            assert_int_equal(gather(ctx, counts[i], at_once, &p), 0);
            assert_int_equal(p.gather.done, counts[i]);
        }
    core_close(ctx);
    (void)s;
}

static void the_first_error_of_a_part_is_kept(scene *s)
{
    libxl_ctx *ctx = core_open();
    struct play p;
    for (failing = 0; failing < 4; failing++) {
        assert_int_equal(gather(ctx, 100, 2, &p), ERROR_KERNEL);
        assert_in_range(p.gather.started, failing + 1, failing + 3); /* no more were started */
        assert_int_equal(p.gather.done, p.gather.started);
    }
    failing = 1;
    failing_too = 3; /* it ends next */
    assert_int_equal(gather(ctx, 100, 4, &p), ERROR_KERNEL);
    failing = failing_too = -1;
    core_close(ctx);
    (void)s;
}

/* ---- callbacks that start operations */

struct chain {
    int links, ended;
    libxl_ctx *contexts[2]; /* in turn */
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

/* On a small stack, which would not do if each were called inside the one before. */
static void *start_chain(void *user)
{
    libxl_ctx *const *contexts = user;
    struct chain c = {.links = 100000, .contexts = {contexts[0], contexts[1]}};
    next_link(contexts[0], 0, &c);
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
    BODY(an_instant_one_is_complete_when_started, NO_CONTEXT),
    BODY(one_that_fails_at_once_is_refused, NO_CONTEXT),
    BODY(one_that_fails_later_is_told, NO_CONTEXT),
    BODY(closing_refuses_new_ones, NO_CONTEXT),
    BODY(the_first_reason_to_stop_is_kept, NO_CONTEXT),
    BODY(a_kind_s_own_limit_ends_it, NO_CONTEXT),
    BODY(bodies_run_in_the_order_of_waking_and_once, NO_CONTEXT),
    BODY(one_that_cycles_uses_no_more_memory, NO_CONTEXT),
    BODY(the_index_grows_and_finds_every_one, NO_CONTEXT),
    BODY(of_several_alike_the_oldest_is_found, NO_CONTEXT),
    BODY(none_one_and_many_parts_complete_once, NO_CONTEXT),
    BODY(the_first_error_of_a_part_is_kept, NO_CONTEXT),
    BODY(a_chain_of_callbacks_uses_no_stack, NO_CONTEXT),
};

HARNESS_MAIN(bodies)
