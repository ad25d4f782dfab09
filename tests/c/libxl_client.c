/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A program that is written for libxl and defines LIBXL_API_VERSION. For such a program, an initiator returns
 * 0 for "started", as in libxl. One test calls every function that both libxl and this library have. Another
 * test mixes all ways of waiting in one context.
 */
#define LIBXL_API_VERSION 0x041400

#include "harness.h"
#include "libxl_calls.h"

#include <stdlib.h>

/* Converts the value that an initiator has returned into the value that the harness expects. */
static int started(const libxl_asyncop_how *how, int returned)
{
    assert_int_not_equal(returned, ERROR_ASYNC_INPROGRESS);
    return how && returned == 0 ? ERROR_ASYNC_INPROGRESS : returned;
}

static void started_is_0(scene *s)
{
    libxl_physinfo host;
    char *name = NULL;
    assert_int_equal(RUN(s, started(how, libxl_host_info(s->ctx, &host, how))), 0);
    assert_int_equal(RUN(s, started(how, libxl_domain_get_name(s->ctx, 0, &name, how))), 0);
    assert_string_equal(name, "Domain-0");
    free(name);
    /* If the initiator fails, it returns the error, as in aioxen's own interface. */
    assert_int_equal(RUN(s, started(how, libxl_domain_pause(s->ctx, 0x7000, how))), ERROR_DOMAIN_NOTFOUND);
}

static void count_call(libxl_ctx *ctx, int rc, void *user)
{
    (void)ctx;
    assert_int_equal(rc, 0);
    *(int *)user += 1;
}

static void all_styles_mix_in_one_context(scene *s)
{
    enum { ROUNDS = 20 };
    libxl_event *event;
    libxl_event_record record;
    char *names[3] = {NULL};
    int calls = 0;
    for (int i = 0; i < ROUNDS; i++) {
        const libxl_asyncop_how by_event = {.u.for_event = (uint64_t)i + 1};
        const libxl_asyncop_how by_callback = {.callback = count_call, .u.for_callback = &calls};
        assert_int_equal(libxl_domain_get_name(s->ctx, 0, &names[0], &by_event), 0);
        assert_int_equal(libxl_domain_get_name(s->ctx, 0, &names[1], &by_callback), 0);
        /* The loop that this synchronous call runs also completes the other two operations. */
        assert_int_equal(libxl_domain_get_name(s->ctx, 0, &names[2], NULL), 0);
        if (i % 2) {
            assert_int_equal(libxl_event_wait(s->ctx, &event, LIBXL_EVENTMASK_ALL, NULL, NULL), 0);
            assert_true(event->for_user == by_event.u.for_event);
            libxl_event_free(s->ctx, event);
        } else {
            while (!libxl_event_take(s->ctx, &record, 1))
                sleep_ms(1);
            assert_true(record.for_user == by_event.u.for_event);
        }
        while (calls <= i)
            libxl_ctx_process(s->ctx);
        for (int n = 0; n < 3; n++) {
            assert_string_equal(names[n], "Domain-0");
            free(names[n]);
        }
    }
    assert_int_equal(calls, ROUNDS);
}

static void every_call_of_libxl_works(scene *s)
{
    const char *failed = libxl_config_calls(s->ctx);
    const libxl_domid domid = guest(s, "b", true);
    failed = failed ? failed : libxl_enumeration_calls(s->ctx);
    failed = failed ? failed : libxl_host_calls(s->ctx, domid);
    failed = failed ? failed : libxl_running_calls(s->ctx, domid);
    failed = failed ? failed : libxl_userdata_calls(s->ctx, domid);
    failed = failed ? failed : libxl_calls(s->ctx, domid);
    if (failed)
        fail_msg("%s does not hold: %s", failed, libxl_error_message());
}

/* An initiator also returns 0 for "started" when it is called by its address. */
static void started_is_0_by_address(scene *s)
{
    int (*initiator)(libxl_ctx *, libxl_domid, char **, const libxl_asyncop_how *) = libxl_domain_get_name;
    const libxl_asyncop_how how = {.u.for_event = new_user()};
    char *name = NULL;
    assert_int_equal(initiator(s->ctx, 0, &name, &how), 0);
    next_event(s, 0, how.u.for_event, LIBXL_EVENT_TYPE_OPERATION_COMPLETE);
    free(name);
}

static const body bodies[] = {
    BODY(started_is_0),
    BODY(started_is_0_by_address, RUNS_ONCE),
    BODY(every_call_of_libxl_works, RUNS_ONCE),
    BODY(all_styles_mix_in_one_context, RUNS_ONCE),
};

HARNESS_MAIN(bodies)
