/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The hypervisor refuses to list its domains. Each operation that waits for a domain fails, and all followers
 * (src/xen/followed.h) are notified. The library logs only a few messages. */
#include "harness.h"
#include "simulation.h"

#include <stdlib.h>

enum { MOST_LINES = 3, LONG_MS = 3000 };

/* Stops a guest. xenstored reports this, so the library lists the domains. */
static void stop_a_guest(libxl_domid domid)
{
    simulate("shutdown %u poweroff", domid);
}

static libxl_domid refuse_the_list(scene *s)
{
    libxl_domid other = guest(s, "b", true);
    fault_add("sysctl.getdomaininfolist:EIO");
    stop_a_guest(other);
    return other;
}

static void allow_the_list(scene *s, libxl_domid other)
{
    faults_clear();
    destroy(s, other);
}

static void fails_with_the_cause(const scene *s, op *o)
{
    (void)s;
    assert_int_equal(op_result(o), ERROR_FAIL);
    assert_non_null(strstr(o->message, "listing the domains"));
    assert_non_null(strstr(o->message, "Input/output error"));
}

static void waiting_for_a_shutdown_ends(scene *s)
{
    libxl_domid domid = guest(s, "b", true);
    libxl_shutdown_reason reason;
    op *o = START(s, libxl_domain_wait_shutdown, s->ctx, domid, &reason, how);
    libxl_domid other = refuse_the_list(s);
    fails_with_the_cause(s, o);
    allow_the_list(s, other);
    /* The next operation works again. */
    o = START(s, libxl_domain_wait_shutdown, s->ctx, domid, &reason, how);
    stop_a_guest(domid);
    assert_int_equal(op_result(o), 0);
    destroy(s, domid);
}

static void waiting_for_the_end_of_a_domain_ends(scene *s)
{
    libxl_domid domid = guest(s, "b", true);
    op *o = START(s, libxl_domain_wait_gone, s->ctx, domid, how);
    libxl_domid other = refuse_the_list(s);
    fails_with_the_cause(s, o);
    allow_the_list(s, other);
    destroy(s, domid);
}

static void a_destruction_ends(scene *s)
{
    libxl_domid domid = guest(s, "b", true), other = guest(s, "b", true);
    int rule = fault_add("domctl.destroydomain:1:100ms");
    op *o = START(s, libxl_domain_destroy, s->ctx, domid, how);
    fault_wait(s->ctx, rule);
    fault_add("sysctl.getdomaininfolist:EIO");
    fails_with_the_cause(s, o);
    allow_the_list(s, other);
    assert_int_equal(RUN(s, libxl_domain_wait_gone(s->ctx, domid, how)), 0);
}

static void a_single_failure_ends_nothing(scene *s)
{
    libxl_domid domid = guest(s, "b", true), other = guest(s, "b", true);
    libxl_shutdown_reason reason;
    op *o = START(s, libxl_domain_wait_shutdown, s->ctx, domid, &reason, how);
    int rule = fault_add("sysctl.getdomaininfolist:1:EIO");
    stop_a_guest(other);
    fault_wait(s->ctx, rule);
    stop_a_guest(domid);
    assert_int_equal(op_result(o), 0);
    faults_clear();
    destroy(s, domid);
    destroy(s, other);
}

/* ---- followers and the log */

struct counting {
    xentoollog_logger logger;
    int lines;
};

static void count_line(xentoollog_logger *logger, xentoollog_level level, int errnoval, const char *context,
                       const char *format, va_list args)
{
    (void)errnoval, (void)context, (void)args;
    if (level >= XTL_WARN && strstr(format, "list"))
        ((struct counting *)logger)->lines++;
}

static void no_progress(xentoollog_logger *logger, const char *context, const char *doing_what, int percent,
                        unsigned long done, unsigned long total)
{
    (void)logger, (void)context, (void)doing_what, (void)percent, (void)done, (void)total;
}

static int lost_events(libxl_ctx *ctx, libxl_ev_user user, unsigned milliseconds)
{
    int lost = 0;
    for (uint64_t end = now_ms() + milliseconds; now_ms() < end;) {
        libxl_event *event;
        if (libxl_event_wait_limit(ctx, &event, LIBXL_EVENTMASK_ALL, NULL, NULL, 50))
            continue;
        if (event->type == LIBXL_EVENT_TYPE_DOMAIN_EVENTS_LOST) {
            assert_int_equal(event->for_user, user);
            lost++;
        }
        libxl_event_free(ctx, event);
    }
    return lost;
}

static void followers_are_told_once_and_lines_are_counted(scene *s)
{
    (void)s;
    struct counting counting = {.logger = {.vmessage = count_line, .progress = no_progress}};
    libxl_ctx *ctx;
    libxl_evgen_domain_lifecycle *evgen;
    assert_int_equal(libxl_ctx_alloc(&ctx, LIBXL_VERSION, 0, &counting.logger), 0);
    libxl_domid domid = guest_new(ctx, "b", true);
    assert_int_equal(libxl_evenable_domain_lifecycle(ctx, domid, 5, &evgen), 0);
    assert_int_equal(lost_events(ctx, 5, 50), 0);
    fault_add("sysctl.getdomaininfolist:EIO");
    stop_a_guest(domid);
    assert_int_equal(lost_events(ctx, 5, (unsigned)scaled_ms(LONG_MS)), 1);
    faults_clear();
    /* When the library can list the domains again, it reports the changes that it missed. */
    libxl_event *event;
    assert_int_equal(libxl_event_wait(ctx, &event, LIBXL_EVENTMASK_ALL, NULL, NULL), 0);
    assert_int_equal(event->type, LIBXL_EVENT_TYPE_DOMAIN_SHUTDOWN);
    libxl_event_free(ctx, event);
    assert_in_range(counting.lines, 1, MOST_LINES);
    libxl_evdisable_domain_lifecycle(ctx, evgen);
    guest_destroy(ctx, domid);
    libxl_ctx_free(ctx);
}

/* The hypervisor refuses to say whether the cpupool exists. The creation must not report the cpupool as
 * missing. */
static void a_refused_question_about_a_cpupool_is_reported(scene *s)
{
    libxl_domid domid;
    libxl_domain_config config = guest_config("b");
    config.c_info.poolid = 1;
    fault_add("sysctl.cpupool_op:1:EPERM");
    const int rc = RUN(s, libxl_domain_create_new(s->ctx, &config, &domid, how, NULL));
    faults_clear();
    libxl_domain_config_dispose(&config);
    assert_int_equal(rc, ERROR_PERMISSION);
    check_says(s, "asking about cpupool 1: ");
}

static const body bodies[] = {
    BODY(waiting_for_a_shutdown_ends, ALONE | SLOW),
    BODY(waiting_for_the_end_of_a_domain_ends, ALONE | SLOW),
    BODY(a_destruction_ends, ALONE | SLOW),
    BODY(a_single_failure_ends_nothing, ALONE),
    BODY(followers_are_told_once_and_lines_are_counted, NO_CONTEXT),
    BODY(a_refused_question_about_a_cpupool_is_reported, RUNS_ONCE),
};

HARNESS_MAIN(bodies)
