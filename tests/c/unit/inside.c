/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Synchronous calls inside callbacks. The tests check which completions such a call delivers, and which it
 * leaves to other calls. */
#include "core.h"

#include <poll.h>
#include <stdlib.h>

/* ---- an operation of one phase; its `user` is a struct task */

struct task {
    /* The time until the operation ends, in ns. 0: the operation waits until `released` is set and the
     * operation is woken. */
    uint64_t delay;
    bool released, reports;
    libxl__ao *ao;
    libxl__alarm alarm;
};

static int task_poll(libxl__ao *ao, void *state)
{
    const struct task *t = core_user(ao);
    (void)state;
    return t->alarm.rang || t->released ? 0 : LIBXL__AO_WAIT;
}

static int task_start(libxl__ao *ao, void *state)
{
    struct task *t = core_user(ao);
    t->ao = ao;
    if (t->reports)
        libxl__ao_progress(ao, LIBXL_EVENT_TYPE_DOMAIN_CREATE_CONSOLE_AVAILABLE);
    if (t->delay && libxl__alarm_set(ao, &t->alarm, t->delay))
        return ERROR_NOMEM;
    return task_poll(ao, state);
}

static const libxl__phase task_phase = {.name = "task", .start = task_start, .poll = task_poll};
static const libxl__phases task_phases = {.list = &task_phase, .count = 1};
static const libxl__ao_class task_class = {
    .name = "task", .phases = &task_phases, .args_size = sizeof(void *), .slow = true, .reports = true};

static int begin(libxl_ctx *ctx, struct task *t, libxl_asyncprogress_how *progress,
                 const libxl_asyncop_how *how)
{
    libxl__ao *ao;
    assert_int_equal(libxl__ao_create(ctx, &task_class, 0, how, &ao), 0);
    *(void **)libxl__ao_args(ao) = t;
    libxl__ao_progress_how(ao, progress);
    return libxl__ao_start(ao);
}

/* ---- many completions are due at once */

enum { MANY = 20000 };

struct crowd {
    int ended, depth, deepest;
};

static void call_inside(libxl_ctx *ctx, int rc, void *user)
{
    struct crowd *c = user;
    struct task t = {.delay = 1};
    assert_int_equal(rc, 0);
    c->depth++;
    c->deepest = c->depth > c->deepest ? c->depth : c->deepest;
    assert_int_equal(begin(ctx, &t, NULL, NULL), 0);
    c->depth--;
    c->ended++;
}

/* Starts the operations. The thread has a small stack, which would overflow if callbacks nested. */
static void *run_crowd(void *user)
{
    libxl_ctx *ctx = user;
    struct crowd c = {.ended = 0};
    struct task *tasks = calloc(MANY, sizeof(*tasks));
    const libxl_asyncop_how how = {.callback = call_inside, .u.for_callback = &c};
    for (int i = 0; i < MANY; i++)
        assert_int_equal(begin(ctx, &tasks[i], NULL, &how), ERROR_ASYNC_INPROGRESS);
    libxl__ctx_lock(ctx);
    for (int i = 0; i < MANY; i++) {
        tasks[i].released = true;
        libxl__ao_wake(tasks[i].ao);
    }
    libxl__ctx_leave(ctx);
    while (c.ended < MANY && core_continue(ctx))
        ;
    free(tasks);
    return c.ended == MANY && c.deepest == 1 ? NULL : user;
}

static void callbacks_that_wait_do_not_nest(scene *s)
{
    libxl_ctx *ctx = core_open();
    pthread_attr_t attributes;
    pthread_t thread;
    void *bad;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 1 << 20);
    assert_int_equal(pthread_create(&thread, &attributes, run_crowd, ctx), 0);
    pthread_join(thread, &bad);
    pthread_attr_destroy(&attributes);
    assert_null(bad);
    core_close(ctx);
    (void)s;
}

/* ---- a synchronous call inside a callback reports to a callback, or to the receiver */

struct nest {
    libxl_ctx *ctx;
    int reports, others, rc;
    bool inside, done;
    struct task other;
};

static void note_report(libxl_ctx *ctx, libxl_event *event, void *user)
{
    struct nest *n = user;
    n->reports += n->inside;
    libxl_event_free(ctx, event);
}

static void receive_report(void *user, libxl_event *event)
{
    note_report(((struct nest *)user)->ctx, event, user);
}

static void note_other(libxl_ctx *ctx, int rc, void *user)
{
    struct nest *n = user;
    (void)ctx;
    n->others += !rc && !n->inside;
}

static void call_with_report(libxl_ctx *ctx, int rc, void *user)
{
    struct nest *n = user;
    struct task t = {.delay = LIBXL__MILLISECONDS(2), .reports = true};
    libxl_asyncprogress_how progress = {.callback = n->rc ? NULL : note_report, .for_callback = n};
    assert_int_equal(rc, 0);
    n->inside = true;
    assert_int_equal(begin(ctx, &t, &progress, NULL), 0);
    n->inside = false;
    n->done = true;
}

/* The completion of `other` becomes due during a synchronous call. That call must not run the callback of
 * `other`. */
static void a_call_inside_a_callback_makes_its_own_reports_only(scene *s)
{
    for (int to_receiver = 0; to_receiver <= 1; to_receiver++) {
        struct nest n = {.ctx = core_open(), .rc = to_receiver};
        struct task t = {.delay = 1};
        const libxl_event_hooks hooks = {.event_occurs_mask = LIBXL_EVENTMASK_ALL,
                                         .event_occurs = receive_report};
        const libxl_asyncop_how how = {.callback = call_with_report, .u.for_callback = &n},
                                other = {.callback = note_other, .u.for_callback = &n};
        if (to_receiver)
            libxl_event_register_callbacks(n.ctx, &hooks, &n);
        n.other.delay = 2;
        assert_int_equal(begin(n.ctx, &t, NULL, &how), ERROR_ASYNC_INPROGRESS);
        assert_int_equal(begin(n.ctx, &n.other, NULL, &other), ERROR_ASYNC_INPROGRESS);
        for (uint64_t end = now_ms() + scaled_ms(5000); !n.others && now_ms() < end;)
            core_continue(n.ctx);
        assert_int_equal(n.reports, 1);
        assert_int_equal(n.others, 1);
        assert_true(n.done);
        core_close(n.ctx);
    }
    (void)s;
}

/* ---- another thread makes the deliveries that a call inside a callback leaves */

struct left {
    libxl_ctx *ctx;
    struct task held, opener, first;
    atomic_bool over, done;
    /* true: the other thread polls the context's descriptor. false: it waits inside the library. */
    bool outside;
    int rc;
};

static void open_held(libxl_ctx *ctx, int rc, void *user)
{
    struct left *l = user;
    (void)rc;
    libxl__ctx_lock(ctx);
    l->held.released = true;
    libxl__ao_wake(l->held.ao);
    libxl__ctx_leave(ctx);
}

static void call_held(libxl_ctx *ctx, int rc, void *user)
{
    struct left *l = user;
    (void)rc;
    l->rc = begin(ctx, &l->held, NULL, NULL);
    l->done = true;
}

static void *serve(void *user)
{
    struct left *l = user;
    struct pollfd fd = {.fd = libxl_ctx_fd(l->ctx), .events = POLLIN};
    libxl_event *event;
    while (!l->over)
        if (!l->outside)
            libxl_event_wait(l->ctx, &event, LIBXL_EVENTMASK_ALL, NULL, NULL);
        else if (poll(&fd, 1, 100) == 1)
            libxl_ctx_process(l->ctx);
    return NULL;
}

/* A callback makes a synchronous call, which waits until `held` ends. `held` ends only when the callback of
 * `opener` runs. The waiting thread must not run that callback, because it is inside a callback itself. So
 * another thread must run it. */
static void another_thread_makes_what_is_left(scene *s)
{
    for (int outside = 0; outside <= 1; outside++) {
        struct left l = {.ctx = core_open(), .outside = outside, .rc = -1};
        pthread_t thread;
        const libxl_asyncop_how first = {.callback = call_held, .u.for_callback = &l},
                                opener = {.callback = open_held, .u.for_callback = &l};
        l.first.delay = 1;
        l.opener.delay = LIBXL__MILLISECONDS(50);
        pthread_create(&thread, NULL, serve, &l);
        sleep_ms(20);
        assert_int_equal(begin(l.ctx, &l.first, NULL, &first), ERROR_ASYNC_INPROGRESS);
        assert_int_equal(begin(l.ctx, &l.opener, NULL, &opener), ERROR_ASYNC_INPROGRESS);
        libxl_event *event;
        for (uint64_t end = now_ms() + scaled_ms(50000); !l.done && now_ms() < end;)
            libxl_event_wait_limit(l.ctx, &event, LIBXL_EVENTMASK_ALL, NULL, NULL, 20);
        assert_int_equal(l.rc, 0);
        l.over = true;
        libxl_ctx_wake(l.ctx);
        pthread_join(thread, NULL);
        core_close(l.ctx);
    }
    (void)s;
}

static const body bodies[] = {
    BODY(callbacks_that_wait_do_not_nest, NO_CONTEXT),
    BODY(a_call_inside_a_callback_makes_its_own_reports_only, NO_CONTEXT),
    BODY(another_thread_makes_what_is_left, NO_CONTEXT),
};

HARNESS_MAIN(bodies)
