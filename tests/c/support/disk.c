/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Disks of the tests; disk.h describes the functions. Owns: nothing. */
#include "disk.h"
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

int disk_add(scene *s, libxl_domid domid, libxl_device_disk disk)
{
    const int rc = RUN(s, libxl_device_disk_add(s->ctx, domid, &disk, how));
    libxl_device_disk_dispose(&disk);
    return rc;
}

int disk_remove(scene *s, libxl_domid domid, libxl_device_disk disk)
{
    const int rc = RUN(s, libxl_device_disk_remove(s->ctx, domid, &disk, how));
    libxl_device_disk_dispose(&disk);
    return rc;
}

int disk_destroy(scene *s, libxl_domid domid, libxl_device_disk disk)
{
    const int rc = RUN(s, libxl_device_disk_destroy(s->ctx, domid, &disk, how));
    libxl_device_disk_dispose(&disk);
    return rc;
}

void disk_check_gone(libxl_domid domid)
{
    assert_false(fixture_has("/local/domain/%u/device/vbd", domid));
    assert_false(fixture_has("/local/domain/0/backend/vbd/%u", domid));
    assert_false(fixture_has("/libxl/%u/device", domid));
    assert_false(fixture_has("/local/domain/0/error/backend/vbd/%u", domid));
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
