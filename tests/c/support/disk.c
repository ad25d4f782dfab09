/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Disks of the tests; disk.h describes the functions. Owns: nothing. */
#include "disk.h"
#include "any_device.h"
#include "simulation.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void disk_make_image(void)
{
    const int fd = open(DISK_IMAGE, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0 && !ftruncate(fd, 1 << 20));
    close(fd);
}

libxl_device_disk disk_of(const char *vdev, const char *path)
{
    libxl_device_disk disk;
    libxl_device_disk_init(&disk);
    disk.vdev = strdup(vdev);
    disk.pdev_path = strdup(path);
    disk.readwrite = 1;
    return disk;
}

DEVICE_FUNCTION(disk, add)
DEVICE_FUNCTION(disk, remove)
DEVICE_FUNCTION(disk, destroy)

void disk_check_gone(libxl_domid domid)
{
    device_check_gone(domid, "vbd");
    assert_false(fixture_has("/local/domain/%u/error/device", domid));
}

void disk_wait_gone(scene *s, libxl_domid domid)
{
    for (const uint64_t end = now_ms() + scaled_ms(10000);
         fixture_has("/libxl/%u/device", domid) && now_ms() < end;)
        pump(s, 10);
    disk_check_gone(domid);
}

int loop_count(void)
{
    char *list = simulation("loops");
    int count = 0;
    for (const char *c = list; *c; c++)
        count += *c == '\n';
    free(list);
    return count;
}

libxl_domid guest_with_disk(scene *s, const char *command_line)
{
    disk_make_image();
    const libxl_domid domid = guest(s, command_line, true);
    assert_int_equal(disk_add(s, domid, disk_of("xvda", DISK_IMAGE)), 0);
    return domid;
}
