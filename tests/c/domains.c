/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Operations on domains that run, stop, die or do not exist. */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- domains that do not exist */

static const libxl_domid UNKNOWN = 0x7000, NO_DOMID = 0x7ff0;

static void an_unknown_domid_is_refused(scene *s)
{
    libxl_dominfo info;
    libxl_shutdown_reason reason;
    char *name;
    const struct {
        libxl_domid domid;
        int rc;
        const char *message;
    } cases[] = {
        {UNKNOWN, ERROR_DOMAIN_NOTFOUND, "domid: there is no domain 28672"},
        {NO_DOMID, ERROR_INVAL, "domid: 32752 is not between"},
        {LIBXL_DOMID_INVALID, ERROR_INVAL, "domid: "},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        const libxl_domid domid = cases[i].domid;
#define REFUSED(call)                                                                                        \
    assert_int_equal(RUN(s, call), cases[i].rc);                                                             \
    assert_non_null(strstr(last_message(s), cases[i].message))
        REFUSED(libxl_domain_pause(s->ctx, domid, how));
        REFUSED(libxl_domain_unpause(s->ctx, domid, how));
        REFUSED(libxl_domain_shutdown(s->ctx, domid, how));
        REFUSED(libxl_domain_reboot(s->ctx, domid, how));
        REFUSED(libxl_domain_destroy(s->ctx, domid, how));
        REFUSED(libxl_domain_wait_shutdown(s->ctx, domid, &reason, how));
        REFUSED(libxl_domain_get_info(s->ctx, domid, &info, how));
        REFUSED(libxl_domain_get_name(s->ctx, domid, &name, how));
#undef REFUSED
    }
    /* A domain that does not exist is gone. */
    assert_int_equal(RUN(s, libxl_domain_wait_gone(s->ctx, UNKNOWN, how)), 0);
    assert_int_equal(RUN(s, libxl_domain_wait_gone(s->ctx, NO_DOMID, how)), ERROR_INVAL);
}

static void invalid_names_are_refused(scene *s)
{
    char endless[4098];
    libxl_domid domid;
    memset(endless, 'n', sizeof(endless) - 1);
    endless[sizeof(endless) - 1] = '\0';
    assert_int_equal(RUN(s, libxl_domain_find(s->ctx, NULL, &domid, how)), ERROR_INVAL);
    assert_non_null(strstr(last_message(s), "name: "));
    assert_int_equal(RUN(s, libxl_domain_find(s->ctx, "", &domid, how)), ERROR_INVAL);
    assert_non_null(strstr(last_message(s), "name: empty"));
    assert_int_equal(RUN(s, libxl_domain_find(s->ctx, endless, &domid, how)), ERROR_INVAL);
    assert_non_null(strstr(last_message(s), "name: longer than 4096"));
}

static void a_free_domid_below_a_used_one_is_unknown(scene *s)
{
    libxl_domid first = guest(s, "b", false), second = guest(s, "b", false);
    libxl_dominfo info;
    destroy(s, first);
    assert_int_equal(RUN(s, libxl_domain_get_info(s->ctx, first, &info, how)), ERROR_DOMAIN_NOTFOUND);
    assert_int_equal(RUN(s, libxl_domain_get_info(s->ctx, second, &info, how)), 0);
    assert_int_equal(info.domid, second);
    destroy(s, second);
}

static void domain_0_cannot_be_destroyed_or_awaited(scene *s)
{
    assert_int_equal(RUN(s, libxl_domain_destroy(s->ctx, 0, how)), ERROR_INVAL);
    assert_non_null(strstr(last_message(s), "domain 0"));
    assert_int_equal(RUN(s, libxl_domain_shutdown(s->ctx, 0, how)), ERROR_INVAL);
    assert_int_equal(RUN(s, libxl_domain_wait_gone(s->ctx, 0, how)), ERROR_INVAL);
}

/* ---- domains that run and stop */

static void pauses_are_counted(scene *s)
{
    libxl_dominfo info;
    libxl_domid domid = guest(s, "b", false);
    assert_int_equal(RUN(s, libxl_domain_pause(s->ctx, domid, how)), 0);
    for (int left = 1; left >= 0; left--) {
        assert_int_equal(RUN(s, libxl_domain_unpause(s->ctx, domid, how)), 0);
        assert_int_equal(RUN(s, libxl_domain_get_info(s->ctx, domid, &info, how)), 0);
        assert_int_equal(info.paused, left > 0);
    }
    destroy(s, domid);
}

static void wait_shutdown_gives_the_reason(scene *s)
{
    const struct {
        const char *orders;
        libxl_shutdown_reason reason;
    } guests[] = {{"p", LIBXL_SHUTDOWN_REASON_POWEROFF},
                  {"r", LIBXL_SHUTDOWN_REASON_REBOOT},
                  {"c", LIBXL_SHUTDOWN_REASON_CRASH}};
    for (size_t i = 0; i < sizeof(guests) / sizeof(*guests); i++) {
        libxl_shutdown_reason reason;
        libxl_dominfo info;
        libxl_domid domid = guest(s, guests[i].orders, true);
        for (int again = 0; again < 2; again++) { /* The second call finds that the domain has stopped. */
            reason = LIBXL_SHUTDOWN_REASON_UNKNOWN;
            assert_int_equal(RUN(s, libxl_domain_wait_shutdown(s->ctx, domid, &reason, how)), 0);
            assert_int_equal(reason, guests[i].reason);
        }
        assert_int_equal(libxl_domain_info(s->ctx, &info, domid), 0);
        assert_true(info.shutdown && info.shutdown_reason == guests[i].reason);
        /* The domain has stopped, so the shutdown succeeds without a request. */
        assert_int_equal(RUN(s, libxl_domain_shutdown(s->ctx, domid, how)), 0);
        destroy(s, domid);
    }
}

static void a_listening_guest_reboots(scene *s)
{
    libxl_shutdown_reason reason;
    libxl_domid domid = guest(s, "l", true);
    assert_int_equal(RUN(s, libxl_domain_reboot(s->ctx, domid, how)), 0);
    assert_int_equal(RUN(s, libxl_domain_wait_shutdown(s->ctx, domid, &reason, how)), 0);
    assert_int_equal(reason, LIBXL_SHUTDOWN_REASON_REBOOT);
    destroy(s, domid);
}

/* ---- domains that are destroyed while operations wait */

static void destroying_ends_the_operations_that_wait_for_the_domain(scene *s)
{
    libxl_shutdown_reason reason;
    libxl_domid domid = guest(s, "b", true);
    op *asking = START(s, libxl_domain_shutdown, s->ctx, domid, how);
    op *asking_too = START(s, libxl_domain_reboot, s->ctx, domid, how);
    op *stopping = START(s, libxl_domain_wait_shutdown, s->ctx, domid, &reason, how);
    op *going = START(s, libxl_domain_wait_gone, s->ctx, domid, how);
    wait_node(s, domid, "control/shutdown", "reboot");
    op *destroying = START(s, libxl_domain_destroy, s->ctx, domid, how);
    assert_int_equal(op_result(asking), ERROR_DOMAIN_DESTROYED);
    assert_int_equal(op_result(asking_too), ERROR_DOMAIN_DESTROYED);
    assert_int_equal(op_result(stopping), ERROR_DOMAIN_DESTROYED);
    assert_int_equal(op_result(going), 0);
    assert_int_equal(op_result(destroying), 0);
}

static void a_shutdown_of_a_dying_domain_leaves_no_node(scene *s)
{
    libxl_domid domid = guest(s, "b", true);
    op *destroying = START(s, libxl_domain_destroy, s->ctx, domid, how);
    op *asking = START(s, libxl_domain_shutdown, s->ctx, domid, how);
    int rc = op_result(asking);
    assert_true(rc == ERROR_DOMAIN_DESTROYED || rc == ERROR_DOMAIN_NOTFOUND);
    assert_int_equal(op_result(destroying), 0);
}

static void two_may_destroy_the_same_domain(scene *s)
{
    libxl_domid domid = guest(s, "b", true);
    op *first = START(s, libxl_domain_destroy, s->ctx, domid, how);
    op *second = START(s, libxl_domain_destroy, s->ctx, domid, how);
    assert_int_equal(op_result(first), 0);
    int rc = op_result(second);
    assert_true(rc == 0 || rc == ERROR_DOMAIN_NOTFOUND);
}

/* ---- queries */

static void the_list_agrees_with_each_domain(scene *s)
{
    libxl_domid domid = guest(s, "b", true);
    libxl_dominfo_list list;
    libxl_dominfo info;
    char *name = NULL;
    assert_int_equal(RUN(s, libxl_domain_list(s->ctx, &list, how)), 0);
    assert_int_equal(list.domains[0].domid, 0);
    int at = 0;
    while (at < list.num_domains && list.domains[at].domid != domid)
        at++;
    assert_in_range(at, 1, list.num_domains - 1);
    assert_int_equal(RUN(s, libxl_domain_get_info(s->ctx, domid, &info, how)), 0);
    assert_memory_equal(&info.uuid, &list.domains[at].uuid, sizeof(info.uuid));
    assert_int_equal(info.domain_type, LIBXL_DOMAIN_TYPE_PV);
    assert_int_equal(info.vcpu_online, 1);
    assert_in_range(info.current_memkb, 3 << 10, 4 << 10);
    libxl_dominfo_list_dispose(&list);

    assert_int_equal(RUN(s, libxl_domain_get_name(s->ctx, domid, &name, how)), 0);
    libxl_domid found = 0;
    assert_int_equal(RUN(s, libxl_domain_find(s->ctx, name, &found, how)), 0);
    assert_int_equal(found, domid);
    destroy(s, domid);
    assert_int_equal(RUN(s, libxl_domain_find(s->ctx, name, &found, how)), ERROR_NOTFOUND);
    free(name);
}

static void libxl_names_of_the_queries_work(scene *s)
{
    int count;
    libxl_dominfo info;
    libxl_physinfo host;
    libxl_dominfo *list = libxl_list_domain(s->ctx, &count);
    assert_non_null(list);
    assert_true(count >= 1);
    assert_int_equal(list[0].domid, 0);
    libxl_dominfo_list_free(list, count);
    assert_int_equal(libxl_domain_info(s->ctx, &info, 0), 0);
    assert_int_equal(info.domid, 0);
    assert_int_equal(libxl_get_physinfo(s->ctx, &host), 0);
    assert_true(host.total_pages > host.free_pages);
    const libxl_version_info *version = libxl_get_version_info(s->ctx);
    assert_non_null(version);
    assert_ptr_equal(version, libxl_get_version_info(s->ctx));
    assert_int_equal(version->xen_version_major, 4);
    assert_int_equal(version->pagesize, 4096);
}

static void a_pvh_guest_runs_and_stops(scene *s)
{
    libxl_physinfo host;
    libxl_dominfo info;
    libxl_shutdown_reason reason;
    libxl_domid domid;
    libxl_get_physinfo(s->ctx, &host);
    libxl_domain_config config = guest_config_pvh("p");
    int rc = RUN(s, libxl_domain_create_new(s->ctx, &config, &domid, how, NULL));
    libxl_domain_config_dispose(&config);
    if (!host.cap_hvm) {
        assert_int_equal(rc, ERROR_NI); /* The machine lacks the hardware for PVH guests. */
        assert_non_null(strstr(last_message(s), "c_info.type"));
        return;
    }
    assert_int_equal(rc, 0);
    assert_int_equal(libxl_domain_info(s->ctx, &info, domid), 0);
    assert_int_equal(info.domain_type, LIBXL_DOMAIN_TYPE_PVH);
    assert_int_equal(RUN(s, libxl_domain_unpause(s->ctx, domid, how)), 0);
    assert_int_equal(RUN(s, libxl_domain_wait_shutdown(s->ctx, domid, &reason, how)), 0);
    assert_int_equal(reason, LIBXL_SHUTDOWN_REASON_POWEROFF);
    destroy(s, domid);
}

/* ---- domains shared with xl */

static void xl(const char *verb, libxl_domid domid)
{
    char command[64];
    snprintf(command, sizeof(command), "xl %s %u", verb, domid);
    assert_int_equal(system(command), 0);
}

static void xl_can_control_our_domains(scene *s)
{
    libxl_dominfo info;
    libxl_domid domid = guest(s, "b", true);
    xl("pause", domid);
    assert_int_equal(libxl_domain_info(s->ctx, &info, domid), 0);
    assert_true(info.paused);
    xl("unpause", domid);
    op *going = START(s, libxl_domain_wait_gone, s->ctx, domid, how);
    op *asking = START(s, libxl_domain_shutdown, s->ctx, domid, how);
    xl("destroy", domid);
    assert_int_equal(op_result(asking), ERROR_DOMAIN_DESTROYED);
    assert_int_equal(op_result(going), 0);
}

static void we_can_control_a_domain_of_xl(scene *s)
{
    char command[512], name[32];
    libxl_domid domid;
    libxl_shutdown_reason reason;
    snprintf(name, sizeof(name), "of-xl-%llx", (unsigned long long)new_user());
    snprintf(command, sizeof(command),
             "xl create -q -e /dev/null 'name=\"%s\"' 'type=\"pv\"' 'kernel=\"%s\"' 'extra=\"l\"' memory=4 "
             "'on_poweroff=\"preserve\"'",
             name, guest_kernel());
    assert_int_equal(system(command), 0);
    assert_int_equal(RUN(s, libxl_domain_find(s->ctx, name, &domid, how)), 0);
    assert_int_equal(RUN(s, libxl_domain_pause(s->ctx, domid, how)), 0);
    assert_int_equal(RUN(s, libxl_domain_unpause(s->ctx, domid, how)), 0);
    assert_int_equal(RUN(s, libxl_domain_shutdown(s->ctx, domid, how)), 0);
    assert_int_equal(RUN(s, libxl_domain_wait_shutdown(s->ctx, domid, &reason, how)), 0);
    assert_int_equal(reason, LIBXL_SHUTDOWN_REASON_POWEROFF);
    destroy(s, domid);
}

/* The domain's nodes have been removed, as for a dying domain. A shutdown request must not create the nodes
 * again. */
static void a_request_creates_no_nodes(scene *s)
{
    char path[32];
    libxl_domid domid = guest(s, "b", false);
    snprintf(path, sizeof(path), "/local/domain/%u", domid);
    fixture_write(path, NULL);
    assert_int_equal(RUN(s, libxl_domain_shutdown(s->ctx, domid, how)), ERROR_DOMAIN_DESTROYED);
    assert_null(fixture_node(path));
    destroy(s, domid);
}

/* ---- names that another toolstack changes */

static int create_named(scene *s, const char *name, libxl_domid *domid)
{
    libxl_domain_config config = guest_config("b");
    free(config.c_info.name);
    config.c_info.name = strdup(name);
    int rc = RUN(s, libxl_domain_create_new(s->ctx, &config, domid, how, NULL));
    libxl_domain_config_dispose(&config);
    return rc;
}

static void a_renamed_domain_has_its_current_name(scene *s)
{
    enum { GUESTS = 3, TIMES = 3 };
    libxl_domid domids[GUESTS], other;
    char path[64], renamed[64];
    for (int i = 0; i < GUESTS; i++)
        /* There must be many domains, because only then the context caches the names. */
        domids[i] = guest_new(s->ctx, "b", false);
    char *name = guest_node(domids[0], "name");
    snprintf(path, sizeof(path), "/local/domain/%u/name", domids[0]);
    for (int i = 0; i < TIMES; i++) {
        snprintf(renamed, sizeof(renamed), "%s-%d", name, i);
        fixture_write(path, renamed);
        assert_int_equal(create_named(s, renamed, &other), ERROR_DOMAIN_EXISTS);
        fixture_write(path, name);
        assert_int_equal(RUN(s, libxl_domain_find(s->ctx, renamed, &other, how)), ERROR_NOTFOUND);
        assert_int_equal(RUN(s, libxl_domain_find(s->ctx, name, &other, how)), 0);
        assert_int_equal(other, domids[0]);
    }
    fixture_write(path, renamed);
    assert_int_equal(create_named(s, name, &other), 0);
    guest_destroy(s->ctx, other);
    for (int i = 0; i < GUESTS; i++)
        guest_destroy(s->ctx, domids[i]);
    free(name);
}

static void a_name_given_by_another_context_is_taken(scene *s)
{
    libxl_domid domids[2], other;
    for (int i = 0; i < 2; i++)
        domids[i] = guest_new(s->ctx, "b", false);
    libxl_ctx *another = open_context();
    libxl_domid theirs = guest_new(another, "b", false);
    char *name = guest_node(theirs, "name");
    for (int i = 0; i < 2; i++)
        assert_int_equal(create_named(s, name, &other), ERROR_DOMAIN_EXISTS);
    guest_destroy(another, theirs);
    assert_int_equal(create_named(s, name, &other), 0);
    guest_destroy(s->ctx, other);
    free(name);
    libxl_ctx_free(another);
    for (int i = 0; i < 2; i++)
        guest_destroy(s->ctx, domids[i]);
}

static const body bodies[] = {
    BODY(an_unknown_domid_is_refused),
    BODY(invalid_names_are_refused),
    BODY(a_free_domid_below_a_used_one_is_unknown),
    BODY(domain_0_cannot_be_destroyed_or_awaited),
    BODY(pauses_are_counted),
    BODY(wait_shutdown_gives_the_reason),
    BODY(a_listening_guest_reboots),
    BODY(destroying_ends_the_operations_that_wait_for_the_domain),
    BODY(a_shutdown_of_a_dying_domain_leaves_no_node),
    BODY(two_may_destroy_the_same_domain),
    BODY(the_list_agrees_with_each_domain),
    BODY(libxl_names_of_the_queries_work),
    BODY(a_pvh_guest_runs_and_stops),
    BODY(xl_can_control_our_domains),
    BODY(we_can_control_a_domain_of_xl),
    BODY(a_request_creates_no_nodes),
    BODY(a_renamed_domain_has_its_current_name),
    BODY(a_name_given_by_another_context_is_taken),
};

HARNESS_MAIN(bodies)
