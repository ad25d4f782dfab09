/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Disks: added to a guest that runs and at its creation, removed in agreement with the guest and by force. The
 * simulator plays the backend and the guest's driver, each of which can misbehave. Whatever happens, no node and no
 * loop device is left: the fixture and check_gone() find the world as before.
 */
#include "harness.h"
#include "simulation.h"

#include <libxl_utils.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define IMAGE "/run/disk.img"

/* Makes an image. */
static void make_images(void)
{
    const int fd = open(IMAGE, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0 && !ftruncate(fd, 1 << 20));
    close(fd);
}

static libxl_device_disk disk_of(const char *vdev, const char *path)
{
    libxl_device_disk disk;
    libxl_device_disk_init(&disk);
    disk.vdev = strdup(vdev);
    disk.pdev_path = strdup(path);
    disk.readwrite = 1;
    return disk;
}

static int add(scene *s, libxl_domid domid, libxl_device_disk disk)
{
    const int rc = RUN(s, libxl_device_disk_add(s->ctx, domid, &disk, how));
    libxl_device_disk_dispose(&disk);
    return rc;
}

static int removal(scene *s, libxl_domid domid, libxl_device_disk disk)
{
    const int rc = RUN(s, libxl_device_disk_remove(s->ctx, domid, &disk, how));
    libxl_device_disk_dispose(&disk);
    return rc;
}

static int force(scene *s, libxl_domid domid, libxl_device_disk disk)
{
    const int rc = RUN(s, libxl_device_disk_destroy(s->ctx, domid, &disk, how));
    libxl_device_disk_dispose(&disk);
    return rc;
}

static bool exists(const char *format, libxl_domid domid)
{
    char path[96];
    snprintf(path, sizeof(path), format, domid);
    char *value = fixture_node(path);
    free(value);
    return value;
}

/* The disk xvda has no nodes in any of the trees, and their parents are gone, too. */
static void check_gone(libxl_domid domid)
{
    assert_false(exists("/local/domain/%u/device/vbd", domid));
    assert_false(exists("/local/domain/0/backend/vbd/%u", domid));
    assert_false(exists("/libxl/%u/device", domid));
    assert_false(exists("/local/domain/0/error/backend/vbd/%u", domid));
    assert_false(exists("/local/domain/%u/error/device", domid));
}

static void wait_gone(scene *s, libxl_domid domid)
{
    for (const uint64_t end = now_ms() + scaled_ms(10000);
         exists("/libxl/%u/device", domid) && now_ms() < end;)
        pump(s, 10);
    check_gone(domid);
}

/* Returns the number of loop devices that have a file. */
static int loops(void)
{
    char *list = simulation("loops");
    int count = 0;
    for (const char *c = list; *c; c++)
        count += *c == '\n';
    free(list);
    return count;
}

static libxl_domid guest_with_disk(scene *s, const char *command_line)
{
    make_images();
    const libxl_domid domid = guest(s, command_line, true);
    assert_int_equal(add(s, domid, disk_of("xvda", IMAGE)), 0);
    return domid;
}

/* ---- adding and removing */

static void check_value(libxl_domid domid, const char *format, const char *wanted)
{
    char path[128];
    snprintf(path, sizeof(path), format, domid);
    char *value = fixture_node(path);
    assert_string_equal(value ? value : "(missing)", wanted);
    free(value);
}

static void check_perms(libxl_domid domid, const char *format, const char *format_of_perms)
{
    char path[128], wanted[32];
    snprintf(path, sizeof(path), format, domid);
    snprintf(wanted, sizeof(wanted), format_of_perms, domid);
    char *perms = fixture_perms(path);
    assert_string_equal(perms ? perms : "(missing)", wanted);
    free(perms);
}

static void a_disk_is_added_and_removed(scene *s)
{
    const libxl_domid domid = guest_with_disk(s, "b");
    check_value(domid, "/local/domain/0/backend/vbd/%u/51712/params", IMAGE);
    check_value(domid, "/local/domain/0/backend/vbd/%u/51712/mode", "w");
    check_value(domid, "/local/domain/0/backend/vbd/%u/51712/hotplug-status", "connected");
    check_value(domid, "/libxl/%u/device/vbd/51712/dev", "xvda");
    check_value(domid, "/local/domain/%u/device/vbd/51712/virtual-device", "51712");
    check_perms(domid, "/local/domain/%u/device/vbd/51712", "n%u,r0");
    check_perms(domid, "/local/domain/0/backend/vbd/%u/51712", "n0,r%u");
    check_perms(domid, "/libxl/%u/device/vbd/51712", "n0");
    wait_node(s, domid, "device/vbd/51712/state", "4");
    assert_int_equal(removal(s, domid, disk_of("xvda", "")), 0);
    check_gone(domid);
    destroy(s, domid);
}

static void a_disk_that_exists_is_not_added(scene *s)
{
    const libxl_domid domid = guest_with_disk(s, "b");
    assert_int_equal(add(s, domid, disk_of("xvda", IMAGE)), ERROR_DEVICE_EXISTS);
    check_value(domid, "/local/domain/0/backend/vbd/%u/51712/online", "1");
    assert_int_equal(removal(s, domid, disk_of("xvdb", "")), ERROR_NOTFOUND);
    destroy(s, domid);
    check_gone(domid);
}

static void a_wrong_configuration_is_refused_by_its_field(scene *s)
{
    static const struct {
        const char *vdev, *path, *says;
    } wrong[] = {{"xvda5x", IMAGE, "vdev: "},
                 {"xvda", "/run/missing.img", "pdev_path: "},
                 {"xvda", "/run", "pdev_path: "},
                 {"xvda", "", "pdev_path: "},
                 {"", IMAGE, "vdev: "}};
    const libxl_domid domid = guest(s, "b", true);
    make_images();
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        assert_int_equal(add(s, domid, disk_of(wrong[i].vdev, wrong[i].path)), ERROR_INVAL);
        assert_memory_equal(last_message(s), wrong[i].says, strlen(wrong[i].says));
        check_gone(domid);
    }
    destroy(s, domid);
}

static void the_domain_must_exist(scene *s)
{
    assert_int_equal(add(s, 0x7000, disk_of("xvda", IMAGE)), ERROR_DOMAIN_NOTFOUND);
    assert_int_equal(removal(s, 0x7000, disk_of("xvda", IMAGE)), ERROR_DOMAIN_NOTFOUND);
}

/* ---- files and loop devices */

static void a_loop_device_is_released_with_its_disk(scene *s)
{
    const int before = loops();
    const libxl_domid domid = guest_with_disk(s, "b");
    assert_int_equal(loops(), before + 1);
    assert_int_equal(removal(s, domid, disk_of("xvda", "")), 0);
    assert_int_equal(loops(), before);
    assert_int_equal(add(s, domid, disk_of("xvda", IMAGE)), 0);
    destroy(s, domid);
    assert_int_equal(loops(), before);
}

static void a_writable_file_is_not_shared(scene *s)
{
    const int before = loops();
    const libxl_domid domid = guest_with_disk(s, "b"), other = guest(s, "b", true);
    assert_int_equal(add(s, other, disk_of("xvda", IMAGE)), ERROR_BUSY);
    assert_non_null(strstr(last_message(s), IMAGE));
    check_gone(other);
    assert_int_equal(loops(), before + 1);
    destroy(s, domid);
    assert_int_equal(add(s, other, disk_of("xvda", IMAGE)), 0);
    destroy(s, other);
    assert_int_equal(loops(), before);
}

static void a_writable_block_device_is_not_shared(scene *s)
{
    const libxl_domid domid = guest(s, "b", true), other = guest(s, "b", true);
    make_images();
    char *number = simulation("loop take " IMAGE);
    char block[32];
    snprintf(block, sizeof(block), "/dev/loop%d", atoi(number));
    assert_int_equal(add(s, domid, disk_of("xvda", block)), 0);
    assert_int_equal(add(s, other, disk_of("xvda", block)), ERROR_BUSY);
    assert_non_null(strstr(last_message(s), block));
    check_gone(other);
    assert_int_equal(removal(s, domid, disk_of("xvda", "")), 0);
    assert_int_equal(add(s, other, disk_of("xvda", block)), 0);
    destroy(s, domid);
    destroy(s, other);
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
    assert_int_equal(add(s, domid, scripted()), 0);
    check_value(domid, "/local/domain/0/backend/vbd/%u/51712/params", "anything");
    check_value(domid, "/libxl/%u/device/vbd/51712/script", SCRIPT);
    assert_int_equal(removal(s, domid, scripted()), 0);
    check_gone(domid);
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
    assert_int_equal(add(s, domid, scripted()), ERROR_SCRIPT);
    assert_non_null(strstr(last_message(s), "the array is degraded"));
    check_gone(domid);
    destroy(s, domid);
}

/* ---- backends that misbehave */

static void the_backends_words_are_in_the_error(scene *s)
{
    const libxl_domid domid = guest(s, "b", true);
    make_images();
    simulate("backend %u 'error=2 creating vbd structure'", domid);
    assert_int_equal(add(s, domid, disk_of("xvda", IMAGE)), ERROR_DEVICE);
    assert_non_null(strstr(last_message(s), "2 creating vbd structure"));
    check_gone(domid);
    simulate("backend %u plays", domid);
    assert_int_equal(add(s, domid, disk_of("xvda", IMAGE)), 0); /* the old error is forgotten */
    destroy(s, domid);
}

static void a_mute_backend_is_given_up(scene *s)
{
    const libxl_domid domid = guest(s, "b", true);
    make_images();
    simulate("backend %u mute", domid);
    libxl_device_disk disk = disk_of("xvda", IMAGE);
    op *o = START(s, libxl_device_disk_add, s->ctx, domid, &disk, how);
    wait_node(s, domid, "device/vbd/51712/state", "1");
    libxl_ao_abort(s->ctx, op_how(o));
    /* The undo waits for the backend in vain, and goes on in the background. */
    assert_int_equal(op_result(o), ERROR_ABORTED);
    libxl_device_disk_dispose(&disk);
    simulate("backend %u plays", domid);
    destroy(s, domid);
    check_gone(domid);
}

/* ---- guests that misbehave */

static void a_guest_that_refuses_may_let_go_later(scene *s)
{
    const int before = loops();
    const libxl_domid domid = guest_with_disk(s, "b");
    wait_node(s, domid, "device/vbd/51712/state", "4");
    simulate("frontend %u refuses=500", domid);
    assert_int_equal(removal(s, domid, disk_of("xvda", "")), ERROR_DEVICE_REFUSED);
    assert_non_null(strstr(last_message(s), "Device in use; refusing to close"));
    assert_true(exists("/libxl/%u/device/vbd/51712", domid));
    wait_gone(s, domid);
    assert_int_equal(loops(), before);
    destroy(s, domid);
}

static void force_does_not_ask(scene *s)
{
    const libxl_domid domid = guest_with_disk(s, "b");
    wait_node(s, domid, "device/vbd/51712/state", "4");
    simulate("frontend %u refuses", domid);
    assert_int_equal(removal(s, domid, disk_of("xvda", "")), ERROR_DEVICE_REFUSED);
    libxl_device_disk disk = disk_of("xvda", "");
    assert_int_equal(RUN(s, libxl_device_disk_safe_remove(s->ctx, domid, &disk, how)), ERROR_DEVICE_REFUSED);
    libxl_device_disk_dispose(&disk);
    assert_int_equal(force(s, domid, disk_of("xvda", "")), 0);
    check_gone(domid);
    destroy(s, domid);
}

static void a_paused_guest_cannot_answer(scene *s)
{
    const libxl_domid domid = guest_with_disk(s, "b");
    wait_node(s, domid, "device/vbd/51712/state", "4");
    assert_int_equal(RUN(s, libxl_domain_pause(s->ctx, domid, how)), 0);
    assert_int_equal(removal(s, domid, disk_of("xvda", "")), ERROR_GUEST_CANNOT_ANSWER);
    assert_non_null(strstr(last_message(s), "paused"));
    check_value(domid, "/local/domain/0/backend/vbd/%u/51712/state", "4");
    check_value(domid, "/local/domain/0/backend/vbd/%u/51712/online", "1");
    assert_int_equal(force(s, domid, disk_of("xvda", "")), 0);
    check_gone(domid);
    destroy(s, domid);
}

static void a_guest_without_driver_cannot_answer(scene *s)
{
    const libxl_domid domid = guest(s, "b", true);
    make_images();
    simulate("frontend %u mute", domid);
    assert_int_equal(add(s, domid, disk_of("xvda", IMAGE)), 0);
    assert_int_equal(removal(s, domid, disk_of("xvda", "")), ERROR_GUEST_CANNOT_ANSWER);
    assert_non_null(strstr(last_message(s), "phase driver"));
    check_value(domid, "/local/domain/0/backend/vbd/%u/51712/online", "1");
    assert_int_equal(force(s, domid, disk_of("xvda", "")), 0);
    check_gone(domid);
    destroy(s, domid);
}

/* A guest may write any state, and may remove its nodes. */
static void a_malicious_guest_keeps_nothing(scene *s)
{
    static const char *const behaviours[] = {"nonsense=50", "deletes", "deletes-early", "error"};
    make_images();
    for (size_t i = 0; i < sizeof(behaviours) / sizeof(*behaviours); i++) {
        const int before = loops();
        const libxl_domid domid = guest(s, "b", true);
        simulate("frontend %u %s", domid, behaviours[i]);
        const int rc = add(s, domid, disk_of("xvda", IMAGE));
        if (rc && rc != ERROR_DEVICE)
            fail_msg("%s: %d '%s'", behaviours[i], rc, last_message(s));
        const int asked = rc ? rc : removal(s, domid, disk_of("xvda", ""));
        if (asked)
            force(s, domid, disk_of("xvda", ""));
        wait_gone(s, domid);
        destroy(s, domid);
        assert_int_equal(loops(), before);
    }
}

/* ---- looking */

static void disks_are_listed_with_their_states(scene *s)
{
    const libxl_domid domid = guest_with_disk(s, "b");
    libxl_disk_list disks;
    libxl_device_status_list devices;
    wait_node(s, domid, "device/vbd/51712/state", "4");
    assert_int_equal(RUN(s, libxl_domain_list_disks(s->ctx, domid, &disks, how)), 0);
    assert_int_equal(disks.num_devices, 1);
    assert_string_equal(disks.devices[0].vdev, "xvda");
    assert_string_equal(disks.devices[0].pdev_path, IMAGE);
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

/* libxl's names. */
static void a_disk_is_found_by_its_name(scene *s)
{
    const libxl_domid domid = guest_with_disk(s, "b");
    libxl_device_disk disk, absent = {.vdev = (char *)"xvdb"};
    libxl_diskinfo info;
    assert_int_equal(libxl_vdev_to_device_disk(s->ctx, domid, "xvdb", &disk), ERROR_NOTFOUND);
    assert_int_equal(libxl_device_disk_getinfo(s->ctx, domid, &absent, &info), ERROR_NOTFOUND);
    assert_int_equal(libxl_vdev_to_device_disk(s->ctx, domid, "xvda", &disk), 0);
    assert_string_equal(disk.pdev_path, IMAGE);
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
    static const char *const paths[] = {IMAGE, IMAGE, IMAGE};
    libxl_domid domid;
    make_images();
    const int before = loops();
    libxl_domain_config config = config_with_disks("b", paths, 3);
    assert_int_equal(RUN(s, libxl_domain_create_new(s->ctx, &config, &domid, how, NULL)), 0);
    libxl_domain_config_dispose(&config);
    assert_int_equal(loops(), before + 3);
    assert_true(exists("/libxl/%u/device/vbd/51712", domid));
    assert_true(exists("/libxl/%u/device/vbd/51744", domid));
    assert_int_equal(RUN(s, libxl_domain_unpause(s->ctx, domid, how)), 0);
    wait_node(s, domid, "device/vbd/51744/state", "4");
    destroy(s, domid);
    assert_int_equal(loops(), before);
    check_gone(domid);
}

static void a_creation_with_a_wrong_disk_leaves_nothing(scene *s)
{
    static const char *const paths[] = {IMAGE, "/run/missing.img", IMAGE};
    libxl_domid domid;
    make_images();
    const int before = loops();
    for (int same = 0; same < 2; same++) {
        libxl_domain_config config = config_with_disks("b", paths, 3);
        if (same) { /* two disks of one number */
            free(config.disks[1].vdev);
            free(config.disks[1].pdev_path);
            config.disks[1].vdev = strdup("xvda");
            config.disks[1].pdev_path = strdup(IMAGE);
        }
        const int rc = RUN(s, libxl_domain_create_new(s->ctx, &config, &domid, how, NULL));
        libxl_domain_config_dispose(&config);
        assert_int_equal(rc, same ? ERROR_DEVICE_EXISTS : ERROR_INVAL);
        assert_non_null(strstr(last_message(s), same ? "disks[" : "disks[1]: pdev_path: /run/missing.img"));
        assert_int_equal(loops(), before);
        fixture_check_world(&s->before);
    }
}

static void a_guest_that_ends_meanwhile_leaves_nothing(scene *s)
{
    const int before = loops();
    const libxl_domid domid = guest_with_disk(s, "b");
    simulate("shutdown %u poweroff", domid);
    libxl_shutdown_reason reason;
    assert_int_equal(RUN(s, libxl_domain_wait_shutdown(s->ctx, domid, &reason, how)), 0);
    assert_int_equal(removal(s, domid, disk_of("xvda", "")), 0); /* there is nobody to ask */
    check_gone(domid);
    destroy(s, domid);
    assert_int_equal(loops(), before);
}

static const body bodies[] = {
    BODY(a_disk_is_added_and_removed, ALONE),
    BODY(a_disk_that_exists_is_not_added, ALONE),
    BODY(a_wrong_configuration_is_refused_by_its_field, ALONE),
    BODY(the_domain_must_exist),
    BODY(a_loop_device_is_released_with_its_disk, ALONE | SLOW),
    BODY(a_writable_file_is_not_shared, ALONE | SLOW),
    BODY(a_writable_block_device_is_not_shared, ALONE | SLOW),
    BODY(a_script_connects_and_disconnects_a_disk, RUNS_ONCE | ALONE),
    BODY(a_script_that_fails_says_why, RUNS_ONCE | ALONE),
    BODY(the_backends_words_are_in_the_error, ALONE | SLOW),
    BODY(a_mute_backend_is_given_up, ALONE | SLOW | ASYNCHRONOUS),
    BODY(a_guest_that_refuses_may_let_go_later, ALONE | SLOW),
    BODY(force_does_not_ask, ALONE | SLOW),
    BODY(a_paused_guest_cannot_answer, ALONE | SLOW),
    BODY(a_guest_without_driver_cannot_answer, ALONE | SLOW),
    BODY(a_malicious_guest_keeps_nothing, RUNS_ONCE | ALONE),
    BODY(disks_are_listed_with_their_states, ALONE | SLOW),
    BODY(a_disk_is_found_by_its_name, RUNS_ONCE | ALONE),
    BODY(a_domain_is_created_with_its_disks, ALONE | SLOW),
    BODY(a_creation_with_a_wrong_disk_leaves_nothing, ALONE | SLOW),
    BODY(a_guest_that_ends_meanwhile_leaves_nothing, ALONE | SLOW),
};

HARNESS_MAIN(bodies)
