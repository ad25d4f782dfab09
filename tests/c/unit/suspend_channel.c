/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* If a guest has published an event channel, the library asks it by this channel to suspend itself. In other
 * tests the guest writes hostile values instead of the number of its channel. */
#include "core.h"

#include "_libxl_operations_internal.h"
#include "xen.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xenctrl.h>

enum { STEP_MS = 10, STEPS = 1000 };

/* Makes a guest with this command line, and waits until it has written the node. */
static libxl_domid guest_that_writes(scene *s, const char *command_line, const char *node)
{
    libxl_domid domid;
    libxl_domain_config config = guest_config_pvh(command_line);
    assert_int_equal(RUN(s, libxl_domain_create_new(s->ctx, &config, &domid, how, NULL)), 0);
    libxl_domain_config_dispose(&config);
    assert_int_equal(RUN(s, libxl_domain_unpause(s->ctx, domid, how)), 0);
    for (int i = 0; i < STEPS; i++) {
        char *value = guest_node(domid, node);
        const bool written = value && *value;
        free(value);
        if (written)
            return domid;
        sleep_ms(STEP_MS);
    }
    fail_msg("the guest has not written %s", node);
    return domid;
}

#define CHANNEL "device/suspend/event-channel"

static libxl_domid publisher(scene *s, const char *command_line)
{
    return guest_that_writes(s, command_line, CHANNEL);
}

static libxl_dominfo info_of(scene *s, libxl_domid domid)
{
    libxl_dominfo info;
    assert_int_equal(RUN(s, libxl_domain_get_info(s->ctx, domid, &info, how)), 0);
    return info;
}

static void assert_suspends(scene *s, libxl_domid domid)
{
    assert_int_equal(RUN(s, libxl_domain_suspend_only(s->ctx, domid, how)), 0);
    const libxl_dominfo info = info_of(s, domid);
    assert_true(info.shutdown);
    assert_int_equal(info.shutdown_reason, LIBXL_SHUTDOWN_REASON_SUSPEND);
}

/* The guest does not obey control/shutdown. The library releases the channel after each suspension; otherwise
 * it could not bind the channel again. */
static void a_guest_is_suspended_by_its_channel(scene *s)
{
    const libxl_domid domid = publisher(s, "l suspend-channel");
    for (int i = 0; i < 3; i++) {
        assert_suspends(s, domid);
        assert_int_equal(RUN(s, libxl_domain_resume(s->ctx, domid, 1, how)), 0);
    }
    destroy(s, domid);
}

/*
 * Stops the timer by which the library looks at the domains every two seconds. Otherwise the library would see the
 * suspension without the event.
 */
static int stop_looking(libxl__ao *ao, libxl__phase_moment moment, void *user)
{
    libxl__timer *timer = &ao->ctx->xen->domains.again;
    (void)user;
    if (moment == LIBXL__PHASE_WAITING && strcmp(libxl__phase_of(ao)->name, "suspended") == 0)
        assert_int_equal(libxl__timer_start(ao->ctx, timer, UINT64_MAX / 2, timer->callback), 0);
    return 0;
}

/*
 * Xen notifies the channel of the suspension only if a toolstack has subscribed to the channel. The test
 * subscribes in place of another toolstack. The test suspends the guest twice, because at the first
 * suspension the context registers its watches, and the first events of the watches also make it look at the
 * domains.
 */
static void the_event_of_the_channel_tells_the_suspension(scene *s)
{
    const libxl_domid domid = publisher(s, "l suspend-channel");
    xc_interface *xch = xc_interface_open(NULL, NULL, 0);
    char *port = guest_node(domid, CHANNEL);
    assert_suspends(s, domid);
    assert_int_equal(RUN(s, libxl_domain_resume(s->ctx, domid, 1, how)), 0);
    assert_int_equal(xc_domain_subscribe_for_suspend(xch, domid, (evtchn_port_t)atoi(port)), 0);
    libxl__ctx_set_phase_hook(s->ctx, stop_looking, NULL);
    assert_suspends(s, domid);
    libxl__ctx_set_phase_hook(s->ctx, NULL, NULL);
    free(port);
    xc_interface_close(xch);
    destroy(s, domid);
}

/* A guest with such a value is asked by control/shutdown. 1 is the port of its xenstore ring, which xenstored
 * has bound. */
static void a_hostile_value_is_ignored(scene *s)
{
    static const char *const lines[] = {"l suspend-channel=1",
                                        "l suspend-channel=0",
                                        "l suspend-channel=-1",
                                        "l suspend-channel=15",
                                        "l suspend-channel=4294967297",
                                        "l suspend-channel=x",
                                        "l suspend-channel=18446744073709551617"};
    for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
        const libxl_domid domid = publisher(s, lines[i]);
        assert_suspends(s, domid);
        destroy(s, domid);
    }
}

/* Ends the time limit of the phase `user`, and of the undo of `request`, at once. */
static int on_moment(libxl__ao *ao, libxl__phase_moment moment, void *user)
{
    const char *name = user;
    const char *phase = libxl__phase_of(ao)->name;
    if ((moment == LIBXL__PHASE_WAITING && strcmp(phase, name) == 0) ||
        (moment == LIBXL__PHASE_BEFORE_UNDO && strcmp(phase, "request") == 0))
        assert_int_equal(libxl__timer_start(ao->ctx, &ao->phase.timer, 0, ao->phase.timer.callback), 0);
    return 0;
}

/* The phase `phase` of the suspension reaches its time limit. The message must contain `part`. */
static void time_out(scene *s, libxl_domid domid, const char *phase, const char *part)
{
    char name[16];
    snprintf(name, sizeof(name), "%s", phase);
    libxl__ctx_set_phase_hook(s->ctx, on_moment, name);
    assert_int_equal(RUN(s, libxl_domain_suspend_only(s->ctx, domid, how)), ERROR_GUEST_TIMEDOUT);
    libxl__ctx_set_phase_hook(s->ctx, NULL, NULL);
    check_says(s, part);
    destroy(s, domid);
}

static void the_error_says_that_the_guest_has_not_announced_the_suspension(scene *s)
{
    const libxl_domid domid = guest(s, "b", true);
    time_out(s, domid, "acknowledge", "has not written 1 to control/feature-suspend");
}

/* After the time limit, a recovery waits until the guest suspends itself, and then resumes it. */
static void a_guest_that_is_late_is_resumed(scene *s)
{
    const libxl_domid domid = publisher(s, "l suspend-channel=mute");
    char name[] = "suspended";
    libxl__ctx_set_phase_hook(s->ctx, on_moment, name);
    assert_int_equal(RUN(s, libxl_domain_suspend_only(s->ctx, domid, how)), ERROR_GUEST_TIMEDOUT);
    libxl__ctx_set_phase_hook(s->ctx, NULL, NULL);
    check_says(s, "asked by its event channel");
    check_says(s, "may still suspend itself; it is resumed then");
    xc_interface *xch = xc_interface_open(NULL, NULL, 0);
    assert_int_equal(xc_domain_shutdown(xch, domid, SHUTDOWN_suspend), 0);
    xc_interface_close(xch);
    for (int i = 0; i < STEPS && info_of(s, domid).shutdown; i++)
        pump_for(s, STEP_MS);
    assert_false(info_of(s, domid).shutdown);
    destroy(s, domid);
}

/* Returns whether the guest's port is bound by domain 0. */
static bool is_bound(xc_interface *xch, libxl_domid domid, evtchn_port_t port)
{
    xc_evtchn_status_t status = {.dom = (domid_t)domid, .port = port};
    assert_int_equal(xc_evtchn_status(xch, &status), 0);
    return status.status == EVTCHNSTAT_interdomain;
}

/* The guest notifies the channel each 10 ms and does not suspend itself. The operation goes on without the
 * channel. */
static void a_guest_that_floods_the_channel_loses_it(scene *s)
{
    const libxl_domid domid = publisher(s, "l suspend-channel=flood dirty=1");
    char name[] = "", *text = guest_node(domid, CHANNEL);
    const evtchn_port_t port = (evtchn_port_t)atoi(text);
    xc_interface *xch = xc_interface_open(NULL, NULL, 0);
    bool was_bound = false;
    libxl__ctx_set_phase_hook(s->ctx, on_moment, name);
    op *o = START(s, libxl_domain_suspend_only, s->ctx, domid, how);
    for (int i = 0; i < STEPS && (!was_bound || is_bound(xch, domid, port)); i++) {
        was_bound |= is_bound(xch, domid, port);
        pump(s, STEP_MS);
    }
    assert_true(was_bound && !is_bound(xch, domid, port) && !op_done(o));
    assert_int_equal(libxl_ao_abort(s->ctx, op_how(o)), 0);
    assert_int_equal(op_result(o), ERROR_ABORTED);
    libxl__ctx_set_phase_hook(s->ctx, NULL, NULL);
    xc_interface_close(xch);
    free(text);
    destroy(s, domid);
}

static const body bodies[] = {
    BODY(a_guest_that_floods_the_channel_loses_it, RUNS_ONCE),
    BODY(a_guest_is_suspended_by_its_channel, RUNS_ONCE),
    BODY(the_event_of_the_channel_tells_the_suspension, RUNS_ONCE),
    BODY(a_hostile_value_is_ignored, RUNS_ONCE),
    BODY(the_error_says_that_the_guest_has_not_announced_the_suspension, RUNS_ONCE),
    BODY(a_guest_that_is_late_is_resumed, RUNS_ONCE),
};

HARNESS_MAIN(bodies)
