/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The application's event receiver. It gets the events one at a time and in order. It gets an operation's
 * reports before the completion. */
#include "core.h"

#include <stdlib.h>

#define REPORT LIBXL_EVENT_TYPE_DOMAIN_CREATE_CONSOLE_AVAILABLE

enum { ROOM = 4 };

/* The application's receiver and the events that it got. event_occurs() blocks on the first event until
 * `release` is set. */
struct desk {
    libxl_ctx *ctx;
    atomic_bool held, release;
    atomic_int calls, completed;
    uint64_t order[ROOM]; /* The for_user values of the first events. */
};

static void occurs(void *user, libxl_event *event)
{
    struct desk *d = user;
    int call = atomic_fetch_add(&d->calls, 1);
    if (call < ROOM)
        d->order[call] = event->for_user;
    libxl_event_free(d->ctx, event);
    atomic_store(&d->held, true);
    while (call == 0 && !atomic_load(&d->release))
        sleep_ms(1);
}

static const libxl_event_hooks receiver = {.event_occurs_mask = LIBXL_EVENTMASK_ALL, .event_occurs = occurs};

static int instant_body(libxl__ao *ao, void *args)
{
    (void)args;
    /* The library delivers this report only if the test has requested reports. */
    libxl__ao_progress(ao, REPORT);
    return 0;
}

static const libxl__ao_class instant = {
    .name = "instant", .body = instant_body, .args_size = sizeof(void *), .reports = true};

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

/* Runs `first` on a new thread. Returns the thread when it is inside event_occurs(). */
static pthread_t hold(struct desk *d, void *(*first)(void *))
{
    pthread_t thread;
    pthread_create(&thread, NULL, first, d);
    while (!atomic_load(&d->held))
        sleep_ms(1);
    return thread;
}

static void release(struct desk *d, pthread_t thread)
{
    atomic_store(&d->release, true);
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
    release(&d, thread);
    assert_int_equal(d.calls, 3);
    for (uint64_t i = 0; i < 3; i++)
        assert_int_equal(d.order[i], i + 1);
    core_close(d.ctx);
    (void)s;
}

static void poll_once(libxl_ctx *ctx, int rc, void *user)
{
    struct desk *d = user;
    libxl_event *event;
    (void)rc;
    assert_int_equal(libxl_event_wait_limit(ctx, &event, LIBXL_EVENTMASK_ALL, NULL, NULL, 0), ERROR_TIMEDOUT);
    d->completed++;
}

static void waiting_in_a_callback_does_not_call_a_busy_receiver(scene *s)
{
    struct desk d;
    open_desk(&d);
    const libxl_asyncop_how how = {.callback = poll_once, .u.for_callback = &d};
    pthread_t thread = hold(&d, complete_first);
    assert_int_equal(core_start(d.ctx, &instant, 2, &d), ERROR_ASYNC_INPROGRESS);
    assert_int_equal(core_begin(d.ctx, &instant, &d, &how), ERROR_ASYNC_INPROGRESS);
    assert_int_equal(d.completed, 1);
    assert_int_equal(d.calls, 1);
    release(&d, thread);
    assert_int_equal(d.calls, 2);
    core_close(d.ctx);
    (void)s;
}

static void start_reporting(struct desk *d, const libxl__ao_class *cls,
                            const libxl_asyncprogress_how *progress)
{
    const libxl_asyncop_how how = {.callback = completed, .u.for_callback = d};
    libxl__ao *ao;
    assert_int_equal(libxl__ao_create(d->ctx, cls, 0, &how, &ao), 0);
    libxl__ao_progress_how(ao, progress);
    assert_int_equal(libxl__ao_start(ao), ERROR_ASYNC_INPROGRESS);
}

static void *report_first(void *user)
{
    start_reporting(user, &instant, &(libxl_asyncprogress_how){.for_event = 1});
    return NULL;
}

static void a_report_is_received_before_the_completion(scene *s)
{
    struct desk d;
    open_desk(&d);
    pthread_t thread = hold(&d, report_first);
    assert_int_equal(libxl_ctx_process(d.ctx), 0);
    assert_int_equal(d.completed, 0);
    release(&d, thread);
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
        .name = "reporting", .body = reporting_body, .args_size = sizeof(void *), .reports = true};
    const libxl_asyncprogress_how progress = {.callback = reported, .for_callback = user};
    start_reporting(user, &reporting, &progress);
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
    release(&d, thread);
    assert_int_equal(d.calls, 2);
    assert_int_equal(d.completed, 1);
    core_close(d.ctx);
    (void)s;
}

/* ---- order */

struct sequence {
    libxl_ctx *ctx;
    int count;
    uint64_t order[8];
};

static void occurs_in_sequence(void *user, libxl_event *event)
{
    struct sequence *sequence = user;
    sequence->order[sequence->count++] = event->for_user;
    libxl_event_free(sequence->ctx, event);
}

static void called_in_sequence(libxl_ctx *ctx, int rc, void *user)
{
    struct sequence *sequence = user;
    (void)ctx, (void)rc;
    sequence->order[sequence->count] = (uint64_t)sequence->count;
    sequence->count++;
}

/* The completions of these operations are delivered after this callback has returned. */
static void start_some(libxl_ctx *ctx, int rc, void *user)
{
    const libxl_asyncop_how by_callback = {.callback = called_in_sequence, .u.for_callback = user};
    (void)rc;
    for (uint64_t number = 0; number < 8; number++)
        assert_int_equal(number % 2 ? core_begin(ctx, &instant, NULL, &by_callback)
                                    : core_start(ctx, &instant, number, NULL),
                         ERROR_ASYNC_INPROGRESS);
}

static void callbacks_and_events_come_in_the_order_of_occurrence(scene *s)
{
    struct sequence sequence = {.ctx = core_open()};
    const libxl_event_hooks hooks = {.event_occurs_mask = LIBXL_EVENTMASK_ALL,
                                     .event_occurs = occurs_in_sequence};
    const libxl_asyncop_how how = {.callback = start_some, .u.for_callback = &sequence};
    libxl_event_register_callbacks(sequence.ctx, &hooks, &sequence);
    assert_int_equal(core_begin(sequence.ctx, &instant, NULL, &how), ERROR_ASYNC_INPROGRESS);
    assert_int_equal(sequence.count, 8);
    for (uint64_t i = 0; i < 8; i++)
        assert_int_equal(sequence.order[i], i);
    core_close(sequence.ctx);
    (void)s;
}

/* ---- a busy receiver */

static void a_busy_receiver_gets_all_events_later(scene *s)
{
    enum { WAITING = 16000 };
    struct desk d;
    open_desk(&d);
    pthread_t thread = hold(&d, complete_first);
    for (uint64_t number = 1; number <= WAITING; number++)
        assert_int_equal(core_start(d.ctx, &instant, number, &d), ERROR_ASYNC_INPROGRESS);
    assert_int_equal(libxl_ctx_process(d.ctx), 0); /* While the receiver is busy, other calls do not block. */
    assert_int_equal(d.calls, 1);
    release(&d, thread);
    /* One turn of the loop delivers some of the events. */
    while (d.calls < 1 + WAITING && core_continue(d.ctx))
        ;
    assert_int_equal(d.calls, 1 + WAITING);
    core_close(d.ctx);
    (void)s;
}

/* ---- missed events */

struct report {
    int times;
    libxl_event_type type;
};

static void disaster(void *user, libxl_event_type type, const char *message, int errnoval)
{
    struct report *report = user;
    (void)message, (void)errnoval;
    report->times++;
    report->type = type;
}

static struct report disaster_after(libxl_ctx *ctx, const libxl_event_type *types, int count)
{
    const libxl_event_hooks hooks = {.disaster = disaster};
    struct report report = {.times = 0};
    libxl_event_register_callbacks(ctx, &hooks, &report);
    libxl__ctx_lock(ctx);
    for (int i = 0; i < count; i++)
        libxl__event_missed(ctx, types[i]);
    libxl__ctx_leave(ctx);
    libxl_event_register_callbacks(ctx, NULL, NULL);
    return report;
}

static void a_disaster_names_the_type_if_there_is_only_one(scene *s)
{
    const libxl_event_type DEATH = LIBXL_EVENT_TYPE_DOMAIN_DEATH, EJECT = LIBXL_EVENT_TYPE_DISK_EJECT;
    const struct {
        libxl_event_type missed[3];
        int count;
        libxl_event_type report;
    } cases[] = {
        {{DEATH}, 1, DEATH},
        {{EJECT, EJECT}, 2, EJECT},
        {{DEATH, EJECT}, 2, 0},
        {{DEATH, EJECT, EJECT}, 3, 0},
        {{0, EJECT}, 2, 0},
        /* Missed events that were reported in an earlier case do not count. */
        {{EJECT}, 1, EJECT},
    };
    libxl_ctx *ctx = core_open();
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct report report = disaster_after(ctx, cases[i].missed, cases[i].count);
        assert_int_equal(report.times, 1);
        assert_int_equal(report.type, cases[i].report);
    }
    core_close(ctx);
    (void)s;
}

static const body bodies[] = {
    BODY(events_are_received_one_at_a_time, NO_CONTEXT),
    BODY(waiting_in_a_callback_does_not_call_a_busy_receiver, NO_CONTEXT),
    BODY(a_report_is_received_before_the_completion, NO_CONTEXT),
    BODY(reports_of_one_operation_are_called_one_at_a_time, NO_CONTEXT),
    BODY(callbacks_and_events_come_in_the_order_of_occurrence, NO_CONTEXT),
    BODY(a_busy_receiver_gets_all_events_later, NO_CONTEXT),
    BODY(a_disaster_names_the_type_if_there_is_only_one, NO_CONTEXT),
};

HARNESS_MAIN(bodies)
