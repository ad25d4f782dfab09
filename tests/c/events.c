/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Events. The library reports the lifecycle of domains once and in order. Other tests concern masks,
 * predicates, hooks and batches. */
#include "harness.h"
#include "replace.h"

#include <stdio.h>
#include <stdlib.h>

enum { SHUTDOWN = LIBXL_EVENT_TYPE_DOMAIN_SHUTDOWN, DEATH = LIBXL_EVENT_TYPE_DOMAIN_DEATH };
enum { DYING = LIBXL_EVENT_TYPE_DOMAIN_DYING, GONE = LIBXL_EVENT_TYPE_DOMAIN_GONE };

static void expect(scene *s, libxl_domid domid, uint64_t user, int type)
{
    seen event = next_event(s, domid, user, type);
    assert_false(libxl_uuid_is_nil(&event.uuid));
}

static void expect_shutdown(scene *s, libxl_domid domid, uint64_t user, libxl_shutdown_reason reason)
{
    assert_int_equal(next_event(s, domid, user, SHUTDOWN).value, reason);
}

static libxl_evgen_domain_lifecycle *enable(scene *s, libxl_domid domid, uint64_t user)
{
    libxl_evgen_domain_lifecycle *evgen = NULL;
    assert_int_equal(libxl_evenable_domain_lifecycle(s->ctx, domid, user, &evgen), 0);
    return evgen;
}

/* ---- the lifecycle of domains */

static void the_lifecycle_of_one_domain_is_reported(scene *s)
{
    const uint64_t user = new_user();
    libxl_domid other = guest(s, "b", true), stopping = guest(s, "p", false);
    libxl_evgen_domain_lifecycle *evgen = enable(s, stopping, user);
    assert_true(no_event(s, stopping, user, 10));
    assert_int_equal(RUN(s, libxl_domain_unpause(s->ctx, stopping, how)), 0);
    expect_shutdown(s, stopping, user, LIBXL_SHUTDOWN_REASON_POWEROFF);
    destroy(s, other); /* No generator follows this domain. */
    destroy(s, stopping);
    expect(s, stopping, user, DYING);
    expect(s, stopping, user, GONE);
    assert_true(no_event(s, stopping, user, 20));
    assert_true(no_event(s, other, user, 0));
    libxl_evdisable_domain_lifecycle(s->ctx, evgen);
}

static void a_running_domain_that_is_destroyed_has_no_shutdown(scene *s)
{
    const uint64_t user = new_user();
    libxl_domid domid = guest(s, "b", true);
    libxl_evgen_domain_lifecycle *evgen = enable(s, domid, user);
    destroy(s, domid);
    expect(s, domid, user, DYING);
    expect(s, domid, user, GONE);
    assert_true(no_event(s, domid, user, 20));
    libxl_evdisable_domain_lifecycle(s->ctx, evgen);
}

static void an_earlier_shutdown_is_reported(scene *s)
{
    const uint64_t user = new_user();
    libxl_shutdown_reason reason;
    libxl_domid domid = guest(s, "c", true);
    assert_int_equal(RUN(s, libxl_domain_wait_shutdown(s->ctx, domid, &reason, how)), 0);
    libxl_evgen_domain_lifecycle *evgen = enable(s, domid, user);
    expect_shutdown(s, domid, user, LIBXL_SHUTDOWN_REASON_CRASH);
    destroy(s, domid);
    expect(s, domid, user, DYING);
    expect(s, domid, user, GONE);
    libxl_evdisable_domain_lifecycle(s->ctx, evgen);
}

/* The domain stops and is destroyed, and another domain gets its domid. Only then does the library list the
 * domains. */
static void the_shutdown_of_a_replaced_domain_is_reported(scene *s)
{
    for (int all = 0; all <= 1; all++) {
        const uint64_t user = new_user();
        libxl_shutdown_reason reason;
        libxl_domid domid = guest(s, "r", true);
        assert_int_equal(RUN(s, libxl_domain_wait_shutdown(s->ctx, domid, &reason, how)), 0);
        op *waits = START(s, libxl_domain_wait_shutdown, s->ctx, domid, &reason, how);
        libxl_evgen_domain_lifecycle *evgen = enable(s, all ? LIBXL_DOMID_ALL : domid, user);
        replace_domain(domid);
        expect_shutdown(s, domid, user, LIBXL_SHUTDOWN_REASON_REBOOT);
        /* One list of the domains shows both that the first domain is gone and that the second domain is
         * new. */
        if (all)
            expect(s, domid, user, LIBXL_EVENT_TYPE_DOMAIN_APPEARED);
        expect(s, domid, user, DYING);
        expect(s, domid, user, GONE);
        assert_int_equal(op_result(waits), 0);
        libxl_evdisable_domain_lifecycle(s->ctx, evgen);
        destroy(s, domid);
    }
}

/* Each of three domains has three events, and the three events of a domain are in order. Events of different
 * domains may be mixed. The two domains that did not exist before have one event more. */
static void the_lifecycle_of_all_domains_is_reported(scene *s)
{
    enum { DOMAINS = 3 };
    const uint64_t user = new_user();
    libxl_domid domids[DOMAINS];
    domids[0] = guest(s, "p", false);
    libxl_evgen_domain_lifecycle *evgen = enable(s, LIBXL_DOMID_ALL, user);
    for (int i = 1; i < DOMAINS; i++)
        domids[i] = guest(s, "p", false);
    for (int i = 0; i < DOMAINS; i++) {
        libxl_shutdown_reason reason;
        assert_int_equal(RUN(s, libxl_domain_unpause(s->ctx, domids[i], how)), 0);
        assert_int_equal(RUN(s, libxl_domain_wait_shutdown(s->ctx, domids[i], &reason, how)), 0);
        destroy(s, domids[i]);
    }
    for (int i = 0; i < DOMAINS; i++) {
        if (i)
            expect(s, domids[i], user, LIBXL_EVENT_TYPE_DOMAIN_APPEARED);
        expect(s, domids[i], user, SHUTDOWN);
        expect(s, domids[i], user, DYING);
        expect(s, domids[i], user, GONE);
    }
    pump_for(s, 20);
    for (int i = 0; i < DOMAINS; i++)
        assert_true(no_event(s, domids[i], user, 0));
    libxl_evdisable_domain_lifecycle(s->ctx, evgen);
}

static void a_domain_destroyed_by_xl_is_reported(scene *s)
{
    char command[64];
    const uint64_t users[] = {new_user(), new_user()};
    libxl_domid domid = guest(s, "b", true);
    libxl_evgen_domain_lifecycle *evgens[] = {enable(s, domid, users[0]),
                                              enable(s, LIBXL_DOMID_ALL, users[1])};
    snprintf(command, sizeof(command), "xl destroy %u", domid);
    assert_int_equal(system(command), 0);
    for (int i = 0; i < 2; i++) {
        expect(s, domid, users[i], DYING);
        expect(s, domid, users[i], GONE);
    }
    pump_for(s, 20);
    for (int i = 0; i < 2; i++) {
        assert_true(no_event(s, domid, users[i], 0));
        libxl_evdisable_domain_lifecycle(s->ctx, evgens[i]);
    }
}

static void domain_death_gives_shutdown_and_death(scene *s)
{
    const uint64_t user = new_user();
    libxl_evgen_domain_death *evgen;
    libxl_domid domid = guest(s, "r", false);
    assert_int_equal(libxl_evenable_domain_death(s->ctx, domid, user, &evgen), 0);
    assert_int_equal(RUN(s, libxl_domain_unpause(s->ctx, domid, how)), 0);
    expect_shutdown(s, domid, user, LIBXL_SHUTDOWN_REASON_REBOOT);
    destroy(s, domid);
    expect(s, domid, user, DEATH);
    assert_true(no_event(s, domid, user, 20));
    libxl_evdisable_domain_death(s->ctx, evgen);
}

/* As in libxl, a program that enables the event after the domain's death still gets the event. */
static void the_death_of_an_unknown_domain_is_reported_at_once(scene *s)
{
    const uint64_t user = new_user();
    libxl_evgen_domain_death *evgen;
    assert_int_equal(libxl_evenable_domain_death(s->ctx, 0x7000, user, &evgen), 0);
    const seen event = next_event(s, 0x7000, user, DEATH);
    assert_true(libxl_uuid_is_nil(&event.uuid));
    assert_true(no_event(s, 0x7000, user, 20));
    libxl_evdisable_domain_death(s->ctx, evgen);
}

static void an_unknown_domain_is_refused(scene *s)
{
    libxl_evgen_domain_lifecycle *evgen = (void *)1;
    assert_int_equal(libxl_evenable_domain_lifecycle(s->ctx, 0x7000, 1, &evgen), ERROR_DOMAIN_NOTFOUND);
    assert_null(evgen);
    assert_non_null(strstr(libxl_error_message(), "domid: there is no domain 28672"));
}

/* LIBXL_DOMID_ALL is valid for the generator of the lifecycle. As in libxl, it is invalid for the
 * generator of domain_death. */
static void reserved_domids_are_refused(scene *s)
{
    const libxl_domid reserved[] = {0x7ff0, LIBXL_DOMID_INVALID, LIBXL_DOMID_ALL};
    libxl_evgen_domain_lifecycle *evgen = (void *)1;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(libxl_evenable_domain_death(s->ctx, reserved[i], 1, &evgen), ERROR_INVAL);
        assert_null(evgen);
        assert_non_null(strstr(libxl_error_message(), "domid: "));
    }
    for (int i = 0; i < 2; i++)
        assert_int_equal(libxl_evenable_domain_lifecycle(s->ctx, reserved[i], 1, &evgen), ERROR_INVAL);
}

static void a_disabled_generator_is_silent(scene *s)
{
    const uint64_t user = new_user();
    libxl_domid domid = guest(s, "b", true);
    libxl_evgen_domain_lifecycle *one = enable(s, domid, user), *all = enable(s, LIBXL_DOMID_ALL, user);
    pump(s, 20);
    libxl_evdisable_domain_lifecycle(s->ctx, one);
    libxl_evdisable_domain_lifecycle(s->ctx, all);
    destroy(s, domid);
    assert_true(no_event(s, domid, user, 20));
}

static void events_before_disabling_are_delivered(scene *s)
{
    const uint64_t user = new_user();
    libxl_domid domid = guest(s, "b", true);
    libxl_evgen_domain_lifecycle *evgen = enable(s, domid, user);
    destroy(s, domid);
    libxl_evdisable_domain_lifecycle(s->ctx, evgen);
    expect(s, domid, user, DYING);
    expect(s, domid, user, GONE);
}

#define USER 0x1234567890abcdefull

/* ---- choosing events; these tests take the events themselves */

static int has_user(const libxl_event *event, void *user)
{
    return event->for_user == (uintptr_t)user;
}

static void take_user(scene *s, uint64_t for_event)
{
    libxl_event *event;
    assert_int_equal(
        libxl_event_check(s->ctx, &event, LIBXL_EVENTMASK_ALL, has_user, (void *)(uintptr_t)for_event), 0);
    assert_true(event->for_user == for_event);
    libxl_event_free(s->ctx, event);
}

static void a_mask_selects_types(scene *s)
{
    libxl_event *event;
    libxl_evgen_domain_death *evgen;
    libxl_domid domid = guest_new(s->ctx, "p", true);
    assert_int_equal(libxl_evenable_domain_death(s->ctx, domid, USER, &evgen), 0);
    complete_instantly(s->ctx, 1);
    assert_int_equal(libxl_event_wait(s->ctx, &event, 1ull << SHUTDOWN, NULL, NULL), 0);
    assert_int_equal(event->type, SHUTDOWN);
    libxl_event_free(s->ctx, event);
    assert_int_equal(libxl_event_check(s->ctx, &event, 1ull << SHUTDOWN, NULL, NULL), ERROR_NOT_READY);
    assert_int_equal(
        libxl_event_check(s->ctx, &event, 1ull << LIBXL_EVENT_TYPE_OPERATION_COMPLETE, NULL, NULL), 0);
    libxl_event_free(s->ctx, event);
    libxl_evdisable_domain_death(s->ctx, evgen);
    guest_destroy(s->ctx, domid);
}

/* All types from 64 on share bit 63 of the mask. No other bit selects these types. */
static void types_from_64_on_are_selected_by_the_last_bit_only(scene *s)
{
    libxl_event *event;
    libxl_evgen_domain_lifecycle *evgen;
    libxl_domid domid = guest_new(s->ctx, "b", true);
    assert_int_equal(libxl_evenable_domain_lifecycle(s->ctx, domid, USER, &evgen), 0);
    guest_destroy(s->ctx, domid);
    assert_int_equal(libxl_event_check(s->ctx, &event, 1ull << SHUTDOWN, NULL, NULL), ERROR_NOT_READY);
    assert_int_equal(libxl_event_check(s->ctx, &event, ~(1ull << 63), NULL, NULL), ERROR_NOT_READY);
    assert_int_equal(libxl_event_check(s->ctx, &event, UINT32_MAX, NULL, NULL), ERROR_NOT_READY);
    assert_int_equal(libxl_event_check(s->ctx, &event, 1ull << 63, NULL, NULL), 0);
    assert_int_equal(event->type, DYING);
    libxl_event_free(s->ctx, event);
    expect(s, domid, USER, GONE);
    libxl_evdisable_domain_lifecycle(s->ctx, evgen);
}

struct receiver {
    libxl_ctx *ctx;
    int calls;
    uint64_t last;
};

static void receive(void *user, libxl_event *event)
{
    struct receiver *r = user;
    libxl_physinfo info;
    r->calls++;
    r->last = event->for_user;
    libxl_event_free(r->ctx, event);
    /* This call takes the context's lock. It would deadlock if the caller held the lock. */
    assert_int_equal(libxl_host_info(r->ctx, &info, NULL), 0);
}

static void the_hook_gets_its_types_and_the_queue_the_rest(scene *s)
{
    struct receiver r = {.ctx = s->ctx};
    libxl_event *event;
    libxl_evgen_domain_death *evgen;
    const libxl_event_hooks hooks = {.event_occurs_mask = 1ull << LIBXL_EVENT_TYPE_OPERATION_COMPLETE,
                                     .event_occurs = receive};
    libxl_domid domid = guest_new(s->ctx, "p", true);
    libxl_event_register_callbacks(s->ctx, &hooks, &r);
    complete_instantly(s->ctx, 77);
    assert_int_equal(r.calls, 1);
    assert_true(r.last == 77);
    assert_int_equal(libxl_evenable_domain_death(s->ctx, domid, USER, &evgen), 0);
    assert_int_equal(libxl_event_wait(s->ctx, &event, LIBXL_EVENTMASK_ALL, NULL, NULL), 0);
    assert_int_equal(event->type, SHUTDOWN);
    libxl_event_free(s->ctx, event);
    libxl_event_register_callbacks(s->ctx, NULL, NULL);
    complete_instantly(s->ctx, 78);
    assert_int_equal(r.calls, 1);
    take_user(s, 78);
    libxl_evdisable_domain_death(s->ctx, evgen);
    guest_destroy(s->ctx, domid);
}

static void a_batch_keeps_the_order(scene *s)
{
    enum { EVENTS = 100, ROOM = 7 };
    libxl_event_record records[ROOM];
    uint64_t next = 1;
    for (uint64_t i = 1; i <= EVENTS; i++)
        complete_instantly(s->ctx, i);
    for (int taken = ROOM; taken == ROOM;) {
        taken = libxl_event_take(s->ctx, records, ROOM);
        for (int i = 0; i < taken; i++) {
            assert_true(records[i].for_user == next++);
            assert_int_equal(records[i].type, LIBXL_EVENT_TYPE_OPERATION_COMPLETE);
            assert_int_equal(records[i].value, 0);
            assert_null(records[i].event); /* The record has all values, so there is no event to free. */
        }
    }
    assert_int_equal(next, EVENTS + 1);
    assert_int_equal(libxl_event_take(s->ctx, records, ROOM), 0);
}

static void a_record_has_the_event_if_there_is_a_message(scene *s)
{
    libxl_event_record record;
    libxl_domid domid;
    const libxl_asyncop_how how = {.u.for_event = 3};
    assert_int_equal(libxl_domain_find(s->ctx, "nobody", &domid, &how), ERROR_ASYNC_INPROGRESS);
    int taken;
    while (!(taken = libxl_event_take(s->ctx, &record, 1)))
        sleep_ms(1);
    assert_int_equal(taken, 1);
    assert_int_equal(record.value, ERROR_NOTFOUND);
    assert_non_null(strstr(record.event->u.operation_complete.message, "nobody"));
    libxl_event_free(s->ctx, record.event);
}

static const body bodies[] = {
    BODY(the_lifecycle_of_one_domain_is_reported),
    BODY(a_running_domain_that_is_destroyed_has_no_shutdown),
    BODY(an_earlier_shutdown_is_reported),
    BODY(the_shutdown_of_a_replaced_domain_is_reported),
    BODY(the_lifecycle_of_all_domains_is_reported),
    BODY(a_domain_destroyed_by_xl_is_reported),
    BODY(domain_death_gives_shutdown_and_death),
    BODY(the_death_of_an_unknown_domain_is_reported_at_once),
    BODY(an_unknown_domain_is_refused),
    BODY(reserved_domids_are_refused),
    BODY(a_disabled_generator_is_silent),
    BODY(events_before_disabling_are_delivered),
    BODY(a_mask_selects_types, RUNS_ONCE),
    BODY(types_from_64_on_are_selected_by_the_last_bit_only, RUNS_ONCE),
    BODY(the_hook_gets_its_types_and_the_queue_the_rest, RUNS_ONCE),
    BODY(a_batch_keeps_the_order, RUNS_ONCE),
    BODY(a_record_has_the_event_if_there_is_a_message, RUNS_ONCE),
};

HARNESS_MAIN(bodies)
