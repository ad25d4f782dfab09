/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The library follows a domain, and another domain gets the same domid. The library identifies a domain by
 * the domid and the UUID. */
#include "harness.h"
#include "replace.h"

#include <stdio.h>
#include <stdlib.h>

static libxl_uuid uuid_of(scene *s, libxl_domid domid)
{
    libxl_dominfo info;
    assert_int_equal(RUN(s, libxl_domain_get_info(s->ctx, domid, &info, how)), 0);
    return info.uuid;
}

static void expect(scene *s, libxl_domid domid, uint64_t user, int type, const libxl_uuid *uuid)
{
    seen e = next_event(s, domid, user, type);
    assert_memory_equal(e.uuid.uuid, uuid->uuid, sizeof(uuid->uuid));
}

static void a_uuid_is_checked(scene *s)
{
    libxl_domid domid = guest(s, "b", true);
    const libxl_uuid first = uuid_of(s, domid);
    assert_int_equal(RUN(s, libxl_domain_check_uuid(s->ctx, domid, &first, how)), 0);
    const libxl_uuid second = replace_domain(domid);
    assert_int_equal(RUN(s, libxl_domain_check_uuid(s->ctx, domid, &first, how)), ERROR_DOMAIN_GONE);
    assert_int_equal(RUN(s, libxl_domain_check_uuid(s->ctx, domid, &second, how)), 0);
    destroy(s, domid);
    assert_int_equal(RUN(s, libxl_domain_check_uuid(s->ctx, domid, &second, how)), ERROR_DOMAIN_GONE);
}

/* The first domain is reported as gone, and the new domain's events are not reported. */
static void a_generator_does_not_report_the_new_domain(scene *s)
{
    const uint64_t user = new_user();
    libxl_evgen_domain_lifecycle *evgen;
    libxl_domid domid = guest(s, "b", true);
    const libxl_uuid first = uuid_of(s, domid);
    assert_int_equal(libxl_evenable_domain_lifecycle(s->ctx, domid, user, &evgen), 0);
    /* The library does not list the domains before the domid has its second domain. */
    const libxl_uuid second = replace_domain(domid);
    expect(s, domid, user, LIBXL_EVENT_TYPE_DOMAIN_DYING, &first);
    expect(s, domid, user, LIBXL_EVENT_TYPE_DOMAIN_GONE, &first);
    assert_true(domain_exists(domid, &second));
    destroy(s, domid);
    assert_true(no_event(s, domid, user, 20));
    libxl_evdisable_domain_lifecycle(s->ctx, evgen);
}

static void a_reused_domid_is_reported_for_each_domain(scene *s)
{
    const uint64_t users[] = {new_user(), new_user()};
    libxl_evgen_domain_lifecycle *evgens[2];
    libxl_domid domid = guest(s, "b", true);
    const libxl_uuid first = uuid_of(s, domid);
    assert_int_equal(libxl_evenable_domain_lifecycle(s->ctx, LIBXL_DOMID_ALL, users[0], &evgens[0]), 0);
    const libxl_uuid second = replace_domain(domid);
    expect(s, domid, users[0], LIBXL_EVENT_TYPE_DOMAIN_APPEARED, &second);
    expect(s, domid, users[0], LIBXL_EVENT_TYPE_DOMAIN_DYING, &first);
    expect(s, domid, users[0], LIBXL_EVENT_TYPE_DOMAIN_GONE, &first);
    /* xenstored does not report the new domain. Enabling a second generator makes the library list
     * the domains. */
    assert_int_equal(libxl_evenable_domain_lifecycle(s->ctx, LIBXL_DOMID_ALL, users[1], &evgens[1]), 0);
    for (int i = 0; i < 10;
         i++, sleep_ms(2)) /* A timer that fires at once makes the library list the domains. */
        assert_int_equal(libxl_ctx_process(s->ctx), 0);
    destroy(s, domid);
    for (int i = 0; i < 2; i++) {
        expect(s, domid, users[i], LIBXL_EVENT_TYPE_DOMAIN_DYING, &second);
        expect(s, domid, users[i], LIBXL_EVENT_TYPE_DOMAIN_GONE, &second);
        libxl_evdisable_domain_lifecycle(s->ctx, evgens[i]);
    }
}

static void waiting_for_a_domain_does_not_wait_for_its_successor(scene *s)
{
    libxl_shutdown_reason reason;
    libxl_domid domid = guest(s, "b", true);
    op *gone = START(s, libxl_domain_wait_gone, s->ctx, domid, how);
    op *shut_down = START(s, libxl_domain_wait_shutdown, s->ctx, domid, &reason, how);
    const libxl_uuid second = replace_domain(domid);
    assert_int_equal(op_result(gone), 0);
    assert_int_equal(op_result(shut_down), ERROR_DOMAIN_DESTROYED);
    assert_true(domain_exists(domid, &second));
    destroy(s, domid);
}

static void put(libxl_domid domid, const char *name, const char *value)
{
    char path[64];
    snprintf(path, sizeof(path), "/local/domain/%u/%s", domid, name);
    fixture_write(path, value);
}

static void assert_holds(libxl_domid domid, const char *name, const char *value)
{
    char *now = guest_node(domid, name);
    assert_non_null(now);
    assert_string_equal(now, value);
    free(now);
}

/* Makes a domain that is not introduced to xenstored. So xenstored does not report the domain's end.
 * Processes all events that are already due. Returns the domid. */
static libxl_domid unreported_domain(scene *s, bool known)
{
    enum { SETTLE_MS = 50 };
    libxl_evgen_domain_lifecycle *evgen;
    libxl_domid domid = guest(s, "b", true);
    const libxl_uuid uuid = replace_domain(domid);
    write_domain_nodes(domid, known ? &uuid : NULL);
    assert_int_equal(libxl_evenable_domain_lifecycle(s->ctx, domid, new_user(), &evgen), 0);
    pump_for(s, SETTLE_MS);
    libxl_evdisable_domain_lifecycle(s->ctx, evgen);
    return domid;
}

/* Another domain gets the domid while the library sends the shutdown request. */
static void a_shutdown_request_does_not_reach_the_new_domain(scene *s)
{
    for (int known = 0; known <= 1; known++) {
        libxl_domid domid = unreported_domain(s, known);
        op *o = START(s, libxl_domain_shutdown, s->ctx, domid, how);
        const libxl_uuid second = replace_domain(domid);
        write_domain_nodes(domid, &second);
        assert_int_equal(op_result(o), ERROR_DOMAIN_DESTROYED);
        assert_non_null(strstr(last_message(s), "domid: domain"));
        assert_holds(domid, "control/shutdown", "");
        destroy(s, domid);
    }
}

static void the_new_domain_s_request_is_not_withdrawn(scene *s)
{
    for (int known = 0; known <= 1; known++) {
        libxl_domid domid = unreported_domain(s, known);
        op *o = START(s, libxl_domain_shutdown, s->ctx, domid, how);
        /* The library also sends the request to a domain that has no node `vm`. */
        wait_node(s, domid, "control/shutdown", "poweroff");
        const libxl_uuid second = replace_domain(domid);
        write_domain_nodes(domid, &second);
        put(domid, "control/shutdown", "poweroff");
        assert_int_equal(libxl_ao_abort(s->ctx, &o->how), 0);
        assert_int_equal(op_result(o), ERROR_ABORTED);
        assert_holds(domid, "control/shutdown", "poweroff");
        destroy(s, domid);
    }
}

static void the_new_domain_s_ejection_is_not_reported(scene *s)
{
    const uint64_t user = new_user();
    libxl_evgen_disk_eject *evgen;
    libxl_domid domid = unreported_domain(s, true);
    assert_int_equal(libxl_evenable_disk_eject(s->ctx, domid, "xvda", user, &evgen), 0);
    pump_for(s, 20);
    const libxl_uuid second = replace_domain(domid);
    write_domain_nodes(domid, &second);
    put(domid, "device/vbd/51712/eject", "eject");
    assert_true(no_event(s, domid, user, 50));
    assert_holds(domid, "device/vbd/51712/eject", "eject");
    libxl_evdisable_disk_eject(s->ctx, evgen);
    destroy(s, domid);
}

/* ---- two domains have one UUID, because another toolstack has made the second */

/* Returns whether /vm/UUID/name exists. */
static bool has_vm_nodes(const libxl_uuid *uuid)
{
    char path[64];
    snprintf(path, sizeof(path), "/vm/" LIBXL_UUID_FMT "/name", LIBXL_UUID_BYTES(*uuid));
    char *name = fixture_node(path);
    free(name);
    return name != NULL;
}

static void a_destruction_leaves_the_nodes_of_the_other_domain(scene *s)
{
    for (int ours_first = 0; ours_first <= 1; ours_first++) {
        libxl_domid ours = guest(s, "b", false);
        const libxl_uuid uuid = uuid_of(s, ours);
        const libxl_domid theirs = add_domain(&uuid);
        const libxl_domid first = ours_first ? ours : theirs, second = ours_first ? theirs : ours;
        destroy(s, first);
        assert_true(has_vm_nodes(&uuid));
        char *domid = guest_node(second, "domid");
        assert_non_null(domid);
        free(domid);
        assert_true(domain_exists(second, &uuid));
        destroy(s, second);
        assert_false(has_vm_nodes(&uuid));
    }
}

static void both_are_destroyed_at_once(scene *s)
{
    libxl_domid ours = guest(s, "b", false);
    const libxl_uuid uuid = uuid_of(s, ours);
    op *ops[] = {START(s, libxl_domain_destroy, s->ctx, ours, how),
                 START(s, libxl_domain_destroy, s->ctx, add_domain(&uuid), how)};
    for (int i = 0; i < 2; i++)
        assert_int_equal(op_result(ops[i]), 0);
    assert_false(has_vm_nodes(&uuid));
}

static const body bodies[] = {
    BODY(a_uuid_is_checked),
    BODY(a_generator_does_not_report_the_new_domain),
    BODY(a_reused_domid_is_reported_for_each_domain),
    BODY(waiting_for_a_domain_does_not_wait_for_its_successor),
    BODY(a_shutdown_request_does_not_reach_the_new_domain, RUNS_ONCE),
    BODY(the_new_domain_s_request_is_not_withdrawn, RUNS_ONCE),
    BODY(the_new_domain_s_ejection_is_not_reported, RUNS_ONCE),
    BODY(a_destruction_leaves_the_nodes_of_the_other_domain),
    BODY(both_are_destroyed_at_once),
};

HARNESS_MAIN(bodies)
