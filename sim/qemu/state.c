/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The state of QEMU's devices: a line with the name of the machine, and octets that depend on the name, so that a
 * state that is cut off or changed is noticed. Owns nothing; takes no lock.
 */
#include "qemu.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define STATE_SIZE (32 << 10)

static const char title[] = "QEMU, played: ";

void state_begin(struct options *o)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    snprintf(o->machine, sizeof o->machine, "m%lld-%ld", (long long)now.tv_sec, now.tv_nsec);
}

/* Makes the state of a machine. */
static void make(const char *machine, char state[STATE_SIZE])
{
    uint32_t mixed = 1;
    const int head = snprintf(state, STATE_SIZE, "%s%s\n", title, machine);
    for (int i = 0; i < STATE_SIZE; i++) {
        mixed = mixed * 1103515245 + 12345 + (i < head ? (uint8_t)state[i] : 0);
        if (i >= head)
            state[i] = (char)(mixed >> 16);
    }
}

bool state_write(const struct options *o, int fd)
{
    char state[STATE_SIZE];
    make(o->machine, state);
    return write(fd, state, sizeof state) == sizeof state;
}

bool state_read(struct options *o)
{
    char found[STATE_SIZE] = "", expected[STATE_SIZE];
    size_t length = 0;
    ssize_t got;
    while (length < sizeof found && (got = read(o->incoming, found + length, sizeof found - length)) > 0)
        length += (size_t)got;
    close(o->incoming);
    o->incoming = -1;
    const size_t start = strlen(title);
    if (length < sizeof found || memcmp(found, title, start) != 0)
        return false;
    snprintf(o->machine, sizeof o->machine, "%.*s", (int)strcspn(found + start, "\n"), found + start);
    make(o->machine, expected);
    return memcmp(found, expected, sizeof found) == 0;
}
