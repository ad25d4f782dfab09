/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Ejected media. The library reports each ejection once, with the disk. A guest can write the nodes of its
 * frontend; here the test writes these nodes. The library reads only the node `eject`, and follows no path
 * that a node contains.
 */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>

enum { XVDA = 51712, XVDB = 51728, HDC = 5632, EJECT = LIBXL_EVENT_TYPE_DISK_EJECT };

#define USER 0xfedcba9876543210ull

static const char *node(libxl_domid domid, int disk, const char *name)
{
    static _Thread_local char path[96];
    snprintf(path, sizeof(path), "/local/domain/%u/device/vbd/%d/%s", domid, disk, name);
    return path;
}

static bool holds(const char *path, const char *value)
{
    char *now = fixture_node(path);
    bool is = now && strcmp(now, value) == 0;
    free(now);
    return is;
}

static void eject(libxl_domid domid, int disk)
{
    fixture_write(node(domid, disk, "eject"), "eject");
}

static libxl_evgen_disk_eject *enable(scene *s, libxl_domid domid, const char *vdev, uint64_t user)
{
    libxl_evgen_disk_eject *evgen = NULL;
    assert_int_equal(libxl_evenable_disk_eject(s->ctx, domid, vdev, user, &evgen), 0);
    assert_non_null(evgen);
    return evgen;
}

static void expect(scene *s, libxl_domid domid, const char *vdev, uint64_t user)
{
    seen event = next_event(s, domid, user, EJECT);
    assert_string_equal(event.vdev, vdev);
    libxl_dominfo info;
    assert_int_equal(RUN(s, libxl_domain_get_info(s->ctx, domid, &info, how)), 0);
    assert_memory_equal(&event.uuid, &info.uuid, sizeof(info.uuid));
}

static void each_ejection_is_reported_once(scene *s)
{
    libxl_domid domid = guest(s, "b", true);
    libxl_evgen_disk_eject *evgen = enable(s, domid, "xvda", USER);
    assert_true(no_event(s, domid, USER, 10));
    for (int i = 0; i < 3; i++) {
        eject(domid, XVDA);
        expect(s, domid, "xvda", USER);
        /* The library acknowledges the ejection to the guest. */
        assert_true(holds(node(domid, XVDA, "eject"), ""));
        assert_true(no_event(s, domid, USER, 10));
    }
    libxl_evdisable_disk_eject(s->ctx, evgen);
    destroy(s, domid);
}

static void an_ejection_before_enabling_is_reported(scene *s)
{
    libxl_domid domid = guest(s, "b", true);
    eject(domid, XVDA);
    libxl_evgen_disk_eject *evgen = enable(s, domid, "xvda", USER);
    expect(s, domid, "xvda", USER);
    libxl_evdisable_disk_eject(s->ctx, evgen);
    destroy(s, domid);
}

static void disks_and_domains_are_distinguished(scene *s)
{
    libxl_domid one = guest(s, "b", true), other = guest(s, "b", true);
    libxl_evgen_disk_eject *evgens[] = {enable(s, one, "xvda", 1), enable(s, one, "xvdb", 2),
                                        enable(s, one, "hdc", 3), enable(s, other, "xvdb", 4)};
    eject(one, XVDB);
    expect(s, one, "xvdb", 2);
    eject(other, XVDB);
    expect(s, other, "xvdb", 4);
    eject(one, HDC);
    expect(s, one, "hdc", 3);
    eject(other, XVDA); /* No generator is enabled for this disk of this guest. */
    assert_true(no_event(s, other, 4, 10));
    assert_true(holds(node(other, XVDA, "eject"), "eject"));
    libxl_evdisable_disk_eject(s->ctx, evgens[1]);
    eject(one, XVDB);
    eject(one, XVDA);
    expect(s, one, "xvda", 1);
    assert_true(no_event(s, one, 2, 10));
    for (int i = 0; i < 4; i++)
        if (i != 1)
            libxl_evdisable_disk_eject(s->ctx, evgens[i]);
    destroy(s, one);
    destroy(s, other);
}

static void a_disabled_generator_is_silent_and_can_be_enabled_again(scene *s)
{
    libxl_domid domid = guest(s, "b", true);
    for (uint64_t user = 1; user <= 3; user++) {
        libxl_evgen_disk_eject *evgen = enable(s, domid, "xvda", user);
        eject(domid, XVDA);
        expect(s, domid, "xvda", user);
        libxl_evdisable_disk_eject(s->ctx, evgen);
        eject(domid, XVDA);
        assert_true(no_event(s, domid, user, 10));
        /* The library no longer empties the node `eject`. */
        assert_true(holds(node(domid, XVDA, "eject"), "eject"));
        fixture_write(node(domid, XVDA, "eject"), "");
    }
    libxl_evdisable_disk_eject(s->ctx, NULL);
    destroy(s, domid);
}

/* ---- malicious guests */

/* The library ignores any value except "eject". */
static void malicious_values_are_ignored(scene *s)
{
    char endless[2000];
    memset(endless, 'e', sizeof(endless) - 1);
    endless[sizeof(endless) - 1] = '\0';
    const char *const values[] = {"",           "ejec",     "ejected",      "Eject",   " eject", "eject\n",
                                  "eject/../x", "%s%n%s%n", "\xff\xfe\x80", "../../1", "/vm",    endless};
    libxl_domid domid = guest(s, "b", true);
    libxl_evgen_disk_eject *evgen = enable(s, domid, "xvda", USER);
    for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
        fixture_write(node(domid, XVDA, "eject"), values[i]);
        assert_true(no_event(s, domid, USER, 4));
        assert_true(holds(node(domid, XVDA, "eject"), values[i])); /* The library has not changed the node. */
    }
    fixture_write(node(domid, XVDA, "eject"), NULL);
    /* The node is now a directory with an empty value. */
    fixture_write(node(domid, XVDA, "eject/eject"), "eject");
    assert_true(no_event(s, domid, USER, 10));
    eject(domid, XVDA);
    expect(s, domid, "xvda", USER);
    libxl_evdisable_disk_eject(s->ctx, evgen);
    destroy(s, domid);
}

/* The frontend's nodes contain paths to another domain. The nodes of the other domain must stay unchanged. */
static void malicious_paths_are_not_followed(scene *s)
{
    static const char *const names[] = {"backend", "backend-id", "virtual-device",
                                        "state",   "params",     "frontend"};
    libxl_domid domid = guest(s, "b", true), victim = guest(s, "b", true);
    char path[64], target[96];
    libxl_evgen_disk_eject *evgen = enable(s, domid, "xvda", USER);
    snprintf(path, sizeof(path), "/local/domain/%u/device/vbd/%d", victim, XVDA);
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        snprintf(target, sizeof(target), "%s/%s", path, names[i]);
        fixture_write(target, "eject");
        fixture_write(node(domid, XVDA, names[i]), path);
    }
    eject(victim, XVDA);
    eject(domid, XVDA);
    expect(s, domid, "xvda", USER);
    assert_true(no_event(s, domid, USER, 10));
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        assert_true(holds(node(victim, XVDA, names[i]), "eject"));
        assert_true(holds(node(domid, XVDA, names[i]), path));
    }
    assert_true(holds(node(victim, XVDA, "eject"), "eject"));
    libxl_evdisable_disk_eject(s->ctx, evgen);
    destroy(s, domid);
    destroy(s, victim);
}

/* The library may report several ejections that follow each other quickly by one event. It reports the last
 * one. */
static void rapid_ejections_are_reported(scene *s)
{
    enum { TIMES = 200 };
    libxl_domid domid = guest(s, "b", true);
    libxl_evgen_disk_eject *evgen = enable(s, domid, "xvda", USER);
    int reported = 0;
    for (int i = 0; i < TIMES; i++)
        eject(domid, XVDA);
    for (; !holds(node(domid, XVDA, "eject"), "") || reported == 0; reported++)
        expect(s, domid, "xvda", USER);
    while (!no_event(s, domid, USER, 20))
        reported++;
    assert_in_range(reported, 1, TIMES);
    libxl_evdisable_disk_eject(s->ctx, evgen);
    destroy(s, domid);
}

/* ---- the end of a generator */

static void a_generator_ends_with_its_domain(scene *s)
{
    libxl_domid domid = guest(s, "b", true);
    libxl_evgen_disk_eject *first = enable(s, domid, "xvda", USER), *second = enable(s, domid, "xvdb", USER);
    /* The test disables this generator before the domain ends, and `second` after the domain's end. */
    libxl_evdisable_disk_eject(s->ctx, first);
    destroy(s, domid);
    assert_true(no_event(s, domid, USER, 20));
    /* The library has not written the removed node again. */
    assert_null(guest_node(domid, "device/vbd/51728/eject"));
    libxl_evdisable_disk_eject(s->ctx, second);
}

static void a_context_can_be_freed_with_enabled_generators(scene *s)
{
    (void)s;
    libxl_ctx *ctx = open_context();
    libxl_event *event;
    libxl_evgen_disk_eject *evgens[2];
    libxl_domid domid = guest_new(ctx, "b", true);
    assert_int_equal(libxl_evenable_disk_eject(ctx, domid, "xvda", USER, &evgens[0]), 0);
    assert_int_equal(libxl_evenable_disk_eject(ctx, domid, "xvdb", USER, &evgens[1]), 0);
    eject(domid, XVDA);
    assert_int_equal(libxl_event_wait(ctx, &event, LIBXL_EVENTMASK_ALL, NULL, NULL), 0);
    libxl_event_free(ctx, event);
    eject(domid, XVDB); /* The test frees the context before the context processes this ejection. */
    assert_int_equal(libxl_ctx_free(ctx), 0);
    ctx = open_context();
    guest_destroy(ctx, domid);
    libxl_ctx_free(ctx);
}

static void invalid_disk_names_are_refused(scene *s)
{
    static const char *const names[] = {NULL,
                                        "",
                                        "xvd",
                                        "xvda1b",
                                        "sda16",
                                        "hde",
                                        "disk",
                                        "../xvda",
                                        "xvda/eject",
                                        "-1",
                                        "d5p",
                                        "d5p256",
                                        "xvda00000000000000000000001"};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        libxl_evgen_disk_eject *evgen = (void *)1;
        assert_int_equal(libxl_evenable_disk_eject(s->ctx, 1, names[i], USER, &evgen), ERROR_INVAL);
        assert_null(evgen);
        assert_non_null(strstr(libxl_error_message(), "vdev"));
    }
    const libxl_domid reserved[] = {0x7ff0, LIBXL_DOMID_ALL, LIBXL_DOMID_INVALID};
    for (size_t i = 0; i < sizeof(reserved) / sizeof(*reserved); i++) {
        libxl_evgen_disk_eject *evgen = (void *)1;
        assert_int_equal(libxl_evenable_disk_eject(s->ctx, reserved[i], "xvda", USER, &evgen), ERROR_INVAL);
        assert_null(evgen);
        assert_non_null(strstr(libxl_error_message(), "domid: "));
    }
}

static const body bodies[] = {
    BODY(each_ejection_is_reported_once),
    BODY(an_ejection_before_enabling_is_reported),
    BODY(disks_and_domains_are_distinguished),
    BODY(a_disabled_generator_is_silent_and_can_be_enabled_again),
    BODY(malicious_values_are_ignored),
    BODY(malicious_paths_are_not_followed),
    BODY(rapid_ejections_are_reported),
    BODY(a_generator_ends_with_its_domain),
    BODY(a_context_can_be_freed_with_enabled_generators, NO_CONTEXT),
    BODY(invalid_disk_names_are_refused),
};

HARNESS_MAIN(bodies)
