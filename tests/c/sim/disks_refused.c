/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Disks whose backend or guest refuses, does not answer, or writes nonsense. The simulator plays the backend
 * and the guest. No test may leave a node or a loop device.
 */
#include "disk.h"
#include "harness.h"
#include "simulation.h"

/* ---- backends that misbehave */

static void the_backends_words_are_in_the_error(scene *s)
{
    const libxl_domid domid = guest(s, "b", true);
    disk_make_image();
    simulate("backend %u 'error=2 creating vbd structure'", domid);
    assert_int_equal(disk_add(s, domid, disk_of("xvda", DISK_IMAGE)), ERROR_DEVICE);
    check_says(s, "2 creating vbd structure");
    disk_check_gone(domid);
    simulate("backend %u plays", domid);
    /* The failed addition of the first disk has left an error node. The addition of the second disk must
     * ignore this node. */
    assert_int_equal(disk_add(s, domid, disk_of("xvda", DISK_IMAGE)), 0);
    destroy(s, domid);
}

static void a_mute_backend_is_given_up(scene *s)
{
    const libxl_domid domid = guest(s, "b", true);
    disk_make_image();
    simulate("backend %u mute", domid);
    libxl_device_disk disk = disk_of("xvda", DISK_IMAGE);
    op *o = START(s, libxl_device_disk_add, s->ctx, domid, &disk, how);
    wait_node(s, domid, "device/vbd/51712/state", "1");
    libxl_ao_abort(s->ctx, op_how(o));
    /* The backend never answers the undo. So the undo continues in the background, and the operation
     * completes without it. */
    assert_int_equal(op_result(o), ERROR_ABORTED);
    libxl_device_disk_dispose(&disk);
    simulate("backend %u plays", domid);
    destroy(s, domid);
    disk_check_gone(domid);
}

/* ---- guests that misbehave */

static void a_guest_that_refuses_may_let_go_later(scene *s)
{
    const int before = loop_count();
    const libxl_domid domid = guest_with_disk(s, "b");
    wait_node(s, domid, "device/vbd/51712/state", "4");
    simulate("frontend %u refuses=500", domid);
    assert_int_equal(disk_remove(s, domid, disk_of("xvda", "")), ERROR_DEVICE_REFUSED);
    check_says(s, "Device in use; refusing to close");
    assert_true(fixture_has("/libxl/%u/device/vbd/51712", domid));
    disk_wait_gone(s, domid);
    assert_int_equal(loop_count(), before);
    destroy(s, domid);
}

static void force_does_not_ask(scene *s)
{
    const libxl_domid domid = guest_with_disk(s, "b");
    wait_node(s, domid, "device/vbd/51712/state", "4");
    simulate("frontend %u refuses", domid);
    assert_int_equal(disk_remove(s, domid, disk_of("xvda", "")), ERROR_DEVICE_REFUSED);
    libxl_device_disk disk = disk_of("xvda", "");
    assert_int_equal(RUN(s, libxl_device_disk_safe_remove(s->ctx, domid, &disk, how)), ERROR_DEVICE_REFUSED);
    libxl_device_disk_dispose(&disk);
    assert_int_equal(disk_destroy(s, domid, disk_of("xvda", "")), 0);
    disk_check_gone(domid);
    destroy(s, domid);
}

static void a_paused_guest_cannot_answer(scene *s)
{
    const libxl_domid domid = guest_with_disk(s, "b");
    wait_node(s, domid, "device/vbd/51712/state", "4");
    assert_int_equal(RUN(s, libxl_domain_pause(s->ctx, domid, how)), 0);
    assert_int_equal(disk_remove(s, domid, disk_of("xvda", "")), ERROR_GUEST_CANNOT_ANSWER);
    check_says(s, "paused");
    fixture_check_value(domid, "/local/domain/0/backend/vbd/%u/51712/state", "4");
    fixture_check_value(domid, "/local/domain/0/backend/vbd/%u/51712/online", "1");
    assert_int_equal(disk_destroy(s, domid, disk_of("xvda", "")), 0);
    disk_check_gone(domid);
    destroy(s, domid);
}

static void a_guest_without_driver_cannot_answer(scene *s)
{
    const libxl_domid domid = guest(s, "b", true);
    disk_make_image();
    simulate("frontend %u mute", domid);
    assert_int_equal(disk_add(s, domid, disk_of("xvda", DISK_IMAGE)), 0);
    assert_int_equal(disk_remove(s, domid, disk_of("xvda", "")), ERROR_GUEST_CANNOT_ANSWER);
    check_says(s, "phase driver");
    fixture_check_value(domid, "/local/domain/0/backend/vbd/%u/51712/online", "1");
    assert_int_equal(disk_destroy(s, domid, disk_of("xvda", "")), 0);
    disk_check_gone(domid);
    destroy(s, domid);
}

/* A guest may write any state, and may remove the nodes of its frontend. */
static void a_malicious_guest_keeps_nothing(scene *s)
{
    static const char *const behaviours[] = {"nonsense=50", "deletes", "deletes-early", "error"};
    disk_make_image();
    for (size_t i = 0; i < sizeof(behaviours) / sizeof(*behaviours); i++) {
        const int before = loop_count();
        const libxl_domid domid = guest(s, "b", true);
        simulate("frontend %u %s", domid, behaviours[i]);
        const int rc = disk_add(s, domid, disk_of("xvda", DISK_IMAGE));
        if (rc && rc != ERROR_DEVICE)
            fail_msg("%s: %d '%s'", behaviours[i], rc, last_message(s));
        const int asked = rc ? rc : disk_remove(s, domid, disk_of("xvda", ""));
        if (asked)
            disk_destroy(s, domid, disk_of("xvda", ""));
        disk_wait_gone(s, domid);
        destroy(s, domid);
        assert_int_equal(loop_count(), before);
    }
}

static const body bodies[] = {
    BODY(the_backends_words_are_in_the_error, ALONE | SLOW),
    BODY(a_mute_backend_is_given_up, ALONE | SLOW | ASYNCHRONOUS),
    BODY(a_guest_that_refuses_may_let_go_later, ALONE | SLOW),
    BODY(force_does_not_ask, ALONE | SLOW),
    BODY(a_paused_guest_cannot_answer, ALONE | SLOW),
    BODY(a_guest_without_driver_cannot_answer, ALONE | SLOW),
    BODY(a_malicious_guest_keeps_nothing, RUNS_ONCE | ALONE),
};

HARNESS_MAIN(bodies)
