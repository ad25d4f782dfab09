/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libxl's hooks into the application's event loop. The tests concern the hooks' return values and arguments.
 * They also concern occurrences that are late, repeated or meant for another context. The harness's style
 * LOOP checks that all operations work with the hooks.
 */
#include "harness.h"

#include <poll.h>
#include <stdlib.h>

#define USER 5

/* An event loop that records the calls of the hooks. */
struct loop {
    int answer; /* The return value of the hook fd_register. */
    int word;   /* The address of this member is the for_app value of the registration. */
    atomic_int registered, deregistered, others;
    int fd;
    short events;
    void *for_libxl;
};

static int fd_register(void *user, int fd, void **for_app, short events, void *for_libxl)
{
    struct loop *loop = user;
    loop->registered++;
    sleep_ms(1); /* Meanwhile other threads can call the hook, too. */
    if (loop->answer)
        return loop->answer;
    loop->fd = fd;
    loop->events = events;
    loop->for_libxl = for_libxl;
    *for_app = &loop->word;
    return 0;
}

static int fd_modify(void *user, int fd, void **for_app, short events)
{
    (void)fd, (void)for_app, (void)events;
    ((struct loop *)user)->others++;
    return 0;
}

static void fd_deregister(void *user, int fd, void *for_app)
{
    struct loop *loop = user;
    loop->deregistered += fd == loop->fd && for_app == &loop->word;
}

static int timeout_register(void *user, void **for_app, struct timeval at, void *for_libxl)
{
    (void)for_app, (void)at, (void)for_libxl;
    ((struct loop *)user)->others++;
    return 0;
}

static int timeout_modify(void *user, void **for_app, struct timeval at)
{
    return timeout_register(user, for_app, at, NULL);
}

static void timeout_deregister(void *user, void *for_app)
{
    timeout_register(user, &for_app, (struct timeval){0}, NULL);
}

static const libxl_osevent_hooks hooks = {
    .fd_register = fd_register,
    .fd_modify = fd_modify,
    .fd_deregister = fd_deregister,
    .timeout_register = timeout_register,
    .timeout_modify = timeout_modify,
    .timeout_deregister = timeout_deregister,
};

static libxl_ctx *open_hooked(struct loop *loop)
{
    libxl_ctx *ctx = open_context();
    libxl_osevent_register_hooks(ctx, &hooks, loop);
    return ctx;
}

static bool readable(const struct loop *loop, int milliseconds)
{
    struct pollfd fd = {.fd = loop->fd, .events = loop->events};
    return poll(&fd, 1, milliseconds) == 1;
}

/* Reports occurrences to the library until an operation has completed. Returns the operation's rc. */
static int result(libxl_ctx *ctx, const struct loop *loop)
{
    libxl_event *event;
    while (libxl_event_check(ctx, &event, LIBXL_EVENTMASK_ALL, NULL, NULL)) {
        assert_true(readable(loop, 5000));
        libxl_osevent_occurred_fd(ctx, loop->for_libxl, loop->fd, POLLIN, POLLIN);
    }
    int rc = event->u.operation_complete.rc;
    libxl_event_free(ctx, event);
    return rc;
}

static void count_call(libxl_ctx *ctx, int rc, void *user)
{
    (void)ctx, (void)rc;
    ++*(int *)user;
}

/* ---- return values of the hooks */

/* Makes every call that has to register the context's descriptor. Returns the number of the first call that
 * does not return `answer`, or 0 if all calls return `answer`. */
static int first_not_refused(libxl_ctx *ctx, libxl_domid domid, int answer)
{
    libxl_physinfo info;
    char *name;
    int calls = 0;
    libxl_evgen_domain_death *death;
    libxl_evgen_domain_lifecycle *lifecycle, *all;
    libxl_evgen_disk_eject *eject;
    const libxl_asyncop_how event = {.u.for_event = USER},
                            callback = {.callback = count_call, .u.for_callback = &calls};
    const int answers[] = {
        libxl_host_info(ctx, &info, &event),
        libxl_domain_get_name(ctx, domid, &name, &event),
        libxl_domain_get_name(ctx, domid, &name, &callback),
        libxl_domain_destroy(ctx, domid, &event),
        libxl_evenable_domain_death(ctx, domid, USER, &death),
        libxl_evenable_domain_lifecycle(ctx, domid, USER, &lifecycle),
        libxl_evenable_domain_lifecycle(ctx, LIBXL_DOMID_ALL, USER, &all),
        libxl_evenable_disk_eject(ctx, domid, "xvda", USER, &eject),
    };
    assert_int_equal(calls, 0);
    for (int i = 0; i < (int)(sizeof(answers) / sizeof(*answers)); i++)
        if (answers[i] != answer)
            return i + 1;
    return 0;
}

static void a_hook_s_return_value_is_returned_unchanged(scene *s)
{
    static const int answers[] = {ERROR_OSEVENT_REG_FAIL, -12345, 1, 4711};
    struct loop loop = {.answer = 0};
    libxl_event *event;
    libxl_counters count;
    libxl_domid domid = guest(s, "b", true);
    libxl_ctx *ctx = open_hooked(&loop);
    for (size_t i = 0; i < sizeof(answers) / sizeof(*answers); i++) {
        loop.answer = answers[i];
        assert_int_equal(first_not_refused(ctx, domid, answers[i]), 0);
        assert_int_equal(libxl_event_wait_limit(ctx, &event, LIBXL_EVENTMASK_ALL, NULL, NULL, 10),
                         ERROR_TIMEDOUT);
        libxl_ctx_counters(ctx, &count);
        assert_int_equal(count.operations_started + count.evgens + count.watches, 0);
    }
    loop.answer = 0; /* From now on the registration succeeds. */
    const libxl_asyncop_how how = {.u.for_event = USER};
    assert_int_equal(libxl_domain_destroy(ctx, domid, &how), ERROR_ASYNC_INPROGRESS);
    assert_int_equal(libxl_event_wait_limit(ctx, &event, LIBXL_EVENTMASK_ALL, NULL, NULL, 5000), 0);
    assert_int_equal(event->u.operation_complete.rc, 0);
    libxl_event_free(ctx, event);
    libxl_ctx_free(ctx);
    assert_int_equal(loop.deregistered, 1);
}

static void synchronous_and_instant_calls_need_no_registration(scene *s)
{
    struct loop loop = {.answer = ERROR_OSEVENT_REG_FAIL};
    libxl_ctx *ctx = open_hooked(&loop);
    libxl_physinfo info;
    char *name = NULL;
    int calls = 0;
    const libxl_asyncop_how how = {.callback = count_call, .u.for_callback = &calls};
    assert_int_equal(libxl_host_info(ctx, &info, NULL), 0);
    /* A synchronous call polls without the hooks. */
    assert_int_equal(libxl_domain_get_name(ctx, 0, &name, NULL), 0);
    assert_int_equal(libxl_host_info(ctx, &info, &how), ERROR_ASYNC_INPROGRESS);
    assert_int_equal(calls, 1);
    free(name);
    libxl_ctx_free(ctx);
    assert_int_equal(loop.registered + loop.deregistered, 0);
    (void)s;
}

/* ---- arguments of the hooks */

struct starting {
    libxl_ctx *ctx;
    const struct loop *loop;
    pthread_t thread;
    char *name;
};

static void *start_one(void *argument)
{
    struct starting *starting = argument;
    const libxl_asyncop_how how = {.u.for_event = USER};
    assert_int_equal(libxl_domain_get_name(starting->ctx, 0, &starting->name, &how), ERROR_ASYNC_INPROGRESS);
    return NULL;
}

static void the_descriptor_is_registered_once_and_deregistered(scene *s)
{
    enum { THREADS = 4 };
    struct loop loop = {.answer = 0};
    struct starting starting[THREADS];
    libxl_ctx *ctx = open_hooked(&loop);
    assert_int_equal(loop.registered, 0); /* No operation waits yet, so the descriptor is not registered. */
    for (int i = 0; i < THREADS; i++) {
        starting[i] = (struct starting){.ctx = ctx};
        pthread_create(&starting[i].thread, NULL, start_one, &starting[i]);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(starting[i].thread, NULL);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(result(ctx, &loop), 0);
    assert_int_equal(loop.registered, 1);
    assert_int_equal(loop.fd, libxl_ctx_fd(ctx));
    assert_int_equal(loop.events, POLLIN);
    assert_int_equal(loop.deregistered, 0);
    for (int i = 0; i < THREADS; i++)
        free(starting[i].name);
    libxl_ctx_free(ctx);
    assert_int_equal(loop.deregistered, 1); /* The hook was called with the right for_app value. */
    assert_int_equal(loop.registered, 1);
    assert_int_equal(loop.others, 0);
    (void)s;
}

/* ---- occurrences */

static void occur(libxl_ctx *ctx, void *for_libxl, int fd)
{
    for (short revents = 0; revents <= (POLLIN | POLLPRI | POLLOUT | POLLERR | POLLHUP); revents++)
        libxl_osevent_occurred_fd(ctx, for_libxl, fd, POLLIN, revents);
    libxl_osevent_occurred_timeout(ctx, for_libxl);
}

static void foreign_occurrences_are_ignored(scene *s)
{
    struct loop loop = {.answer = 0}, gone = {.answer = 0};
    libxl_event *event;
    char *name = NULL;
    const libxl_asyncop_how how = {.u.for_event = USER};
    libxl_ctx *former = open_hooked(&gone), *ctx = open_hooked(&loop);
    occur(ctx, NULL, -1); /* The context has not registered a descriptor yet. */
    assert_int_equal(libxl_host_info(former, &(libxl_physinfo){0}, &how), ERROR_ASYNC_INPROGRESS);
    libxl_ctx_free(former);
    assert_int_equal(libxl_domain_get_name(ctx, 0, &name, &how), ERROR_ASYNC_INPROGRESS);
    assert_true(readable(&loop, 5000)); /* xenstored has answered. */
    occur(ctx, NULL, loop.fd);
    occur(ctx, &loop, loop.fd);
    occur(ctx, loop.for_libxl, -1);
    occur(ctx, loop.for_libxl, loop.fd + 1000);
    /* This occurrence is late. The descriptor is already deregistered. */
    occur(ctx, gone.for_libxl, gone.fd);
    assert_int_equal(libxl_event_check(ctx, &event, LIBXL_EVENTMASK_ALL, NULL, NULL), ERROR_NOT_READY);
    assert_int_equal(result(ctx, &loop), 0); /* The context handles the occurrence of its own descriptor. */
    assert_string_equal(name, "Domain-0");
    free(name);
    libxl_ctx_free(ctx);
    (void)s;
}

static void *occur_often(void *argument)
{
    struct starting *starting = argument;
    const struct loop *loop = starting->loop;
    for (int i = 0; i < 200; i++)
        occur(starting->ctx, loop->for_libxl, loop->fd);
    return NULL;
}

/* Several threads report occurrences at the same time, repeatedly and although the descriptor is not
 * readable. */
static void needless_occurrences_are_harmless(scene *s)
{
    enum { THREADS = 3 };
    struct loop loop = {.answer = 0};
    struct starting starting[THREADS];
    libxl_event *event;
    libxl_shutdown_reason reason;
    const libxl_asyncop_how how = {.u.for_event = USER};
    libxl_domid domid = guest(s, "b", true);
    libxl_ctx *ctx = open_hooked(&loop);
    assert_int_equal(libxl_domain_wait_shutdown(ctx, domid, &reason, &how), ERROR_ASYNC_INPROGRESS);
    for (int i = 0; i < THREADS; i++) {
        starting[i] = (struct starting){.ctx = ctx, .loop = &loop};
        pthread_create(&starting[i].thread, NULL, occur_often, &starting[i]);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(starting[i].thread, NULL);
    assert_int_equal(libxl_event_check(ctx, &event, LIBXL_EVENTMASK_ALL, NULL, NULL), ERROR_NOT_READY);
    destroy(s, domid);
    assert_int_equal(result(ctx, &loop), ERROR_DOMAIN_DESTROYED);
    libxl_ctx_free(ctx);
}

static const body bodies[] = {
    BODY(a_hook_s_return_value_is_returned_unchanged),
    BODY(synchronous_and_instant_calls_need_no_registration, NO_CONTEXT),
    BODY(the_descriptor_is_registered_once_and_deregistered, NO_CONTEXT),
    BODY(foreign_occurrences_are_ignored, NO_CONTEXT),
    BODY(needless_occurrences_are_harmless),
};

HARNESS_MAIN(bodies)
