/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Operations on network interfaces of the host. The interfaces are simulated. Each body has interfaces
 * with names of its own. */
#include "core.h"
#include "simulation.h"

#include "host_link.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct task {
    const char *name;
    /* The change that the operation makes. If all members are 0, the operation makes no change. */
    libxl__link_change change;
    /* The name of the interface's master, for example of its bridge. "": the interface has none. */
    char master[IFNAMSIZ];
    /* For await_class only. true: wait until the interface exists. false: wait until the interface
     * is gone. */
    bool present;
    libxl__link_info info;
};

/* ---- an operation that reads the interface and its master, changes the interface, and reads it again */

struct changing {
    libxl__link_request look, bridge, set, again;
    enum { LOOKS, LOOKS_AT_BRIDGE, SETS, LOOKS_AGAIN } step;
};

static int next_step(libxl__ao *ao, struct task *t, struct changing *s)
{
    switch (s->step) {
    case LOOKS:
        s->step = LOOKS_AT_BRIDGE;
        return *t->master ? libxl__link_look(ao, &s->bridge, t->master) : 0;
    case LOOKS_AT_BRIDGE:
        s->step = SETS;
        t->change.master = s->bridge.info.index;
        return libxl__link_set(ao, &s->set, s->look.info.index, t->name, &t->change);
    case SETS:
        s->step = LOOKS_AGAIN;
        return libxl__link_look(ao, &s->again, t->change.new_name ? t->change.new_name : t->name);
    default: t->info = s->again.info; return LIBXL__AO_CARRIED_OUT;
    }
}

static int change_poll(libxl__ao *ao, void *state)
{
    struct task *t = core_user(ao);
    struct changing *s = state;
    for (;;) {
        libxl__link_request *request[] = {&s->look, &s->bridge, &s->set, &s->again};
        const bool skipped = s->step == LOOKS_AT_BRIDGE && !*t->master;
        int rc = skipped ? 0 : libxl__link_poll(ao, request[s->step], "nics[0].bridge");
        if (!rc)
            rc = next_step(ao, t, s);
        if (rc)
            return rc == LIBXL__AO_CARRIED_OUT ? 0 : rc;
    }
}

static int change_start(libxl__ao *ao, void *state)
{
    const struct task *t = core_user(ao);
    const int rc = libxl__link_look(ao, &((struct changing *)state)->look, t->name);
    return rc ? rc : LIBXL__AO_WAIT;
}

static int await_poll(libxl__ao *ao, void *state)
{
    return libxl__link_await_poll(ao, state);
}

static int await_start(libxl__ao *ao, void *state)
{
    const struct task *t = core_user(ao);
    const int rc = libxl__link_await_start(ao, state, t->name, t->present);
    return rc ? rc : LIBXL__AO_WAIT;
}

CORE_CLASS(change, struct changing);
CORE_CLASS(await, libxl__link_await);

static int run(scene *s, const libxl__ao_class *cls, struct task *t)
{
    return RUN(s, core_begin(s->ctx, cls, t, how));
}

struct name {
    char text[IFNAMSIZ];
};

/* Makes an interface with a name that no other thread uses. Returns the name. */
static struct name make_link(const char *kind)
{
    static atomic_int last;
    struct name name;
    snprintf(name.text, sizeof(name.text), "test%d", ++last);
    simulate("link add %s %s", name.text, kind);
    return name;
}

static void remove_link(const char *name)
{
    simulate("link delete %s", name);
}

/* ---- tests */

static void one_message_makes_an_interface_a_port_of_a_bridge(scene *s)
{
    static const uint8_t address[6] = {0xfe, 0xff, 0xff, 0xff, 0xff, 0xff};
    struct name bridge = make_link("bridge"), link = make_link("vif");
    char new_name[2 * IFNAMSIZ];
    snprintf(new_name, sizeof(new_name), "n-%s", link.text);
    struct task t = {.name = link.text,
                     .change = {.address = address, .mtu = 1400, .up = true, .new_name = new_name}};
    snprintf(t.master, sizeof(t.master), "%s", bridge.text);
    assert_int_equal(run(s, &change_class, &t), 0);
    assert_string_equal(t.info.name, new_name);
    assert_int_equal(t.info.mtu, 1400);
    assert_memory_equal(t.info.address, address, 6);
    assert_true(t.info.up);
    assert_int_equal(t.info.master, t.change.master);
    assert_false(t.info.bridge);
    remove_link(new_name);
    remove_link(bridge.text);
}

static void an_error_has_the_kernels_words(scene *s)
{
    struct name link = make_link("vif");
    struct task missing = {.name = "no-such-link"}, wrong = {.name = link.text, .change.mtu = 9},
                slave = {.name = link.text};
    assert_int_equal(run(s, &change_class, &missing), ERROR_INVAL);
    check_says(s, "nics[0].bridge: no-such-link: No such device");
    assert_int_equal(run(s, &change_class, &wrong), ERROR_INVAL);
    check_says(s, ": Invalid argument: mtu less than device minimum");
    snprintf(slave.master, sizeof(slave.master), "%s", link.text);
    assert_int_equal(run(s, &change_class, &slave), ERROR_FAIL);
    check_says(s, ": Device does not allow enslaving to it");
    remove_link(link.text);
}

static void a_name_that_is_too_long_is_refused(scene *s)
{
    struct task t = {.name = "sixteen-letters-"};
    op *o = op_begin(s);
    op_started(o, core_begin(s->ctx, &change_class, &t, op_how(o)));
    assert_int_equal(o->rc, ERROR_INVAL);
    assert_non_null(strstr(o->message, "sixteen-letters-: an interface's name has at most 15 octets"));
}

static void an_operation_waits_for_an_interface_to_come_and_to_go(scene *s)
{
    struct name link = make_link("vif");
    struct task gone = {.name = link.text}, there = {.name = link.text, .present = true};
    assert_int_equal(run(s, &await_class, &there), 0);
    op *o = START(s, core_begin, s->ctx, &await_class, &gone, how);
    pump(s, 20);
    assert_false(o->completions);
    remove_link(link.text);
    assert_int_equal(op_result(o), 0);
    assert_int_equal(run(s, &await_class, &gone), 0);
    o = START(s, core_begin, s->ctx, &await_class, &there, how);
    pump(s, 20);
    assert_false(o->completions);
    simulate("link add %s vif", link.text);
    assert_int_equal(op_result(o), 0);
    remove_link(link.text);
}

/* The kernel sends more notifications than the socket can hold, so most notifications are lost. The
 * operation must still notice the last change. */
static void lost_notifications_are_made_up_for(scene *s)
{
    struct name link = make_link("vif");
    struct task gone = {.name = link.text};
    op *o = START(s, core_begin, s->ctx, &await_class, &gone, how);
    pump(s, 20);
    for (int i = 0; i < 40; i++) {
        struct name other = make_link("dummy");
        remove_link(other.text);
    }
    remove_link(link.text);
    assert_int_equal(op_result(o), 0);
}

static void an_aborted_wait_ends(scene *s)
{
    struct name link = make_link("vif");
    struct task gone = {.name = link.text};
    op *o = START(s, core_begin, s->ctx, &await_class, &gone, how);
    assert_int_equal(libxl_ao_abort(s->ctx, &o->how), 0);
    assert_int_equal(op_result(o), ERROR_ABORTED);
    remove_link(link.text);
}

/* The test sends so many requests, before it reads the first answer, that the socket cannot hold all
 * answers. */
static void many_requests_are_answered(scene *s)
{
    enum { MANY = 100 };
    struct name link = make_link("vif");
    struct task tasks[MANY];
    op *ops[MANY];
    for (int i = 0; i < MANY; i++) {
        tasks[i] = (struct task){.name = link.text, .present = true};
        ops[i] = START(s, core_begin, s->ctx, &await_class, &tasks[i], how);
    }
    for (int i = 0; i < MANY; i++)
        assert_int_equal(op_result(ops[i]), 0);
    remove_link(link.text);
}

static void a_socket_that_cannot_be_opened_is_reported(scene *s)
{
    struct task t = {.name = "lo"};
    libxl_ctx *ctx;
    const libxl_asyncop_how how = {.u.for_event = 1};
    assert_int_equal(libxl_ctx_alloc(&ctx, LIBXL_VERSION, 0, NULL), 0);
    fault_add("host.netlink_open:1:EPERM");
    assert_int_equal(core_begin(ctx, &await_class, &t, &how), ERROR_PERMISSION);
    assert_non_null(strstr(libxl_error_message(), "opening rtnetlink: Operation not permitted"));
    assert_int_equal(libxl_ctx_free(ctx), 0);
    (void)s;
}

static const body bodies[] = {
    BODY(one_message_makes_an_interface_a_port_of_a_bridge, ALONE),
    BODY(an_error_has_the_kernels_words, ALONE),
    BODY(a_name_that_is_too_long_is_refused),
    BODY(an_operation_waits_for_an_interface_to_come_and_to_go, ASYNCHRONOUS | ALONE),
    BODY(lost_notifications_are_made_up_for, ASYNCHRONOUS | ALONE | SLOW),
    BODY(an_aborted_wait_ends, ASYNCHRONOUS | ALONE),
    BODY(many_requests_are_answered, ASYNCHRONOUS | ALONE),
    BODY(a_socket_that_cannot_be_opened_is_reported, NO_CONTEXT),
};

HARNESS_MAIN(bodies)
