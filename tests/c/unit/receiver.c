/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The application's receiver of events: one at a time, in their order, and reports before the completion. */
#include "core.h"

#include <stdlib.h>

#define REPORT LIBXL_EVENT_TYPE_DOMAIN_CREATE_CONSOLE_AVAILABLE

/* The first event is held in event_occurs until it is let go. */
struct desk {
    libxl_ctx *ctx;
    atomic_bool held, let_go;
    atomic_int calls, completed;
    uint64_t order[4];
};

static void occurs(void *user, libxl_event *event)
{
    struct desk *d = user;
    int call = atomic_fetch_add(&d->calls, 1);
    d->order[call] = event->for_user;
    libxl_event_free(d->ctx, event);
    atomic_store(&d->held, true);
    while (call == 0 && !atomic_load(&d->let_go))
        sleep_ms(1);
}

static const libxl_event_hooks receiver = {.event_occurs_mask = LIBXL_EVENTMASK_ALL, .event_occurs = occurs};

static int instant_body(libxl__ao *ao, void *args)
{
    (void)args;
    libxl__ao_progress(ao, REPORT); /* where it is wanted */
    return 0;
}

static const libxl__ao_class instant = {.name = "instant", .body = instant_body, .args_size = sizeof(void *)};

static void completed(libxl_ctx *ctx, int rc, void *user)
{
    struct desk *d = user;
    (void)ctx, (void)rc;
    d->completed++;
}

static void open_desk(struct desk *d)
{
    *d = (struct desk){.ctx = core_open()};
    libxl_event_register_callbacks(d->ctx, &receiver, d);
}

/* Starts `first` on a thread of its own, which is inside event_occurs when this returns. */
static pthread_t hold(struct desk *d, void *(*first)(void *))
{
    pthread_t thread;
    pthread_create(&thread, NULL, first, d);
    while (!atomic_load(&d->held))
        sleep_ms(1);
    return thread;
}

static void let_go(struct desk *d, pthread_t thread)
{
    atomic_store(&d->let_go, true);
    pthread_join(thread, NULL);
}

static void *complete_first(void *user)
{
    struct desk *d = user;
    assert_int_equal(core_start(d->ctx, &instant, 1, d), ERROR_ASYNC_INPROGRESS);
    return NULL;
}

static void events_are_received_one_at_a_time(scene *s)
{
    struct desk d;
    open_desk(&d);
    pthread_t thread = hold(&d, complete_first);
    for (uint64_t number = 2; number <= 3; number++)
        assert_int_equal(core_start(d.ctx, &instant, number, &d), ERROR_ASYNC_INPROGRESS);
    assert_int_equal(libxl_ctx_process(d.ctx), 0);
    assert_int_equal(d.calls, 1);
    let_go(&d, thread);
    assert_int_equal(d.calls, 3);
    for (uint64_t i = 0; i < 3; i++)
        assert_int_equal(d.order[i], i + 1);
    core_close(d.ctx);
    (void)s;
}

static void *report_first(void *user)
{
    struct desk *d = user;
    const libxl_asyncop_how how = {.callback = completed, .u.for_callback = d};
    const libxl_asyncprogress_how progress = {.u.for_event = 1};
    libxl__ao *ao;
    assert_int_equal(libxl__ao_create(d->ctx, &instant, 0, &how, &ao), 0);
    libxl__ao_progress_how(ao, &progress);
    assert_int_equal(libxl__ao_start(ao), ERROR_ASYNC_INPROGRESS);
    return NULL;
}

static void a_report_is_received_before_the_completion_is_called(scene *s)
{
    struct desk d;
    open_desk(&d);
    pthread_t thread = hold(&d, report_first);
    assert_int_equal(libxl_ctx_process(d.ctx), 0);
    assert_int_equal(d.completed, 0);
    let_go(&d, thread);
    assert_int_equal(d.completed, 1);
    core_close(d.ctx);
    (void)s;
}

static void reported(libxl_ctx *ctx, libxl_event *event, void *user)
{
    (void)ctx;
    occurs(user, event);
}

static int reporting_body(libxl__ao *ao, void *args)
{
    (void)args;
    libxl__ao_progress(ao, REPORT);
    libxl__ao_progress(ao, REPORT);
    return 0;
}

static void *report_twice(void *user)
{
    static const libxl__ao_class reporting = {
        .name = "reporting", .body = reporting_body, .args_size = sizeof(void *)};
    struct desk *d = user;
    const libxl_asyncop_how how = {.callback = completed, .u.for_callback = d};
    const libxl_asyncprogress_how progress = {.callback = reported, .u.for_callback = d};
    libxl__ao *ao;
    assert_int_equal(libxl__ao_create(d->ctx, &reporting, 0, &how, &ao), 0);
    libxl__ao_progress_how(ao, &progress);
    assert_int_equal(libxl__ao_start(ao), ERROR_ASYNC_INPROGRESS);
    return NULL;
}

static void reports_of_one_operation_are_called_one_at_a_time(scene *s)
{
    struct desk d;
    open_desk(&d);
    pthread_t thread = hold(&d, report_twice);
    assert_int_equal(libxl_ctx_process(d.ctx), 0);
    assert_int_equal(d.calls, 1);
    assert_int_equal(d.completed, 0);
    let_go(&d, thread);
    assert_int_equal(d.calls, 2);
    assert_int_equal(d.completed, 1);
    core_close(d.ctx);
    (void)s;
}

static const body bodies[] = {
    BODY(events_are_received_one_at_a_time, NO_CONTEXT),
    BODY(a_report_is_received_before_the_completion_is_called, NO_CONTEXT),
    BODY(reports_of_one_operation_are_called_one_at_a_time, NO_CONTEXT),
};

HARNESS_MAIN(bodies)
