/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tests that the library does not have certain faults of libxl. docs/libxl-faults.md describes these faults.
 * The tests concern children, clocks and descriptors.
 */
#include "core.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

static const int NO_STDIO[3] = {-1, -1, -1};

/* The class of a test operation with the phase that CORE_PHASE has defined. */
#define CLASS(of_name)                                                                                       \
    {                                                                                                        \
        .name = "test", .phases = &of_name##_phases, .args_size = sizeof(void *), .slow = true               \
    }

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* ---- children */

static int missing_program(libxl__ao *ao, void *child)
{
    static const char *const argv[] = {"/nonexistent/program", NULL};
    int rc = libxl__child_start(ao, child, argv, NO_STDIO, 0);
    return rc ? rc : LIBXL__AO_WAIT;
}

CORE_PHASE(missing_program, missing_program, libxl__child);

static void a_child_that_cannot_start_fails_at_once(scene *s)
{
    static const libxl__ao_class missing = CLASS(missing_program);
    struct rlimit before, none;
    assert_int_equal(RUN(s, core_begin(s->ctx, &missing, NULL, how)), ERROR_FAIL);
    assert_non_null(strstr(last_message(s), strerror(ENOENT)));
    /* Without free descriptors the result is the same, but the message has another errno. */
    getrlimit(RLIMIT_NOFILE, &before);
    none = (struct rlimit){.rlim_cur = 1, .rlim_max = before.rlim_max};
    setrlimit(RLIMIT_NOFILE, &none);
    int rc = RUN(s, core_begin(s->ctx, &missing, NULL, how));
    setrlimit(RLIMIT_NOFILE, &before);
    assert_int_equal(rc, ERROR_FAIL);
    assert_non_null(strstr(last_message(s), strerror(EMFILE)));
}

static int sleep_long(libxl__ao *ao, void *state)
{
    static const char *const argv[] = {"sleep", "100", NULL};
    libxl__child *child = state;
    if (child->source.ao)
        return child->done ? libxl__child_result(child, "sleep") : LIBXL__AO_WAIT;
    int rc = libxl__child_start(ao, child, argv, NO_STDIO, 0);
    *(pid_t *)core_user(ao) = child->pid;
    return rc ? rc : LIBXL__AO_WAIT;
}
CORE_PHASE(sleep_long, sleep_long, libxl__child);

static int nest_a_sleeper(libxl__ao *ao, void *state)
{
    static const libxl__ao_class inner = CLASS(sleep_long);
    libxl__nested *nested = state;
    if (nested->started)
        return nested->done ? nested->rc : LIBXL__AO_WAIT;
    libxl__ao *child = libxl__nested_create(ao, nested, &inner);
    if (!child)
        return ERROR_NOMEM;
    *(void **)libxl__ao_args(child) = core_user(ao);
    libxl__nested_start(nested);
    return LIBXL__AO_WAIT;
}
CORE_PHASE(nest_a_sleeper, nest_a_sleeper, libxl__nested);

static void a_child_of_a_nested_operation_is_awaited(scene *s)
{
    static const libxl__ao_class nesting = CLASS(nest_a_sleeper);
    pid_t sleeper = 0;
    op *o = START(s, core_begin, s->ctx, &nesting, &sleeper, how);
    assert_int_equal(kill(sleeper, 0), 0);
    assert_int_equal(libxl_ao_abort(s->ctx, &o->how), 0);
    assert_int_equal(op_result(o), ERROR_ABORTED);
    assert_int_equal(kill(sleeper, 0), -1); /* The process has ended and was reaped. */
    assert_int_equal(errno, ESRCH);
}

/* ---- clocks. The core is linked into this program, so the core's calls use the definitions below. */

static int wall_clock_reads, wall_clock_timers, timers_made;

int clock_gettime(clockid_t clock, struct timespec *now)
{
    if (clock == CLOCK_REALTIME)
        wall_clock_reads++;
    return (int)syscall(SYS_clock_gettime, clock, now);
}

int timerfd_create(clockid_t clock, int flags)
{
    timers_made++;
    wall_clock_timers += clock != CLOCK_MONOTONIC;
    return (int)syscall(SYS_timerfd_create, clock, flags);
}

static int wait_10_ms(libxl__ao *ao, void *state)
{
    libxl__alarm *alarm = state;
    if (alarm->source.ao)
        return alarm->rang ? 0 : LIBXL__AO_WAIT;
    int rc = libxl__alarm_set(ao, alarm, LIBXL__MILLISECONDS(10));
    return rc ? rc : LIBXL__AO_WAIT;
}
CORE_PHASE(wait_10_ms, wait_10_ms, libxl__alarm);

static void time_is_monotonic(scene *s)
{
    static const libxl__ao_class waiting = CLASS(wait_10_ms);
    wall_clock_reads = wall_clock_timers = timers_made = 0;
    libxl_ctx *ctx = core_open();
    double begin = seconds();
    assert_int_equal(core_begin(ctx, &waiting, NULL, NULL), 0);
    assert_in_range((int)(1000 * (seconds() - begin)), 9, 2000);
    assert_int_equal(timers_made, 1); /* The library has used the functions that this file defines. */
    assert_int_equal(wall_clock_reads + wall_clock_timers, 0);
    core_close(ctx);
    (void)s;
}

/* ---- sources */

struct idle_sources {
    libxl__alarm alarm;
    libxl__fd fd;
    libxl__timer timer;
};

static int stop_what_never_began(libxl__ao *ao, void *state)
{
    struct idle_sources *s = state;
    libxl__source_stop(ao->ctx, &s->alarm.source);
    libxl__fd_deregister(ao->ctx, &s->fd);
    libxl__timer_stop(ao->ctx, &s->timer);
    if (libxl__alarm_set(ao, &s->alarm, LIBXL__SECONDS(100)))
        return ERROR_NOMEM;
    libxl__source_stop(ao->ctx, &s->alarm.source);
    libxl__source_stop(ao->ctx, &s->alarm.source);
    return 0;
}

CORE_PHASE(stop_what_never_began, stop_what_never_began, struct idle_sources);

static void stopping_an_idle_source_is_allowed(scene *s)
{
    static const libxl__ao_class stopping = CLASS(stop_what_never_began);
    assert_int_equal(RUN(s, core_begin(s->ctx, &stopping, NULL, how)), 0);
}

struct late {
    libxl__alarm alarm;
    libxl__source source;
    libxl__fd fd;
    int number, step;
    bool came;
};

static void late_ready(libxl_ctx *ctx, libxl__fd *fd, uint32_t revents)
{
    (void)ctx, (void)revents;
    struct late *s = LIBXL__CONTAINER(fd, struct late, fd);
    s->came = true;
    libxl__source_fire(&s->source);
}

static void late_stop(libxl_ctx *ctx, libxl__source *source)
{
    struct late *s = LIBXL__CONTAINER(source, struct late, source);
    libxl__fd_deregister(ctx, &s->fd);
    close(s->number);
}

/* The second step runs while the caller is already waiting. This step registers the descriptor that the
 * third step needs. */
static int register_late(libxl__ao *ao, void *state)
{
    struct late *s = state;
    if (s->step == 0) {
        s->step = 1;
        return libxl__alarm_set(ao, &s->alarm, LIBXL__MILLISECONDS(1)) ? ERROR_NOMEM : LIBXL__AO_WAIT;
    }
    if (s->step == 1 && s->alarm.rang) {
        s->step = 2;
        s->number = eventfd(1, EFD_CLOEXEC);
        if (libxl__fd_register(ao->ctx, &s->fd, s->number, EPOLLIN, late_ready))
            return ERROR_FAIL;
        libxl__source_attach(ao, &s->source, late_stop);
    }
    return s->came ? 0 : LIBXL__AO_WAIT;
}

CORE_PHASE(register_late, register_late, struct late);

static void a_descriptor_registered_late_is_polled(scene *s)
{
    static const libxl__ao_class late = CLASS(register_late);
    double begin = seconds();
    assert_int_equal(RUN(s, core_begin(s->ctx, &late, NULL, how)), 0);
    assert_true(seconds() - begin < 2);
}

static void take(libxl_ctx *ctx, libxl__fd *fd, uint32_t revents)
{
    uint64_t value;
    (void)ctx, (void)revents;
    assert_int_equal(read(fd->fd, &value, sizeof(value)), sizeof(value));
}

/* All descriptors are ready. One dispatch per batch serves all of them. */
static void many_ready_descriptors_are_served_in_a_few_batches(scene *s)
{
    (void)s;
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    const int count = limit.rlim_max > 10100 ? 10000 : (int)limit.rlim_max - 100;
    libxl_ctx *ctx = core_open();
    libxl__fd *fds = calloc((size_t)count, sizeof(*fds));
    libxl__ctx_lock(ctx);
    for (int i = 0; i < count; i++)
        assert_int_equal(libxl__fd_register(ctx, &fds[i], eventfd(1, EFD_CLOEXEC), EPOLLIN, take), 0);
    for (int i = 0; i < count / LIBXL__READY_AT_ONCE + 1; i++)
        assert_int_equal(libxl__loop_dispatch(ctx), 0);
    for (int i = 0; i < count; i++) {
        struct pollfd left = {.fd = fds[i].fd, .events = POLLIN};
        assert_int_equal(poll(&left, 1, 0), 0);
        libxl__fd_deregister(ctx, &fds[i]);
        close(left.fd);
    }
    libxl__ctx_unlock(ctx);
    free(fds);
    core_close(ctx);
}

static const body bodies[] = {
    BODY(a_child_that_cannot_start_fails_at_once, ALONE),
    BODY(a_child_of_a_nested_operation_is_awaited, ASYNCHRONOUS),
    BODY(time_is_monotonic, NO_CONTEXT),
    BODY(stopping_an_idle_source_is_allowed),
    BODY(a_descriptor_registered_late_is_polled),
    BODY(many_ready_descriptors_are_served_in_a_few_batches, NO_CONTEXT),
};

HARNESS_MAIN(bodies)
