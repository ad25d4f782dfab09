/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The one descriptor: what it shows, and what there is to do about it. */
#include "harness.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/time.h>

enum {
    SOON_MS = 500,
    LONG_MS = 10000
}; /* a moment, on a busy machine; for ever, for a wakeup that is lost */

static void complete_instantly(libxl_ctx *ctx, uint64_t for_event)
{
    libxl_physinfo info;
    const libxl_asyncop_how how = {.u.for_event = for_event};
    assert_int_equal(libxl_host_info(ctx, &info, &how), ERROR_ASYNC_INPROGRESS);
}

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
    assert_false(readable_within(s, 20)); /* what a look brings about and takes is not shown at all */

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

/* Who never finds the queue empty still learns what comes by a descriptor. */
static void events_without_end_hide_nothing(scene *s)
{
    static uint64_t (*const ways[])(libxl_ctx * ctx) = {take_one, wait_for_one};
    const libxl_asyncop_how how = {.u.for_event = 1};
    for (size_t way = 0; way < sizeof(ways) / sizeof(*ways); way++) {
        char *name = NULL;
        bool heard = false;
        complete_instantly(s->ctx, 2);
        assert_int_equal(libxl_domain_get_name(s->ctx, 0, &name, &how), ERROR_ASYNC_INPROGRESS);
        for (uint64_t began = now_ms(); !heard && now_ms() < began + LONG_MS;) {
            complete_instantly(s->ctx, 2);
            heard = ways[way](s->ctx) == 1;
        }
        assert_true(heard);
        free(name);
    }
    libxl_event_record record;
    while (libxl_event_take(s->ctx, &record, 1) > 0)
        ;
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

static void the_descriptor_shows_a_limit_that_is_reached(scene *s)
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

static void process_runs_callbacks_that_are_due_and_never_blocks(scene *s)
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

static void an_application_s_poll_is_ended_by_another_thread(scene *s)
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
    BODY(the_descriptor_shows_what_is_to_be_done, RUNS_ONCE),
    BODY(events_without_end_hide_nothing, RUNS_ONCE),
    BODY(a_wait_that_finds_nothing_is_a_look, RUNS_ONCE),
    BODY(what_waits_is_quiet, RUNS_ONCE),
    BODY(the_descriptor_shows_a_limit_that_is_reached, RUNS_ONCE),
    BODY(process_runs_callbacks_that_are_due_and_never_blocks, ASYNCHRONOUS),
    BODY(beforepoll_says_when_there_is_no_room),
    BODY(an_application_s_poll_is_ended_by_another_thread, RUNS_ONCE),
};

HARNESS_MAIN(bodies)
