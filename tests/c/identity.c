/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A domid that is given to another domain, while one is followed under it: a domain is its domid and its uuid. */
#include "harness.h"
#include "replace.h"

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

/* It has gone, whoever has its domid now; and of that one nothing is told. */
static void what_is_told_of_one_domain_is_not_another_s(scene *s)
{
    const uint64_t user = new_user();
    libxl_evgen_domain_lifecycle *evgen;
    libxl_domid domid = guest(s, "b", true);
    const libxl_uuid first = uuid_of(s, domid);
    assert_int_equal(libxl_evenable_domain_lifecycle(s->ctx, domid, user, &evgen), 0);
    const libxl_uuid second = replace(domid); /* nobody looks meanwhile */
    expect(s, domid, user, LIBXL_EVENT_TYPE_DOMAIN_DYING, &first);
    expect(s, domid, user, LIBXL_EVENT_TYPE_DOMAIN_GONE, &first);
    assert_true(is_there(domid, &second));
    destroy(s, domid);
    assert_true(no_event(s, domid, user, 20));
    libxl_evdisable_domain_lifecycle(s->ctx, evgen);
}

static void of_all_domains_each_is_told_as_itself(scene *s)
{
    const uint64_t users[] = {new_user(), new_user()};
    libxl_evgen_domain_lifecycle *evgens[2];
    libxl_domid domid = guest(s, "b", true);
    const libxl_uuid first = uuid_of(s, domid);
    assert_int_equal(libxl_evenable_domain_lifecycle(s->ctx, LIBXL_DOMID_ALL, users[0], &evgens[0]), 0);
    const libxl_uuid second = replace(domid);
    expect(s, domid, users[0], LIBXL_EVENT_TYPE_DOMAIN_DYING, &first);
    expect(s, domid, users[0], LIBXL_EVENT_TYPE_DOMAIN_GONE, &first);
    /* Has the second one noticed, if another thread looked when there was none yet: xenstored does not tell. */
    assert_int_equal(libxl_evenable_domain_lifecycle(s->ctx, LIBXL_DOMID_ALL, users[1], &evgens[1]), 0);
    destroy(s, domid);
    for (int i = 0; i < 2; i++) {
        expect(s, domid, users[i], LIBXL_EVENT_TYPE_DOMAIN_DYING, &second);
        expect(s, domid, users[i], LIBXL_EVENT_TYPE_DOMAIN_GONE, &second);
        libxl_evdisable_domain_lifecycle(s->ctx, evgens[i]);
    }
}

static void who_waits_for_one_domain_does_not_wait_for_another(scene *s)
{
    libxl_shutdown_reason reason;
    libxl_domid domid = guest(s, "b", true);
    op *gone = START(s, libxl_domain_wait_gone, s->ctx, domid, how);
    op *shut_down = START(s, libxl_domain_wait_shutdown, s->ctx, domid, &reason, how);
    const libxl_uuid second = replace(domid);
    assert_int_equal(op_result(gone), 0);
    assert_int_equal(op_result(shut_down), ERROR_DOMAIN_DESTROYED);
    assert_true(is_there(domid, &second));
    destroy(s, domid);
}

static const body bodies[] = {
    BODY(what_is_told_of_one_domain_is_not_another_s),
    BODY(of_all_domains_each_is_told_as_itself),
    BODY(who_waits_for_one_domain_does_not_wait_for_another),
};

HARNESS_MAIN(bodies)
