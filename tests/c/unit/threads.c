/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Another thread ends an operation, or changes the loop, while this thread is inside the library. */
#include "core.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* ---- an operation ends while its initiator has not returned */

/*
 * The state of a test with two threads and two operations. Thread A starts the operation `late`, which wakes
 * the operation `early`. Before A's call returns, the call runs the callback of `early`. This callback waits
 * until thread B has ended `late` and received the completion of `late`.
 */
struct meeting {
    libxl_ctx *ctx;
    libxl__ao *early, *late;
    libxl_asyncop_how how; /* The `how` of the operation `late`. */
    bool aborted;          /* true: thread B aborts `late`. false: thread B completes `late`. */
    atomic_bool inside, received;
    atomic_int calls; /* The number of calls of the callback of `late`. */
    int rc, asked;
};

static int run_early(libxl__ao *ao, void *started)
{
    struct meeting *m = core_user(ao);
    m->early = ao;
    return (*(int *)started)++ ? 0 : LIBXL__AO_WAIT;
}

static int run_late(libxl__ao *ao, void *started)
{
    struct meeting *m = core_user(ao);
    m->late = ao;
    if ((*(int *)started)++)
        return 0;
    libxl__ao_wake(m->early);
    return LIBXL__AO_WAIT;
}

CORE_PHASE(early, run_early, int);
CORE_PHASE(late, run_late, int);

static void early_done(libxl_ctx *ctx, int rc, void *user)
{
    struct meeting *m = user;
    (void)ctx, (void)rc;
    m->inside = true;
    for (uint64_t end = now_ms() + scaled_ms(5000); !m->received && now_ms() < end;)
        sleep_ms(1);
}

static void late_done(libxl_ctx *ctx, int rc, void *user)
{
    struct meeting *m = user;
    m->rc = rc;
    m->calls++;
    libxl_ctx_wake(ctx);
}

static void take_result(struct meeting *m)
{
    libxl_event *event = NULL;
    for (uint64_t end = now_ms() + scaled_ms(5000); !m->calls && !event && now_ms() < end;)
        libxl_event_wait_limit(m->ctx, &event, LIBXL_EVENTMASK_ALL, NULL, NULL, 20);
    if (event)
        m->rc = event->u.operation_complete.rc;
    m->received = event || m->calls == 1;
    libxl_event_free(m->ctx, event);
}

static void *end_it(void *argument)
{
    struct meeting *m = argument;
    while (!m->inside)
        sleep_ms(1);
    if (m->aborted) {
        m->asked = libxl_ao_abort(m->ctx, &m->how);
    } else {
        libxl__ctx_lock(m->ctx);
        libxl__ao_wake(m->late);
        libxl__ctx_leave(m->ctx);
    }
    take_result(m);
    return NULL;
}

static void an_operation_may_end_before_its_initiator_returns(scene *s)
{
    static const libxl__ao_class early_class = {
        .name = "early", .phases = &early_phases, .args_size = sizeof(void *)};
    static const libxl__ao_class late_class = {
        .name = "late", .phases = &late_phases, .args_size = sizeof(void *), .slow = true};
    for (int way = 0; way < 4; way++) {
        struct meeting m = {.ctx = s->ctx, .aborted = way & 1};
        const libxl_asyncop_how how = {.callback = early_done, .u.for_callback = &m};
        pthread_t other;
        m.how = way & 2 ? (libxl_asyncop_how){.callback = late_done, .u.for_callback = &m}
                        : (libxl_asyncop_how){.u.for_event = 7};
        assert_int_equal(core_begin(s->ctx, &early_class, &m, &how), ERROR_ASYNC_INPROGRESS);
        pthread_create(&other, NULL, end_it, &m);
        assert_int_equal(core_begin(s->ctx, &late_class, &m, &m.how), ERROR_ASYNC_INPROGRESS);
        assert_true(m.inside && m.received); /* `late` ended before its initiator returned. */
        pthread_join(other, NULL);
        assert_int_equal(m.asked, 0);
        assert_int_equal(m.rc, m.aborted ? ERROR_ABORTED : 0);
        assert_int_equal(libxl_ao_abort(s->ctx, &m.how), ERROR_NOTFOUND);
    }
}

/* ---- descriptors change while another thread polls */

struct watching {
    libxl_ctx *ctx;
    libxl__fd fd;
    atomic_int calls, polls;
    atomic_bool over;
    /* true: the thread polls the context's descriptor. false: the thread waits inside the library. */
    bool outside;
};

static void note_call(libxl_ctx *ctx, libxl__fd *fd, uint32_t revents)
{
    uint64_t value;
    (void)ctx, (void)revents;
    LIBXL__CONTAINER(fd, struct watching, fd)->calls++;
    assert_int_equal(read(fd->fd, &value, sizeof(value)), sizeof(value));
}

/* Polls until `over` is set and the thread is woken. */
static void *poll_until_over(void *argument)
{
    struct watching *w = argument;
    struct pollfd fd = {.fd = libxl_ctx_fd(w->ctx), .events = POLLIN};
    libxl_event *event;
    for (; !w->over; w->polls++)
        if (!w->outside)
            libxl_event_wait(w->ctx, &event, LIBXL_EVENTMASK_ALL, NULL, NULL);
        else if (poll(&fd, 1, 5000) == 1)
            libxl_ctx_process(w->ctx);
    return NULL;
}

static bool called_within(const struct watching *w, int calls, unsigned ms)
{
    for (uint64_t end = now_ms() + scaled_ms(ms); w->calls < calls && now_ms() < end;)
        sleep_ms(1);
    return w->calls == calls;
}

/* Closes the registered descriptor, and registers a new one with the same number. */
static void replace(struct watching *w)
{
    libxl__ctx_lock(w->ctx);
    int number = w->fd.fd;
    libxl__fd_deregister(w->ctx, &w->fd);
    close(number);
    int again = eventfd(0, EFD_CLOEXEC);
    assert_int_equal(again, number);
    assert_int_equal(libxl__fd_register(w->ctx, &w->fd, again, EPOLLIN, note_call), 0);
    libxl__ctx_leave(w->ctx);
}

static void descriptors_added_or_replaced_meanwhile_are_polled(scene *s)
{
    const uint64_t one = 1;
    for (int outside = 0; outside <= 1; outside++) {
        struct watching w = {.ctx = s->ctx, .outside = outside};
        pthread_t thread;
        pthread_create(&thread, NULL, poll_until_over, &w);
        sleep_ms(30); /* Now the thread is polling. */
        int number = eventfd(0, EFD_CLOEXEC);
        libxl__ctx_lock(s->ctx);
        assert_int_equal(libxl__fd_register(s->ctx, &w.fd, number, EPOLLIN, note_call), 0);
        libxl__ctx_leave(s->ctx);
        for (int i = 1; i <= 5; i++) {
            assert_int_equal(write(number, &one, sizeof(one)), sizeof(one));
            assert_true(called_within(&w, i, 2000));
            sleep_ms(5);
            replace(&w);
        }
        w.over = true;
        assert_int_equal(write(number, &one, sizeof(one)), sizeof(one));
        libxl_ctx_wake(s->ctx);
        pthread_join(thread, NULL);
        libxl__ctx_lock(s->ctx);
        libxl__fd_deregister(s->ctx, &w.fd);
        libxl__ctx_leave(s->ctx);
        close(number);
    }
}

/* ---- the loop's epoll descriptor is broken */

static int wait_long(libxl__ao *ao, void *alarm)
{
    return libxl__alarm_set(ao, alarm, LIBXL__SECONDS(100)) ? ERROR_NOMEM : LIBXL__AO_WAIT;
}
CORE_PHASE(wait, wait_long, libxl__alarm);

/* A waiting call fails at once. It neither blocks nor spins. */
static void a_broken_loop_is_reported(scene *s)
{
    static const libxl__ao_class wait_class = {
        .name = "wait", .phases = &wait_phases, .args_size = sizeof(void *), .slow = true};
    libxl_event *event;
    libxl_ctx *ctx = core_open();
    int whole = fcntl(ctx->loop.inner, F_DUPFD_CLOEXEC, 3), broken = eventfd(1, EFD_CLOEXEC);
    assert_true(dup3(broken, ctx->loop.inner, O_CLOEXEC) >= 0);
    uint64_t began = now_ms();
    assert_int_equal(core_begin(ctx, &wait_class, NULL, NULL), ERROR_FAIL);
    assert_int_equal(libxl_event_wait(ctx, &event, LIBXL_EVENTMASK_ALL, NULL, NULL), ERROR_FAIL);
    assert_int_equal(libxl_ctx_process(ctx), ERROR_FAIL);
    assert_in_range(now_ms() - began, 0, 500);
    assert_true(dup3(whole, ctx->loop.inner, O_CLOEXEC) >= 0);
    close(whole);
    close(broken);
    core_close(ctx);
    (void)s;
}

static const body bodies[] = {
    BODY(an_operation_may_end_before_its_initiator_returns, RUNS_ONCE),
    BODY(descriptors_added_or_replaced_meanwhile_are_polled, RUNS_ONCE),
    BODY(a_broken_loop_is_reported, NO_CONTEXT),
};

HARNESS_MAIN(bodies)
