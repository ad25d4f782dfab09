/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Disks of guests. The tests add disks to a running guest, or at the creation of a guest. A disk is a
 * file, a block device, or made by a script. Other tests list and remove disks. No test may leave a
 * node or a loop device.
 */
#include "disk.h"
#include "harness.h"
#include "simulation.h"

#include <libxl_utils.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- adding and removing */

static void a_disk_is_added_and_removed(scene *s)
{
    const libxl_domid domid = guest_with_disk(s, "b");
    fixture_check_value(domid, "/local/domain/0/backend/vbd/%u/51712/params", DISK_IMAGE);
    fixture_check_value(domid, "/local/domain/0/backend/vbd/%u/51712/mode", "w");
    fixture_check_value(domid, "/local/domain/0/backend/vbd/%u/51712/hotplug-status", "connected");
    fixture_check_value(domid, "/libxl/%u/device/vbd/51712/dev", "xvda");
    fixture_check_value(domid, "/local/domain/%u/device/vbd/51712/virtual-device", "51712");
    fixture_check_perms(domid, "/local/domain/%u/device/vbd/51712", "n%u,r0");
    fixture_check_perms(domid, "/local/domain/0/backend/vbd/%u/51712", "n0,r%u");
    fixture_check_perms(domid, "/libxl/%u/device/vbd/51712", "n0");
    wait_node(s, domid, "device/vbd/51712/state", "4");
    assert_int_equal(disk_remove(s, domid, disk_of("xvda", "")), 0);
    disk_check_gone(domid);
    destroy(s, domid);
}

static void a_disk_that_exists_is_not_added(scene *s)
{
    const libxl_domid domid = guest_with_disk(s, "b");
    assert_int_equal(disk_add(s, domid, disk_of("xvda", DISK_IMAGE)), ERROR_DEVICE_EXISTS);
    fixture_check_value(domid, "/local/domain/0/backend/vbd/%u/51712/online", "1");
    assert_int_equal(disk_remove(s, domid, disk_of("xvdb", "")), ERROR_NOTFOUND);
    destroy(s, domid);
    disk_check_gone(domid);
}

static void a_wrong_configuration_is_refused_by_its_field(scene *s)
{
    static const struct {
        const char *vdev, *path, *says;
    } wrong[] = {{"xvda5x", DISK_IMAGE, "vdev: "},
                 {"xvda", "/run/missing.img", "pdev_path: "},
                 {"xvda", "/run", "pdev_path: "},
                 {"xvda", "", "pdev_path: "},
                 {"", DISK_IMAGE, "vdev: "}};
    const libxl_domid domid = guest(s, "b", true);
    disk_make_image();
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        assert_int_equal(disk_add(s, domid, disk_of(wrong[i].vdev, wrong[i].path)), ERROR_INVAL);
        assert_memory_equal(last_message(s), wrong[i].says, strlen(wrong[i].says));
        disk_check_gone(domid);
    }
    destroy(s, domid);
}

static void the_domain_must_exist(scene *s)
{
    assert_int_equal(disk_add(s, 0x7000, disk_of("xvda", DISK_IMAGE)), ERROR_DOMAIN_NOTFOUND);
    assert_int_equal(disk_remove(s, 0x7000, disk_of("xvda", DISK_IMAGE)), ERROR_DOMAIN_NOTFOUND);
}

/* ---- files and loop devices */

static void a_loop_device_is_released_with_its_disk(scene *s)
{
    const int before = loop_count();
    const libxl_domid domid = guest_with_disk(s, "b");
    assert_int_equal(loop_count(), before + 1);
    assert_int_equal(disk_remove(s, domid, disk_of("xvda", "")), 0);
    assert_int_equal(loop_count(), before);
    assert_int_equal(disk_add(s, domid, disk_of("xvda", DISK_IMAGE)), 0);
    destroy(s, domid);
    assert_int_equal(loop_count(), before);
}

/* The addition is stopped while a worker is about to remove the flag AUTOCLEAR from the loop device. */
static void a_stopped_addition_releases_its_loop_device(scene *s)
{
    const int before = loop_count();
    const libxl_domid domid = guest(s, "b", true);
    libxl_device_disk disk = disk_of("xvda", DISK_IMAGE);
    disk_make_image();
    const int rule = fault_add("host.loop_set_status:1:500ms");
    op *o = START(s, libxl_device_disk_add, s->ctx, domid, &disk, how);
    fault_wait(s->ctx, rule);
    assert_int_equal(libxl_ao_abort(s->ctx, &o->how), 0);
    assert_int_equal(op_result(o), ERROR_ABORTED);
    faults_clear();
    disk_check_gone(domid);
    assert_int_equal(loop_count(), before);
    libxl_device_disk_dispose(&disk);
    destroy(s, domid);
}

static void a_writable_file_is_not_shared(scene *s)
{
    const int before = loop_count();
    const libxl_domid domid = guest_with_disk(s, "b"), other = guest(s, "b", true);
    assert_int_equal(disk_add(s, other, disk_of("xvda", DISK_IMAGE)), ERROR_BUSY);
    check_says(s, DISK_IMAGE);
    disk_check_gone(other);
    assert_int_equal(loop_count(), before + 1);
    destroy(s, domid);
    assert_int_equal(disk_add(s, other, disk_of("xvda", DISK_IMAGE)), 0);
    destroy(s, other);
    assert_int_equal(loop_count(), before);
}

static void a_writable_block_device_is_not_shared(scene *s)
{
    const libxl_domid domid = guest(s, "b", true), other = guest(s, "b", true);
    disk_make_image();
    char *number = simulation("loop take " DISK_IMAGE);
    char block[32];
    snprintf(block, sizeof(block), "/dev/loop%d", atoi(number));
    assert_int_equal(disk_add(s, domid, disk_of("xvda", block)), 0);
    assert_int_equal(disk_add(s, other, disk_of("xvda", block)), ERROR_BUSY);
    check_says(s, block);
    disk_check_gone(other);
    assert_int_equal(disk_remove(s, domid, disk_of("xvda", "")), 0);
    assert_int_equal(disk_add(s, other, disk_of("xvda", block)), 0);
    destroy(s, domid);
    destroy(s, other);
    simulate("loop free %d", atoi(number));
    free(number);
}

/* Two guests get the same block device at the same time, PAIRS times. If one of the two guests may write,
 * exactly one guest gets the block device. */
static void simultaneous_additions_do_not_share(scene *s)
{
    enum { PAIRS = 20 };
    const libxl_domid domids[] = {guest(s, "b", true), guest(s, "b", true)};
    disk_make_image();
    char *number = simulation("loop take " DISK_IMAGE);
    char block[32];
    snprintf(block, sizeof(block), "/dev/loop%d", atoi(number));
    for (int pair = 0; pair < 2 * PAIRS; pair++) {
        const bool writable = pair < PAIRS;
        libxl_device_disk disks[2];
        op *o[2];
        int added = 0;
        for (int i = 0; i < 2; i++) {
            disks[i] = disk_of("xvda", block);
            disks[i].readwrite = writable && (i == 0 || pair % 2);
            o[i] = START(s, libxl_device_disk_add, s->ctx, domids[i], &disks[i], how);
        }
        for (int i = 0; i < 2; i++) {
            const int rc = op_result(o[i]);
            if (rc && rc != ERROR_BUSY)
                fail_msg("%d '%s'", rc, o[i]->message);
            added += !rc;
        }
        assert_int_equal(added, writable ? 1 : 2);
        for (int i = 0; i < 2; i++) {
            if (!o[i]->rc)
                assert_int_equal(disk_destroy(s, domids[i], disk_of("xvda", "")), 0);
            disk_check_gone(domids[i]);
            libxl_device_disk_dispose(&disks[i]);
        }
    }
    destroy(s, domids[0]);
    destroy(s, domids[1]);
    simulate("loop free %d", atoi(number));
    free(number);
}

/* ---- scripts */

#define SCRIPT "/run/block-test"

static void write_script(const char *text)
{
    FILE *file = fopen(SCRIPT, "we");
    assert_non_null(file);
    fprintf(file, "#!/bin/sh\n%s\n", text);
    fclose(file);
    assert_int_equal(chmod(SCRIPT, 0755), 0);
}

static libxl_device_disk scripted(void)
{
    libxl_device_disk disk = disk_of("xvda", "anything");
    disk.script = strdup(SCRIPT);
    return disk;
}

static void a_script_connects_and_disconnects_a_disk(scene *s)
{
    const libxl_domid domid = guest(s, "b", true);
    unlink("/run/block-test.log");
    write_script("echo $1 $XENBUS_TYPE $XENBUS_PATH >>/run/block-test.log\n"
                 "[ $1 = remove ] || xenstore-write $XENBUS_PATH/physical-device 7:9 "
                 "$XENBUS_PATH/hotplug-status connected");
    assert_int_equal(disk_add(s, domid, scripted()), 0);
    fixture_check_value(domid, "/local/domain/0/backend/vbd/%u/51712/params", "anything");
    fixture_check_value(domid, "/libxl/%u/device/vbd/51712/script", SCRIPT);
    assert_int_equal(disk_remove(s, domid, scripted()), 0);
    disk_check_gone(domid);
    destroy(s, domid);
    char text[256] = "", wanted[128];
    FILE *file = fopen("/run/block-test.log", "re");
    assert_non_null(file);
    assert_true(fread(text, 1, sizeof(text) - 1, file) > 0);
    fclose(file);
    snprintf(wanted, sizeof(wanted), "add vbd backend/vbd/%u/51712\nremove vbd backend/vbd/%u/51712\n", domid,
             domid);
    assert_string_equal(text, wanted);
}

static void a_script_that_fails_says_why(scene *s)
{
    const libxl_domid domid = guest(s, "b", true);
    write_script(
        "[ $1 = add ] || exit 0\nxenstore-write $XENBUS_PATH/hotplug-error 'the array is degraded'\nexit 1");
    assert_int_equal(disk_add(s, domid, scripted()), ERROR_SCRIPT);
    check_says(s, "the array is degraded");
    disk_check_gone(domid);
    destroy(s, domid);
}

/* ---- lists and lookups */

static void disks_are_listed_with_their_states(scene *s)
{
    const libxl_domid domid = guest_with_disk(s, "b");
    libxl_disk_list disks;
    libxl_device_status_list devices;
    wait_node(s, domid, "device/vbd/51712/state", "4");
    assert_int_equal(RUN(s, libxl_domain_list_disks(s->ctx, domid, &disks, how)), 0);
    assert_int_equal(disks.num_devices, 1);
    assert_string_equal(disks.devices[0].vdev, "xvda");
    assert_string_equal(disks.devices[0].pdev_path, DISK_IMAGE);
    assert_true(disks.devices[0].readwrite);
    assert_null(disks.devices[0].script);
    libxl_disk_list_dispose(&disks);
    assert_int_equal(RUN(s, libxl_domain_list_devices(s->ctx, domid, &devices, how)), 0);
    int found = 0;
    for (int i = 0; i < devices.num_devices; i++)
        if (strcmp(devices.devices[i].kind, "vbd") == 0) {
            found++;
            assert_int_equal(devices.devices[i].devid, 51712);
            assert_int_equal(devices.devices[i].backend_state, 4);
            assert_int_equal(devices.devices[i].frontend_state, 4);
            assert_true(devices.devices[i].ring_ref >= 0);
        }
    assert_int_equal(found, 1);
    libxl_device_status_list_dispose(&devices);
    destroy(s, domid);
}

/* A disk can be found by each name that libxl accepts. */
static void a_disk_is_found_by_its_name(scene *s)
{
    const libxl_domid domid = guest_with_disk(s, "b");
    libxl_device_disk disk, absent = {.vdev = (char *)"xvdb"};
    libxl_diskinfo info;
    assert_int_equal(libxl_vdev_to_device_disk(s->ctx, domid, "xvdb", &disk), ERROR_NOTFOUND);
    assert_int_equal(libxl_device_disk_getinfo(s->ctx, domid, &absent, &info), ERROR_NOTFOUND);
    assert_int_equal(libxl_vdev_to_device_disk(s->ctx, domid, "xvda", &disk), 0);
    assert_string_equal(disk.pdev_path, DISK_IMAGE);
    assert_int_equal(libxl_device_disk_getinfo(s->ctx, domid, &disk, &info), 0);
    assert_int_equal(info.devid, 51712);
    assert_int_equal(info.frontend_id, domid);
    libxl_diskinfo_dispose(&info);
    libxl_device_disk_dispose(&disk);
    destroy(s, domid);
}

/* ---- at the creation and the end of a domain */

static libxl_domain_config config_with_disks(const char *command_line, const char *const paths[], int count)
{
    libxl_domain_config config = guest_config(command_line);
    config.disks = calloc((size_t)count, sizeof(*config.disks));
    config.num_disks = count;
    for (int i = 0; i < count; i++) {
        char vdev[8];
        snprintf(vdev, sizeof(vdev), "xvd%c", 'a' + i);
        config.disks[i] = disk_of(vdev, paths[i]);
        config.disks[i].readwrite = 0;
    }
    return config;
}

static void a_domain_is_created_with_its_disks(scene *s)
{
    static const char *const paths[] = {DISK_IMAGE, DISK_IMAGE, DISK_IMAGE};
    libxl_domid domid;
    disk_make_image();
    const int before = loop_count();
    libxl_domain_config config = config_with_disks("b", paths, 3);
    assert_int_equal(RUN(s, libxl_domain_create_new(s->ctx, &config, &domid, how, NULL)), 0);
    libxl_domain_config_dispose(&config);
    assert_int_equal(loop_count(), before + 3);
    assert_true(fixture_has("/libxl/%u/device/vbd/51712", domid));
    assert_true(fixture_has("/libxl/%u/device/vbd/51744", domid));
    assert_int_equal(RUN(s, libxl_domain_unpause(s->ctx, domid, how)), 0);
    wait_node(s, domid, "device/vbd/51744/state", "4");
    destroy(s, domid);
    assert_int_equal(loop_count(), before);
    disk_check_gone(domid);
}

static void a_creation_with_a_wrong_disk_leaves_nothing(scene *s)
{
    static const char *const paths[] = {DISK_IMAGE, "/run/missing.img", DISK_IMAGE};
    libxl_domid domid;
    disk_make_image();
    const int before = loop_count();
    for (int same = 0; same < 2; same++) {
        libxl_domain_config config = config_with_disks("b", paths, 3);
        if (same) { /* In the second round two disks have the same number. */
            free(config.disks[1].vdev);
            free(config.disks[1].pdev_path);
            config.disks[1].vdev = strdup("xvda");
            config.disks[1].pdev_path = strdup(DISK_IMAGE);
        }
        const int rc = RUN(s, libxl_domain_create_new(s->ctx, &config, &domid, how, NULL));
        libxl_domain_config_dispose(&config);
        assert_int_equal(rc, same ? ERROR_DEVICE_EXISTS : ERROR_INVAL);
        check_says(s, same ? "disks[" : "disks[1]: pdev_path: /run/missing.img");
        assert_int_equal(loop_count(), before);
        fixture_check_world(&s->before);
    }
}

static void a_guest_that_ends_meanwhile_leaves_nothing(scene *s)
{
    const int before = loop_count();
    const libxl_domid domid = guest_with_disk(s, "b");
    simulate("shutdown %u poweroff", domid);
    libxl_shutdown_reason reason;
    assert_int_equal(RUN(s, libxl_domain_wait_shutdown(s->ctx, domid, &reason, how)), 0);
    /* The guest has stopped, so the library does not ask it to release the disk. */
    assert_int_equal(disk_remove(s, domid, disk_of("xvda", "")), 0);
    disk_check_gone(domid);
    destroy(s, domid);
    assert_int_equal(loop_count(), before);
}

static const body bodies[] = {
    BODY(a_disk_is_added_and_removed, ALONE),
    BODY(a_disk_that_exists_is_not_added, ALONE),
    BODY(a_wrong_configuration_is_refused_by_its_field, ALONE),
    BODY(the_domain_must_exist),
    BODY(a_loop_device_is_released_with_its_disk, ALONE | SLOW),
    BODY(a_stopped_addition_releases_its_loop_device, RUNS_ONCE | ALONE),
    BODY(a_writable_file_is_not_shared, ALONE | SLOW),
    BODY(a_writable_block_device_is_not_shared, ALONE | SLOW),
    BODY(simultaneous_additions_do_not_share, RUNS_ONCE | ALONE),
    BODY(a_script_connects_and_disconnects_a_disk, RUNS_ONCE | ALONE),
    BODY(a_script_that_fails_says_why, RUNS_ONCE | ALONE),
    BODY(disks_are_listed_with_their_states, ALONE | SLOW),
    BODY(a_disk_is_found_by_its_name, RUNS_ONCE | ALONE),
    BODY(a_domain_is_created_with_its_disks, ALONE | SLOW),
    BODY(a_creation_with_a_wrong_disk_leaves_nothing, ALONE | SLOW),
    BODY(a_guest_that_ends_meanwhile_leaves_nothing, ALONE | SLOW),
};

HARNESS_MAIN(bodies)
