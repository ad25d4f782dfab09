/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Waiting in the library. No wake-up is lost, and each event wakes one waiting thread. */
#include "harness.h"

#include <stdlib.h>

enum {
    SOON_MS = 5000,  /* A prompt wake-up takes at most this long, even on a busy machine. */
    LONG_MS = 60000, /* Only a lost wake-up takes this long. */
};

struct waiting {
    libxl_ctx *ctx;
    int limit_ms;
    atomic_bool under_way;
    int rc;
    uint64_t for_user, took_ms;
};

static void *wait_for_event(void *argument)
{
    struct waiting *w = argument;
    libxl_event *event = NULL;
    atomic_store(&w->under_way, true);
    uint64_t began = now_ms();
    w->rc = libxl_event_wait_limit(w->ctx, &event, LIBXL_EVENTMASK_ALL, NULL, NULL, w->limit_ms);
    w->took_ms = now_ms() - began;
    w->for_user = event ? event->for_user : 0;
    libxl_event_free(w->ctx, event);
    return NULL;
}

static pthread_t start(struct waiting *w, scene *s)
{
    pthread_t thread;
    *w = (struct waiting){.ctx = s->ctx, .limit_ms = LONG_MS};
    pthread_create(&thread, NULL, wait_for_event, w);
    while (!atomic_load(&w->under_way))
        sleep_ms(1);
    sleep_ms(20); /* Now the thread sleeps. */
    return thread;
}

/* ---- waiting, and other threads */

struct late {
    scene *s;
    libxl_physinfo info;
    op *o;
};

static void *start_late(void *argument)
{
    struct late *l = argument;
    sleep_ms(20);
    l->o = START(l->s, libxl_host_info, l->s->ctx, &l->info, how);
    return NULL;
}

/* Another thread starts an instant operation. Only the operation's queued event can wake the waiting
 * thread. The thread that starts the operation runs callbacks and the event hook itself. */
static void another_thread_s_operation_ends_a_wait(scene *s)
{
    const bool queued = s->way.mode == EVENT && s->way.style != HOOK;
    struct late l = {.s = s};
    pthread_t thread;
    /* This registers the descriptor with the application's loop. */
    assert_int_equal(RUN(s, libxl_host_info(s->ctx, &l.info, how)), 0);
    uint64_t began = now_ms();
    pthread_create(&thread, NULL, start_late, &l);
    pump(s, queued ? LONG_MS : 50);
    assert_in_range(now_ms() - began, 0, SOON_MS);
    pthread_join(thread, NULL);
    assert_int_equal(op_result(l.o), 0);
}

static void an_event_queued_by_another_thread_wakes(scene *s)
{
    struct waiting w;
    pthread_t thread = start(&w, s);
    complete_instantly(s->ctx, 42);
    pthread_join(thread, NULL);
    assert_int_equal(w.rc, 0);
    assert_true(w.for_user == 42);
    assert_in_range(w.took_ms, 0, 20 + SOON_MS);
}

static void each_of_several_events_wakes_one_waiter(scene *s)
{
    enum { WAITERS = 4 };
    struct waiting w[WAITERS];
    pthread_t threads[WAITERS];
    uint64_t sum = 0;
    for (int i = 0; i < WAITERS; i++)
        threads[i] = start(&w[i], s);
    for (int i = 0; i < WAITERS; i++)
        complete_instantly(s->ctx, 1ull << i);
    for (int i = 0; i < WAITERS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(w[i].rc, 0);
        assert_in_range(w[i].took_ms, 0, WAITERS * 20 + SOON_MS);
        sum += w[i].for_user;
    }
    assert_int_equal(sum, (1 << WAITERS) - 1); /* Each event was received once. */
}

/* The leading thread returns from its wait. The other thread must start to poll, because otherwise no
 * thread would notice that the domain stops. */
static void the_lead_is_handed_over(scene *s)
{
    struct waiting leader, follower;
    libxl_evgen_domain_death *evgen;
    libxl_domid domid = guest(s, "p", false);
    assert_int_equal(libxl_evenable_domain_death(s->ctx, domid, 7, &evgen), 0);
    pthread_t first = start(&leader, s), second = start(&follower, s);
    complete_instantly(s->ctx, 1);
    pthread_join(first, NULL);
    assert_int_equal(leader.rc, 0);
    assert_int_equal(libxl_domain_unpause(s->ctx, domid, NULL), 0);
    pthread_join(second, NULL);
    assert_int_equal(follower.rc, 0);
    assert_true(follower.for_user == 7);
    libxl_evdisable_domain_death(s->ctx, evgen);
    destroy(s, domid);
}

/* ---- a thread is busy in a callback */

struct busy {
    atomic_bool in_callback, released;
};

static void be_busy(libxl_ctx *ctx, int rc, void *user)
{
    struct busy *b = user;
    (void)ctx, (void)rc;
    atomic_store(&b->in_callback, true);
    while (!atomic_load(&b->released))
        sleep_ms(1);
}

static void start_limited(scene *s, libxl_domid domid, const libxl_asyncop_how *how, unsigned milliseconds)
{
    static libxl_shutdown_reason ignored;
    assert_int_equal(libxl_domain_wait_shutdown(s->ctx, domid, &ignored, how), ERROR_ASYNC_INPROGRESS);
    assert_int_equal(libxl_ao_set_limit(s->ctx, how, milliseconds), 0);
}

/* Two threads wait. The first thread is the leader. It is busy in a callback while `happen` runs. */
static void with_one_busy(scene *s, void (*happen)(scene *s, libxl_domid domid))
{
    struct busy b = {.released = false};
    struct waiting first, second;
    libxl_domid domid = guest(s, "b", false);
    const libxl_asyncop_how how = {.callback = be_busy, .u.for_callback = &b};
    pthread_t threads[2] = {start(&first, s), start(&second, s)};
    start_limited(s, domid, &how, 50);
    while (!atomic_load(&b.in_callback))
        sleep_ms(1);
    sleep_ms(20); /* Now the second thread polls. */
    happen(s, domid);
    pthread_join(threads[1], NULL); /* The second thread gets the event. */
    assert_int_equal(second.rc, 0);
    assert_true(second.for_user == 9);
    /* The event has woken the thread, not a periodic timer. */
    assert_in_range(second.took_ms, 0, 2 * SOON_MS);
    atomic_store(&b.released, true);
    libxl_ctx_wake(s->ctx);
    pthread_join(threads[0], NULL);
    destroy(s, domid);
}

static void complete_one(scene *s, libxl_domid domid)
{
    (void)domid;
    complete_instantly(s->ctx, 9);
}

static void limit_one(scene *s, libxl_domid domid)
{
    const libxl_asyncop_how how = {.u.for_event = 9};
    start_limited(s, domid, &how, 50);
}

static void a_busy_leader_does_not_delay_queued_events(scene *s)
{
    with_one_busy(s, complete_one);
}

/* The leading thread is busy in a callback. Another thread must start to poll, because only a polling
 * thread notices the time limit. */
static void a_busy_leader_is_replaced(scene *s)
{
    with_one_busy(s, limit_one);
}

static void *process_often(void *argument)
{
    struct waiting *w = argument;
    while (!atomic_load(&w->under_way))
        libxl_ctx_process(w->ctx);
    return NULL;
}

/* A thread that processes the context must not consume the wake-up of the thread that waits. */
static void processing_does_not_consume_wake_ups(scene *s)
{
    struct waiting busy = {.ctx = s->ctx};
    pthread_t thread;
    pthread_create(&thread, NULL, process_often, &busy);
    for (int i = 0; i < 50; i++) {
        const libxl_asyncop_how how = {.u.for_event = 1};
        libxl_event *event;
        char *names[2] = {NULL};
        assert_int_equal(libxl_domain_get_name(s->ctx, 0, &names[0], NULL), 0);
        assert_int_equal(libxl_domain_get_name(s->ctx, 0, &names[1], &how), ERROR_ASYNC_INPROGRESS);
        assert_int_equal(libxl_event_wait(s->ctx, &event, LIBXL_EVENTMASK_ALL, NULL, NULL), 0);
        libxl_event_free(s->ctx, event);
        free(names[0]);
        free(names[1]);
    }
    atomic_store(&busy.under_way, true);
    pthread_join(thread, NULL);
}

static void wake_ends_every_wait(scene *s)
{
    struct waiting w[3];
    pthread_t threads[3];
    for (int i = 0; i < 3; i++)
        threads[i] = start(&w[i], s);
    libxl_ctx_wake(s->ctx);
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(w[i].rc, ERROR_NOT_READY);
        assert_in_range(w[i].took_ms, 0, 3 * 20 + SOON_MS);
    }
}

/* The state of a thread that returns from a wait, and is woken before it waits again. */
struct waking {
    libxl_ctx *ctx;
    atomic_bool waited, woken;
    int first_rc, rc, next_rc;
};

static void *wait_twice(void *argument)
{
    struct waking *l = argument;
    libxl_event *event;
    l->first_rc = libxl_event_wait_limit(l->ctx, &event, LIBXL_EVENTMASK_ALL, NULL, NULL, 0);
    atomic_store(&l->waited, true);
    while (!atomic_load(&l->woken))
        sleep_ms(1);
    l->rc = libxl_event_wait_limit(l->ctx, &event, LIBXL_EVENTMASK_ALL, NULL, NULL, LONG_MS);
    l->next_rc = libxl_event_wait_limit(l->ctx, &event, LIBXL_EVENTMASK_ALL, NULL, NULL, 20);
    return NULL;
}

static void a_wake_before_the_wait_is_not_lost(scene *s)
{
    enum { THREADS = 3 };
    struct waking l[THREADS];
    struct waiting w;
    pthread_t threads[THREADS], waiting = start(&w, s);
    for (int i = 0; i < THREADS; i++) {
        l[i] = (struct waking){.ctx = s->ctx};
        pthread_create(&threads[i], NULL, wait_twice, &l[i]);
        while (!atomic_load(&l[i].waited))
            sleep_ms(1);
    }
    libxl_ctx_wake(s->ctx);
    pthread_join(waiting, NULL); /* This thread was woken. The other threads must be woken, too. */
    assert_int_equal(w.rc, ERROR_NOT_READY);
    for (int i = 0; i < THREADS; i++)
        atomic_store(&l[i].woken, true);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(l[i].first_rc, ERROR_TIMEDOUT);
        assert_int_equal(l[i].rc, ERROR_NOT_READY);
        assert_int_equal(l[i].next_rc, ERROR_TIMEDOUT); /* One wake-up ends one wait. */
    }
}

static void wake_leaves_operations_alone(scene *s)
{
    char *name = NULL;
    op *o = START(s, libxl_domain_get_name, s->ctx, 0, &name, how);
    libxl_ctx_wake(s->ctx);
    libxl_ctx_wake(s->ctx);
    assert_int_equal(op_result(o), 0);
    free(name);
}

/* ---- limits */

static void a_wait_has_a_limit(scene *s)
{
    libxl_event *event = (void *)1;
    const int limits_ms[] = {0, 1, 50};
    for (size_t i = 0; i < 3; i++) {
        uint64_t began = now_ms();
        assert_int_equal(
            libxl_event_wait_limit(s->ctx, &event, LIBXL_EVENTMASK_ALL, NULL, NULL, limits_ms[i]),
            ERROR_TIMEDOUT);
        assert_null(event);
        assert_in_range(now_ms() - began, (uint64_t)(limits_ms[i] ? limits_ms[i] - 1 : 0),
                        (uint64_t)limits_ms[i] + SOON_MS);
    }
}

/* A program makes only waits of 0 ms. The library must still do its work. */
static void waits_of_0_ms_make_progress(scene *s)
{
    libxl_event *event = NULL;
    libxl_shutdown_reason reason;
    libxl_domid domid = guest(s, "p", false);
    const libxl_asyncop_how how = {.u.for_event = 1};
    assert_int_equal(libxl_domain_wait_shutdown(s->ctx, domid, &reason, &how), ERROR_ASYNC_INPROGRESS);
    assert_int_equal(libxl_domain_unpause(s->ctx, domid, NULL), 0);
    for (uint64_t end = now_ms() + scaled_ms(5000); !event && now_ms() < end; sleep_ms(1))
        libxl_event_wait_limit(s->ctx, &event, LIBXL_EVENTMASK_ALL, NULL, NULL, 0);
    assert_non_null(event);
    libxl_event_free(s->ctx, event);
    destroy(s, domid);
}

static const body bodies[] = {
    BODY(another_thread_s_operation_ends_a_wait),
    BODY(an_event_queued_by_another_thread_wakes, RUNS_ONCE),
    BODY(each_of_several_events_wakes_one_waiter, RUNS_ONCE),
    BODY(the_lead_is_handed_over, RUNS_ONCE),
    BODY(a_busy_leader_does_not_delay_queued_events, RUNS_ONCE),
    BODY(a_busy_leader_is_replaced, RUNS_ONCE),
    BODY(processing_does_not_consume_wake_ups, RUNS_ONCE),
    BODY(a_wake_before_the_wait_is_not_lost, RUNS_ONCE),
    BODY(wake_ends_every_wait, RUNS_ONCE),
    BODY(wake_leaves_operations_alone),
    BODY(a_wait_has_a_limit, RUNS_ONCE),
    BODY(waits_of_0_ms_make_progress, RUNS_ONCE),
};

HARNESS_MAIN(bodies)
