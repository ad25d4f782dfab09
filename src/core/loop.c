/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: both epoll descriptors, the two eventfds, and the duplicates of descriptors that are registered
 * twice. All of these exist as long as the context. The context's lock guards them, and also the lists of
 * registered descriptors and of waiting threads.
 *
 * The leader polls the inner epoll without the lock. This poll only shows that some descriptor is ready. The
 * leader then takes the lock and fetches the ready descriptors with epoll_wait, which does not block. A
 * descriptor that was deregistered between the poll and this call is not fetched. If two threads find the
 * same descriptor ready, the first one handles it, and the second one fetches nothing.
 */
#include "libxl_internal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/*
 * Sets the error message and logs the error. It is logged because only this thread gets the error message, but a
 * failure may also affect the calls of other threads.
 */
static int system_call_failed(libxl_ctx *ctx, const char *name)
{
    const int saved = errno;
    libxl__log(ctx, XTL_ERROR, saved, "%s", name);
    errno = saved;
    return libxl__refuse(ERROR_FAIL, "%s: %m", name);
}

static void raise_eventfd(libxl_ctx *ctx, int fd)
{
    const uint64_t one = 1;
    if (write(fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
        libxl__log_recurring(ctx, &ctx->loop.failures, XTL_ERROR, errno, "writing an eventfd");
}

static void clear_eventfd(libxl_ctx *ctx, int fd)
{
    uint64_t count;
    if (read(fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
        libxl__log_recurring(ctx, &ctx->loop.failures, XTL_ERROR, errno, "reading an eventfd");
}

static void look_again_fired(libxl_ctx *ctx, libxl__fd *fd, uint32_t revents)
{
    (void)revents;
    /*
     * The leader was woken and must return from its poll. If the eventfd were cleared now, the leader could
     * sleep again.
     */
    if (ctx->loop.leader && ctx->loop.leader->woken)
        return;
    ctx->loop.look_again_pending = false;
    clear_eventfd(ctx, fd->fd);
}

void libxl__loop_look_again(libxl_ctx *ctx)
{
    if (ctx->loop.look_again_pending)
        return;
    ctx->loop.look_again_pending = true;
    raise_eventfd(ctx, ctx->loop.look_again.fd);
}

void libxl__loop_show_events(libxl_ctx *ctx)
{
    libxl__loop *loop = &ctx->loop;
    if ((!ctx->events.queued && !loop->undelivered) || loop->events_shown)
        return;
    loop->events_shown = true;
    raise_eventfd(ctx, loop->events_fd);
}

void libxl__loop_hide_events(libxl_ctx *ctx)
{
    libxl__loop *loop = &ctx->loop;
    if (!loop->events_shown || ctx->events.queued || loop->undelivered)
        return;
    loop->events_shown = false;
    clear_eventfd(ctx, loop->events_fd);
}

int libxl__loop_use_outer(libxl_ctx *ctx)
{
    ctx->loop.outer_in_use = true;
    return ctx->loop.outer;
}

/* ---- opening and closing the loop */

static int open_descriptors(libxl_ctx *ctx)
{
    libxl__loop *loop = &ctx->loop;
    loop->outer = epoll_create1(EPOLL_CLOEXEC);
    if (loop->outer < 0)
        return system_call_failed(ctx, "epoll_create1");
    loop->inner = epoll_create1(EPOLL_CLOEXEC);
    if (loop->inner < 0)
        return system_call_failed(ctx, "epoll_create1");
    loop->events_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (loop->events_fd < 0)
        return system_call_failed(ctx, "eventfd");
    struct epoll_event readable = {.events = EPOLLIN};
    if (epoll_ctl(loop->outer, EPOLL_CTL_ADD, loop->inner, &readable) ||
        epoll_ctl(loop->outer, EPOLL_CTL_ADD, loop->events_fd, &readable))
        return system_call_failed(ctx, "epoll_ctl");
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0)
        return system_call_failed(ctx, "eventfd");
    int rc = libxl__fd_register(ctx, &loop->look_again, fd, EPOLLIN, look_again_fired);
    if (rc)
        close(fd);
    loop->look_again.close_on_fork = !rc;
    return rc;
}

int libxl__loop_open(libxl_ctx *ctx)
{
    libxl__loop *loop = &ctx->loop;
    LIST_INIT(&loop->registered);
    TAILQ_INIT(&loop->waiters);
    TAILQ_INIT(&loop->followers);
    loop->outer = loop->inner = loop->events_fd = -1;
    int rc = open_descriptors(ctx);
    if (rc)
        libxl__loop_close(ctx);
    return rc;
}

static void close_if_open(int fd)
{
    if (fd >= 0)
        close(fd);
}

void libxl__loop_close(libxl_ctx *ctx)
{
    libxl__loop *loop = &ctx->loop;
    if (loop->look_again.registered) {
        int fd = loop->look_again.fd;
        libxl__fd_deregister(ctx, &loop->look_again);
        close(fd);
    }
    close_if_open(loop->events_fd);
    close_if_open(loop->inner);
    close_if_open(loop->outer);
}

void libxl__loop_postfork(libxl_ctx *ctx)
{
    const libxl__loop *loop = &ctx->loop;
    const libxl__fd *fd;
    LIST_FOREACH (fd, &loop->registered, link) {
        if (fd->polled >= 0 && fd->polled != fd->fd)
            close(fd->polled);
        if (fd->close_on_fork)
            close(fd->fd);
    }
    close(loop->events_fd);
    close(loop->inner);
    close(loop->outer);
}

/* ---- registering descriptors */

/*
 * Adds a descriptor to the inner epoll. An epoll accepts a descriptor only once. If the descriptor is in the
 * epoll already, a duplicate is added. Returns the descriptor that was added, or -1 with errno set.
 */
static int add_to_inner(libxl_ctx *ctx, int number, struct epoll_event *wanted)
{
    if (!epoll_ctl(ctx->loop.inner, EPOLL_CTL_ADD, number, wanted))
        return number;
    int duplicate = errno == EEXIST ? fcntl(number, F_DUPFD_CLOEXEC, 3) : -1;
    if (duplicate >= 0 && epoll_ctl(ctx->loop.inner, EPOLL_CTL_ADD, duplicate, wanted)) {
        close(duplicate);
        return -1;
    }
    return duplicate;
}

int libxl__fd_register(libxl_ctx *ctx, libxl__fd *fd, int number, uint32_t events,
                       libxl__fd_callback *callback)
{
    assert(!fd->registered);
    struct epoll_event wanted = {.events = events, .data.ptr = fd};
    int polled = add_to_inner(ctx, number, &wanted);
    if (polled < 0)
        return system_call_failed(ctx, "epoll_ctl");
    *fd = (libxl__fd){.callback = callback, .fd = number, .polled = polled, .registered = true};
    LIST_INSERT_HEAD(&ctx->loop.registered, fd, link);
    ctx->loop.descriptors++;
    return 0;
}

void libxl__fd_hold(libxl_ctx *ctx, libxl__fd *fd, int number)
{
    assert(!fd->registered);
    *fd = (libxl__fd){.fd = number, .polled = -1, .registered = true, .close_on_fork = true};
    LIST_INSERT_HEAD(&ctx->loop.registered, fd, link);
    ctx->loop.descriptors++;
}

void libxl__fd_modify(libxl_ctx *ctx, libxl__fd *fd, uint32_t events)
{
    struct epoll_event wanted = {.events = events, .data.ptr = fd};
    epoll_ctl(ctx->loop.inner, EPOLL_CTL_MOD, fd->polled, &wanted);
}

void libxl__fd_deregister(libxl_ctx *ctx, libxl__fd *fd)
{
    if (!fd->registered)
        return;
    if (fd->ready_entry)
        fd->ready_entry->data.ptr = NULL;
    LIST_REMOVE(fd, link);
    if (fd->polled >= 0)
        epoll_ctl(ctx->loop.inner, EPOLL_CTL_DEL, fd->polled, NULL);
    if (fd->polled >= 0 && fd->polled != fd->fd)
        close(fd->polled);
    ctx->loop.descriptors -= !fd->internal;
    memset(fd, 0, sizeof(*fd));
}

void libxl__fd_mark_internal(libxl_ctx *ctx, libxl__fd *fd)
{
    ctx->loop.descriptors -= !fd->internal;
    fd->internal = true;
}

void libxl__fds_mark_internal(libxl_ctx *ctx)
{
    libxl__fd *fd;
    LIST_FOREACH (fd, &ctx->loop.registered, link)
        fd->internal = true;
    ctx->loop.descriptors = 0;
}

bool libxl__turn_goes_on(libxl_ctx *ctx, libxl__turn *turn)
{
    ctx->loop.steps++;
    if (++turn->steps % LIBXL__STEPS_PER_CLOCK || turn->until == UINT64_MAX)
        return !turn->over;
    const uint64_t now = ctx->loop.turn_steps ? 0 : libxl__now();
    if (ctx->loop.turn_steps)
        turn->over = turn->steps >= ctx->loop.turn_steps;
    else if (!turn->until)
        turn->until = now + LIBXL__MILLISECONDS(1);
    else
        turn->over = now >= turn->until;
    return !turn->over;
}

int libxl__loop_dispatch(libxl_ctx *ctx)
{
    struct epoll_event *ready = ctx->loop.ready;
    int count = epoll_wait(ctx->loop.inner, ready, LIBXL__READY_AT_ONCE, 0);
    if (count < 0)
        return errno == EINTR ? 0 : system_call_failed(ctx, "epoll_wait");
    for (int i = 0; i < count; i++)
        ((libxl__fd *)ready[i].data.ptr)->ready_entry = &ready[i];
    for (int i = 0; i < count; i++) {
        libxl__fd *fd = ready[i].data.ptr;
        if (!fd)
            continue; /* the callback of another descriptor has deregistered this descriptor */
        fd->ready_entry = NULL;
        fd->callback(ctx, fd, ready[i].events);
    }
    return 0;
}

/* ---- waiting threads */

void libxl__waiter_begin(libxl_ctx *ctx, libxl__waiter *waiter)
{
    pthread_cond_init(&waiter->cond, NULL);
    waiter->woken = waiter->following = false;
    waiter->inside = libxl__delivering_here(ctx);
    if (waiter->typemask)
        TAILQ_INSERT_TAIL(&ctx->loop.waiters, waiter, link);
}

void libxl__waiter_end(libxl_ctx *ctx, libxl__waiter *waiter)
{
    if (waiter->typemask)
        TAILQ_REMOVE(&ctx->loop.waiters, waiter, link);
    pthread_cond_destroy(&waiter->cond);
    libxl__loop_hand_over(ctx);
}

void libxl__loop_hand_over(libxl_ctx *ctx)
{
    libxl__waiter *next = TAILQ_FIRST(&ctx->loop.followers);
    if (!ctx->loop.leader && next)
        pthread_cond_signal(&next->cond);
}

void libxl__waiter_wake(libxl_ctx *ctx, libxl__waiter *waiter)
{
    if (waiter->woken)
        return;
    waiter->woken = true;
    if (ctx->loop.leader == waiter)
        libxl__loop_look_again(ctx);
    else if (waiter->following)
        pthread_cond_signal(&waiter->cond);
}

static int milliseconds_until(uint64_t deadline)
{
    if (!deadline)
        return -1;
    uint64_t now = libxl__now();
    if (deadline <= now)
        return 0;
    uint64_t ms = (deadline - now) / LIBXL__MILLISECONDS(1) + 1;
    return ms > INT32_MAX ? INT32_MAX : (int)ms;
}

static int poll_as_leader(libxl_ctx *ctx, libxl__waiter *waiter, uint64_t deadline)
{
    /* Not used: the poll is level-triggered, so libxl__loop_dispatch finds the same entries again. */
    struct epoll_event unused;
    int timeout = milliseconds_until(deadline);
    ctx->loop.leader = waiter;
    libxl__ctx_unlock(ctx);
    /* poll(2) is not used, because it fails with EINVAL if RLIMIT_NOFILE is 0. */
    int polled = epoll_wait(ctx->loop.inner, &unused, 1, timeout);
    int saved = errno;
    libxl__ctx_lock(ctx);
    ctx->loop.leader = NULL;
    if (polled < 0 && saved != EINTR) {
        errno = saved;
        return system_call_failed(ctx, "epoll_wait");
    }
    return libxl__loop_dispatch(ctx);
}

static void sleep_as_follower(libxl_ctx *ctx, libxl__waiter *waiter, uint64_t deadline)
{
    waiter->following = true;
    TAILQ_INSERT_TAIL(&ctx->loop.followers, waiter, follower_link);
    libxl__ctx_sleep(ctx, &waiter->cond, deadline);
    TAILQ_REMOVE(&ctx->loop.followers, waiter, follower_link);
    waiter->following = false;
}

/*
 * Called by a thread that waits inside a delivery. Passes the pending deliveries to another waiting thread,
 * or to the application's thread that polls the descriptor of libxl_ctx_fd. If there is no such thread, the deliveries
 * are made when the current delivery returns.
 */
static void leave_deliveries(libxl_ctx *ctx)
{
    libxl__waiter *other = ctx->loop.leader;
    ctx->loop.undelivered = true;
    if (!other || other->inside) {
        TAILQ_FOREACH (other, &ctx->loop.followers, follower_link) {
            ctx->loop.steps++;
            if (!other->inside)
                break;
        }
    }
    if (other)
        libxl__waiter_wake(ctx, other);
}

int libxl__waiter_wait(libxl_ctx *ctx, libxl__waiter *waiter, uint64_t deadline)
{
    int rc = 0;
    libxl__ctx_dispatch_for(ctx, waiter->ao);
    if (!waiter->woken && waiter->inside && libxl__deliveries_pending(&ctx->deliveries))
        leave_deliveries(ctx);
    if (!waiter->woken && ctx->loop.leader)
        sleep_as_follower(ctx, waiter, deadline);
    else if (!waiter->woken)
        rc = poll_as_leader(ctx, waiter, deadline);
    libxl__ctx_dispatch_for(ctx, waiter->ao);
    waiter->woken = false;
    return rc;
}
