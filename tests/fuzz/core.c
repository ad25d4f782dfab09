/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs sequences of events in the core. Operations start, wait and fail. They are stopped, limited, undone,
 * nested and grouped. They report progress. The run takes events in each way, calls the library inside
 * callbacks, makes allocations fail, and closes the context.
 *
 * Each octet of the input is a command, an argument of a command, or the action of a phase. When the input is
 * used up, every phase succeeds. So each run ends. These conditions must hold:
 *
 *   - an operation that has started completes exactly once, after its reports; an operation that has not started never
 *     completes;
 *   - an operation succeeds unless one of its phases fails or the operation is stopped;
 *   - undo functions are called in reverse order, for phases that were started;
 *   - after the close no operation, timer, descriptor or memory is left.
 *
 * Owns: the plays, one for each operation of a run. Only one thread uses them.
 */
#include "play.h"
#include "world.h"

#include <string.h>

enum { MOST_DEPTH = 4, MOST_COMMANDS = 400 };

static struct {
    libxl_ctx *ctx;
    /* The number of callbacks on the stack in which commands are carried out. */
    int depth;
    int commands;
    bool memory_was_short, hooks_set;
} run;

static libxl_event_hooks event_hooks;

static int number_of(const struct play *p)
{
    return (int)(p - plays.all) + 1;
}

static struct play *any_play(void)
{
    return &plays.all[next_below(&plays.input, PLAYS)];
}

/* ---- completions and events */

static void commands(int most);

/* Calls the library inside a callback, as application code may do. */
static void call_again(void)
{
    if (run.depth == MOST_DEPTH || plays.closing)
        return;
    run.depth++;
    commands((int)next_below(&plays.input, 4));
    run.depth--;
}

static void completed(struct play *p, int rc)
{
    CHECK(p->used && p->started && !p->nested);
    CHECK(!p->completions++);
    CHECK(rc <= 0 && rc != ERROR_ASYNC_INPROGRESS);
    CHECK(!rc || rc == ERROR_TIMEDOUT || p->may_fail || run.memory_was_short);
    if (rc)
        (void)strlen(libxl_error_message());
}

static void completion_callback(libxl_ctx *ctx, int rc, void *user)
{
    (void)ctx;
    completed(user, rc);
    call_again();
}

static struct play *play_of_number(uint64_t number)
{
    CHECK(number >= 1 && number <= PLAYS);
    return &plays.all[number - 1];
}

static void handle_event(libxl_event *event)
{
    struct play *p = play_of_number(event->for_user);
    if (event->type == LIBXL_EVENT_TYPE_OPERATION_COMPLETE)
        completed(p, event->u.operation_complete.rc);
    else
        CHECK(event->type == LIBXL_EVENT_TYPE_OPERATION_PROGRESS && p->reported_to);
    libxl_event_free(run.ctx, event);
}

static void report_callback(libxl_ctx *ctx, libxl_event *event, void *user)
{
    (void)ctx;
    CHECK(user == play_of_number(event->for_user) && !((struct play *)user)->completions);
    handle_event(event);
    call_again();
}

static void event_occurs(void *user, libxl_event *event)
{
    (void)user;
    handle_event(event);
    call_again();
}

static void disaster(void *user, libxl_event_type type, const char *message, int errnoval)
{
    (void)user, (void)type, (void)errnoval;
    CHECK(message && run.memory_was_short);
}

/* ---- commands */

static libxl_asyncop_how how_of(struct play *p, bool by_callback)
{
    if (by_callback)
        return (libxl_asyncop_how){.callback = completion_callback, .u.for_callback = p};
    return (libxl_asyncop_how){.u.for_event = (uint64_t)number_of(p)};
}

static void start_one(unsigned way)
{
    struct play *p = play_new();
    if (!p)
        return;
    const libxl_asyncop_how how = how_of(p, way & 1);
    p->synchronous = way & 2;
    libxl__ao *ao;
    int rc =
        libxl__ao_create(run.ctx, play_class(), (uint32_t)number_of(p), p->synchronous ? NULL : &how, &ao);
    if (rc) {
        CHECK(rc == ERROR_NOMEM && run.memory_was_short);
        return;
    }
    *(struct play **)libxl__ao_args(ao) = p;
    p->started = true;
    /* The call may be synchronous and inside a callback. It must end although no other thread runs
     * the loop. */
    rc = libxl__ao_start(ao);
    if (p->synchronous)
        completed(p, rc);
    else if (rc != ERROR_ASYNC_INPROGRESS) {
        completed(p, rc); /* The operation was refused, so no notification may follow. */
        CHECK(rc < 0);
    }
}

static void start_in_background(void)
{
    struct play *p = play_new();
    if (!p)
        return;
    p->nested = true; /* The library reports no completion for an operation in the background. */
    libxl__ctx_lock(run.ctx);
    p->background = libxl__ao_create_background(run.ctx, play_class(), 0,
                                                next_below(&plays.input, 2) ? &p->background : NULL);
    if (p->background) {
        *(struct play **)libxl__ao_args(p->background) = p;
        libxl__ao_start_internal(p->background);
    }
    libxl__ctx_leave(run.ctx);
}

static void abort_one(bool by_callback)
{
    struct play *p = any_play();
    const libxl_asyncop_how how = how_of(p, by_callback);
    const bool over = p->completions;
    p->may_fail = true;
    const int rc = libxl_ao_abort(run.ctx, &how);
    CHECK(rc == 0 || rc == ERROR_NOTFOUND || rc == ERROR_ABORTED);
    CHECK(rc == ERROR_NOTFOUND || !over);
}

/* Aborts all synchronous calls. A callback may call this function while synchronous calls are below the
 * callback on the stack. */
static void abort_synchronous_calls(void)
{
    for (int i = 0; i < PLAYS; i++)
        plays.all[i].may_fail |= plays.all[i].synchronous;
    libxl_ao_abort(run.ctx, NULL);
}

static void limit_one(bool by_callback)
{
    struct play *p = any_play();
    const libxl_asyncop_how how = how_of(p, by_callback);
    p->may_fail = true;
    libxl_ao_set_limit(run.ctx, &how, next_byte(&plays.input));
}

static void report_on(unsigned way)
{
    struct play *p = any_play();
    const libxl_asyncop_how how = how_of(p, way & 1);
    const libxl_asyncprogress_how progress = {
        .callback = way & 2 ? report_callback : NULL, .for_event = (uint64_t)number_of(p), .for_callback = p};
    p->reported_to = true;
    libxl_ao_set_progress(run.ctx, &how, way & 4 ? NULL : &progress);
}

static void wake_one(void)
{
    const struct play *p = any_play();
    libxl__ctx_lock(run.ctx);
    if (p->ao)
        libxl__ao_wake(p->ao);
    libxl__ctx_leave(run.ctx);
}

static void take_records(void)
{
    libxl_event_record records[3];
    const int count = libxl_event_take(run.ctx, records, 1 + (int)next_below(&plays.input, 3));
    CHECK(count >= 0);
    for (int i = 0; i < count; i++) {
        if (records[i].event) {
            handle_event(records[i].event);
            continue;
        }
        CHECK(records[i].type == LIBXL_EVENT_TYPE_OPERATION_COMPLETE);
        completed(play_of_number(records[i].for_user), records[i].value);
    }
}

static void take_one(bool waits)
{
    libxl_event *event = NULL;
    libxl_ev_user wanted = 1 + next_below(&plays.input, PLAYS);
    const unsigned way = next_byte(&plays.input);
    const uint64_t mask =
        way & 1 ? LIBXL_EVENTMASK_ALL : LIBXL_EVENTMASK(LIBXL_EVENT_TYPE_OPERATION_COMPLETE);
    libxl_event_predicate *predicate = way & 2 ? libxl_event_is_for : NULL;
    const int rc = waits ? libxl_event_wait_limit(run.ctx, &event, mask, predicate, &wanted, (int)(way >> 2))
                         : libxl_event_check(run.ctx, &event, mask, predicate, &wanted);
    CHECK(rc == 0 || rc == ERROR_NOT_READY || rc == ERROR_TIMEDOUT);
    CHECK(!rc == !!event);
    CHECK(!event || !predicate || event->for_user == wanted);
    if (event)
        handle_event(event);
}

static void list_all(void)
{
    int count;
    libxl_operation_info *list = libxl_ao_list(run.ctx, &count);
    CHECK(list || run.memory_was_short);
    libxl_operation_info_list_free(list, count);
}

static void poll_outer(void)
{
    struct pollfd fds[2];
    int count = (int)next_below(&plays.input, 3), timeout = -1;
    struct timeval now = {0};
    if (libxl_osevent_beforepoll(run.ctx, &count, fds, &timeout, now))
        return;
    poll(fds, (nfds_t)count, 0);
    libxl_osevent_afterpoll(run.ctx, count, fds, now);
}

/* Sets the event hooks, unless a call of the library is in progress: the hooks must not be set then. */
static void set_hooks(unsigned way)
{
    if (run.depth)
        return;
    event_hooks = (libxl_event_hooks){.event_occurs = event_occurs, .disaster = disaster};
    event_hooks.event_occurs_mask =
        way & 1 ? LIBXL_EVENTMASK_ALL : LIBXL_EVENTMASK(LIBXL_EVENT_TYPE_OPERATION_COMPLETE);
    run.hooks_set = way & 2;
    libxl_event_register_callbacks(run.ctx, run.hooks_set ? &event_hooks : NULL, NULL);
}

static void close_within_a_callback(void)
{
    if (run.depth)
        CHECK(libxl__ctx_drain(run.ctx) == ERROR_INVAL);
}

static void fail_allocation(void)
{
    run.memory_was_short = true;
    world_fail_allocation(next_byte(&plays.input));
}

static void command(void)
{
    const unsigned what = next_byte(&plays.input), way = what >> 4;
    switch (what & 15) {
    case 0: libxl_ctx_process(run.ctx); break;
    case 1:
    case 2: start_one(way); break;
    case 3:
        if (way & 2)
            abort_synchronous_calls();
        else
            abort_one(way & 1);
        break;
    case 4: limit_one(way & 1); break;
    case 5: report_on(way); break;
    case 6: wake_one(); break;
    case 7: take_records(); break;
    case 8: take_one(way & 1); break;
    case 9: world_advance(LIBXL__MILLISECONDS(next_byte(&plays.input))); break;
    case 10: list_all(); break;
    case 11: poll_outer(); break;
    case 12: set_hooks(way); break;
    case 13: close_within_a_callback(); break;
    case 14: fail_allocation(); break;
    case 15:
        if (way & 1)
            start_in_background();
        else
            libxl_ctx_wake(run.ctx);
        break;
    }
}

static void commands(int most)
{
    for (int i = 0; i < most && bytes_left(&plays.input) && run.commands++ < MOST_COMMANDS; i++)
        command();
}

/* ---- the end */

/* Wakes all operations, so each waiting phase is called. From now on, each phase succeeds when
 * it is called. */
static void let_all_end(void)
{
    plays.closing = true;
    libxl__ctx_lock(run.ctx);
    for (int i = 0; i < PLAYS; i++)
        if (plays.all[i].ao)
            libxl__ao_wake(plays.all[i].ao);
    /* The loop calls let_all_end() inside a poll, so the loop must look for work again. */
    libxl__loop_look_again(run.ctx);
    libxl__ctx_unlock(run.ctx);
}

/* Handles the events that are left, because the closing of the context would free them. */
static void take_the_rest(void)
{
    libxl_event *event;
    while (!libxl_event_check(run.ctx, &event, LIBXL_EVENTMASK_ALL, NULL, NULL))
        handle_event(event);
}

static void end_run(void)
{
    plays.closing = true;
    world_allow_allocations();
    for (int i = 0; i < PLAYS; i++)
        plays.all[i].may_fail = true;
    let_all_end();
    CHECK(libxl__ctx_drain(run.ctx) == 0);
    take_the_rest();
    for (int i = 0; i < PLAYS; i++) {
        const struct play *p = &plays.all[i];
        CHECK(!p->ao);
        CHECK(p->completions == (p->started && !p->nested));
    }
    CHECK(run.ctx->timers.count == 0 && run.ctx->loop.descriptors == 0);
    CHECK(run.ctx->aos.started == run.ctx->aos.completed);
    libxl__ctx_destroy(run.ctx);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    memset(&run, 0, sizeof(run));
    plays = (struct plays){.input = {data, data + size}};
    world_begin(let_all_end);
    CHECK(libxl__ctx_create(&run.ctx, NULL) == 0);
    commands(MOST_COMMANDS);
    end_run();
    return 0;
}
