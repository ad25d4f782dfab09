/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests that the library does not have certain faults of libxl. docs/libxl-faults.md describes these
 * faults. The tests concern threads, loops and operations, and use domains. */
#include "harness.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

/* ---- no descriptors are left */

/* poll(2) refuses more entries than RLIMIT_NOFILE. A sandbox may set this limit to 0 when the context is
 * open. Sets the limit to `count`, and returns the earlier limit. */
static struct rlimit allow_descriptors(rlim_t count)
{
    struct rlimit before, now;
    getrlimit(RLIMIT_NOFILE, &before);
    now = (struct rlimit){.rlim_cur = count, .rlim_max = before.rlim_max};
    setrlimit(RLIMIT_NOFILE, &now);
    return before;
}

static void an_instant_operation_needs_no_descriptor(scene *s)
{
    libxl_domid domid = guest(s, "b", true);
    const struct rlimit before = allow_descriptors(0);
    int rc = RUN(s, libxl_domain_pause(s->ctx, domid, how));
    setrlimit(RLIMIT_NOFILE, &before);
    assert_int_equal(rc, 0);
    destroy(s, domid);
}

/* Of three operations, one waits for xenstored's answer, one for a time limit, and one for a
 * worker's result. */
static void operations_wait_without_descriptors(scene *s)
{
    libxl_domid domid = guest(s, "b", true);
    char *name = NULL;
    libxl_shutdown_reason reason;
    const struct rlimit before = allow_descriptors(0);
    const int read = libxl_domain_get_name(s->ctx, domid, &name, NULL);
    libxl_ao_set_limit(s->ctx, NULL, 20);
    const int limited = libxl_domain_wait_shutdown(s->ctx, domid, &reason, NULL);
    libxl_ao_set_limit(s->ctx, NULL, 0);
    const int destroyed = libxl_domain_destroy(s->ctx, domid, NULL);
    setrlimit(RLIMIT_NOFILE, &before);
    free(name);
    assert_int_equal(read, 0);
    assert_int_equal(limited, ERROR_TIMEDOUT);
    assert_int_equal(destroyed, 0);
}

static void *wake_later(void *ctx)
{
    sleep_ms(30);
    libxl_ctx_wake(ctx);
    return NULL;
}

static void a_wake_up_needs_no_descriptors(scene *s)
{
    libxl_event *event;
    pthread_t thread;
    const struct rlimit before = allow_descriptors(0);
    pthread_create(&thread, NULL, wake_later, s->ctx);
    const int rc = libxl_event_wait_limit(s->ctx, &event, LIBXL_EVENTMASK_ALL, NULL, NULL, 50000);
    pthread_join(thread, NULL);
    setrlimit(RLIMIT_NOFILE, &before);
    assert_int_equal(rc, ERROR_NOT_READY);
}

static void a_context_closes_without_descriptors(scene *s)
{
    libxl_ctx *ctx;
    const libxl_domid domid = guest(s, "b", true);
    const libxl_asyncop_how how = {.u.for_event = 1};
    assert_int_equal(libxl_ctx_alloc(&ctx, LIBXL_VERSION, 0, NULL), 0);
    /* The closing of the context withdraws the request. */
    const int started = libxl_domain_shutdown(ctx, domid, &how);
    const struct rlimit before = allow_descriptors(0);
    const int rc = libxl_ctx_free(ctx);
    setrlimit(RLIMIT_NOFILE, &before);
    assert_int_equal(started, ERROR_ASYNC_INPROGRESS);
    assert_int_equal(rc, 0);
    destroy(s, domid);
}

/* ---- an abort after a timer has fired, in an application's loop */

static void an_abort_may_follow_an_expired_time_limit(scene *s)
{
    libxl_domid domid = guest(s, "b", true);
    for (int processed = 0; processed < 2; processed++) {
        libxl_shutdown_reason reason;
        op *o = START(s, libxl_domain_wait_shutdown, s->ctx, domid, &reason, how);
        assert_int_equal(libxl_ao_set_limit(s->ctx, &o->how, 1), 0);
        sleep_ms(20); /* The time limit has passed. In the second round the loop also processes the timer. */
        if (processed)
            pump(s, 0);
        const int asked = libxl_ao_abort(s->ctx, &o->how);
        /* If the test has several threads, another thread may have processed the timer. */
        if (!s->way.several)
            assert_int_equal(asked, processed ? ERROR_NOTFOUND : 0);
        assert_int_equal(op_result(o), asked ? ERROR_TIMEDOUT : ERROR_ABORTED);
    }
    destroy(s, domid);
}

/* ---- no needless wake-ups */

enum { WAITERS = 20, ROUNDS = 200 };

struct sleeper {
    scene *s;
    libxl_domid domid;
    pthread_t thread;
    long wakeups;
    int rc;
};

static void *wait_synchronously(void *argument)
{
    struct sleeper *sleeper = argument;
    struct rusage usage;
    libxl_shutdown_reason reason;
    getrusage(RUSAGE_THREAD, &usage);
    long before = usage.ru_nvcsw;
    sleeper->rc = libxl_domain_wait_shutdown(sleeper->s->ctx, sleeper->domid, &reason, NULL);
    getrusage(RUSAGE_THREAD, &usage);
    sleeper->wakeups = usage.ru_nvcsw - before;
    return NULL;
}

static void a_completion_wakes_its_own_waiter_only(scene *s)
{
    libxl_domid domid = guest(s, "b", true), other = guest(s, "b", true);
    struct sleeper sleepers[WAITERS];
    for (int i = 0; i < WAITERS; i++) {
        sleepers[i] = (struct sleeper){.s = s, .domid = domid};
        pthread_create(&sleepers[i].thread, NULL, wait_synchronously, &sleepers[i]);
    }
    sleep_ms(50);
    for (int i = 0; i < ROUNDS; i++) { /* Each operation waits for xenstored, so the loop completes it. */
        char *name;
        assert_int_equal(libxl_domain_get_name(s->ctx, other, &name, NULL), 0);
        free(name);
    }
    destroy(s, domid);
    long most = 0, all = 0;
    for (int i = 0; i < WAITERS; i++) {
        pthread_join(sleepers[i].thread, NULL);
        assert_true(sleepers[i].rc == ERROR_DOMAIN_DESTROYED);
        all += sleepers[i].wakeups;
        most = sleepers[i].wakeups > most ? sleepers[i].wakeups : most;
    }
    /* The leading thread handles all events. Each other thread is woken only a few times. */
    if (all - most > 30 * WAITERS)
        fail_msg("%d waiting threads without the leader were woken %ld times", WAITERS, all - most);
    destroy(s, other);
}

static const body bodies[] = {
    BODY(an_instant_operation_needs_no_descriptor, ALONE),
    BODY(operations_wait_without_descriptors, ALONE | RUNS_ONCE),
    BODY(a_wake_up_needs_no_descriptors, RUNS_ONCE),
    BODY(a_context_closes_without_descriptors, RUNS_ONCE),
    BODY(an_abort_may_follow_an_expired_time_limit, ASYNCHRONOUS),
    BODY(a_completion_wakes_its_own_waiter_only, RUNS_ONCE),
};
HARNESS_MAIN(bodies)
