/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The loop. The tests register and deregister descriptors while the loop runs. Several threads wait
 * in the loop. */
#include "core.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

struct watched {
    libxl__fd fd; /* Must be the first member, because callbacks cast the descriptor to struct watched. */
    int calls;
    uint32_t revents;
    struct watched *neighbours;
    int count;
};

static int calls;

static void note(libxl_ctx *ctx, libxl__fd *fd, uint32_t revents)
{
    struct watched *w = (struct watched *)fd;
    uint64_t value;
    (void)ctx;
    w->calls++;
    w->revents = revents;
    calls++;
    if (read(fd->fd, &value, sizeof(value)) < 0)
        /* The descriptor is not an eventfd, or it is not readable. The test checks `revents` instead. */
        w->calls += 0;
}

static int ready_fd(void)
{
    return eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
}

static libxl_ctx *open_locked(void)
{
    libxl_ctx *ctx = core_open();
    calls = 0;
    libxl__ctx_lock(ctx);
    return ctx;
}

static void close_locked(libxl_ctx *ctx)
{
    libxl__ctx_unlock(ctx);
    core_close(ctx);
}

static void stop_watching(libxl_ctx *ctx, struct watched *w)
{
    int number = w->fd.fd;
    libxl__fd_deregister(ctx, &w->fd);
    close(number);
}

static void deregister_all(libxl_ctx *ctx, libxl__fd *fd, uint32_t revents)
{
    struct watched *w = (struct watched *)fd;
    struct watched *all = w->neighbours;
    (void)revents;
    calls++;
    for (int i = 0; i < w->count; i++)
        stop_watching(ctx, &all[i]);
}

/* All descriptors are ready at once. The first callback deregisters all of them, its own
 * descriptor included. */
static void a_callback_may_deregister_its_neighbours(scene *s)
{
    enum { FDS = 100 };
    libxl_ctx *ctx = open_locked();
    struct watched w[FDS] = {{.calls = 0}};
    for (int i = 0; i < FDS; i++) {
        w[i].neighbours = w;
        w[i].count = FDS;
        assert_int_equal(libxl__fd_register(ctx, &w[i].fd, ready_fd(), EPOLLIN, deregister_all), 0);
    }
    assert_int_equal(ctx->loop.descriptors, FDS);
    assert_int_equal(libxl__loop_dispatch(ctx), 0);
    assert_int_equal(libxl__loop_dispatch(ctx), 0);
    assert_int_equal(calls, 1);
    close_locked(ctx);
    (void)s;
}

static struct watched *reopened;

static void close_and_reopen(libxl_ctx *ctx, libxl__fd *fd, uint32_t revents)
{
    struct watched *w = (struct watched *)fd;
    int number = w->neighbours->fd.fd;
    (void)revents;
    calls++;
    /* The loop has found both descriptors ready in one poll. The neighbour's callback was not called yet. */
    stop_watching(ctx, w->neighbours);
    int again = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    assert_int_equal(again, number);
    assert_int_equal(libxl__fd_register(ctx, &reopened->fd, again, EPOLLIN, note), 0);
}

/* A ready descriptor is closed, and a new descriptor gets its number. The loop must not take the new
 * descriptor for ready. */
static void a_descriptor_number_may_be_reused(scene *s)
{
    libxl_ctx *ctx = open_locked();
    struct watched first = {.calls = 0}, second = {.calls = 0}, third = {.calls = 0};
    reopened = &third;
    first.neighbours = &second;
    second.neighbours = &first;
    assert_int_equal(libxl__fd_register(ctx, &first.fd, ready_fd(), EPOLLIN, close_and_reopen), 0);
    assert_int_equal(libxl__fd_register(ctx, &second.fd, ready_fd(), EPOLLIN, close_and_reopen), 0);
    assert_int_equal(libxl__loop_dispatch(ctx), 0);
    assert_int_equal(calls, 1);
    assert_int_equal(third.calls, 0);
    const uint64_t one = 1;
    assert_int_equal(write(third.fd.fd, &one, sizeof(one)), sizeof(one));
    struct watched *kept = first.fd.registered ? &first : &second;
    stop_watching(ctx, kept);
    assert_int_equal(libxl__loop_dispatch(ctx), 0);
    assert_int_equal(third.calls, 1);
    stop_watching(ctx, &third);
    close_locked(ctx);
    (void)s;
}

static void a_hang_up_is_reported(scene *s)
{
    libxl_ctx *ctx = open_locked();
    int ends[2];
    struct watched w = {.calls = 0};
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(libxl__fd_register(ctx, &w.fd, ends[0], EPOLLIN, note), 0);
    close(ends[1]);
    assert_int_equal(libxl__loop_dispatch(ctx), 0);
    assert_int_equal(w.calls, 1);
    assert_true(w.revents & EPOLLHUP);
    stop_watching(ctx, &w);
    close_locked(ctx);
    (void)s;
}

/* An error is reported even if no events were requested. */
static void an_error_is_reported(scene *s)
{
    libxl_ctx *ctx = open_locked();
    int ends[2];
    struct watched w = {.calls = 0};
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(libxl__fd_register(ctx, &w.fd, ends[1], 0, note), 0);
    close(ends[0]);
    assert_int_equal(libxl__loop_dispatch(ctx), 0);
    assert_int_equal(w.calls, 1);
    assert_true(w.revents & EPOLLERR);
    stop_watching(ctx, &w);
    close_locked(ctx);
    (void)s;
}

static void invalid_descriptors_are_refused(scene *s)
{
    libxl_ctx *ctx = open_locked();
    struct watched w = {.calls = 0};
    assert_int_equal(libxl__fd_register(ctx, &w.fd, -1, EPOLLIN, note), ERROR_FAIL);
    assert_int_equal(libxl__fd_register(ctx, &w.fd, 9999, EPOLLIN, note), ERROR_FAIL);
    assert_false(w.fd.registered);
    /* The registration of the descriptor has failed, so this call has no effect. */
    libxl__fd_deregister(ctx, &w.fd);
    close_locked(ctx);
    (void)s;
}

static void a_deregistered_descriptor_is_not_called(scene *s)
{
    libxl_ctx *ctx = open_locked();
    struct watched w = {.calls = 0};
    int number = ready_fd();
    assert_int_equal(libxl__fd_register(ctx, &w.fd, number, EPOLLIN, note), 0);
    libxl__fd_deregister(ctx, &w.fd);
    assert_int_equal(libxl__loop_dispatch(ctx), 0);
    assert_int_equal(w.calls, 0);
    close(number);
    close_locked(ctx);
    (void)s;
}

/* If one descriptor is registered several times, each registration gets the events that it asked for. All
 * registrations get errors and hang-ups. */
static void one_descriptor_may_be_watched_several_times(scene *s)
{
    libxl_ctx *ctx = open_locked();
    int ends[2], before = fixture_entries("/proc/self/fd");
    struct watched in = {.calls = 0}, out = in, out_of_band = in;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    assert_int_equal(libxl__fd_register(ctx, &in.fd, ends[0], EPOLLIN, note), 0);
    assert_int_equal(libxl__fd_register(ctx, &out_of_band.fd, ends[0], EPOLLPRI, note), 0);
    assert_int_equal(libxl__loop_dispatch(ctx), 0);
    assert_int_equal(calls, 0);
    assert_int_equal(libxl__fd_register(ctx, &out.fd, ends[0], EPOLLOUT, note), 0);
    assert_int_equal(libxl__loop_dispatch(ctx), 0);
    assert_int_equal(out.revents, EPOLLOUT);
    assert_int_equal(write(ends[1], "12345678", 8), 8);
    libxl__fd_deregister(ctx, &out.fd); /* The other two registrations remain. */
    assert_int_equal(libxl__loop_dispatch(ctx), 0);
    assert_int_equal(in.revents, EPOLLIN);
    assert_int_equal(out_of_band.calls, 0);
    libxl__fd_modify(ctx, &out_of_band.fd, EPOLLOUT);
    assert_int_equal(libxl__loop_dispatch(ctx), 0);
    assert_int_equal(out_of_band.revents, EPOLLOUT);
    libxl__fd_modify(ctx, &out_of_band.fd, 0);
    /* epoll has the descriptor of the first registration. For each other registration it has a duplicate. */
    libxl__fd_deregister(ctx, &in.fd);
    close(ends[1]);
    assert_int_equal(libxl__loop_dispatch(ctx), 0);
    assert_true(out_of_band.revents & EPOLLHUP);
    stop_watching(ctx, &out_of_band);
    assert_int_equal(fixture_entries("/proc/self/fd"), before);
    close_locked(ctx);
    (void)s;
}

static void a_million_wake_ups_cost_one_pass(scene *s)
{
    libxl_ctx *ctx = open_locked();
    for (int i = 0; i < 1000000; i++)
        libxl__loop_look_again(ctx);
    struct pollfd fd = {.fd = libxl__loop_use_outer(ctx), .events = POLLIN};
    uint64_t pending = 0;
    assert_int_equal(poll(&fd, 1, 0), 1);
    assert_int_equal(read(ctx->loop.look_again.fd, &pending, sizeof(pending)), sizeof(pending));
    assert_int_equal(pending, 1);
    assert_int_equal(write(ctx->loop.look_again.fd, &pending, sizeof(pending)), sizeof(pending));
    assert_int_equal(libxl__loop_dispatch(ctx), 0);
    assert_int_equal(poll(&fd, 1, 0), 0);
    close_locked(ctx);
    (void)s;
}

/* ---- threads that wait */

struct waiting {
    libxl_ctx *ctx;
    libxl__waiter waiter;
    atomic_int waits, returned;
};

static void *wait_in_loop(void *argument)
{
    struct waiting *w = argument;
    libxl__ctx_lock(w->ctx);
    libxl__waiter_begin(w->ctx, &w->waiter);
    w->waits = 1;
    libxl__waiter_wait(w->ctx, &w->waiter, 0);
    w->returned = 1;
    libxl__waiter_end(w->ctx, &w->waiter);
    libxl__ctx_unlock(w->ctx);
    return NULL;
}

static bool returned_within(struct waiting *w, unsigned ms)
{
    for (uint64_t end = now_ms() + scaled_ms(ms); !w->returned && now_ms() < end; sleep_ms(1))
        ;
    return w->returned;
}

static pthread_t start(struct waiting *w, libxl_ctx *ctx)
{
    pthread_t thread;
    memset(w, 0, sizeof(*w));
    w->ctx = ctx;
    pthread_create(&thread, NULL, wait_in_loop, w);
    while (!w->waits)
        sleep_ms(1);
    sleep_ms(5);
    return thread;
}

/* Another thread reads the wake-up before the leader has seen it. */
static void the_leader_wakes_if_another_thread_dispatches_its_wake_up(scene *s)
{
    libxl_ctx *ctx = core_open();
    for (int i = 0; i < 50; i++) {
        struct waiting w;
        pthread_t thread = start(&w, ctx);
        libxl__ctx_lock(ctx);
        libxl__waiter_wake(ctx, &w.waiter);
        libxl__loop_dispatch(ctx);
        libxl__ctx_unlock(ctx);
        assert_true(returned_within(&w, 5000));
        pthread_join(thread, NULL);
    }
    core_close(ctx);
    (void)s;
}

static void only_the_woken_waiter_returns(scene *s)
{
    enum { WAITERS = 5 };
    libxl_ctx *ctx = core_open();
    struct waiting w[WAITERS];
    pthread_t threads[WAITERS];
    for (int i = 0; i < WAITERS; i++)
        threads[i] = start(&w[i], ctx);
    /* The first thread is the leader. The test wakes it last. */
    for (int i = WAITERS - 1; i >= 0; i--) {
        libxl__ctx_lock(ctx);
        libxl__waiter_wake(ctx, &w[i].waiter);
        libxl__ctx_unlock(ctx);
        assert_true(returned_within(&w[i], 5000));
        sleep_ms(5);
        for (int j = 0; j < i; j++)
            assert_int_equal(w[j].returned, 0);
        pthread_join(threads[i], NULL);
    }
    core_close(ctx);
    (void)s;
}

/* ---- several threads poll, and one descriptor is ready */

struct polling {
    libxl_ctx *ctx;
    libxl__fd fd;
    atomic_int taken;
    atomic_bool over;
};

/* Reads one octet from the descriptor. Blocks if there is nothing to read. */
static void take_one(libxl_ctx *ctx, libxl__fd *fd, uint32_t revents)
{
    char octet;
    (void)ctx, (void)revents;
    assert_int_equal(read(fd->fd, &octet, 1), 1);
    LIBXL__CONTAINER(fd, struct polling, fd)->taken++;
}

static void *poll_and_process(void *argument)
{
    struct polling *p = argument;
    struct pollfd fd = {.fd = libxl_ctx_fd(p->ctx), .events = POLLIN};
    while (!p->over)
        if (poll(&fd, 1, 10) == 1)
            libxl_ctx_process(p->ctx);
    return NULL;
}

static void *wait_repeatedly(void *argument)
{
    struct polling *p = argument;
    libxl_event *event;
    while (!p->over)
        libxl_event_wait_limit(p->ctx, &event, LIBXL_EVENTMASK_ALL, NULL, NULL, 10);
    return NULL;
}

static void one_of_several_pollers_takes_and_none_blocks(scene *s)
{
    enum { OCTETS = 2000, THREADS = 4 };
    struct polling p = {.ctx = core_open()};
    pthread_t threads[THREADS];
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    libxl__ctx_lock(p.ctx);
    assert_int_equal(libxl__fd_register(p.ctx, &p.fd, ends[0], EPOLLIN, take_one), 0);
    libxl__ctx_unlock(p.ctx);
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, i % 2 ? poll_and_process : wait_repeatedly, &p);
    for (int i = 0; i < OCTETS; i++) {
        assert_int_equal(write(ends[1], "x", 1), 1);
        while (p.taken <= i)
            ;
    }
    p.over = true;
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(p.taken, OCTETS);
    libxl__ctx_lock(p.ctx);
    libxl__fd_deregister(p.ctx, &p.fd);
    libxl__ctx_unlock(p.ctx);
    close(ends[0]);
    close(ends[1]);
    core_close(p.ctx);
    (void)s;
}

/* If a duplicate of the pipe stayed open in the child, the pipe would have no end of file while the
 * child runs. */
static void a_forked_child_keeps_no_descriptor_of_the_loop(scene *s)
{
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    int before = fixture_entries("/proc/self/fd");
    libxl_ctx *ctx = open_locked();
    struct watched w[3] = {{.calls = 0}};
    for (int i = 0; i < 3; i++)
        assert_int_equal(libxl__fd_register(ctx, &w[i].fd, ends[0], EPOLLIN, note), 0);
    /* `before` includes the two ends of the application's pipe. */
    assert_int_equal(core_left_after_fork(ctx), before);
    libxl__fd_deregister(ctx, &w[1].fd);
    assert_int_equal(core_left_after_fork(ctx), before);
    libxl__fd_deregister(ctx, &w[0].fd);
    libxl__fd_deregister(ctx, &w[2].fd);
    close_locked(ctx);
    close(ends[0]);
    close(ends[1]);
    (void)s;
}

static const body bodies[] = {
    BODY(a_callback_may_deregister_its_neighbours, NO_CONTEXT),
    BODY(a_descriptor_number_may_be_reused, NO_CONTEXT),
    BODY(a_hang_up_is_reported, NO_CONTEXT),
    BODY(an_error_is_reported, NO_CONTEXT),
    BODY(invalid_descriptors_are_refused, NO_CONTEXT),
    BODY(a_deregistered_descriptor_is_not_called, NO_CONTEXT),
    BODY(one_descriptor_may_be_watched_several_times, NO_CONTEXT),
    BODY(a_million_wake_ups_cost_one_pass, NO_CONTEXT),
    BODY(the_leader_wakes_if_another_thread_dispatches_its_wake_up, NO_CONTEXT),
    BODY(only_the_woken_waiter_returns, NO_CONTEXT),
    BODY(one_of_several_pollers_takes_and_none_blocks, NO_CONTEXT),
    BODY(a_forked_child_keeps_no_descriptor_of_the_loop, NO_CONTEXT),
};

HARNESS_MAIN(bodies)
