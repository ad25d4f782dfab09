/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_soft_reset checks the devices of the given configuration before it removes the guest's devices. So
 * the guest is not lost if a device cannot be added. The guest's own devices do not count as in use.
 */
#include "disk.h"
#include "harness.h"
#include "nic.h"
#include "simulation.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define OWN_IMAGE "/run/own.img" /* a file that is no loop device */

/* A block device, which is a loop device of the simulator. */
typedef struct block {
    int number;
    char path[32];
} block;

static block block_new(void)
{
    block b;
    disk_make_image();
    char *number = simulation("loop take " DISK_IMAGE);
    b.number = atoi(number);
    snprintf(b.path, sizeof(b.path), "/dev/loop%d", b.number);
    free(number);
    return b;
}

static void block_free(const block *b)
{
    simulate("loop free %d", b->number);
}

/* Makes a PVH guest with a file and a block device as disks, and with an interface that has a name. The guest has
 * stopped with the reason SOFT_RESET. Its configuration is stored in `config`. */
static libxl_domid stopped(scene *s, const block *b, libxl_domain_config *config)
{
    libxl_domid domid = LIBXL_DOMID_INVALID;
    libxl_shutdown_reason reason;
    libxl_domain_config made = guest_config_pvh("b");
    const int fd = open(OWN_IMAGE, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0 && !ftruncate(fd, 1 << 20));
    close(fd);
    made.num_disks = 2;
    made.disks = malloc(2 * sizeof(*made.disks));
    made.disks[0] = disk_of("xvda", OWN_IMAGE);
    made.disks[1] = disk_of("xvdb", b->path);
    made.num_nics = 1;
    made.nics = malloc(sizeof(*made.nics));
    made.nics[0] = nic_of("xenbr0");
    made.nics[0].ifname = strdup("own");
    assert_int_equal(RUN(s, libxl_domain_create_new(s->ctx, &made, &domid, how, NULL)), 0);
    libxl_domain_config_dispose(&made);
    assert_int_equal(RUN(s, libxl_domain_unpause(s->ctx, domid, how)), 0);
    simulate("shutdown %u soft_reset", domid);
    assert_int_equal(RUN(s, libxl_domain_wait_shutdown(s->ctx, domid, &reason, how)), 0);
    assert_int_equal(reason, LIBXL_SHUTDOWN_REASON_SOFT_RESET);
    assert_int_equal(RUN(s, libxl_retrieve_domain_configuration(s->ctx, domid, config, how)), 0);
    return domid;
}

static int reset(scene *s, libxl_domain_config *config, libxl_domid domid)
{
    return RUN(s, libxl_domain_soft_reset(s->ctx, config, domid, how, NULL));
}

static void the_guests_own_devices_are_accepted(scene *s)
{
    const block b = block_new();
    libxl_domain_config config;
    const libxl_domid domid = stopped(s, &b, &config);
    assert_int_equal(reset(s, &config, domid), 0);
    assert_true(fixture_has("/local/domain/0/backend/vbd/%u/51712/physical-device", domid));
    assert_true(fixture_has("/local/domain/0/backend/vbd/%u/51728/physical-device", domid));
    fixture_check_value(domid, "/local/domain/0/backend/vif/%u/0/vifname", "own");
    destroy(s, domid);
    libxl_domain_config_dispose(&config);
    block_free(&b);
}

/* Returns a copy of the configuration. The caller changes a device of the copy. */
static libxl_domain_config changed(scene *s, const libxl_domain_config *config)
{
    libxl_domain_config copy;
    libxl_domain_config_init(&copy);
    libxl_domain_config_copy(s->ctx, &copy, config);
    return copy;
}

static void set(char **text, const char *value)
{
    free(*text);
    *text = strdup(value);
}

/* Fails the test unless the reset is refused with this message and leaves the guest unchanged. Disposes of
 * the copy. */
static void check_refused(scene *s, libxl_domid domid, libxl_domain_config copy, int rc, const char *words)
{
    libxl_dominfo info;
    assert_int_equal(reset(s, &copy, domid), rc);
    check_says(s, words);
    libxl_domain_config_dispose(&copy);
    assert_int_equal(RUN(s, libxl_domain_get_info(s->ctx, domid, &info, how)), 0);
    assert_true(info.shutdown && !info.dying);
    fixture_check_value(domid, "/local/domain/0/backend/vbd/%u/51712/online", "1");
    fixture_check_value(domid, "/local/domain/0/backend/vbd/%u/51728/online", "1");
    fixture_check_value(domid, "/local/domain/0/backend/vif/%u/0/online", "1");
}

static void a_device_that_cannot_be_added_costs_nothing(scene *s)
{
    const block b = block_new(), taken = block_new();
    const libxl_domid other = guest(s, "b", true);
    assert_int_equal(disk_add(s, other, disk_of("xvda", taken.path)), 0);
    libxl_device_nic nic = nic_of("xenbr0");
    nic.ifname = strdup("theirs");
    assert_int_equal(nic_add(s, other, nic), 0);
    libxl_domain_config config;
    const libxl_domid domid = stopped(s, &b, &config);

    libxl_domain_config copy = changed(s, &config);
    set(&copy.disks[0].pdev_path, "/run/missing.img");
    check_refused(s, domid, copy, ERROR_INVAL, "disks[0]: pdev_path: /run/missing.img");
    copy = changed(s, &config);
    set(&copy.disks[1].pdev_path, taken.path);
    check_refused(s, domid, copy, ERROR_BUSY, "disks[1]: pdev_path: /dev/loop");
    copy = changed(s, &config);
    set(&copy.disks[0].pdev_path, DISK_IMAGE); /* the file of the block devices */
    check_refused(s, domid, copy, ERROR_BUSY, "disks[0]: pdev_path: " DISK_IMAGE ": /dev/loop");
    copy = changed(s, &config);
    set(&copy.nics[0].ifname, "theirs");
    check_refused(s, domid, copy, ERROR_BUSY, "nics[0]: ifname: theirs");
    copy = changed(s, &config);
    set(&copy.nics[0].bridge, "nobridge");
    check_refused(s, domid, copy, ERROR_INVAL, "nics[0]: bridge: nobridge");

    assert_int_equal(reset(s, &config, domid), 0);
    libxl_domain_config_dispose(&config);
    destroy(s, domid);
    destroy(s, other);
    block_free(&taken);
    block_free(&b);
}

static const body bodies[] = {
    BODY(the_guests_own_devices_are_accepted, RUNS_ONCE | ALONE),
    BODY(a_device_that_cannot_be_added_costs_nothing, RUNS_ONCE | ALONE),
};

HARNESS_MAIN(bodies)
