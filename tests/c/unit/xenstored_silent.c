/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xenstored does not accept connections, or does not answer. Opening and closing a context take a bounded
 * time. Operations end at their time limits.
 */
#include "core.h"

#include "simulation.h"
#include "xen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static unsigned flags(void)
{
    const char *text = getenv("AIOXEN_TEST_FLAGS");
    return text ? (unsigned)atoi(text) : 0;
}

/* ---- opening */

static void a_stopped_xenstored_is_noticed_at_the_opening(scene *s)
{
    libxl_ctx *ctx;
    simulate("xenstored stop");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(libxl_ctx_alloc(&ctx, LIBXL_VERSION, flags(), NULL), ERROR_NO_XENSTORE);
        assert_null(ctx);
        assert_non_null(strstr(libxl_error_message(), "does not answer"));
    }
    simulate("xenstored cont");
    assert_int_equal(libxl_ctx_alloc(&ctx, LIBXL_VERSION, flags(), NULL), 0);
    assert_int_equal(libxl_ctx_free(ctx), 0);
    (void)s;
}

enum { MOST_CONNECTIONS = 1000 };

/* Connects until xenstored's backlog is full. Returns the number of sockets. */
static int fill_backlog(int sockets[MOST_CONNECTIONS])
{
    const struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/run/xenstored/socket"};
    for (int i = 0; i < MOST_CONNECTIONS; i++) {
        sockets[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (connect(sockets[i], (const struct sockaddr *)&address, sizeof(address))) {
            assert_int_equal(errno, EAGAIN);
            return i + 1;
        }
    }
    fail_msg("the backlog has more than %d places", MOST_CONNECTIONS);
    return 0;
}

/* While xenstored's backlog is full, connect(2) of a blocking socket would wait for ever. */
static void a_full_backlog_does_not_block_the_opening(scene *s)
{
    libxl_ctx *ctx;
    int sockets[MOST_CONNECTIONS];
    simulate("xenstored stop");
    int count = fill_backlog(sockets);
    assert_int_equal(libxl_ctx_alloc(&ctx, LIBXL_VERSION, flags(), NULL), ERROR_NO_XENSTORE);
    simulate("xenstored cont");
    while (count > 0)
        close(sockets[--count]);
    (void)s;
}

static void an_opening_that_does_not_wait_returns_before_xenstored_answers(scene *s)
{
    libxl_ctx *ctx;
    libxl_dominfo info;
    char *name = NULL;
    simulate("xenstored stop");
    assert_int_equal(libxl_ctx_alloc(&ctx, LIBXL_VERSION, flags() | LIBXL_CTX_NO_WAIT, NULL), 0);
    assert_int_equal(libxl_domain_info(ctx, &info, 0), 0); /* This call needs only the hypervisor. */
    assert_int_equal(libxl_domain_get_name(ctx, 0, &name, NULL), ERROR_NO_XENSTORE);
    assert_int_equal(libxl_ctx_free(ctx), 0);
    assert_int_equal(libxl_ctx_alloc(&ctx, LIBXL_VERSION, flags() | LIBXL_CTX_NO_WAIT, NULL), 0);
    const libxl_asyncop_how how = {.u.for_event = 1};
    libxl_domain_get_name(ctx, 0, &name, &how);
    simulate("xenstored cont");
    assert_int_equal(core_result(ctx, NULL), 0);
    assert_string_equal(name, "Domain-0");
    free(name);
    assert_int_equal(libxl_ctx_free(ctx), 0);
    (void)s;
}

/* The answer has arrived in time, but the application runs the loop only after the time limit for the answer
 * has passed. */
static void an_answer_that_is_read_late_counts(scene *s)
{
    libxl_ctx *ctx;
    char *name = NULL;
    assert_int_equal(libxl_ctx_alloc(&ctx, LIBXL_VERSION, flags() | LIBXL_CTX_NO_WAIT, NULL), 0);
    sleep_ms(1200);
    libxl__ctx_lock(ctx);
    libxl__timer *timer = &ctx->xen->link.timer;
    libxl__timer_stop(ctx, timer);
    timer->callback(ctx, timer); /* The timer's callback runs before the library reads the socket. */
    libxl__ctx_unlock(ctx);
    assert_int_equal(libxl_domain_get_name(ctx, 0, &name, NULL), 0);
    free(name);
    assert_int_equal(libxl_ctx_free(ctx), 0);
    (void)s;
}

/* ---- closing */

/* A thread of libxenstore is stuck in a request to xenstored. Closing the context does not wait for
 * this thread. */
static void closing_ends_while_xenstored_does_not_answer(scene *s)
{
    libxl_evgen_domain_lifecycle *all;
    const libxl_asyncop_how how = {.u.for_event = 1};
    for (int with_watches = 0; with_watches <= 1; with_watches++) {
        char *name = NULL;
        libxl_ctx *ctx = open_context();
        if (!with_watches)
            simulate("xenstored stop");
        assert_int_equal(libxl_evenable_domain_lifecycle(ctx, LIBXL_DOMID_ALL, 1, &all), 0);
        if (with_watches)
            simulate("xenstored stop");
        assert_int_equal(libxl_domain_get_name(ctx, 0, &name, &how), ERROR_ASYNC_INPROGRESS);
        assert_int_equal(libxl_ctx_free(ctx), 0);
        assert_null(name);
        simulate("xenstored cont");
    }
    (void)s;
}

/* When libxenstore cancels its thread, glibc loads a library. Without a free descriptor glibc would end
 * the process. */
static void closing_needs_no_descriptor(scene *s)
{
    libxl_evgen_domain_lifecycle *all;
    struct rlimit before, none;
    char *name = NULL;
    libxl_ctx *ctx;
    assert_int_equal(libxl_ctx_alloc(&ctx, LIBXL_VERSION, LIBXL_CTX_LIBXENSTORE, NULL), 0);
    assert_int_equal(libxl_evenable_domain_lifecycle(ctx, LIBXL_DOMID_ALL, 1, &all), 0);
    /* When this call returns, the watches are registered. */
    assert_int_equal(libxl_domain_get_name(ctx, 0, &name, NULL), 0);
    free(name);
    getrlimit(RLIMIT_NOFILE, &before);
    none = (struct rlimit){.rlim_cur = 0, .rlim_max = before.rlim_max};
    setrlimit(RLIMIT_NOFILE, &none);
    const int rc = libxl_ctx_free(ctx);
    setrlimit(RLIMIT_NOFILE, &before);
    assert_int_equal(rc, 0);
    (void)s;
}

/* ---- time limits */

/* Returns the state of the operation in progress. Fails the test unless exactly one operation
 * is in progress. */
static libxl_operation_state only_operation(libxl_ctx *ctx)
{
    int count;
    libxl_operation_info *list = libxl_ao_list(ctx, &count);
    assert_int_equal(count, 1);
    const libxl_operation_state state = list->state;
    libxl_operation_info_list_free(list, count);
    return state;
}

static bool is_idle(libxl_ctx *ctx)
{
    int count;
    libxl_operation_info *list = libxl_ao_list(ctx, &count);
    libxl_operation_info_list_free(list, count);
    return count == 0;
}

/* Starts a shutdown request that the guest ignores. The operation reaches its time limit while xenstored
 * is stopped. */
static void ask_in_vain(scene *s, libxl_domid domid)
{
    op *o = START(s, libxl_domain_shutdown, s->ctx, domid, how);
    wait_node(s, domid, "control/shutdown", "poweroff");
    simulate("xenstored stop");
    assert_int_equal(libxl_ao_set_limit(s->ctx, op_how(o), 50), 0);
    assert_int_equal(op_result(o), ERROR_TIMEDOUT);
    assert_non_null(strstr(o->message, "undoing phase request goes on in the background"));
    assert_int_equal(only_operation(s->ctx), LIBXL_OPERATION_STATE_BACKGROUND);
}

/* The withdrawal of the request is carried out when xenstored runs again. */
static void a_limit_does_not_wait_for_xenstored(scene *s)
{
    libxl_domid domid = guest(s, "b", true);
    ask_in_vain(s, domid);
    simulate("xenstored cont");
    wait_node(s, domid, "control/shutdown", "");
    while (!is_idle(s->ctx))
        pump(s, 10);
    destroy(s, domid);
}

static void closing_does_not_wait_for_what_goes_on(scene *s)
{
    libxl_domid domid = guest(s, "b", true);
    scene other = *s;
    other.ctx = open_context();
    other.ops = NULL;
    const libxl_asyncop_how how = {.u.for_event = 1};
    assert_int_equal(libxl_domain_shutdown(other.ctx, domid, &how), ERROR_ASYNC_INPROGRESS);
    wait_node(&other, domid, "control/shutdown", "poweroff");
    simulate("xenstored stop");
    assert_int_equal(libxl_ao_set_limit(other.ctx, &how, 50), 0);
    assert_int_equal(core_result(other.ctx, NULL), ERROR_TIMEDOUT);
    assert_int_equal(only_operation(other.ctx), LIBXL_OPERATION_STATE_BACKGROUND);
    assert_int_equal(libxl_ctx_free(other.ctx), 0);
    simulate("xenstored cont");
    destroy(s, domid);
}

struct call {
    scene *s;
    libxl_domid domid;
    int rc;
    char message[256];
};

static void *shut_down(void *argument)
{
    struct call *c = argument;
    c->rc = libxl_domain_shutdown(c->s->ctx, c->domid, NULL);
    snprintf(c->message, sizeof(c->message), "%s", libxl_error_message());
    return NULL;
}

static void a_synchronous_call_returns_at_its_limit(scene *s)
{
    struct call c = {.s = s, .domid = guest(s, "b", true)};
    pthread_t thread;
    pthread_create(&thread, NULL, shut_down, &c);
    wait_node(s, c.domid, "control/shutdown", "poweroff");
    simulate("xenstored stop");
    assert_int_equal(libxl_ao_set_limit(s->ctx, NULL, 50), 0);
    pthread_join(thread, NULL);
    assert_int_equal(c.rc, ERROR_TIMEDOUT);
    assert_non_null(strstr(c.message, "goes on in the background"));
    assert_int_equal(only_operation(s->ctx), LIBXL_OPERATION_STATE_BACKGROUND);
    libxl_ao_set_limit(s->ctx, NULL, 0);
    simulate("xenstored cont");
    wait_node(s, c.domid, "control/shutdown", "");
    while (!is_idle(s->ctx))
        pump(s, 10);
    destroy(s, c.domid);
}

static const body bodies[] = {
    BODY(a_stopped_xenstored_is_noticed_at_the_opening, NO_CONTEXT),
    BODY(a_full_backlog_does_not_block_the_opening, NO_CONTEXT),
    BODY(an_opening_that_does_not_wait_returns_before_xenstored_answers, NO_CONTEXT),
    BODY(an_answer_that_is_read_late_counts, NO_CONTEXT),
    BODY(closing_ends_while_xenstored_does_not_answer, NO_CONTEXT),
    BODY(closing_needs_no_descriptor, NO_CONTEXT),
    BODY(a_limit_does_not_wait_for_xenstored, RUNS_ONCE),
    BODY(closing_does_not_wait_for_what_goes_on, RUNS_ONCE),
    BODY(a_synchronous_call_returns_at_its_limit, RUNS_ONCE),
};

HARNESS_MAIN(bodies)
