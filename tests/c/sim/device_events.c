/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Events of devices. The test plays the toolstack and the backend of a kind of device that no driver serves.
 * It writes and removes the nodes of both. The tests of tests/python/test_device_events.py use devices that
 * drivers serve.
 */
#include "harness.h"

#include "replace.h"
#include "simulation.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    CONNECTED = LIBXL_EVENT_TYPE_DEVICE_CONNECTED,
    FAILED = LIBXL_EVENT_TYPE_DEVICE_FAILED,
    GONE = LIBXL_EVENT_TYPE_DEVICE_GONE,
    MODEL_ENDED = LIBXL_EVENT_TYPE_DEVICE_MODEL_ENDED,
};

/* ---- the devices that the test plays */

static void write_backend(libxl_domid domid, int devid, const char *key, const char *value)
{
    char path[96];
    snprintf(path, sizeof(path), "/local/domain/0/backend/plain/%u/%d/%s", domid, devid, key);
    fixture_write(path, value);
}

static void write_error(libxl_domid domid, int devid, const char *words)
{
    char path[96];
    snprintf(path, sizeof(path), "/local/domain/0/error/backend/plain/%u/%d/error", domid, devid);
    fixture_write(path, words);
}

static void add(libxl_domid domid, int devid, const char *state)
{
    char path[96], backend[96];
    write_backend(domid, devid, "online", "1");
    write_backend(domid, devid, "state", state);
    snprintf(path, sizeof(path), "/libxl/%u/device/plain/%d/backend", domid, devid);
    snprintf(backend, sizeof(backend), "/local/domain/0/backend/plain/%u/%d", domid, devid);
    fixture_write(path, backend);
}

/* Removes the toolstack's nodes of a device. If `devid` is negative, removes those of all devices of the
 * domain. */
static void remove_listed(libxl_domid domid, int devid)
{
    char path[96];
    snprintf(path, sizeof(path), devid < 0 ? "/libxl/%u/device/plain" : "/libxl/%u/device/plain/%d", domid,
             devid);
    fixture_write(path, NULL);
}

/* Removes the nodes that remain after the domain was destroyed. */
static void remove_played(void)
{
    fixture_write("/local/domain/0/backend/plain", NULL);
    fixture_write("/local/domain/0/error", NULL);
}

static libxl_evgen_devices *enable(scene *s, libxl_domid domid, uint64_t user)
{
    libxl_evgen_devices *evgen = NULL;
    assert_int_equal(libxl_evenable_devices(s->ctx, domid, user, &evgen), 0);
    assert_non_null(evgen);
    return evgen;
}

/* ---- what is reported */

static void a_device_connects_fails_and_goes(scene *s)
{
    const libxl_domid domid = guest(s, "b", true);
    const uint64_t one = new_user(), all = new_user();
    libxl_evgen_devices *evgens[] = {enable(s, domid, one), enable(s, LIBXL_DOMID_ALL, all)};
    libxl_dominfo info;
    assert_int_equal(libxl_domain_info(s->ctx, &info, domid), 0);
    add(domid, 3, "2");
    assert_true(no_event(s, domid, one, 20));
    write_backend(domid, 3, "state", "4");
    for (int i = 0; i < 2; i++) {
        const seen event = next_event(s, domid, i ? all : one, CONNECTED);
        assert_memory_equal(&event.uuid, &info.uuid, sizeof(info.uuid));
    }
    write_error(domid, 3, "12 no rings");
    next_event(s, domid, one, FAILED);
    next_event(s, domid, all, FAILED);
    remove_listed(domid, 3);
    next_event(s, domid, one, GONE);
    next_event(s, domid, all, GONE);
    assert_true(no_event(s, domid, one, 20));
    for (int i = 0; i < 2; i++)
        libxl_evdisable_devices(s->ctx, evgens[i]);
    add(domid, 4, "4");
    assert_true(no_event(s, domid, one, 20)); /* the generator is disabled */
    remove_listed(domid, 4);
    remove_played();
    destroy(s, domid);
}

static void expect(scene *s, libxl_domid domid, uint64_t user, int type, const libxl_uuid *uuid)
{
    const seen event = next_event(s, domid, user, type);
    assert_memory_equal(&event.uuid, uuid, sizeof(*uuid));
}

/* The destruction of the domain removes its nodes. The next domain with the same domid has its own device
 * 0. */
static void a_domid_that_is_used_again_is_another_domain(scene *s)
{
    const libxl_domid domid = guest(s, "b", false);
    const uint64_t user = new_user();
    libxl_evgen_devices *evgen = enable(s, LIBXL_DOMID_ALL, user);
    libxl_dominfo info;
    assert_int_equal(libxl_domain_info(s->ctx, &info, domid), 0);
    add(domid, 0, "4");
    expect(s, domid, user, CONNECTED, &info.uuid);
    const libxl_uuid another = replace_domain(domid);
    write_domain_nodes(domid, &another);
    add(domid, 0, "4");
    expect(s, domid, user, GONE, &info.uuid);
    expect(s, domid, user, CONNECTED, &another);
    remove_listed(domid, 0);
    expect(s, domid, user, GONE, &another);
    libxl_evdisable_devices(s->ctx, evgen);
    remove_played();
    destroy(s, domid);
}

/* ---- enabling and disabling */

static void enabling_refuses_what_is_wrong(scene *s)
{
    libxl_evgen_devices *evgen = (void *)s;
    assert_int_equal(libxl_evenable_devices(s->ctx, 0x7000, 0, &evgen), ERROR_DOMAIN_NOTFOUND);
    assert_null(evgen);
    assert_string_equal(libxl_error_message(), "domid: there is no domain 28672");
    assert_int_equal(libxl_evenable_devices(s->ctx, LIBXL_DOMID_ALL - 1, 0, &evgen), ERROR_INVAL);
    assert_int_equal(libxl_evenable_devices(s->ctx, 0, 0, NULL), ERROR_INVAL);
    assert_string_equal(libxl_error_message(), "evgen_out: NULL");
    libxl_evdisable_devices(s->ctx, NULL);
}

static void a_generator_is_disabled_while_it_lists(scene *s)
{
    enum { DEVICES = 40, MOMENTS = 30 };
    const libxl_domid domid = guest(s, "b", false);
    const uint64_t user = new_user();
    libxl_counters before, after;
    for (int i = 0; i < DEVICES; i++)
        add(domid, i, "4");
    libxl_ctx_counters(s->ctx, &before);
    for (int i = 0; i < MOMENTS; i++) {
        libxl_evgen_devices *evgen = enable(s, i % 2 ? domid : LIBXL_DOMID_ALL, user);
        for (int turn = 0; turn < i; turn++)
            pump(s, 1);
        libxl_evdisable_devices(s->ctx, evgen);
    }
    libxl_ctx_counters(s->ctx, &after);
    assert_int_equal(after.evgens, before.evgens);
    assert_int_equal(after.watches, before.watches);
    assert_int_equal(after.timers, before.timers);
    remove_listed(domid, -1);
    remove_played();
    destroy(s, domid);
}

static void a_generator_is_disabled_while_xenstored_hangs(scene *s)
{
    const libxl_domid domid = guest(s, "b", false);
    const uint64_t user = new_user();
    add(domid, 0, "4");
    simulate("xenstored stop");
    libxl_evgen_devices *evgen = enable(s, domid, user), *other = enable(s, LIBXL_DOMID_ALL, user);
    pump_for(s, 20);
    libxl_evdisable_devices(s->ctx, evgen);
    simulate("xenstored cont");
    next_event(s, domid, user, CONNECTED);
    assert_true(no_event(s, domid, user, 20));
    libxl_evdisable_devices(s->ctx, other);
    remove_listed(domid, 0);
    remove_played();
    destroy(s, domid);
}

/* ---- hostile guests and backends */

/* Takes the events of a domain until none arrives for `milliseconds`. */
static void count_events(scene *s, libxl_domid domid, uint64_t user, int milliseconds, int *count,
                         libxl_event_type *last)
{
    seen event;
    for (; take_event(s, domid, user, milliseconds, &event); ++*count)
        *last = event.type;
}

static void a_device_that_changes_all_the_time_is_bounded(scene *s)
{
    enum { CHANGES = 300, AT_ONCE = 16 };
    const libxl_domid hostile = guest(s, "b", false), other = guest(s, "b", false);
    const uint64_t user = new_user(), begun = now_ms();
    libxl_evgen_devices *evgen = enable(s, LIBXL_DOMID_ALL, user);
    libxl_event_type last = 0;
    int count = 0;
    add(hostile, 0, "3");
    for (int i = 0; i < CHANGES; i++) {
        write_backend(hostile, 0, "state", i % 2 ? "3" : "4");
        count_events(s, hostile, user, 1, &count, &last);
    }
    add(other, 0, "4"); /* The events of another domain are not delayed. */
    next_event(s, other, user, CONNECTED);
    write_error(hostile, 0, "5 last words"); /* The library reports the last state of the device. */
    while (last != LIBXL_EVENT_TYPE_DEVICE_FAILED)
        count_events(s, hostile, user, 10, &count, &last);
    assert_true(count > 1);
    /* After the first reads, the device's nodes are read once in a second (src/ops/device_rest.c). */
    assert_true(count <= AT_ONCE + 1 + (int)((now_ms() - begun) / 1000));
    /* An addition or a removal by a toolstack is reported at once, also for a device that rests. */
    remove_listed(hostile, 0);
    next_event(s, hostile, user, GONE);
    write_error(hostile, 0, NULL);
    add(hostile, 0, "4");
    next_event(s, hostile, user, CONNECTED);
    remove_listed(hostile, -1);
    next_event(s, hostile, user, GONE);
    remove_listed(other, -1);
    next_event(s, other, user, GONE);
    libxl_evdisable_devices(s->ctx, evgen);
    remove_played();
    destroy(s, hostile);
    destroy(s, other);
}

/* Starts a process that looks like a QEMU of the domain, and writes its process id. */
static pid_t start_model(libxl_domid domid)
{
    char number[16], path[64], pid[16];
    snprintf(number, sizeof(number), "%u", domid);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (!child) {
        execl("/bin/sh", "sh", "-c", "while :; do sleep 0.1; done", "qemu", "-xen-domid", number, NULL);
        _exit(127);
    }
    snprintf(path, sizeof(path), "/local/domain/%u/image/device-model-pid", domid);
    snprintf(pid, sizeof(pid), "%d", (int)child);
    fixture_write(path, pid);
    snprintf(path, sizeof(path), "/local/domain/0/device-model/%u/state", domid);
    fixture_write(path, "running");
    return child;
}

static void the_end_of_a_qemu_is_an_event(scene *s)
{
    const libxl_domid domid = guest(s, "b", true);
    const uint64_t one = new_user(), all = new_user();
    const pid_t model = start_model(domid);
    libxl_evgen_devices *evgens[] = {enable(s, domid, one), enable(s, LIBXL_DOMID_ALL, all)};
    libxl_dominfo info;
    assert_int_equal(libxl_domain_info(s->ctx, &info, domid), 0);
    assert_true(no_event(s, domid, one, 20));
    kill(model, SIGKILL);
    expect(s, domid, one, MODEL_ENDED, &info.uuid);
    expect(s, domid, all, MODEL_ENDED, &info.uuid);
    assert_true(no_event(s, domid, one, 20));
    waitpid(model, NULL, 0);
    for (int i = 0; i < 2; i++)
        libxl_evdisable_devices(s->ctx, evgens[i]);
    destroy(s, domid);
}

static const body bodies[] = {
    BODY(a_device_connects_fails_and_goes, ALONE),
    BODY(a_domid_that_is_used_again_is_another_domain, ALONE),
    BODY(enabling_refuses_what_is_wrong),
    BODY(a_generator_is_disabled_while_it_lists, RUNS_ONCE),
    BODY(a_generator_is_disabled_while_xenstored_hangs, RUNS_ONCE),
    BODY(a_device_that_changes_all_the_time_is_bounded, RUNS_ONCE),
    BODY(the_end_of_a_qemu_is_an_event, ALONE),
};

HARNESS_MAIN(bodies)
