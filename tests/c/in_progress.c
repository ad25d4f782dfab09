/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Operations in progress. The tests concern the list of operations, progress reports, and the stopping of
 * synchronous calls. */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- libxl_ao_list */

/* Copies the listed operation on this domain to *info. Returns the number of listed operations on
 * this domain. */
static int listed(scene *s, libxl_domid domid, char phase[32], libxl_operation_info *info)
{
    int count, found = 0;
    libxl_operation_info *list = libxl_ao_list(s->ctx, &count);
    assert_non_null(list);
    for (int i = 0; i < count; i++)
        if (list[i].domid == domid) {
            *info = list[i];
            snprintf(phase, 32, "%s", list[i].phase);
            assert_string_equal(list[i].operation, "domain_shutdown");
            assert_string_equal(list[i].unit, "");
            found++;
        }
    libxl_operation_info_list_free(list, count);
    return found;
}

static void an_operation_is_listed_until_it_completes(scene *s)
{
    char phase[32];
    libxl_dominfo dominfo;
    libxl_operation_info info;
    libxl_domid domid = guest(s, "b", true);
    assert_int_equal(listed(s, domid, phase, &info), 0);
    op *o = START(s, libxl_domain_shutdown, s->ctx, domid, how);
    wait_node(s, domid, "control/shutdown", "poweroff");
    for (bool waits = false; !waits; pump(s, 5)) {
        assert_int_equal(listed(s, domid, phase, &info), 1);
        waits = strcmp(phase, "acknowledge") == 0;
    }
    assert_int_equal(info.state, LIBXL_OPERATION_STATE_RUNNING);
    assert_int_equal(info.for_event, s->way.mode == EVENT ? o->how.u.for_event : 0);
    assert_int_equal(libxl_domain_info(s->ctx, &dominfo, domid), 0);
    assert_memory_equal(&info.domuuid, &dominfo.uuid, sizeof(info.domuuid));
    assert_true(info.age_ms >= info.phase_ms);
    destroy(s, domid);
    assert_int_equal(op_result(o), ERROR_DOMAIN_DESTROYED);
    assert_int_equal(listed(s, domid, phase, &info), 0);
}

static void an_idle_context_lists_nothing(scene *s)
{
    int count = 7;
    libxl_operation_info *list = libxl_ao_list(s->ctx, &count);
    assert_non_null(list);
    assert_int_equal(count, 0);
    libxl_operation_info_list_free(list, count);
    libxl_operation_info_list_free(NULL, 0);
}

/* ---- libxl_ao_set_progress */

struct reports {
    char phases[256]; /* The phase of each report, followed by a space. */
    int completions;  /* The number of the operation's completions at the last report. */
    op *o;
};

static void note_report(libxl_ctx *ctx, libxl_event *event, void *user)
{
    struct reports *r = user;
    const size_t length = strlen(r->phases);
    assert_int_equal(event->type, LIBXL_EVENT_TYPE_OPERATION_PROGRESS);
    assert_string_equal(event->u.operation_progress.operation, "domain_create_new");
    snprintf(r->phases + length, sizeof(r->phases) - length, "%s ", event->u.operation_progress.phase);
    r->completions = r->o->completions;
    libxl_event_free(ctx, event);
}

static void each_phase_is_reported_before_the_completion(scene *s)
{
    struct reports r = {.phases = ""};
    const libxl_asyncprogress_how progress = {.callback = note_report, .for_callback = &r};
    libxl_domid domid;
    libxl_domain_config config = guest_config("b");
    op *o = r.o = START(s, libxl_domain_create_new, s->ctx, &config, &domid, how, NULL);
    /* With several threads, another thread may have run some or all phases before the reports
     * were requested. */
    const int rc = libxl_ao_set_progress(s->ctx, &o->how, &progress);
    assert_true(!rc || (rc == ERROR_NOTFOUND && s->way.several));
    assert_int_equal(op_result(o), 0);
    const char all[] = "name make bootloader admission build introduce console devices unmark ";
    const size_t length = strlen(r.phases);
    assert_in_range(length, rc ? 0 : strlen("unmark "), strlen(all));
    assert_string_equal(r.phases, all + strlen(all) - length);
    assert_int_equal(r.completions, 0);
    assert_int_equal(libxl_ao_set_progress(s->ctx, &o->how, &progress), ERROR_NOTFOUND);
    assert_int_equal(libxl_ao_set_progress(s->ctx, NULL, &progress), ERROR_INVAL);
    libxl_domain_config_dispose(&config);
    destroy(s, domid);
}

/* ---- synchronous calls */

static void an_abort_without_how_stops_synchronous_calls(scene *s)
{
    libxl_domid domid = guest(s, "b", true);
    libxl_shutdown_reason reason;
    op *o = START(s, libxl_domain_wait_shutdown, s->ctx, domid, &reason, how);
    const int rc = libxl_ao_abort(s->ctx, NULL);
    assert_int_equal(rc, s->way.mode == SYNC ? 0 : ERROR_NOTFOUND);
    if (s->way.mode != SYNC)
        assert_int_equal(libxl_ao_abort(s->ctx, &o->how), 0);
    assert_int_equal(op_result(o), ERROR_ABORTED);
    destroy(s, domid);
}

static void a_limit_without_how_ends_synchronous_calls(scene *s)
{
    libxl_domid domid = guest(s, "b", true);
    libxl_shutdown_reason reason;
    assert_int_equal(libxl_ao_set_limit(s->ctx, NULL, 20), 0);
    assert_int_equal(libxl_domain_wait_shutdown(s->ctx, domid, &reason, NULL), ERROR_TIMEDOUT);
    assert_non_null(strstr(libxl_error_message(),
                           "The operation's time limit of 20 ms was reached (domain_wait_shutdown "));
    assert_int_equal(libxl_ao_set_limit(s->ctx, NULL, 0), 0);
    destroy(s, domid);
}

static const body bodies[] = {
    BODY(an_operation_is_listed_until_it_completes),
    BODY(an_idle_context_lists_nothing, RUNS_ONCE),
    BODY(each_phase_is_reported_before_the_completion, ASYNCHRONOUS),
    BODY(an_abort_without_how_stops_synchronous_calls, ALONE),
    BODY(a_limit_without_how_ends_synchronous_calls, RUNS_ONCE),
};

HARNESS_MAIN(bodies)
