/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Each hypercall of an operation fails once. The library reports the error and leaves no domain or node. The
 * next attempt works. */
#include "harness.h"
#include "simulation.h"

#include <stdio.h>
#include <stdlib.h>
#include <xenctrl.h>

static struct calls calls;

static int create(scene *s, libxl_domid *domid)
{
    libxl_domain_config config = guest_config("b");
    int rc = RUN(s, libxl_domain_create_new(s->ctx, &config, domid, how, NULL));
    libxl_domain_config_dispose(&config);
    return rc;
}

static void learn_calls_of_a_creation(scene *s)
{
    libxl_domid domid;
    calls_begin();
    assert_int_equal(create(s, &domid), 0);
    calls_end(&calls);
    destroy(s, domid);
    assert_in_range(calls.count, 15, CALLS_MOST);
}

/* Creates a domain, and makes the n-th hypercall of this name fail. Returns whether the creation has made n
 * such hypercalls. */
static bool fail_one(scene *s, const char *call, int n, int *failures)
{
    struct fixture before;
    libxl_domid domid;
    fixture_begin(&before);
    int rule = fault_add("%s:%d:EIO", call, n), rc = create(s, &domid);
    bool hit = fault_hits(rule);
    faults_clear();
    if (rc == 0)
        /* The creation has succeeded, because it does not need the call that failed, or another part of the
         * program made that call. */
        destroy(s, domid);
    else if (!hit || !*last_message(s))
        fail_msg("%s, call %d: rc %d, message '%s'%s", call, n, rc, last_message(s),
                 hit ? "" : ", although the fault did not occur");
    *failures += rc != 0;
    fixture_check_world(&before);
    return hit;
}

static void each_call_of_a_creation_can_fail(scene *s)
{
    enum { MOST_TIMES = 100 };
    libxl_domid domid;
    int failures = 0;
    learn_calls_of_a_creation(s);
    for (int i = 0; i < calls.count; i++)
        for (int n = 1; n < MOST_TIMES && fail_one(s, calls.names[i], n, &failures); n++)
            ;
    assert_in_range(failures, 15, 1000);
    assert_int_equal(create(s, &domid), 0);
    destroy(s, domid);
}

/* For each kind of hypercall, the test delays the first call and aborts the creation during the delay. */
static void a_creation_can_be_aborted_at_each_call(scene *s)
{
    int aborted = 0;
    learn_calls_of_a_creation(s);
    for (int i = 0; i < calls.count; i++) {
        struct fixture before;
        libxl_domid domid;
        libxl_domain_config config = guest_config("b");
        fixture_begin(&before);
        int rule = fault_add("%s:1:30ms", calls.names[i]);
        op *o = START(s, libxl_domain_create_new, s->ctx, &config, &domid, how, NULL);
        for (uint64_t end = now_ms() + scaled_ms(200); !op_done(o) && !fault_hits(rule) && now_ms() < end;)
            pump(s, 1);
        int asked = libxl_ao_abort(s->ctx, &o->how), rc = op_result(o);
        if (rc == 0)
            destroy(s, domid);
        assert_int_equal(asked, rc == 0 ? ERROR_NOTFOUND : 0);
        assert_true(rc == 0 || rc == ERROR_ABORTED);
        aborted += rc != 0;
        faults_clear();
        libxl_domain_config_dispose(&config);
        fixture_check_world(&before);
    }
    assert_in_range(aborted, 5, CALLS_MOST);
}

/* ---- error codes */

static void errors_are_specific(scene *s)
{
    static const struct {
        const char *fault;
        int rc;
        const char *message;
    } cases[] = {
        {"domctl.createdomain:EPERM", ERROR_PERMISSION, "making the domain"},
        {"domctl.createdomain:ENOMEM", ERROR_NO_MEMORY_FOR_GUEST, "making the domain"},
        {"domctl.createdomain:EINVAL", ERROR_FAIL, "Invalid argument"},
        {"domctl.max_vcpus:EINVAL", ERROR_FAIL, "d_config.b_info.max_vcpus"},
        {"memory_op.populate_physmap:ENOMEM", ERROR_NO_MEMORY_FOR_GUEST, "d_config.b_info.target_memkb"},
        {"sysctl.getdomaininfolist:EPERM", ERROR_PERMISSION, "listing the domains"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        libxl_domid domid;
        fault_add("%s", cases[i].fault);
        int rc = create(s, &domid);
        faults_clear();
        if (rc != cases[i].rc || !strstr(last_message(s), cases[i].message))
            fail_msg("%s: %d '%s'", cases[i].fault, rc, last_message(s));
    }
}

static void the_first_error_is_the_result(scene *s)
{
    libxl_domid domid;
    fault_add("domctl.max_vcpus:1:EPERM");
    fault_add("domctl.destroydomain:1:EIO"); /* The undo fails, too. */
    assert_int_equal(create(s, &domid), ERROR_PERMISSION);
    assert_non_null(strstr(last_message(s), "max_vcpus"));
    faults_clear();
    int left;
    libxl_dominfo *list = libxl_list_domain(s->ctx, &left);
    assert_int_equal(left, 2);
    destroy(s, list[1].domid);
    libxl_dominfo_list_free(list, left);
}

static void other_operations_report_their_errors(scene *s)
{
    libxl_dominfo_list list;
    libxl_dominfo info;
    libxl_physinfo host;
    libxl_version_info version;
    libxl_domid domid = guest(s, "b", true);
#define FAILS(fault, rc, call)                                                                               \
    fault_add(fault);                                                                                        \
    assert_int_equal(RUN(s, call), rc);                                                                      \
    assert_true(*last_message(s));                                                                           \
    faults_clear()
    FAILS("domctl.pausedomain:EPERM", ERROR_PERMISSION, libxl_domain_pause(s->ctx, domid, how));
    FAILS("domctl.unpausedomain:EIO", ERROR_FAIL, libxl_domain_unpause(s->ctx, domid, how));
    FAILS("domctl.pausedomain:EPERM", ERROR_PERMISSION, libxl_domain_destroy(s->ctx, domid, how));
    char *name = guest_node(domid, "name"); /* The failed destruction has not removed the domain's nodes. */
    assert_non_null(name);
    free(name);
    FAILS("domctl.destroydomain:EIO", ERROR_FAIL, libxl_domain_destroy(s->ctx, domid, how));
    FAILS("sysctl.getdomaininfolist:EPERM", ERROR_PERMISSION, libxl_domain_list(s->ctx, &list, how));
    FAILS("sysctl.getdomaininfolist:EIO", ERROR_FAIL, libxl_domain_get_info(s->ctx, domid, &info, how));
    FAILS("sysctl.physinfo:EPERM", ERROR_PERMISSION, libxl_host_info(s->ctx, &host, how));
    FAILS("xen_version.version:EPERM", ERROR_PERMISSION, libxl_host_version(s->ctx, &version, how));
    FAILS("xen_version.changeset:EIO", ERROR_FAIL, libxl_host_version(s->ctx, &version, how));
#undef FAILS
    destroy(s, domid);
}

/* The library reads the list of domains page by page. If the reading of a page fails, the library reports
 * no events from the earlier pages. */
static void an_incomplete_list_reports_no_events(scene *s)
{
    enum { MORE_THAN_A_PAGE = 4096 / sizeof(xc_domaininfo_t) + 1 };
    libxl_evgen_domain_lifecycle *evgen;
    libxl_shutdown_reason reason;
    libxl_domid domids[MORE_THAN_A_PAGE];
    const uint64_t user = new_user();
    for (int i = 0; i < MORE_THAN_A_PAGE; i++)
        domids[i] = guest(s, i ? "b" : "p", i == 0);
    assert_int_equal(RUN(s, libxl_domain_wait_shutdown(s->ctx, domids[0], &reason, how)), 0);
    int rule = fault_add("sysctl.getdomaininfolist:2:EIO");
    assert_int_equal(libxl_evenable_domain_lifecycle(s->ctx, LIBXL_DOMID_ALL, user, &evgen), ERROR_FAIL);
    assert_int_equal(fault_hits(rule), 1);
    assert_null(evgen);
    faults_clear();
    assert_true(no_event(s, domids[0], user, 50));
    assert_int_equal(libxl_evenable_domain_lifecycle(s->ctx, LIBXL_DOMID_ALL, user, &evgen), 0);
    next_event(s, domids[0], user, LIBXL_EVENT_TYPE_DOMAIN_SHUTDOWN);
    libxl_evdisable_domain_lifecycle(s->ctx, evgen);
    for (int i = 0; i < MORE_THAN_A_PAGE; i++)
        destroy(s, domids[i]);
}

/* ---- opening a context */

static void each_call_of_opening_can_fail(scene *s)
{
    (void)s;
    calls_begin();
    libxl_ctx *ctx = open_context();
    calls_end(&calls);
    libxl_ctx_free(ctx);
    int failures = 0;
    for (int i = 0; i < calls.count; i++)
        for (int n = 1, hit = 1; hit; n++) {
            struct fixture before;
            fixture_begin(&before);
            int rule = fault_add("%s:%d:EIO", calls.names[i], n);
            int rc = libxl_ctx_alloc(&ctx, LIBXL_VERSION, 0, NULL);
            hit = fault_hits(rule);
            faults_clear();
            assert_true((rc == 0) == (ctx != NULL));
            assert_int_equal(libxl_ctx_free(ctx), 0);
            failures += rc != 0;
            fixture_check(&before);
        }
    assert_in_range(failures, 4, 100);
}

static void opening_reports_what_is_missing(scene *s)
{
    static const struct {
        const char *fault;
        int rc;
        const char *message;
    } cases[] = {
        {"xencall_open:EACCES", ERROR_PERMISSION, "hypervisor"},
        {"xencall_open:ENOENT", ERROR_NO_HYPERVISOR, "hypervisor"},
        {"xen_version.version:ENOSYS", ERROR_NO_HYPERVISOR, "hypervisor"},
        {"xenstore.open:EACCES", ERROR_PERMISSION, "xenstored"},
        {"xenstore.open:ENOENT", ERROR_NO_XENSTORE, "xenstored"},
        {"xenstore.open:ECONNREFUSED", ERROR_NO_XENSTORE, "xenstored"},
    };
    (void)s;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        libxl_ctx *ctx;
        fault_add("%s", cases[i].fault);
        int rc = libxl_ctx_alloc(&ctx, LIBXL_VERSION, 0, NULL);
        faults_clear();
        assert_null(ctx);
        if (rc != cases[i].rc || !strstr(libxl_error_message(), cases[i].message))
            fail_msg("%s: %d '%s'", cases[i].fault, rc, libxl_error_message());
    }
}

static const body bodies[] = {
    BODY(each_call_of_a_creation_can_fail, ALONE | SLOW),
    BODY(a_creation_can_be_aborted_at_each_call, ASYNCHRONOUS | ALONE | SLOW),
    BODY(errors_are_specific, ALONE),
    BODY(the_first_error_is_the_result, ALONE),
    BODY(other_operations_report_their_errors, ALONE),
    BODY(an_incomplete_list_reports_no_events, RUNS_ONCE),
    BODY(each_call_of_opening_can_fail, NO_CONTEXT),
    BODY(opening_reports_what_is_missing, NO_CONTEXT),
};

HARNESS_MAIN(bodies)
