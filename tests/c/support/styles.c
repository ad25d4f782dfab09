/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: an epoll descriptor or an event loop's registration, while a scene of such a style is open.
 * scene->lock guards the registration. Each function `wait` waits once and stores the events. Any thread may
 * call `wait`.
 */
#include "scene.h"
#include "styles.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/time.h>
#include <unistd.h>

enum { BATCH = 8 };

/* ---- storing events */

static void got_event(scene *s, libxl_event *event)
{
    const char *message = NULL;
    seen e = {
        .type = event->type, .domid = event->domid, .for_user = event->for_user, .uuid = event->domuuid};
    if (event->type == LIBXL_EVENT_TYPE_DOMAIN_SHUTDOWN)
        e.value = event->u.domain_shutdown.shutdown_reason;
    if (event->type == LIBXL_EVENT_TYPE_DISK_EJECT)
        snprintf(e.vdev, sizeof(e.vdev), "%s", event->u.disk_eject.vdev);
    if (event->type == LIBXL_EVENT_TYPE_OPERATION_COMPLETE) {
        e.value = event->u.operation_complete.rc;
        message = event->u.operation_complete.message;
    }
    scene_note(s, e, message);
    libxl_event_free(s->ctx, event);
}

static void got_record(scene *s, const libxl_event_record *record)
{
    if (record->event)
        got_event(s, record->event);
    else
        scene_note(s,
                   (seen){.type = (libxl_event_type)record->type,
                          .domid = record->domid,
                          .for_user = record->for_user,
                          .uuid = record->domuuid,
                          .value = record->value},
                   NULL);
}

/* ---- libxl_event_wait, poll(2) */

static void wait_by_event_wait(scene *s, int milliseconds)
{
    libxl_event *event;
    int rc = libxl_event_wait_limit(s->ctx, &event, LIBXL_EVENTMASK_ALL, NULL, NULL, milliseconds);
    if (rc == 0)
        got_event(s, event);
    else if (rc != ERROR_NOT_READY && rc != ERROR_TIMEDOUT)
        fail_msg("libxl_event_wait: %d", rc);
}

static bool check_events(scene *s)
{
    libxl_event *event;
    bool any = false;
    for (; libxl_event_check(s->ctx, &event, LIBXL_EVENTMASK_ALL, NULL, NULL) == 0; any = true)
        got_event(s, event);
    return any;
}

static void wait_by_poll(scene *s, int milliseconds)
{
    struct pollfd fds[4];
    struct timeval now;
    int count = sizeof(fds) / sizeof(*fds);
    gettimeofday(&now, NULL);
    assert_int_equal(libxl_osevent_beforepoll(s->ctx, &count, fds, &milliseconds, now), 0);
    poll(fds, (nfds_t)count, milliseconds);
    gettimeofday(&now, NULL);
    libxl_osevent_afterpoll(s->ctx, count, fds, now);
    check_events(s);
}

/* ---- the context's descriptor; events are taken in batches, or go to the application's receiver */

static void watch_descriptor(scene *s)
{
    struct epoll_event wanted = {.events = EPOLLIN};
    s->epoll = epoll_create1(EPOLL_CLOEXEC);
    assert_int_equal(epoll_ctl(s->epoll, EPOLL_CTL_ADD, libxl_ctx_fd(s->ctx), &wanted), 0);
}

static void unwatch_descriptor(scene *s)
{
    close(s->epoll);
}

static void wait_by_descriptor(scene *s, int milliseconds)
{
    struct epoll_event ready;
    libxl_event_record records[BATCH];
    int taken;
    if (epoll_wait(s->epoll, &ready, 1, milliseconds) <= 0)
        return;
    do {
        taken = libxl_event_take(s->ctx, records, BATCH);
        assert_true(taken >= 0);
        for (int i = 0; i < taken; i++)
            got_record(s, &records[i]);
    } while (taken == BATCH);
}

static void wait_by_hook(scene *s, int milliseconds)
{
    struct epoll_event ready;
    if (epoll_wait(s->epoll, &ready, 1, milliseconds) > 0)
        assert_int_equal(libxl_ctx_process(s->ctx), 0);
}

static void hook_event(void *user, libxl_event *event)
{
    got_event(user, event);
}

static const libxl_event_hooks hooks = {.event_occurs_mask = LIBXL_EVENTMASK_ALL, .event_occurs = hook_event};

static void watch_and_receive(scene *s)
{
    watch_descriptor(s);
    libxl_event_register_callbacks(s->ctx, &hooks, s);
}

/* ---- the application's event loop, which libxl_osevent_register_hooks connects */

static int fd_register(void *user, int fd, void **for_app, short events, void *for_libxl)
{
    scene *s = user;
    pthread_mutex_lock(&s->lock);
    bool was = s->registration.registered;
    s->registration = (registration){.registered = true, .fd = fd, .events = events, .for_libxl = for_libxl};
    pthread_mutex_unlock(&s->lock);
    assert_false(was); /* The library registers only one descriptor. */
    *for_app = &s->registration;
    return 0;
}

static int fd_modify(void *user, int fd, void **for_app, short events)
{
    scene *s = user;
    pthread_mutex_lock(&s->lock);
    assert_true(*for_app == &s->registration && fd == s->registration.fd);
    s->registration.events = events;
    pthread_mutex_unlock(&s->lock);
    return 0;
}

static void fd_deregister(void *user, int fd, void *for_app)
{
    scene *s = user;
    pthread_mutex_lock(&s->lock);
    assert_true(for_app == &s->registration && s->registration.registered && fd == s->registration.fd);
    s->registration.registered = false;
    pthread_mutex_unlock(&s->lock);
}

/* The hook that registers a timeout. The library must never call this hook, because its deadlines make the
 * descriptor readable. */
static int timeout_register(void *user, void **for_app, struct timeval at, void *for_libxl)
{
    (void)user, (void)for_app, (void)at, (void)for_libxl;
    fail_msg("a timeout was registered");
    return ERROR_OSEVENT_REG_FAIL;
}

static int timeout_modify(void *user, void **for_app, struct timeval at)
{
    return timeout_register(user, for_app, at, NULL);
}

static void timeout_deregister(void *user, void *for_app)
{
    timeout_register(user, for_app, (struct timeval){0}, NULL);
}

static const libxl_osevent_hooks loop_hooks = {
    .fd_register = fd_register,
    .fd_modify = fd_modify,
    .fd_deregister = fd_deregister,
    .timeout_register = timeout_register,
    .timeout_modify = timeout_modify,
    .timeout_deregister = timeout_deregister,
};

static void begin_loop(scene *s)
{
    libxl_osevent_register_hooks(s->ctx, &loop_hooks, s);
}

/* One iteration of the loop, which polls only the descriptor that the library has registered. The events that
 * the program's own calls have queued are processed before the poll. */
static void wait_by_loop(scene *s, int milliseconds)
{
    if (check_events(s))
        return;
    pthread_mutex_lock(&s->lock);
    const registration r = s->registration;
    pthread_mutex_unlock(&s->lock);
    struct pollfd fd = {.fd = r.fd, .events = r.events};
    if (poll(&fd, r.registered ? 1 : 0, milliseconds) > 0)
        libxl_osevent_occurred_fd(s->ctx, r.for_libxl, fd.fd, fd.events, fd.revents);
    check_events(s);
}

static void end_loop(scene *s)
{
    assert_false(s->registration.registered);
}

/* ---- the table of styles */

const struct styles styles[STYLES] = {
    [WAIT] = {"event_wait", NULL, wait_by_event_wait, NULL},
    [POLL] = {"poll", NULL, wait_by_poll, NULL},
    [DESCRIPTOR] = {"descriptor", watch_descriptor, wait_by_descriptor, unwatch_descriptor},
    [HOOK] = {"hook", watch_and_receive, wait_by_hook, unwatch_descriptor},
    [LOOP] = {"loop", begin_loop, wait_by_loop, end_loop},
};
