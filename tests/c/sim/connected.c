/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The wait until a guest uses a device. The simulator plays the guest's driver and the backend, and each of
 * them can misbehave. Each kind of misbehaviour ends the wait with an error of its own. The library changes
 * no node.
 */
#include "harness.h"
#include "simulation.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define IMAGE "/run/disk.img"
enum { XVDA = 51712 };

static void add_disk(scene *s, libxl_domid domid)
{
    const int fd = open(IMAGE, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0 && !ftruncate(fd, 1 << 20));
    close(fd);
    libxl_device_disk disk;
    libxl_device_disk_init(&disk);
    disk.vdev = strdup("xvda");
    disk.pdev_path = strdup(IMAGE);
    assert_int_equal(RUN(s, libxl_device_disk_add(s->ctx, domid, &disk, how)), 0);
    libxl_device_disk_dispose(&disk);
}

static int wait_connected(scene *s, libxl_domid domid)
{
    return RUN(s, libxl_device_wait_connected(s->ctx, domid, "vbd", XVDA, how));
}

static op *start_wait(scene *s, libxl_domid domid)
{
    op *o = START(s, libxl_device_wait_connected, s->ctx, domid, "vbd", XVDA, how);
    pump(s, 50);
    assert_false(op_done(o));
    return o;
}

/* Makes a guest with a disk that the guest does not use yet. Returns the domid. */
static libxl_domid guest_that_waits(scene *s)
{
    const libxl_domid domid = guest(s, "b", true);
    simulate("frontend %u mute", domid);
    add_disk(s, domid);
    return domid;
}

static void the_wait_ends_when_both_are_connected(scene *s)
{
    const libxl_domid domid = guest_that_waits(s);
    op *o = start_wait(s, domid);
    simulate("frontend %u plays", domid);
    assert_int_equal(op_result(o), 0);
    char path[96];
    snprintf(path, sizeof(path), "/local/domain/%u/device/vbd/51712/state", domid);
    char *state = fixture_node(path);
    assert_string_equal(state, "4");
    free(state);
    /* The device is already connected, so the operation does not wait. */
    assert_int_equal(wait_connected(s, domid), 0);
    destroy(s, domid);
}

static void the_words_of_a_driver_are_in_the_error(scene *s)
{
    static const char *const sides[] = {"backend", "frontend"};
    for (size_t i = 0; i < 2; i++) {
        const libxl_domid domid = guest_that_waits(s);
        char command[64];
        op *o = start_wait(s, domid);
        snprintf(command, sizeof(command), "%s %u 'error=7 no\nrings'", sides[i], domid);
        simulate("%s", command);
        /* The backend reacts to a change of the state of the guest's driver, so this driver must play. */
        if (i == 0)
            simulate("frontend %u plays", domid);
        assert_int_equal(op_result(o), ERROR_DEVICE);
        assert_non_null(strstr(o->message, "7 no\\x0arings"));
        destroy(s, domid);
    }
}

static void a_guest_that_cannot_connect_ends_the_wait(scene *s)
{
    const libxl_domid domid = guest_that_waits(s);
    assert_int_equal(RUN(s, libxl_domain_pause(s->ctx, domid, how)), 0);
    assert_int_equal(wait_connected(s, domid), ERROR_GUEST_CANNOT_ANSWER);
    assert_non_null(strstr(last_message(s), "is paused"));
    assert_int_equal(RUN(s, libxl_domain_unpause(s->ctx, domid, how)), 0);
    op *o = start_wait(s, domid);
    simulate("shutdown %u poweroff", domid);
    assert_int_equal(op_result(o), ERROR_GUEST_CANNOT_ANSWER);
    assert_non_null(strstr(o->message, "has shut down"));
    destroy(s, domid);
}

static void the_end_of_the_domain_ends_the_wait(scene *s)
{
    const libxl_domid domid = guest_that_waits(s);
    op *o = start_wait(s, domid);
    destroy(s, domid);
    const int rc = op_result(o);
    /* The destruction of the domain may remove the device before the domain. */
    if (rc != ERROR_DOMAIN_DESTROYED && rc != ERROR_DEVICE)
        fail_msg("%d '%s'", rc, o->message);
}

static void a_guest_that_removes_its_nodes_ends_the_wait(scene *s)
{
    const libxl_domid domid = guest_that_waits(s);
    op *o = start_wait(s, domid);
    simulate("frontend %u deletes-early", domid);
    assert_int_equal(op_result(o), ERROR_DEVICE);
    destroy(s, domid);
}

static void nonsense_of_the_guest_is_not_believed(scene *s)
{
    const libxl_domid domid = guest_that_waits(s);
    op *o = start_wait(s, domid);
    simulate("frontend %u nonsense=500", domid);
    assert_int_equal(op_result(o), 0); /* The simulated driver connects after it has written nonsense. */
    destroy(s, domid);
}

static void the_end_of_a_driver_domain_ends_the_wait(scene *s)
{
    const libxl_domid server = guest(s, "b driver", true), domid = guest(s, "b", true);
    simulate("frontend %u mute", domid);
    libxl_device_nic nic;
    libxl_device_nic_init(&nic);
    nic.devid = 0;
    nic.backend_domid = server;
    assert_int_equal(RUN(s, libxl_device_nic_add(s->ctx, domid, &nic, how)), 0);
    libxl_device_nic_dispose(&nic);
    op *o = START(s, libxl_device_wait_connected, s->ctx, domid, "vif", 0, how);
    pump(s, 50);
    destroy(s, server);
    assert_int_equal(op_result(o), ERROR_NO_BACKEND);
    destroy(s, domid);
}

static void a_device_that_does_not_exist_is_not_waited_for(scene *s)
{
    const libxl_domid domid = guest(s, "b", true);
    assert_int_equal(wait_connected(s, domid), ERROR_NOTFOUND);
    assert_int_equal(wait_connected(s, 0x7000), ERROR_DOMAIN_NOTFOUND);
    static const char *const kinds[] = {"", "vbd/51712", "a-name-that-is-too-long-for-any-kind-of-devices"};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
        assert_int_equal(RUN(s, libxl_device_wait_connected(s->ctx, domid, kinds[i], 0, how)), ERROR_INVAL);
        assert_memory_equal(last_message(s), "kind: ", 6);
    }
    destroy(s, domid);
}

static void an_abort_changes_nothing(scene *s)
{
    const libxl_domid domid = guest_that_waits(s);
    op *o = start_wait(s, domid);
    libxl_ao_abort(s->ctx, op_how(o));
    assert_int_equal(op_result(o), ERROR_ABORTED);
    simulate("frontend %u plays", domid);
    assert_int_equal(wait_connected(s, domid), 0);
    destroy(s, domid);
}

static const body bodies[] = {
    BODY(the_wait_ends_when_both_are_connected, ALONE | SLOW),
    BODY(the_words_of_a_driver_are_in_the_error, ALONE | SLOW),
    BODY(a_guest_that_cannot_connect_ends_the_wait, ALONE | SLOW),
    BODY(the_end_of_the_domain_ends_the_wait, ALONE | SLOW),
    BODY(a_guest_that_removes_its_nodes_ends_the_wait, ALONE | SLOW),
    BODY(nonsense_of_the_guest_is_not_believed, ALONE | SLOW),
    BODY(the_end_of_a_driver_domain_ends_the_wait, ALONE | SLOW),
    BODY(a_device_that_does_not_exist_is_not_waited_for, ALONE | SLOW),
    BODY(an_abort_changes_nothing, ALONE | SLOW | ASYNCHRONOUS),
};

HARNESS_MAIN(bodies)
