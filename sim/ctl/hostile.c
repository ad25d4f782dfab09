/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The command that writes hostile values into every node that a guest may write. Each value is written in a
 * transaction that first reads the node's permissions. So a node is not written after the toolstack has
 * removed it or has taken the permission back. Needs no lock.
 */
#include "ctl.h"
#include "devices.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NR_ROUNDS 500

static uint32_t guest, round_number;

static bool guest_may_write(xs_transaction_t t, const char *path)
{
    unsigned int count = 0;
    struct xs_permissions *permissions = xs_get_permissions(store, t, path, &count);
    bool may = count && permissions[0].id == guest;
    for (unsigned int i = 1; i < count; i++)
        may |= permissions[i].id == guest && (permissions[i].perms & XS_PERM_WRITE);
    free(permissions);
    return may;
}

static void spoil(const char *path)
{
    char value[HOSTILE_SIZE];
    const size_t size = hostile_value(round_number, value);
    xs_transaction_t t;
    bool may;
    do {
        if ((t = xs_transaction_start(store)) == XBT_NULL)
            fail("%s: %s", path, strerror(errno));
        may = guest_may_write(t, path) && xs_write(store, t, path, value, size);
    } while (!xs_transaction_end(store, t, !may) && errno == EAGAIN);
}

static void walk(const char *path)
{
    unsigned int count = 0;
    char below[PATH_SIZE];
    char **names = xs_directory(store, XBT_NULL, path, &count);
    for (unsigned int i = 0; i < count; i++)
        if (snprintf(below, sizeof below, "%s/%s", path, names[i]) < PATH_SIZE)
            walk(below);
    free(names);
    if (guest_may_write(XBT_NULL, path))
        spoil(path);
}

void guest_is_hostile(int argc, char **argv)
{
    char path[PATH_SIZE];
    guest = number_in(argv[0], "DOMID", DOMID_FIRST_RESERVED - 1);
    const uint32_t rounds = argc > 1 ? number_in(argv[1], "COUNT", 1000000) : NR_ROUNDS;
    if (!guest)
        fail("domain 0 is no guest");
    if (!store_open())
        fail("xenstored: %s", strerror(errno));
    snprintf(path, sizeof path, "/local/domain/%u", guest);
    for (round_number = 0; round_number < rounds; round_number++)
        walk(path);
}
