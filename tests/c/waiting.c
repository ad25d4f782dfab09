/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Waiting: nobody sleeps on what has happened, and nobody is woken for nothing. */
#include "harness.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/time.h>

enum {
    SOON_MS = 500,
    LONG_MS = 10000
}; /* a moment, on a busy machine; for ever, for a wakeup that is lost */

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
    sleep_ms(20); /* it is asleep now */
    return thread;
}

static void complete_instantly(libxl_ctx *ctx, uint64_t for_event)
{
    libxl_physinfo info;
    const libxl_asyncop_how how = {.u.for_event = for_event};
    assert_int_equal(libxl_host_info(ctx, &info, &how), ERROR_ASYNC_INPROGRESS);
}

/* ---- libxl_event_wait and other threads */

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
    assert_int_equal(sum, (1 << WAITERS) - 1); /* each event once */
}

/* The thread that polls goes; another one must take over, or nobody would see the domain stop. */
static void the_lead_is_handed_over(scene *s)
{
    struct waiting leader, follower;
    libxl_evgen_domain_death *evgen;
    libxl_domid domid = guest_new(s->ctx, "p", false);
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
    guest_destroy(s->ctx, domid);
}

/* ---- a thread that is busy in a callback */

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

/* Two wait; the first one polls, and has got into a callback. */
static void with_one_busy(scene *s, void (*happen)(scene *s, libxl_domid domid))
{
    struct busy b = {.released = false};
    struct waiting first, second;
    libxl_domid domid = guest_new(s->ctx, "b", false);
    const libxl_asyncop_how how = {.callback = be_busy, .u.for_callback = &b};
    pthread_t threads[2] = {start(&first, s), start(&second, s)};
    start_limited(s, domid, &how, 50);
    while (!atomic_load(&b.in_callback))
        sleep_ms(1);
    sleep_ms(20); /* the second one polls now */
    happen(s, domid);
    pthread_join(threads[1], NULL); /* the other one gets it */
    assert_int_equal(second.rc, 0);
    assert_true(second.for_user == 9);
    assert_in_range(second.took_ms, 0, 2 * SOON_MS); /* not by chance, at the next look at the domains */
    atomic_store(&b.released, true);
    libxl_ctx_wake(s->ctx);
    pthread_join(threads[0], NULL);
    guest_destroy(s->ctx, domid);
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

static void who_is_busy_keeps_no_event_from_others(scene *s)
{
    with_one_busy(s, complete_one);
}

/* The limit is seen only by who polls. */
static void who_is_busy_leaves_the_lead_to_others(scene *s)
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

/* What wakes the thread that polls must not be swallowed by one that processes the context at the same time.
 */
static void a_thread_that_processes_steals_no_wakeup(scene *s)
{
    struct waiting busy = {.ctx = s->ctx};
    pthread_t thread;
    pthread_create(&thread, NULL, process_often, &busy);
    for (int i = 0; i < 50; i++) {
        char *name = NULL;
        assert_int_equal(libxl_domain_get_name(s->ctx, 0, &name, NULL), 0);
        free(name);
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

/* It returns from a wait, looks whether it is to go on, and is woken before it waits again. */
struct looking {
    libxl_ctx *ctx;
    atomic_bool looked, woken;
    int first_rc, rc, next_rc;
};

static void *look_and_wait(void *argument)
{
    struct looking *l = argument;
    libxl_event *event;
    l->first_rc = libxl_event_wait_limit(l->ctx, &event, LIBXL_EVENTMASK_ALL, NULL, NULL, 0);
    atomic_store(&l->looked, true);
    while (!atomic_load(&l->woken))
        sleep_ms(1);
    l->rc = libxl_event_wait_limit(l->ctx, &event, LIBXL_EVENTMASK_ALL, NULL, NULL, LONG_MS);
    l->next_rc = libxl_event_wait_limit(l->ctx, &event, LIBXL_EVENTMASK_ALL, NULL, NULL, 20);
    return NULL;
}

static void a_wake_before_the_wait_is_not_lost(scene *s)
{
    enum { THREADS = 3 };
    struct looking l[THREADS];
    struct waiting w;
    pthread_t threads[THREADS], waiting = start(&w, s);
    for (int i = 0; i < THREADS; i++) {
        l[i] = (struct looking){.ctx = s->ctx};
        pthread_create(&threads[i], NULL, look_and_wait, &l[i]);
        while (!atomic_load(&l[i].looked))
            sleep_ms(1);
    }
    libxl_ctx_wake(s->ctx);
    pthread_join(waiting, NULL); /* it has heard of it; so must they */
    assert_int_equal(w.rc, ERROR_NOT_READY);
    for (int i = 0; i < THREADS; i++)
        atomic_store(&l[i].woken, true);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(l[i].first_rc, ERROR_TIMEDOUT);
        assert_int_equal(l[i].rc, ERROR_NOT_READY);
        assert_int_equal(l[i].next_rc, ERROR_TIMEDOUT); /* once */
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

/* A program that only ever looks must get on as well. */
static void a_wait_of_nothing_does_what_is_due(scene *s)
{
    libxl_event *event = NULL;
    libxl_shutdown_reason reason;
    libxl_domid domid = guest_new(s->ctx, "p", false);
    const libxl_asyncop_how how = {.u.for_event = 1};
    assert_int_equal(libxl_domain_wait_shutdown(s->ctx, domid, &reason, &how), ERROR_ASYNC_INPROGRESS);
    assert_int_equal(libxl_domain_unpause(s->ctx, domid, NULL), 0);
    for (uint64_t end = now_ms() + 5000; !event && now_ms() < end; sleep_ms(1))
        libxl_event_wait_limit(s->ctx, &event, LIBXL_EVENTMASK_ALL, NULL, NULL, 0);
    assert_non_null(event);
    libxl_event_free(s->ctx, event);
    guest_destroy(s->ctx, domid);
}

/* ---- the one descriptor */

static bool readable_within(scene *s, int milliseconds)
{
    struct pollfd fd = {.fd = libxl_ctx_fd(s->ctx), .events = POLLIN};
    return poll(&fd, 1, milliseconds) == 1;
}

/* At most one that finds nothing. */
static void silent_after_a_look(scene *s)
{
    libxl_event_record record;
    if (readable_within(s, 0))
        assert_int_equal(libxl_event_take(s->ctx, &record, 1), 0);
    assert_false(readable_within(s, 20));
}

static void the_descriptor_shows_what_is_to_be_done(scene *s)
{
    char *name = NULL;
    libxl_event_record record;
    int fd = libxl_ctx_fd(s->ctx);
    assert_false(readable_within(s, 20)); /* nothing */

    const libxl_asyncop_how how = {.u.for_event = 1};
    assert_int_equal(libxl_domain_get_name(s->ctx, 0, &name, &how), ERROR_ASYNC_INPROGRESS);
    assert_true(readable_within(s, LONG_MS)); /* a worker has finished */
    assert_true(readable_within(s, 0));       /* and it stays so */
    int taken = 0;
    for (; !taken && readable_within(s, LONG_MS);)
        taken = libxl_event_take(s->ctx, &record, 1);
    assert_int_equal(taken, 1);
    silent_after_a_look(s);

    complete_instantly(s->ctx, 2);
    complete_instantly(s->ctx, 3);
    assert_true(readable_within(s, 0)); /* events */
    assert_int_equal(libxl_event_take(s->ctx, &record, 1), 1);
    assert_true(readable_within(s, 0)); /* one more */
    assert_int_equal(libxl_event_take(s->ctx, &record, 1), 1);
    silent_after_a_look(s);
    assert_int_equal(libxl_ctx_fd(s->ctx), fd);
    free(name);
}

/* A program that polls the descriptor and fetches by a wait of nothing: it, too, is told when there is no more. */
static void a_wait_that_finds_nothing_is_a_look(scene *s)
{
    libxl_event *event = NULL;
    assert_false(readable_within(s, 20));
    complete_instantly(s->ctx, 1);
    assert_true(readable_within(s, 0));
    assert_int_equal(libxl_event_wait_limit(s->ctx, &event, LIBXL_EVENTMASK_ALL, NULL, NULL, 0), 0);
    libxl_event_free(s->ctx, event);
    assert_int_equal(libxl_event_wait_limit(s->ctx, &event, LIBXL_EVENTMASK_ALL, NULL, NULL, 0),
                     ERROR_TIMEDOUT);
    assert_false(readable_within(s, 20));
}

/* Once a node has been read it is left alone until it changes. */
static void what_waits_is_quiet(scene *s)
{
    libxl_domid domid = guest_new(s->ctx, "b", false);
    const libxl_asyncop_how how = {.u.for_event = 1};
    assert_int_equal(libxl_domain_shutdown(s->ctx, domid, &how), ERROR_ASYNC_INPROGRESS);
    bool quiet = false;
    for (int i = 0; i < 50 && !quiet; i++) {
        quiet = !readable_within(s, 50);
        assert_int_equal(libxl_ctx_process(s->ctx), 0);
    }
    assert_true(quiet);
    libxl_event *event;
    assert_int_equal(libxl_ao_abort(s->ctx, &how), 0);
    assert_int_equal(libxl_event_wait(s->ctx, &event, LIBXL_EVENTMASK_ALL, NULL, NULL), 0);
    libxl_event_free(s->ctx, event);
    guest_destroy(s->ctx, domid);
}

static void the_descriptor_shows_a_limit_that_is_reached(scene *s)
{
    libxl_event_record record;
    libxl_shutdown_reason reason;
    libxl_domid domid = guest_new(s->ctx, "b", true);
    const libxl_asyncop_how how = {.u.for_event = 1};
    assert_int_equal(libxl_domain_wait_shutdown(s->ctx, domid, &reason, &how), ERROR_ASYNC_INPROGRESS);
    assert_int_equal(libxl_ao_set_limit(s->ctx, &how, 100), 0);
    uint64_t began = now_ms();
    int taken = 0;
    while (!taken && readable_within(s, LONG_MS))
        taken = libxl_event_take(s->ctx, &record, 1);
    assert_int_equal(taken, 1);
    assert_int_equal(record.value, ERROR_TIMEDOUT);
    assert_in_range(now_ms() - began, 99, 1000);
    libxl_event_free(s->ctx, record.event);
    guest_destroy(s->ctx, domid);
}

static void process_runs_callbacks_that_are_due_and_never_blocks(scene *s)
{
    libxl_shutdown_reason reason;
    libxl_domid domid = guest_new(s->ctx, "b", true);
    op *o = START(s, libxl_domain_wait_shutdown, s->ctx, domid, &reason, how);
    uint64_t began = now_ms();
    for (int i = 0; i < 100; i++)
        assert_int_equal(libxl_ctx_process(s->ctx), 0);
    assert_in_range(now_ms() - began, 0, 1000);
    assert_false(op_done(o));
    assert_int_equal(libxl_ao_abort(s->ctx, &o->how), 0);
    assert_int_equal(op_result(o), ERROR_ABORTED);
    guest_destroy(s->ctx, domid);
}

static void beforepoll_says_when_there_is_no_room(scene *s)
{
    struct pollfd fds[3];
    struct timeval now = {.tv_sec = 0};
    int count = 0, timeout = -1;
    assert_int_equal(libxl_osevent_beforepoll(s->ctx, &count, fds, &timeout, now), ERROR_BUFFERFULL);
    assert_int_equal(count, 1); /* the room it takes */
    count = 3;
    assert_int_equal(libxl_osevent_beforepoll(s->ctx, &count, fds, &timeout, now), 0);
    assert_int_equal(count, 1);
    assert_int_equal(fds[0].fd, libxl_ctx_fd(s->ctx));
    assert_int_equal(timeout, -1);
}

static void *poll_descriptor(void *argument)
{
    struct waiting *w = argument;
    struct pollfd fd = {.fd = libxl_ctx_fd(w->ctx), .events = POLLIN};
    atomic_store(&w->under_way, true);
    uint64_t began = now_ms();
    w->rc = poll(&fd, 1, LONG_MS);
    w->took_ms = now_ms() - began;
    return NULL;
}

static void an_application_s_poll_is_ended_by_another_thread(scene *s)
{
    struct waiting w = {.ctx = s->ctx};
    libxl_event_record record;
    pthread_t thread;
    pthread_create(&thread, NULL, poll_descriptor, &w);
    while (!atomic_load(&w.under_way))
        sleep_ms(1);
    sleep_ms(20);
    complete_instantly(s->ctx, 5);
    pthread_join(thread, NULL);
    assert_int_equal(w.rc, 1);
    assert_in_range(w.took_ms, 0, 20 + SOON_MS);
    assert_int_equal(libxl_event_take(s->ctx, &record, 1), 1);
    assert_true(record.for_user == 5);
}

/* ---- descriptors and threads of a context that is used */

static void many_operations_leave_as_many_descriptors(scene *s)
{
    struct fixture before, after;
    char *name = NULL;
    fixture_begin(&before);
    for (int i = 0; i < 200; i++) {
        assert_int_equal(RUN(s, libxl_domain_get_name(s->ctx, 0, &name, how)), 0);
        free(name);
    }
    fixture_begin(&after);
    assert_int_equal(after.descriptors, before.descriptors);
    assert_in_range(after.threads, before.threads, before.threads + 1); /* the worker that serves xenstore */
}

static void idle_workers_go(scene *s)
{
    libxl_counters count;
    for (int round = 0; round < 2; round++) { /* and come again */
        guest_destroy(s->ctx, guest_new(s->ctx, "b", false));
        libxl_ctx_counters(s->ctx, &count);
        assert_in_range(count.threads, 1, 3);
        for (uint64_t end = now_ms() + 5000; count.threads && now_ms() < end; sleep_ms(50))
            libxl_ctx_counters(s->ctx, &count);
        assert_int_equal(count.threads, 0);
    }
}

static const body bodies[] = {
    BODY(an_event_queued_by_another_thread_wakes, NOT_YET),
    BODY(each_of_several_events_wakes_one_waiter, NOT_YET),
    BODY(the_lead_is_handed_over, NOT_YET),
    BODY(who_is_busy_keeps_no_event_from_others, NOT_YET),
    BODY(who_is_busy_leaves_the_lead_to_others, NOT_YET),
    BODY(a_thread_that_processes_steals_no_wakeup, NOT_YET),
    BODY(a_wake_before_the_wait_is_not_lost, NOT_YET),
    BODY(wake_ends_every_wait, NOT_YET),
    BODY(wake_leaves_operations_alone, NOT_YET),
    BODY(a_wait_has_a_limit, NOT_YET),
    BODY(a_wait_of_nothing_does_what_is_due, NOT_YET),
    BODY(the_descriptor_shows_what_is_to_be_done, NOT_YET),
    BODY(a_wait_that_finds_nothing_is_a_look, NOT_YET),
    BODY(what_waits_is_quiet, NOT_YET),
    BODY(the_descriptor_shows_a_limit_that_is_reached, NOT_YET),
    BODY(process_runs_callbacks_that_are_due_and_never_blocks, NOT_YET),
    BODY(beforepoll_says_when_there_is_no_room, NOT_YET),
    BODY(an_application_s_poll_is_ended_by_another_thread, NOT_YET),
    BODY(many_operations_leave_as_many_descriptors, NOT_YET),
    BODY(idle_workers_go, NOT_YET),
};

HARNESS_MAIN(bodies)
