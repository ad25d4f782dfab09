/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns nothing. Any thread may call the functions, with or without the lock. */
#include "vdev.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_DISKS = 1 << 20, MOST_PARTITIONS = 256, LONGEST = sizeof("d1048575p255") - 1 };

/*
 * Reads the letters of a disk's name and advances *text. Returns the disk's number (a is 0, z is 25, aa is
 * 26), or -1 if there are no letters or too many.
 */
static int disk_letters(const char **text)
{
    int disk = 0;
    const char *start = *text;
    for (; islower((unsigned char)**text); ++*text) {
        disk = disk * 26 + (**text - 'a' + 1);
        if (disk > MOST_DISKS)
            return -1;
    }
    return *text == start ? -1 : disk - 1;
}

/*
 * Reads a decimal number and advances *text. Returns the number. Returns 0 if there are no digits, and -1 if
 * the number is `most` or larger.
 */
static int digits(const char **text, int most)
{
    int number = 0;
    for (; isdigit((unsigned char)**text); ++*text) {
        number = number * 10 + (**text - '0');
        if (number >= most)
            return -1;
    }
    return number;
}

static int xvd(int disk, int partition)
{
    if (disk < 16 && partition < 16)
        return 202 << 8 | disk << 4 | partition;
    return 1 << 28 | disk << 8 | partition;
}

int libxl__vdev_number(const char *vdev)
{
    static const struct {
        const char *prefix;
        int most_disks, most_partitions;
    } kinds[] = {{"xvd", MOST_DISKS, MOST_PARTITIONS}, {"hd", 4, 64}, {"sd", 16, 16}};
    char *end;
    if (strlen(vdev) > LONGEST)
        return -1;
    if (isdigit((unsigned char)*vdev)) {
        long number = strtol(vdev, &end, 0);
        return *end || number > 0x1fffffff ? -1 : (int)number;
    }
    if (vdev[0] == 'd' && isdigit((unsigned char)vdev[1])) {
        const char *text = vdev + 1;
        int disk = digits(&text, MOST_DISKS), partition = 0;
        if (*text == 'p')
            partition = isdigit((unsigned char)*++text) ? digits(&text, MOST_PARTITIONS) : -1;
        return disk < 0 || partition < 0 || *text ? -1 : xvd(disk, partition);
    }
    for (unsigned kind = 0; kind < sizeof(kinds) / sizeof(*kinds); kind++) {
        size_t length = strlen(kinds[kind].prefix);
        if (strncmp(vdev, kinds[kind].prefix, length) != 0)
            continue;
        const char *text = vdev + length;
        int disk = disk_letters(&text);
        int partition = digits(&text, kinds[kind].most_partitions);
        if (disk < 0 || disk >= kinds[kind].most_disks || partition < 0 || *text)
            return -1;
        if (kind == 1)
            return (disk < 2 ? 3 : 22) << 8 | (disk & 1) << 6 | partition;
        return kind == 2 ? 8 << 8 | disk << 4 | partition : xvd(disk, partition);
    }
    return -1;
}
