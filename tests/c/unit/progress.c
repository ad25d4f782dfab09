/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Progress reports. Each report is delivered before the completion, even if the operation completes in its
 * initiator. A report that was not requested is dropped.
 */
#include "core.h"

#define REPORT LIBXL_EVENT_TYPE_DOMAIN_CREATE_CONSOLE_AVAILABLE
enum { REPORTS = 3 };

struct reporting {
    scene *s;
    int rc; /* The result of the operation. */
    /* true: the operation waits between its reports. false: the operation ends in its initiator. */
    bool waits;
    atomic_int calls; /* The number of calls of the progress callback. */
    op *o;
    atomic_bool late;   /* true: a report came after the completion. */
    uint64_t for_event; /* If the request for reports has a callback: the for_event of the request. */
};

struct reports {
    libxl__alarm alarm;
    int made;
};

static int make_reports(libxl__ao *ao, void *state)
{
    const struct reporting *r = core_user(ao);
    struct reports *reports = state;
    do {
        libxl__ao_progress(ao, REPORT);
        if (++reports->made == REPORTS)
            return r->rc;
    } while (!r->waits);
    return libxl__alarm_set(ao, &reports->alarm, LIBXL__MILLISECONDS(1)) ? ERROR_NOMEM : LIBXL__AO_WAIT;
}

CORE_PHASE(reporting, make_reports, struct reports);
static const libxl__ao_class reporting_class = {.name = "reporting",
                                                .phases = &reporting_phases,
                                                .args_size = sizeof(void *),
                                                .slow = true,
                                                .reports = true};

static void reported(libxl_ctx *ctx, libxl_event *event, void *user)
{
    struct reporting *r = user;
    r->calls++;
    if (atomic_load(&r->o->completions))
        r->late = true;
    assert_int_equal(event->type, REPORT);
    assert_true(event->for_user == r->for_event);
    libxl_event_free(ctx, event);
}

static int begin(struct reporting *r, const libxl_asyncop_how *how, const libxl_asyncprogress_how *progress)
{
    libxl__ao *ao;
    int rc = libxl__ao_create(r->s->ctx, &reporting_class, 0, how, &ao);
    assert_int_equal(rc, 0);
    *(void **)libxl__ao_args(ao) = r;
    libxl__ao_progress_how(ao, progress);
    return libxl__ao_start(ao);
}

static struct reporting report(scene *s, bool waits, int rc, const libxl_asyncprogress_how *progress)
{
    struct reporting r = {.s = s, .waits = waits, .rc = rc, .o = op_begin(s)};
    libxl_asyncprogress_how own = progress ? *progress : (libxl_asyncprogress_how){.for_event = 0};
    /* The library passes an event to the callback. This event has the for_event of the request, too. */
    if (own.callback) {
        own.for_callback = &r;
        r.for_event = own.for_event = new_user();
    }
    op_started(r.o, begin(&r, op_how(r.o), progress ? &own : NULL));
    assert_int_equal(op_result(r.o), rc);
    return r;
}

static void reports_reach_the_callback_before_the_completion(scene *s)
{
    const libxl_asyncprogress_how progress = {.callback = reported};
    for (int waits = 0; waits <= 1; waits++) {
        struct reporting r = report(s, waits, 0, &progress);
        assert_int_equal(r.calls, REPORTS);
        assert_false(r.late);
    }
}

static bool has_stored_events(scene *s)
{
    pthread_mutex_lock(&s->lock);
    const bool some = s->events;
    pthread_mutex_unlock(&s->lock);
    return some;
}

static void report_events_precede_the_completion(scene *s)
{
    const libxl_asyncprogress_how progress = {.for_event = new_user()};
    for (int waits = 0; waits <= 1; waits++) {
        report(s, waits, 0, &progress);
        /* The reports were taken before the completion. */
        assert_true(s->way.mode != EVENT || has_stored_events(s));
        for (int i = 0; i < REPORTS; i++)
            next_event(s, 0, progress.for_event, REPORT);
        assert_true(no_event(s, 0, progress.for_event, 5));
    }
}

static void unrequested_reports_are_dropped(scene *s)
{
    for (int waits = 0; waits <= 1; waits++)
        report(s, waits, 0, NULL);
    assert_true(no_event(s, 0, 0, 5));
}

/* If an operation fails after its start, its reports are delivered. If the initiator returns the error, no
 * report is delivered. */
static void a_refused_operation_delivers_no_report(scene *s)
{
    const libxl_asyncprogress_how progress = {.callback = reported};
    struct reporting later = report(s, true, ERROR_KERNEL, &progress);
    assert_int_equal(later.calls, REPORTS);
    assert_false(later.late);
    struct reporting refused = report(s, false, ERROR_KERNEL, &progress);
    assert_int_equal(refused.calls, 0);
    pump(s, 5);
    assert_int_equal(refused.calls, 0);
}

/* ---- requests that are changed while a report is due */

static int waiting_body(libxl__ao *ao, void *args)
{
    (void)ao, (void)args;
    return LIBXL__AO_WAIT;
}

static const libxl__ao_class waiting_class = {
    .name = "waiting", .body = waiting_body, .args_size = sizeof(void *), .slow = true};

struct changing {
    const libxl_asyncop_how *how;
    const libxl_asyncprogress_how *first, *second; /* The requests that the callback makes, in this order. */
    int calls;
};

/* This callback changes the request for reports twice. The reports that these changes cause are delivered
 * after the callback has returned. */
static void change_the_request(libxl_ctx *ctx, libxl_event *event, void *user)
{
    struct changing *c = user;
    libxl_event_free(ctx, event);
    if (c->calls++)
        return;
    assert_int_equal(libxl_ao_set_progress(ctx, c->how, c->first), 0);
    assert_int_equal(libxl_ao_set_progress(ctx, c->how, c->second), 0);
}

static struct changing change_to(libxl_ctx *ctx, const libxl_asyncprogress_how *second)
{
    const libxl_asyncop_how how = {.u.for_event = 1};
    struct changing c = {.how = &how, .second = second};
    const libxl_asyncprogress_how first = {
        .callback = change_the_request, .for_event = 2, .for_callback = &c};
    c.first = &first;
    assert_int_equal(core_start(ctx, &waiting_class, 1, NULL), ERROR_ASYNC_INPROGRESS);
    assert_int_equal(libxl_ao_set_progress(ctx, &how, &first), 0);
    return c;
}

static void a_due_report_follows_a_request_for_events(scene *s)
{
    libxl_ctx *ctx = core_open();
    const libxl_asyncprogress_how by_event = {.for_event = 3};
    assert_int_equal(change_to(ctx, &by_event).calls, 1);
    /* Two reports arrive. The first request causes one report, and the second request causes the other. */
    for (int i = 0; i < 2; i++) {
        libxl_event *event;
        assert_int_equal(libxl_event_check(ctx, &event, LIBXL_EVENTMASK_ALL, NULL, NULL), 0);
        assert_int_equal(event->type, LIBXL_EVENT_TYPE_OPERATION_PROGRESS);
        assert_true(event->for_user == 3);
        libxl_event_free(ctx, event);
    }
    core_close(ctx);
    (void)s;
}

static void a_due_report_is_dropped_when_reports_are_ended(scene *s)
{
    libxl_ctx *ctx = core_open();
    libxl_event *event;
    assert_int_equal(change_to(ctx, NULL).calls, 1);
    assert_int_equal(libxl_event_check(ctx, &event, LIBXL_EVENTMASK_ALL, NULL, NULL), ERROR_NOT_READY);
    core_close(ctx);
    (void)s;
}

/* ---- how much of a phase is done */

enum { PARTS = 3 };

static int count_start(libxl__ao *ao, void *state)
{
    libxl__alarm *alarm = state;
    libxl__ao_count(ao, 0, PARTS, "parts");
    return libxl__alarm_set(ao, alarm, LIBXL__MILLISECONDS(1)) ? ERROR_NOMEM : LIBXL__AO_WAIT;
}

static int count_poll(libxl__ao *ao, void *state)
{
    libxl__alarm *alarm = state;
    if (!alarm->rang)
        return LIBXL__AO_WAIT;
    for (uint64_t done = 1; done <= PARTS; done++)
        libxl__ao_count(ao, done, PARTS, "parts");
    return 0;
}

static int wait_start(libxl__ao *ao, void *state)
{
    (void)ao, (void)state;
    return LIBXL__AO_WAIT;
}

static int wait_poll(libxl__ao *ao, void *state)
{
    (void)ao, (void)state;
    return LIBXL__AO_WAIT;
}

static const libxl__phase counting_list[] = {{.name = "count", .start = count_start, .poll = count_poll},
                                             {.name = "wait", .start = wait_start, .poll = wait_poll}};
static const libxl__phases counting_phases = {counting_list, 2, sizeof(libxl__alarm)};
static const libxl__ao_class counting_class = {
    .name = "counting", .phases = &counting_phases, .args_size = sizeof(void *), .slow = true};

/* Checks the next report and what libxl_ao_list says. */
static void expect_report(libxl_ctx *ctx, const char *phase, uint64_t done, uint64_t total, const char *unit)
{
    libxl_event *event;
    assert_int_equal(libxl_event_wait(ctx, &event, LIBXL_EVENTMASK_ALL, NULL, NULL), 0);
    assert_int_equal(event->type, LIBXL_EVENT_TYPE_OPERATION_PROGRESS);
    assert_string_equal(event->u.operation_progress.operation, "counting");
    assert_string_equal(event->u.operation_progress.phase, phase);
    assert_int_equal(event->u.operation_progress.done, done);
    assert_int_equal(event->u.operation_progress.total, total);
    assert_string_equal(event->u.operation_progress.unit, unit);
    libxl_event_free(ctx, event);
}

static void expect_listed(libxl_ctx *ctx, uint64_t done, uint64_t total, const char *unit)
{
    int count;
    libxl_operation_info *list = libxl_ao_list(ctx, &count);
    assert_int_equal(count, 1);
    assert_int_equal(list[0].done, done);
    assert_int_equal(list[0].total, total);
    assert_string_equal(list[0].unit, unit);
    libxl_operation_info_list_free(list, count);
}

static void what_a_phase_counts_is_reported_and_listed(scene *s)
{
    libxl_ctx *ctx = core_open();
    const libxl_asyncop_how how = {.u.for_event = 1};
    const libxl_asyncprogress_how progress = {.for_event = 2};
    assert_int_equal(core_start(ctx, &counting_class, 1, NULL), ERROR_ASYNC_INPROGRESS);
    /* The operation's entry in the list has the counts even if no reports were requested. */
    expect_listed(ctx, 0, PARTS, "parts");
    assert_int_equal(libxl_ao_set_progress(ctx, &how, &progress), 0);
    for (uint64_t done = 0; done <= PARTS; done++)
        expect_report(ctx, "count", done, PARTS, "parts");
    expect_report(ctx, "wait", 0, 0, ""); /* In a new phase the count begins at 0. */
    expect_listed(ctx, 0, 0, "");
    core_close(ctx);
    (void)s;
}

/* ---- phases that were entered before reports were requested, and phases that are undone */

static int end_at_once(libxl__ao *ao, void *state)
{
    (void)ao, (void)state;
    return 0;
}

static int undo_at_once(libxl__ao *ao, void *state)
{
    (void)ao, (void)state;
    return 0;
}

static const libxl__phase undone_list[] = {
    {.name = "first", .start = end_at_once, .undo = undo_at_once},
    {.name = "second", .start = end_at_once},
    {.name = "third", .start = wait_start, .poll = wait_poll, .undo = undo_at_once}};
static const libxl__phases undone_phases = {undone_list, 3, 1};
static const libxl__ao_class undone_class = {
    .name = "undone", .phases = &undone_phases, .args_size = sizeof(void *), .slow = true};

/* Checks the next report, and returns its time. */
static uint64_t expect_phase(libxl_ctx *ctx, const char *phase, libxl_operation_state state)
{
    libxl_event *event;
    assert_int_equal(libxl_event_wait(ctx, &event, LIBXL_EVENTMASK_ALL, NULL, NULL), 0);
    assert_int_equal(event->type, LIBXL_EVENT_TYPE_OPERATION_PROGRESS);
    assert_string_equal(event->u.operation_progress.phase, phase);
    assert_int_equal(event->u.operation_progress.state, state);
    const uint64_t time_ns = event->u.operation_progress.time_ns;
    libxl_event_free(ctx, event);
    return time_ns;
}

static void earlier_phases_are_reported_if_they_were_kept(scene *s)
{
    static const char *const names[] = {"first", "second", "third"};
    const libxl_asyncop_how how = {.u.for_event = 1};
    const libxl_asyncprogress_how progress = {.for_event = 2};
    for (int keep = 0; keep <= 1; keep++) {
        libxl_ctx *ctx = core_open();
        libxl_ctx_keep_phases(ctx, keep);
        uint64_t last = libxl__now();
        assert_int_equal(core_start(ctx, &undone_class, 1, NULL), ERROR_ASYNC_INPROGRESS);
        const uint64_t started = libxl__now();
        assert_int_equal(libxl_ao_set_progress(ctx, &how, &progress), 0);
        for (int i = keep ? 0 : 2; i < 3; i++) {
            const uint64_t at = expect_phase(ctx, names[i], LIBXL_OPERATION_STATE_RUNNING);
            assert_true(at >= last && at <= started);
            last = at;
        }
        /* A second request reports only the present phase. */
        assert_int_equal(libxl_ao_set_progress(ctx, &how, &progress), 0);
        expect_phase(ctx, "third", LIBXL_OPERATION_STATE_RUNNING);
        assert_int_equal(libxl_ao_abort(ctx, &how), 0);
        expect_phase(ctx, "third", LIBXL_OPERATION_STATE_UNDOING);
        expect_phase(ctx, "first", LIBXL_OPERATION_STATE_UNDOING); /* The second phase has no undo. */
        assert_int_equal(core_result(ctx, NULL), ERROR_ABORTED);
        core_close(ctx);
    }
    (void)s;
}

static const body bodies[] = {
    BODY(earlier_phases_are_reported_if_they_were_kept, RUNS_ONCE),
    BODY(reports_reach_the_callback_before_the_completion),
    BODY(report_events_precede_the_completion),
    BODY(unrequested_reports_are_dropped),
    BODY(a_refused_operation_delivers_no_report),
    BODY(a_due_report_follows_a_request_for_events, RUNS_ONCE),
    BODY(a_due_report_is_dropped_when_reports_are_ended, RUNS_ONCE),
    BODY(what_a_phase_counts_is_reported_and_listed, RUNS_ONCE),
};

HARNESS_MAIN(bodies)
