/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Generators of device events without memory, without xenstored, and after many losses of the connection. */
#include "core.h"

#include "allocation.h"
#include "device_watched.h"
#include "simulation.h"

#include <stdio.h>

enum { CONNECTED = LIBXL_EVENT_TYPE_DEVICE_CONNECTED, GONE = LIBXL_EVENT_TYPE_DEVICE_GONE };

/* Adds a device that is connected, of a kind that no driver serves. */
static void add(libxl_domid domid, int devid)
{
    char path[128], backend[96];
    snprintf(backend, sizeof(backend), "/local/domain/0/backend/plain/%u/%d", domid, devid);
    snprintf(path, sizeof(path), "%s/state", backend);
    fixture_write(path, "4");
    snprintf(path, sizeof(path), "/libxl/%u/device/plain/%d/backend", domid, devid);
    fixture_write(path, backend);
}

static void remove_all(libxl_domid domid)
{
    char path[96];
    snprintf(path, sizeof(path), "/libxl/%u/device", domid);
    fixture_write(path, NULL);
    fixture_write("/local/domain/0/backend/plain", NULL);
}

static void enabling_without_memory_leaves_nothing(scene *s)
{
    const libxl_domid domid = guest(s, "b", true);
    int rc = ERROR_NOMEM;
    unsigned n = 0;
    libxl_counters before, after;
    libxl_ctx_counters(s->ctx, &before);
    while (rc) {
        libxl_evgen_devices *evgen;
        allocation_fail(++n);
        rc = libxl_evenable_devices(s->ctx, domid, 1, &evgen);
        allocation_fail(0);
        if (!rc) {
            libxl_evdisable_devices(s->ctx, evgen);
        } else {
            assert_true(rc == ERROR_NOMEM || rc == ERROR_FAIL);
            assert_null(evgen);
        }
        libxl_ctx_counters(s->ctx, &after);
        assert_int_equal(after.evgens, before.evgens);
        assert_int_equal(after.watches, before.watches);
        assert_int_equal(after.timers, before.timers);
        assert_true(n < 100);
    }
    assert_true(n > 3);
    destroy(s, domid);
}

/* After a failed allocation the library lists the devices again within a second. */
static void a_listing_without_memory_is_repeated(scene *s)
{
    const libxl_domid domid = guest(s, "b", true);
    const uint64_t user = new_user();
    libxl_evgen_devices *evgen;
    add(domid, 0);
    assert_int_equal(libxl_evenable_devices(s->ctx, domid, user, &evgen), 0);
    allocation_fail_from(1);
    pump_for(s, 100);
    allocation_fail(0);
    next_event(s, domid, user, CONNECTED);
    libxl_evdisable_devices(s->ctx, evgen);
    remove_all(domid);
    destroy(s, domid);
}

static void lose_connection(scene *s)
{
    char *name;
    libxl__ctx_lock(s->ctx);
    libxl__xs_link_lost(s->ctx, EPIPE);
    libxl__ctx_leave(s->ctx);
    while (libxl_domain_get_name(s->ctx, 0, &name, NULL))
        pump(s, 1);
    free(name);
}

/* A generator may exist for years, so a loss of the connection must leave no memory allocated. */
static void losses_of_the_connection_keep_no_memory(scene *s)
{
    enum { DEVICES = 100, LOSSES = 3 };
    const libxl_domid domid = guest(s, "b", true);
    const uint64_t user = new_user();
    libxl_evgen_devices *evgen;
    for (int i = 0; i < DEVICES; i++)
        add(domid, i);
    assert_int_equal(libxl_evenable_devices(s->ctx, domid, user, &evgen), 0);
    for (int i = 0; i < DEVICES; i++)
        next_event(s, domid, user, CONNECTED);
    const libxl__gc before = evgen->common.ao->gc;
    for (int i = 0; i < LOSSES; i++) {
        lose_connection(s);
        next_event(s, domid, user, LIBXL_EVENT_TYPE_DOMAIN_EVENTS_LOST);
        add(domid, DEVICES + i); /* The device is reported after the listing. */
        next_event(s, domid, user, CONNECTED);
    }
    assert_memory_equal(&evgen->common.ao->gc, &before, sizeof(before));
    remove_all(domid);
    for (int i = 0; i < DEVICES + LOSSES; i++)
        next_event(s, domid, user, GONE);
    libxl_evdisable_devices(s->ctx, evgen);
    destroy(s, domid);
}

static void a_generator_enabled_without_xenstored_reports_later(scene *s)
{
    const libxl_domid domid = guest(s, "b", true);
    const uint64_t user = new_user();
    libxl_evgen_devices *evgen;
    char *name;
    simulate("xenstored kill");
    simulate("xenconsoled kill");
    assert_int_equal(libxl_domain_get_name(s->ctx, 0, &name, NULL), ERROR_NO_XENSTORE);
    assert_int_equal(libxl_evenable_devices(s->ctx, domid, user, &evgen), 0);
    pump_for(s, 20);
    simulate("xenstored start");
    fixture_check_connection();
    next_event(s, domid, user, LIBXL_EVENT_TYPE_DOMAIN_EVENTS_LOST);
    add(domid, 0);
    next_event(s, domid, user, CONNECTED);
    remove_all(domid);
    next_event(s, domid, user, GONE);
    libxl_evdisable_devices(s->ctx, evgen);
    destroy(s, domid);
}

static const body bodies[] = {
    BODY(enabling_without_memory_leaves_nothing, RUNS_ONCE),
    BODY(a_listing_without_memory_is_repeated, RUNS_ONCE),
    BODY(losses_of_the_connection_keep_no_memory, RUNS_ONCE),
    BODY(a_generator_enabled_without_xenstored_reports_later, RUNS_ONCE),
};

HARNESS_MAIN(bodies)
