/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A PV guest that is resumed as if in a new domain (suspend_cancel 0). The guest connects to xenstored anew.
 * As with Debian's libxl, the nodes and the event channels of the toolstack stay, and the backends are not
 * reset.
 */
#include "harness.h"
#include "disk.h"

#include <libxl_utils.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xenctrl.h>
#include <xenstore.h>

enum { PORTS = 16, STEP_MS = 10, STEPS = 1000 };

#define FEATURE "control/feature-suspend"
#define CHANNEL "device/suspend/event-channel"

/* The nodes and event channels that a domain keeps when it is suspended and resumed. */
struct kept {
    char *nodes[6];
    int channels[PORTS];
};

static const char *const names[6] = {"store/ring-ref", "store/port", "console/ring-ref",
                                     "console/port",   "domid",      "device/vbd/51712/state"};

static struct kept look(xc_interface *xch, libxl_domid domid)
{
    struct kept kept;
    for (size_t i = 0; i < 6; i++)
        kept.nodes[i] = guest_node(domid, names[i]);
    for (uint32_t port = 0; port < PORTS; port++) {
        xc_evtchn_status_t status = {.dom = (domid_t)domid, .port = port};
        kept.channels[port] = xc_evtchn_status(xch, &status) ? -1 : (int)status.status;
    }
    return kept;
}

static void check_kept(const struct kept *before, const struct kept *after)
{
    for (size_t i = 0; i < 6; i++) {
        assert_non_null(before->nodes[i]);
        assert_string_equal(after->nodes[i], before->nodes[i]);
        free(before->nodes[i]);
        free(after->nodes[i]);
    }
    assert_memory_equal(after->channels, before->channels, sizeof(before->channels));
}

/* Waits until the guest has written a node. Returns its value. */
static char *await_node(scene *s, libxl_domid domid, const char *name)
{
    for (int i = 0; i < STEPS; i++) {
        char *value = guest_node(domid, name);
        if (value && *value)
            return value;
        free(value);
        pump_for(s, STEP_MS);
    }
    fail_msg("the guest has not written %s", name);
    return NULL;
}

/* Waits until the guest's disk is connected. */
static void await_disk(scene *s, libxl_domid domid)
{
    for (int i = 0; i < STEPS; i++) {
        char *state = guest_node(domid, "device/vbd/51712/state");
        const bool connected = state && strcmp(state, "4") == 0;
        free(state);
        if (connected)
            return;
        pump_for(s, STEP_MS);
    }
    fail_msg("the disk of domain %u is not connected", domid);
}

/* Empties a node that only the guest writes. The node is not removed, because the guest could not create it
 * again. */
static void empty_node(libxl_domid domid, const char *name)
{
    char path[64];
    snprintf(path, sizeof(path), "/local/domain/%u/%s", domid, name);
    fixture_write(path, "");
}

/* A function that suspends the guest. */
typedef void suspend(scene *s, libxl_domid domid);

static void suspend_only(scene *s, libxl_domid domid)
{
    assert_int_equal(RUN(s, libxl_domain_suspend_only(s->ctx, domid, how)), 0);
}

static int new_file(void)
{
    const int fd = memfd_create("saved", MFD_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static void save(scene *s, libxl_domid domid)
{
    const int fd = new_file();
    assert_int_equal(RUN(s, libxl_domain_save(s->ctx, domid, fd, 0, NULL, how)), 0);
    close(fd);
}

static void save_live(scene *s, libxl_domid domid)
{
    const int fd = new_file();
    assert_int_equal(RUN(s, libxl_domain_suspend(s->ctx, domid, fd, LIBXL_SUSPEND_LIVE, how)), 0);
    close(fd);
}

/* Waits for xenstored's report that a domain has stopped. */
static void await_report(scene *s, struct xs_handle *xs)
{
    char **event = NULL;
    for (int i = 0; i < STEPS && !(event = xs_check_watch(xs)); i++)
        pump_for(s, STEP_MS);
    if (!event)
        fail_msg("xenstored has not reported the stop");
    free(event);
}

/* Suspends and resumes a guest twice. xenstored reports the second suspension only if the library has
 * reported the first resumption to it (XS_RESUME). */
static void check_resumption(scene *s, suspend *way)
{
    libxl_dominfo info;
    xc_interface *xch = xc_interface_open(NULL, NULL, 0);
    struct xs_handle *xs = xs_open(0);
    const libxl_domid domid = guest_with_disk(s, "l");
    free(await_node(s, domid, FEATURE));
    await_disk(s, domid);
    assert_true(xs_watch(xs, "@releaseDomain", "stops"));
    await_report(s, xs); /* the first event of the watch */
    for (int i = 0; i < 2; i++) {
        const struct kept before = look(xch, domid);
        way(s, domid);
        await_report(s, xs);
        assert_int_equal(RUN(s, libxl_domain_get_info(s->ctx, domid, &info, how)), 0);
        assert_true(info.shutdown && info.shutdown_reason == LIBXL_SHUTDOWN_REASON_SUSPEND);
        empty_node(domid, FEATURE);
        assert_int_equal(RUN(s, libxl_domain_resume(s->ctx, domid, 0, how)), 0);
        assert_int_equal(RUN(s, libxl_domain_get_info(s->ctx, domid, &info, how)), 0);
        assert_false(info.shutdown);
        free(await_node(s, domid, FEATURE)); /* The guest has connected to xenstored anew. */
        const struct kept after = look(xch, domid);
        check_kept(&before, &after);
    }
    assert_int_equal(RUN(s, libxl_domain_shutdown(s->ctx, domid, how)), 0);
    xs_close(xs);
    destroy(s, domid);
    xc_interface_close(xch);
}

static void after_a_suspension_a_guest_connects_anew(scene *s)
{
    check_resumption(s, suspend_only);
}

static void after_a_save_a_guest_connects_anew(scene *s)
{
    check_resumption(s, save);
}

static void after_a_live_save_a_guest_connects_anew(scene *s)
{
    check_resumption(s, save_live);
}

/* The resumed guest allocates a new event channel, as in a new domain. The library uses this channel for the
 * next suspension. */
static void a_guest_publishes_its_channel_anew(scene *s)
{
    const libxl_domid domid = guest(s, "l suspend-channel", true);
    char *first = await_node(s, domid, CHANNEL);
    suspend_only(s, domid);
    empty_node(domid, CHANNEL);
    assert_int_equal(RUN(s, libxl_domain_resume(s->ctx, domid, 0, how)), 0);
    char *second = await_node(s, domid, CHANNEL);
    assert_string_not_equal(first, second);
    suspend_only(s, domid);
    free(first);
    free(second);
    destroy(s, domid);
}

static const body bodies[] = {
    BODY(after_a_suspension_a_guest_connects_anew, RUNS_ONCE),
    BODY(after_a_save_a_guest_connects_anew, RUNS_ONCE),
    BODY(after_a_live_save_a_guest_connects_anew, RUNS_ONCE),
    BODY(a_guest_publishes_its_channel_anew, RUNS_ONCE),
};

HARNESS_MAIN(bodies)
