/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The command that simulates a hostile guest in xenstore. Without a seed the command writes each hostile
 * value into each node that the guest may write. With a seed it makes random acts at random times: it writes
 * values, removes nodes, replaces nodes by directories, fills nodes with children, and changes permissions.
 *
 * Each act is a transaction that first reads the node's permissions. So the command never changes a node that
 * the toolstack has removed or has made read-only. Needs no lock.
 */
#include "ctl.h"
#include "devices.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NR_ROUNDS 500
#define NR_VALUES 500
/* The greatest number of children that are visited below one node. The others are skipped. */
#define MOST_VISITED  16
#define MOST_CHILDREN 2000
#define DEEPEST       40
#define LONGEST_PATH  1024
#define NR_TRIES      20
#define MOST_FOUND    512
#define ACTS_AT_ONCE  16
#define LONGEST_PAUSE 3000 /* the longest pause between acts, in microseconds */

typedef bool act(xs_transaction_t t, const char *path);

static uint32_t guest;

static bool guest_may_write(xs_transaction_t t, const char *path)
{
    unsigned int count = 0;
    struct xs_permissions *permissions = xs_get_permissions(store, t, path, &count);
    bool may = permissions && count && permissions[0].id == guest;
    for (unsigned int i = 1; permissions && i < count; i++)
        may |= permissions[i].id == guest && (permissions[i].perms & XS_PERM_WRITE);
    free(permissions);
    return may;
}

static void perform(act *what, const char *path)
{
    xs_transaction_t t;
    bool may;
    int tries = 0;
    do {
        if ((t = xs_transaction_start(store)) == XBT_NULL)
            fail("%s: %s", path, strerror(errno));
        may = guest_may_write(t, path) && what(t, path);
    } while (!xs_transaction_end(store, t, !may) && errno == EAGAIN && ++tries < NR_TRIES);
}

/* ---- without a seed: each value in each node */

static uint32_t value_number;

static bool write_value(xs_transaction_t t, const char *path)
{
    char value[HOSTILE_SIZE];
    const size_t size = hostile_value(value_number, value);
    return xs_write(store, t, path, value, size);
}

static void walk(const char *path)
{
    unsigned int count = 0;
    char below[PATH_SIZE];
    char **names = xs_directory(store, XBT_NULL, path, &count);
    for (unsigned int i = 0; names && i < count; i++)
        if (snprintf(below, sizeof below, "%s/%s", path, names[i]) < PATH_SIZE)
            walk(below);
    free(names);
    if (guest_may_write(XBT_NULL, path))
        perform(write_value, path);
}

/* ---- with a seed: random acts */

static uint64_t random_state;

static uint32_t random_below(uint32_t limit)
{
    random_state ^= random_state << 13, random_state ^= random_state >> 7, random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 32) % limit;
}

static bool random_value(xs_transaction_t t, const char *path)
{
    value_number = random_below(NR_VALUES);
    return write_value(t, path);
}

static bool remove_node(xs_transaction_t t, const char *path)
{
    return xs_rm(store, t, path);
}

/* Makes children of a node. Some children have names that a toolstack looks up, and some have unusual names. */
static bool make_children(xs_transaction_t t, const char *path)
{
    static const char *const names[] = {"state", "error", "0",  "51712",   "device",    "vbd",
                                        "..",    "%s%n",  "-1", "backend", "4294967296"};
    char below[LONGEST_PATH];
    for (uint32_t left = 1 + random_below(8); left; left--) {
        snprintf(below, sizeof below, "%s/%s", path, names[random_below(sizeof names / sizeof *names)]);
        random_value(t, below); /* xenstored refuses some of the names; this is ignored */
    }
    return true;
}

static bool replace_by_folder(xs_transaction_t t, const char *path)
{
    return remove_node(t, path) && make_children(t, path);
}

static bool fill(xs_transaction_t t, const char *path)
{
    char below[LONGEST_PATH];
    for (uint32_t left = random_below(MOST_CHILDREN); left; left--) {
        snprintf(below, sizeof below, "%s/%u-a-name-that-is-rather-long-for-the-name-of-a-node", path, left);
        if (!xs_write(store, t, below, "", 0))
            return false;
    }
    return true;
}

static bool dig(xs_transaction_t t, const char *path)
{
    char below[LONGEST_PATH];
    size_t length = (size_t)snprintf(below, sizeof below, "%s", path);
    for (uint32_t left = random_below(DEEPEST); left && length + 10 < sizeof below; left--)
        length += (size_t)snprintf(below + length, sizeof below - length, "/state");
    return xs_write(store, t, below, "4", 1);
}

static bool change_permissions(xs_transaction_t t, const char *path)
{
    struct xs_permissions permissions[8] = {{.id = guest, .perms = random_below(4)}};
    const unsigned int count = 1 + random_below(8);
    for (unsigned int i = 1; i < count; i++)
        permissions[i] = (struct xs_permissions){.id = random_below(8), .perms = random_below(4)};
    return xs_set_permissions(store, t, path, permissions, count);
}

/* Writes an error node as a guest's driver does. `path` must be the node of a device, or a node below it. */
static bool write_error(xs_transaction_t t, const char *path)
{
    char kind[32], error[PATH_SIZE];
    uint32_t number;
    if (sscanf(path, "/local/domain/%*u/device/%31[^/]/%u", kind, &number) != 2)
        return false;
    snprintf(error, sizeof error, "/local/domain/%u/error", guest);
    if (!guest_may_write(t, error))
        return false;
    snprintf(error, sizeof error, "/local/domain/%u/error/device/%s/%u/error", guest, kind, number);
    return random_value(t, error);
}

/* The table of the acts. `share`: how many of 100 random acts are this act, on average. */
static const struct {
    act *what;
    uint32_t share;
} acts[] = {{random_value, 64},     {remove_node, 8},        {make_children, 8}, {write_error, 6},
            {replace_by_folder, 5}, {change_permissions, 5}, {dig, 3},           {fill, 1}};

static act *random_act(void)
{
    uint32_t at = random_below(100), i = 0;
    while (at >= acts[i].share)
        at -= acts[i++].share;
    return acts[i].what;
}

/* The paths of the nodes that the guest may write. */
static char found[MOST_FOUND][PATH_SIZE];
static uint32_t nr_found;

static void find(const char *path)
{
    unsigned int count = 0;
    char below[PATH_SIZE];
    char **names = xs_directory(store, XBT_NULL, path, &count);
    const unsigned int first = names && count > MOST_VISITED ? random_below(count) : 0;
    for (unsigned int i = 0; names && i < count && i < MOST_VISITED; i++)
        if (snprintf(below, sizeof below, "%s/%s", path, names[(first + i) % count]) < PATH_SIZE)
            find(below);
    free(names);
    if (nr_found < MOST_FOUND && guest_may_write(XBT_NULL, path))
        strcpy(found[nr_found++], path);
}

/*
 * Waits until the domain has nodes that the guest may write. Then makes random acts until the domain has no
 * nodes.
 */
static void act_at_random(const char *tree, uint32_t count)
{
    bool began = false;
    for (uint32_t done = 0; done < count;) {
        nr_found = 0;
        find(tree);
        if (!nr_found && began && !store_exists(tree))
            return;
        for (uint32_t i = 0; i < ACTS_AT_ONCE && nr_found && done < count; i++, done++) {
            perform(random_act(), found[random_below(nr_found)]);
            began = true;
        }
        usleep(random_below(LONGEST_PAUSE));
    }
}

void guest_is_hostile(int argc, char **argv)
{
    char tree[PATH_SIZE];
    guest = number_in(argv[0], "DOMID", DOMID_FIRST_RESERVED - 1);
    const uint32_t count = argc > 1 ? number_in(argv[1], "COUNT", 1000000) : NR_ROUNDS;
    if (!guest)
        fail("domain 0 is no guest");
    if (!store_open())
        fail("xenstored: %s", strerror(errno));
    snprintf(tree, sizeof tree, "/local/domain/%u", guest);
    if (argc > 2) {
        random_state = number_in(argv[2], "SEED", UINT32_MAX) * 0x9e3779b97f4a7c15ull + 1;
        act_at_random(tree, count);
        return;
    }
    for (value_number = 0; value_number < count; value_number++)
        walk(tree);
}
