/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Events: the life of domains, told once and in order; who gets which event. */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>

enum { SHUTDOWN = LIBXL_EVENT_TYPE_DOMAIN_SHUTDOWN, DEATH = LIBXL_EVENT_TYPE_DOMAIN_DEATH };
enum { DYING = LIBXL_EVENT_TYPE_DOMAIN_DYING, GONE = LIBXL_EVENT_TYPE_DOMAIN_GONE };

#define USER 0x1234567890abcdefull

static void expect(scene *s, libxl_domid domid, int type)
{
    seen event = next_event(s);
    assert_int_equal(event.type, type);
    assert_int_equal(event.domid, domid);
    assert_true(event.for_user == USER);
    assert_false(libxl_uuid_is_nil(&event.uuid));
}

/* ---- the life of a domain */

static void the_life_of_one_domain_is_told(scene *s)
{
    libxl_evgen_domain_lifecycle *evgen;
    libxl_domid domid = guest_new(s->ctx, "b", true), stopping = guest_new(s->ctx, "p", false);
    assert_int_equal(libxl_evenable_domain_lifecycle(s->ctx, stopping, USER, &evgen), 0);
    assert_true(no_event(s, 20));
    assert_int_equal(libxl_domain_unpause(s->ctx, stopping, NULL), 0);
    seen event = next_event(s);
    assert_int_equal(event.type, SHUTDOWN);
    assert_int_equal(event.domid, stopping);
    assert_int_equal(event.value, LIBXL_SHUTDOWN_REASON_POWEROFF);
    guest_destroy(s->ctx, domid); /* another one: not ours to hear of */
    assert_int_equal(RUN(s, libxl_domain_destroy(s->ctx, stopping, how)), 0);
    expect(s, stopping, DYING);
    expect(s, stopping, GONE);
    assert_true(no_event(s, 50));
    libxl_evdisable_domain_lifecycle(s->ctx, evgen);
}

static void a_running_domain_that_is_destroyed_has_no_shutdown(scene *s)
{
    libxl_evgen_domain_lifecycle *evgen;
    libxl_domid domid = guest_new(s->ctx, "b", true);
    assert_int_equal(libxl_evenable_domain_lifecycle(s->ctx, domid, USER, &evgen), 0);
    guest_destroy(s->ctx, domid);
    expect(s, domid, DYING);
    expect(s, domid, GONE);
    assert_true(no_event(s, 20));
    libxl_evdisable_domain_lifecycle(s->ctx, evgen);
}

static void what_happened_before_is_told_too(scene *s)
{
    libxl_shutdown_reason reason;
    libxl_evgen_domain_lifecycle *evgen;
    libxl_domid domid = guest_new(s->ctx, "c", true);
    assert_int_equal(libxl_domain_wait_shutdown(s->ctx, domid, &reason, NULL), 0);
    assert_int_equal(libxl_evenable_domain_lifecycle(s->ctx, domid, USER, &evgen), 0);
    seen event = next_event(s);
    assert_int_equal(event.type, SHUTDOWN);
    assert_int_equal(event.value, LIBXL_SHUTDOWN_REASON_CRASH);
    guest_destroy(s->ctx, domid);
    expect(s, domid, DYING);
    expect(s, domid, GONE);
    libxl_evdisable_domain_lifecycle(s->ctx, evgen);
}

/* Each of three domains has its three events in order, however they are mixed. */
static void the_life_of_all_domains_is_told(scene *s)
{
    enum { DOMAINS = 3, TYPES = 3 };
    static const int order[TYPES] = {SHUTDOWN, DYING, GONE};
    libxl_evgen_domain_lifecycle *evgen;
    libxl_domid domids[DOMAINS];
    int got[DOMAINS] = {0};
    domids[0] = guest_new(s->ctx, "p", false);
    assert_int_equal(libxl_evenable_domain_lifecycle(s->ctx, LIBXL_DOMID_ALL, USER, &evgen), 0);
    for (int i = 1; i < DOMAINS; i++)
        domids[i] = guest_new(s->ctx, "p", false);
    for (int i = 0; i < DOMAINS; i++) {
        libxl_shutdown_reason reason;
        assert_int_equal(libxl_domain_unpause(s->ctx, domids[i], NULL), 0);
        assert_int_equal(RUN(s, libxl_domain_wait_shutdown(s->ctx, domids[i], &reason, how)), 0);
        assert_int_equal(RUN(s, libxl_domain_destroy(s->ctx, domids[i], how)), 0);
    }
    for (int n = 0; n < DOMAINS * TYPES; n++) {
        seen event = next_event(s);
        int i = 0;
        while (i < DOMAINS && domids[i] != event.domid)
            i++;
        assert_in_range(i, 0, DOMAINS - 1);
        assert_in_range(got[i], 0, TYPES - 1);
        assert_int_equal(event.type, order[got[i]++]);
    }
    assert_true(no_event(s, 50));
    libxl_evdisable_domain_lifecycle(s->ctx, evgen);
}

static void a_domain_destroyed_by_xl_is_told(scene *s)
{
    char command[64];
    libxl_evgen_domain_lifecycle *one, *all;
    libxl_domid domid = guest_new(s->ctx, "b", true);
    assert_int_equal(libxl_evenable_domain_lifecycle(s->ctx, domid, USER, &one), 0);
    assert_int_equal(libxl_evenable_domain_lifecycle(s->ctx, LIBXL_DOMID_ALL, 2, &all), 0);
    snprintf(command, sizeof(command), "xl destroy %u", domid);
    assert_int_equal(system(command), 0);
    int types[2] = {0};
    for (int i = 0; i < 4; i++) { /* DYING and GONE, to each of the two */
        seen event = next_event(s);
        assert_int_equal(event.domid, domid);
        int *type = &types[event.for_user == 2];
        assert_int_equal(event.type, *type == 0 ? DYING : GONE);
        *type = (int)event.type;
    }
    assert_true(no_event(s, 20));
    libxl_evdisable_domain_lifecycle(s->ctx, one);
    libxl_evdisable_domain_lifecycle(s->ctx, all);
}

static void libxl_s_pair_is_shutdown_and_death(scene *s)
{
    libxl_evgen_domain_death *evgen;
    libxl_domid domid = guest_new(s->ctx, "r", false);
    assert_int_equal(libxl_evenable_domain_death(s->ctx, domid, USER, &evgen), 0);
    assert_int_equal(libxl_domain_unpause(s->ctx, domid, NULL), 0);
    seen event = next_event(s);
    assert_int_equal(event.type, SHUTDOWN);
    assert_int_equal(event.value, LIBXL_SHUTDOWN_REASON_REBOOT);
    guest_destroy(s->ctx, domid);
    expect(s, domid, DEATH);
    assert_true(no_event(s, 20));
    libxl_evdisable_domain_death(s->ctx, evgen);
}

static void an_unknown_domain_has_no_events(scene *s)
{
    libxl_evgen_domain_lifecycle *evgen = (void *)1;
    assert_int_equal(libxl_evenable_domain_lifecycle(s->ctx, 0x7000, USER, &evgen), ERROR_DOMAIN_NOTFOUND);
    assert_null(evgen);
}

static void what_is_disabled_is_silent(scene *s)
{
    libxl_evgen_domain_lifecycle *evgen, *all;
    libxl_domid domid = guest_new(s->ctx, "b", true);
    assert_int_equal(libxl_evenable_domain_lifecycle(s->ctx, domid, USER, &evgen), 0);
    assert_int_equal(libxl_evenable_domain_lifecycle(s->ctx, LIBXL_DOMID_ALL, USER, &all), 0);
    pump(s, 20);
    libxl_evdisable_domain_lifecycle(s->ctx, evgen);
    libxl_evdisable_domain_lifecycle(s->ctx, all);
    guest_destroy(s->ctx, domid);
    assert_true(no_event(s, 20));
}

static void what_occurred_before_disabling_is_delivered(scene *s)
{
    libxl_evgen_domain_lifecycle *evgen;
    libxl_domid domid = guest_new(s->ctx, "b", true);
    assert_int_equal(libxl_evenable_domain_lifecycle(s->ctx, domid, USER, &evgen), 0);
    guest_destroy(s->ctx, domid);
    libxl_evdisable_domain_lifecycle(s->ctx, evgen);
    expect(s, domid, DYING);
    expect(s, domid, GONE);
}

/* ---- who gets which event */

static void complete_instantly(scene *s, uint64_t for_event)
{
    libxl_physinfo info;
    const libxl_asyncop_how how = {.u.for_event = for_event};
    assert_int_equal(libxl_host_info(s->ctx, &info, &how), ERROR_ASYNC_INPROGRESS);
}

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

static void a_predicate_chooses(scene *s)
{
    libxl_event *event;
    for (uint64_t i = 1; i <= 3; i++)
        complete_instantly(s, i);
    assert_int_equal(libxl_event_check(s->ctx, &event, LIBXL_EVENTMASK_ALL, has_user, (void *)9),
                     ERROR_NOT_READY);
    assert_null(event);
    take_user(s, 2);
    take_user(s, 3);
    take_user(s, 1);
}

static void a_mask_chooses(scene *s)
{
    libxl_event *event;
    libxl_evgen_domain_death *evgen;
    libxl_domid domid = guest_new(s->ctx, "p", true);
    assert_int_equal(libxl_evenable_domain_death(s->ctx, domid, USER, &evgen), 0);
    complete_instantly(s, 1);
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

/* The types from 64 on share the last bit; no other one is taken for it. */
static void a_mask_of_some_types_has_none_without_a_bit(scene *s)
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
    expect(s, domid, GONE);
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
    assert_int_equal(libxl_host_info(r->ctx, &info, NULL), 0); /* the lock is free */
}

static void the_hook_gets_its_types_and_the_queue_the_others(scene *s)
{
    struct receiver r = {.ctx = s->ctx};
    libxl_event *event;
    libxl_evgen_domain_death *evgen;
    const libxl_event_hooks hooks = {.event_occurs_mask = 1ull << LIBXL_EVENT_TYPE_OPERATION_COMPLETE,
                                     .event_occurs = receive};
    libxl_domid domid = guest_new(s->ctx, "p", true);
    libxl_event_register_callbacks(s->ctx, &hooks, &r);
    complete_instantly(s, 77);
    assert_int_equal(r.calls, 1);
    assert_true(r.last == 77);
    assert_int_equal(libxl_evenable_domain_death(s->ctx, domid, USER, &evgen), 0);
    assert_int_equal(libxl_event_wait(s->ctx, &event, LIBXL_EVENTMASK_ALL, NULL, NULL), 0);
    assert_int_equal(event->type, SHUTDOWN);
    libxl_event_free(s->ctx, event);
    libxl_event_register_callbacks(s->ctx, NULL, NULL);
    complete_instantly(s, 78);
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
        complete_instantly(s, i);
    for (int taken = ROOM; taken == ROOM;) {
        taken = libxl_event_take(s->ctx, records, ROOM);
        for (int i = 0; i < taken; i++) {
            assert_true(records[i].for_user == next++);
            assert_int_equal(records[i].type, LIBXL_EVENT_TYPE_OPERATION_COMPLETE);
            assert_int_equal(records[i].value, 0);
            assert_null(records[i].event); /* there is no more to it */
        }
    }
    assert_int_equal(next, EVENTS + 1);
    assert_int_equal(libxl_event_take(s->ctx, records, ROOM), 0);
}

static void a_record_has_the_event_where_there_is_a_message(scene *s)
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

static void freeing_no_event_is_fine(scene *s)
{
    libxl_event_free(s->ctx, NULL);
}

static const body bodies[] = {
    BODY(the_life_of_one_domain_is_told, EACH_STYLE),
    BODY(a_running_domain_that_is_destroyed_has_no_shutdown, BOTH),
    BODY(what_happened_before_is_told_too, BOTH),
    BODY(the_life_of_all_domains_is_told, BOTH),
    BODY(a_domain_destroyed_by_xl_is_told, ONE_WAY),
    BODY(libxl_s_pair_is_shutdown_and_death, BOTH),
    BODY(an_unknown_domain_has_no_events, ONE_WAY),
    BODY(what_is_disabled_is_silent, BOTH),
    BODY(what_occurred_before_disabling_is_delivered, BOTH),
    BODY(a_predicate_chooses, ONE_WAY),
    BODY(a_mask_chooses, ONE_WAY),
    BODY(a_mask_of_some_types_has_none_without_a_bit, ONE_WAY),
    BODY(the_hook_gets_its_types_and_the_queue_the_others, ONE_WAY),
    BODY(a_batch_keeps_the_order, ONE_WAY),
    BODY(a_record_has_the_event_where_there_is_a_message, ONE_WAY),
    BODY(freeing_no_event_is_fine, ONE_WAY),
};

HARNESS_MAIN(bodies)
