/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Faults of libxl that lie in its machinery (docs/libxl-faults.md), on the core alone: children, clocks, what
 * a descriptor or a timer costs. One operation here, whose body is each test's own.
 */
#include "libxl_internal.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "child.h"
#include "nested.h"

static const int NO_STDIO[3] = {-1, -1, -1};

static libxl_ctx *open_core(void)
{
    libxl_ctx *ctx;
    assert_int_equal(libxl__ctx_create(&ctx, NULL), 0);
    return ctx;
}

static void close_core(libxl_ctx *ctx)
{
    assert_int_equal(libxl__ctx_drain(ctx), 0);
    libxl__ctx_destroy(ctx);
}

/* Runs an operation; synchronously if how is NULL. */
static int run(libxl_ctx *ctx, int (*body)(libxl__ao *ao, void *args), const libxl_asyncop_how *how)
{
    static libxl__ao_class cls; /* one operation at a time has it */
    libxl__ao *ao;
    cls = (libxl__ao_class){.name = "test", .body = body, .slow = true};
    int rc = libxl__ao_create(ctx, &cls, 0, how, &ao);
    return rc ? rc : libxl__ao_start(ao);
}

static double seconds_of(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double seconds(void)
{
    return seconds_of(CLOCK_MONOTONIC);
}

/* ---- children */

static int missing_program(libxl__ao *ao, void *args)
{
    static const char *const argv[] = {"/nonexistent/program", NULL};
    (void)args;
    libxl__child *child = libxl__ao_state(ao, sizeof(*child));
    int rc = libxl__child_start(ao, child, argv, NO_STDIO, 0);
    return rc ? rc : LIBXL__AO_WAIT;
}

static void a_child_that_cannot_start_fails_at_once(void **state)
{
    (void)state;
    libxl_ctx *ctx = open_core();
    struct rlimit before, none;
    assert_int_equal(run(ctx, missing_program, NULL), ERROR_FAIL);
    assert_non_null(strstr(libxl_error_message(), strerror(ENOENT)));
    getrlimit(RLIMIT_NOFILE, &before); /* no descriptor can be had: the same answer, with its errno */
    none = (struct rlimit){.rlim_cur = 0, .rlim_max = before.rlim_max};
    setrlimit(RLIMIT_NOFILE, &none);
    int rc = run(ctx, missing_program, NULL);
    setrlimit(RLIMIT_NOFILE, &before);
    assert_int_equal(rc, ERROR_FAIL);
    assert_non_null(strstr(libxl_error_message(), strerror(EMFILE)));
    close_core(ctx);
}

static pid_t sleeper;

static int sleep_long(libxl__ao *ao, void *args)
{
    static const char *const argv[] = {"sleep", "100", NULL};
    (void)args;
    libxl__child *child = libxl__ao_state(ao, sizeof(*child));
    if (ao->step++)
        return child->done ? libxl__child_result(child, "sleep") : LIBXL__AO_WAIT;
    int rc = libxl__child_start(ao, child, argv, NO_STDIO, 0);
    sleeper = child->pid;
    return rc ? rc : LIBXL__AO_WAIT;
}

static int nest_a_sleeper(libxl__ao *ao, void *args)
{
    static const libxl__ao_class inner = {.name = "inner", .body = sleep_long, .slow = true};
    (void)args;
    libxl__nested *nested = libxl__ao_state(ao, sizeof(*nested));
    if (ao->step++)
        return nested->done ? nested->rc : LIBXL__AO_WAIT;
    if (!libxl__nested_create(ao, nested, &inner))
        return ERROR_NOMEM;
    libxl__nested_start(nested);
    return LIBXL__AO_WAIT;
}

static void a_child_of_a_nested_operation_is_awaited(void **state)
{
    (void)state;
    libxl_ctx *ctx = open_core();
    libxl_asyncop_how how = {.u.for_event = 1};
    libxl_event *event;
    assert_int_equal(run(ctx, nest_a_sleeper, &how), ERROR_ASYNC_INPROGRESS);
    assert_int_equal(kill(sleeper, 0), 0);
    assert_int_equal(libxl_ao_abort(ctx, &how), 0);
    assert_int_equal(libxl_event_wait_limit(ctx, &event, LIBXL_EVENTMASK_ALL, NULL, NULL, 5000), 0);
    assert_int_equal(event->u.operation_complete.rc, ERROR_ABORTED);
    libxl_event_free(ctx, event);
    assert_int_equal(kill(sleeper, 0), -1); /* dead, and reaped: not even a zombie */
    assert_int_equal(errno, ESRCH);
    close_core(ctx);
}

static void the_application_s_signal_handler_is_untouched(void **state)
{
    (void)state;
    struct sigaction before, after;
    assert_int_equal(sigaction(SIGCHLD, NULL, &before), 0);
    libxl_ctx *ctx = open_core();
    assert_int_equal(run(ctx, missing_program, NULL), ERROR_FAIL);
    assert_int_equal(sigaction(SIGCHLD, NULL, &after), 0);
    assert_true(before.sa_handler == after.sa_handler && before.sa_flags == after.sa_flags);
    close_core(ctx);
}

/* ---- clocks: the core's calls come here, since it is linked into this program */

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

static int wait_10_ms(libxl__ao *ao, void *args)
{
    (void)args;
    libxl__alarm *alarm = libxl__ao_state(ao, sizeof(*alarm));
    if (ao->step++)
        return alarm->rang ? 0 : LIBXL__AO_WAIT;
    int rc = libxl__alarm_set(ao, alarm, LIBXL__MILLISECONDS(10));
    return rc ? rc : LIBXL__AO_WAIT;
}

static void time_is_monotonic(void **state)
{
    (void)state;
    wall_clock_reads = wall_clock_timers = timers_made = 0;
    libxl_ctx *ctx = open_core();
    double begin = seconds();
    assert_int_equal(run(ctx, wait_10_ms, NULL), 0);
    assert_in_range((int)(1000 * (seconds() - begin)), 9, 2000);
    assert_int_equal(timers_made, 1); /* it was this program's that were called */
    assert_int_equal(wall_clock_reads + wall_clock_timers, 0);
    close_core(ctx);
}

/* ---- sources */

static int stop_what_never_began(libxl__ao *ao, void *args)
{
    (void)args;
    struct {
        libxl__alarm alarm;
        libxl__fd fd;
        libxl__timer timer;
    } *s = libxl__ao_state(ao, sizeof(*s));
    libxl__source_stop(ao->ctx, &s->alarm.source);
    libxl__fd_deregister(ao->ctx, &s->fd);
    libxl__timer_stop(ao->ctx, &s->timer);
    if (libxl__alarm_set(ao, &s->alarm, LIBXL__SECONDS(100)))
        return ERROR_NOMEM;
    libxl__source_stop(ao->ctx, &s->alarm.source);
    libxl__source_stop(ao->ctx, &s->alarm.source);
    return 0;
}

static void stopping_an_idle_source_is_fine(void **state)
{
    (void)state;
    libxl_ctx *ctx = open_core();
    assert_int_equal(run(ctx, stop_what_never_began, NULL), 0);
    close_core(ctx);
}

struct late {
    libxl__alarm alarm;
    libxl__source source;
    libxl__fd fd;
    int number;
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

/* Its second step, run while the caller waits already, registers what the third one waits for. */
static int register_late(libxl__ao *ao, void *args)
{
    (void)args;
    struct late *s = libxl__ao_state(ao, sizeof(*s));
    if (ao->step == 0) {
        ao->step = 1;
        return libxl__alarm_set(ao, &s->alarm, LIBXL__MILLISECONDS(1)) ? ERROR_NOMEM : LIBXL__AO_WAIT;
    }
    if (ao->step == 1 && s->alarm.rang) {
        ao->step = 2;
        s->number = eventfd(1, EFD_CLOEXEC);
        if (libxl__fd_register(ao->ctx, &s->fd, s->number, EPOLLIN, late_ready))
            return ERROR_FAIL;
        libxl__source_attach(ao, &s->source, late_stop);
    }
    return s->came ? 0 : LIBXL__AO_WAIT;
}

static void a_descriptor_registered_late_is_polled(void **state)
{
    (void)state;
    libxl_ctx *ctx = open_core();
    double begin = seconds();
    assert_int_equal(run(ctx, register_late, NULL), 0);
    assert_true(seconds() - begin < 2);
    close_core(ctx);
}

/* ---- costs, of this thread's processor time: four times as much must not cost sixteen times as much */

static double processor_seconds(void)
{
    return seconds_of(CLOCK_THREAD_CPUTIME_ID);
}

static void nothing(libxl_ctx *ctx, libxl__timer *timer)
{
    (void)ctx, (void)timer;
}

static double cost_of_timers(libxl_ctx *ctx, uint64_t count)
{
    libxl__timer *timers = calloc(count, sizeof(*timers));
    libxl__ctx_lock(ctx);
    double begin = processor_seconds();
    for (uint64_t i = 0; i < count; i++)
        assert_int_equal(libxl__timer_start(ctx, &timers[i], LIBXL__SECONDS(1000 + i), nothing), 0);
    double cost = processor_seconds() - begin;
    for (uint64_t i = 0; i < count; i++)
        libxl__timer_stop(ctx, &timers[i]);
    libxl__ctx_unlock(ctx);
    free(timers);
    return cost;
}

static void many_timers_cost_little(void **state)
{
    (void)state;
    libxl_ctx *ctx = open_core();
    cost_of_timers(ctx, 16000); /* memory is there afterwards */
    double few = cost_of_timers(ctx, 16000), many = cost_of_timers(ctx, 64000);
    assert_true(many < 10 * few + 0.01);
    close_core(ctx);
}

static void take(libxl_ctx *ctx, libxl__fd *fd, uint32_t revents)
{
    uint64_t value;
    (void)ctx, (void)revents;
    assert_int_equal(read(fd->fd, &value, sizeof(value)), sizeof(value));
}

/* All are ready: until all have been served. */
static double cost_of_ready(libxl_ctx *ctx, int count)
{
    libxl__fd *fds = calloc((size_t)count, sizeof(*fds));
    libxl__ctx_lock(ctx);
    for (int i = 0; i < count; i++)
        assert_int_equal(libxl__fd_register(ctx, &fds[i], eventfd(1, EFD_CLOEXEC), EPOLLIN, take), 0);
    double begin = processor_seconds();
    for (int i = 0; i < count / 64 + 1; i++)
        assert_int_equal(libxl__loop_dispatch(ctx), 0);
    double cost = processor_seconds() - begin;
    for (int i = 0; i < count; i++) {
        struct pollfd left = {.fd = fds[i].fd, .events = POLLIN};
        assert_int_equal(poll(&left, 1, 0), 0);
        libxl__fd_deregister(ctx, &fds[i]);
        close(left.fd);
    }
    libxl__ctx_unlock(ctx);
    free(fds);
    return cost;
}

static void many_ready_descriptors_cost_little(void **state)
{
    (void)state;
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    int most = limit.rlim_max > 10100 ? 10000 : (int)limit.rlim_max - 100;
    libxl_ctx *ctx = open_core();
    double few = cost_of_ready(ctx, most / 4), all = cost_of_ready(ctx, most);
    assert_true(all < 10 * few + 0.01);
    close_core(ctx);
}

/* ---- */

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_child_that_cannot_start_fails_at_once),
    cmocka_unit_test(a_child_of_a_nested_operation_is_awaited),
    cmocka_unit_test(the_application_s_signal_handler_is_untouched),
    cmocka_unit_test(time_is_monotonic),
    cmocka_unit_test(stopping_an_idle_source_is_fine),
    cmocka_unit_test(a_descriptor_registered_late_is_polled),
    cmocka_unit_test(many_timers_cost_little),
    cmocka_unit_test(many_ready_descriptors_cost_little),
};

/* `program` runs all, `program NAME...` these, `program --list` prints the names. */
int main(int argc, char **argv)
{
    struct CMUnitTest chosen[sizeof(tests) / sizeof(*tests)];
    size_t count = 0;
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (size_t i = 0; i < sizeof(tests) / sizeof(*tests); i++) {
        bool wanted = argc == 1;
        for (int k = 1; k < argc; k++)
            wanted |= strcmp(argv[k], tests[i].name) == 0;
        if (argc == 2 && strcmp(argv[1], "--list") == 0)
            puts(tests[i].name);
        else if (wanted)
            chosen[count++] = tests[i];
    }
    return count ? _cmocka_run_group_tests("tests", chosen, count, NULL, NULL) : 0;
}
