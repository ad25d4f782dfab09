/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The context's descriptor. The tests check when the descriptor is readable, and which calls make the
 * descriptor unreadable again. */
#include "harness.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/time.h>

enum {
    SOON_MS = 5000,  /* Within this time the descriptor becomes readable, even on a busy machine. */
    LONG_MS = 60000, /* Only a lost wake-up takes this long. */
};

static bool readable_within(scene *s, int milliseconds)
{
    struct pollfd fd = {.fd = libxl_ctx_fd(s->ctx), .events = POLLIN};
    return poll(&fd, 1, milliseconds) == 1;
}

/* Fails the test if the descriptor is still readable after one call of libxl_event_take() that finds no
 * event. */
static void check_unreadable_after_a_take(scene *s)
{
    libxl_event_record record;
    if (readable_within(s, 0))
        assert_int_equal(libxl_event_take(s->ctx, &record, 1), 0);
    assert_false(readable_within(s, 20));
}

static void the_descriptor_is_readable_while_there_is_work(scene *s)
{
    char *name = NULL;
    libxl_event_record record;
    int fd = libxl_ctx_fd(s->ctx);
    assert_false(readable_within(s, 20)); /* The context has no work. */

    const libxl_asyncop_how how = {.u.for_event = 1};
    assert_int_equal(libxl_domain_get_name(s->ctx, 0, &name, &how), ERROR_ASYNC_INPROGRESS);
    assert_true(readable_within(s, LONG_MS)); /* xenstored has answered. */
    assert_true(readable_within(s, 0));       /* The descriptor stays readable. */
    int taken = 0;
    for (; !taken && readable_within(s, LONG_MS);)
        taken = libxl_event_take(s->ctx, &record, 1);
    assert_int_equal(taken, 1);
    /* One call of libxl_event_take() both queued the event and returned it. */
    assert_false(readable_within(s, 20));

    complete_instantly(s->ctx, 2);
    complete_instantly(s->ctx, 3);
    assert_true(readable_within(s, 0)); /* Two events are queued. */
    assert_int_equal(libxl_event_take(s->ctx, &record, 1), 1);
    assert_true(readable_within(s, 0)); /* One event is left. */
    assert_int_equal(libxl_event_take(s->ctx, &record, 1), 1);
    check_unreadable_after_a_take(s);
    assert_int_equal(libxl_ctx_fd(s->ctx), fd);
    free(name);
}

static uint64_t take_one(libxl_ctx *ctx)
{
    libxl_event_record record;
    assert_int_equal(libxl_event_take(ctx, &record, 1), 1);
    assert_int_equal(record.value, 0);
    return record.for_user;
}

static uint64_t wait_for_one(libxl_ctx *ctx)
{
    libxl_event *event;
    assert_int_equal(libxl_event_wait(ctx, &event, LIBXL_EVENTMASK_ALL, NULL, NULL), 0);
    const uint64_t for_user = event->for_user;
    assert_int_equal(event->u.operation_complete.rc, 0);
    libxl_event_free(ctx, event);
    return for_user;
}

/* The queue of a program is never empty. The program still gets the events that arrive by a descriptor. */
static void a_queue_that_is_never_empty_hides_no_descriptor(scene *s)
{
    static uint64_t (*const ways[])(libxl_ctx * ctx) = {take_one, wait_for_one};
    const libxl_asyncop_how how = {.u.for_event = 1};
    for (size_t way = 0; way < sizeof(ways) / sizeof(*ways); way++) {
        char *name = NULL;
        bool received = false;
        complete_instantly(s->ctx, 2);
        assert_int_equal(libxl_domain_get_name(s->ctx, 0, &name, &how), ERROR_ASYNC_INPROGRESS);
        for (uint64_t began = now_ms(); !received && now_ms() < began + LONG_MS;) {
            complete_instantly(s->ctx, 2);
            received = ways[way](s->ctx) == 1;
        }
        assert_true(received);
        free(name);
    }
    libxl_event_record record;
    while (libxl_event_take(s->ctx, &record, 1) > 0)
        ;
}

/* A program may take events by waits of 0 ms. A wait that finds no event makes the descriptor unreadable. */
static void a_wait_that_finds_nothing_clears_the_descriptor(scene *s)
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

/* A shutdown operation that waits reads the node control/shutdown once. It reads the node again only after a
 * change. */
static void a_waiting_operation_is_quiet(scene *s)
{
    libxl_domid domid = guest(s, "b", false);
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
    destroy(s, domid);
}

static void a_time_limit_makes_the_descriptor_readable(scene *s)
{
    libxl_event_record record;
    libxl_shutdown_reason reason;
    libxl_domid domid = guest(s, "b", true);
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
    destroy(s, domid);
}

static void process_does_not_block_or_complete_early(scene *s)
{
    libxl_shutdown_reason reason;
    libxl_domid domid = guest(s, "b", true);
    op *o = START(s, libxl_domain_wait_shutdown, s->ctx, domid, &reason, how);
    uint64_t began = now_ms();
    for (int i = 0; i < 100; i++)
        assert_int_equal(libxl_ctx_process(s->ctx), 0);
    assert_in_range(now_ms() - began, 0, 1000);
    assert_false(op_done(o));
    assert_int_equal(libxl_ao_abort(s->ctx, &o->how), 0);
    assert_int_equal(op_result(o), ERROR_ABORTED);
    destroy(s, domid);
}

static void beforepoll_reports_the_room_it_needs(scene *s)
{
    struct pollfd fds[3];
    struct timeval now = {.tv_sec = 0};
    int count = 0, timeout = -1;
    assert_int_equal(libxl_osevent_beforepoll(s->ctx, &count, fds, &timeout, now), ERROR_BUFFERFULL);
    assert_int_equal(count, 1); /* This is the number of entries that the library needs. */
    count = 3;
    assert_int_equal(libxl_osevent_beforepoll(s->ctx, &count, fds, &timeout, now), 0);
    assert_int_equal(count, 1);
    assert_int_equal(fds[0].fd, libxl_ctx_fd(s->ctx));
    assert_int_equal(timeout, -1);
}

struct polling {
    libxl_ctx *ctx;
    atomic_bool under_way;
    int rc;
    uint64_t took_ms;
};

static void *poll_descriptor(void *argument)
{
    struct polling *w = argument;
    struct pollfd fd = {.fd = libxl_ctx_fd(w->ctx), .events = POLLIN};
    atomic_store(&w->under_way, true);
    uint64_t began = now_ms();
    w->rc = poll(&fd, 1, LONG_MS);
    w->took_ms = now_ms() - began;
    return NULL;
}

static void another_thread_s_event_ends_the_application_s_poll(scene *s)
{
    struct polling w = {.ctx = s->ctx};
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

static const body bodies[] = {
    BODY(the_descriptor_is_readable_while_there_is_work, RUNS_ONCE),
    BODY(a_queue_that_is_never_empty_hides_no_descriptor, RUNS_ONCE),
    BODY(a_wait_that_finds_nothing_clears_the_descriptor, RUNS_ONCE),
    BODY(a_waiting_operation_is_quiet, RUNS_ONCE),
    BODY(a_time_limit_makes_the_descriptor_readable, RUNS_ONCE),
    BODY(process_does_not_block_or_complete_early, ASYNCHRONOUS),
    BODY(beforepoll_reports_the_room_it_needs),
    BODY(another_thread_s_event_ends_the_application_s_poll, RUNS_ONCE),
};

HARNESS_MAIN(bodies)
