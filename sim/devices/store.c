/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The nodes of xenstored, for simulated drivers. Owns the connection. devices.h describes the lock. */
#include "devices.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OPEN_TRIES 10000 /* the number of attempts to connect; one attempt is made each millisecond */

struct xs_handle *store;

bool store_open(void)
{
    for (int i = 0; i < OPEN_TRIES && !(store = xs_open(0)); i++)
        usleep(1000);
    return store != NULL;
}

char *store_read(const char *path, char *value, size_t size)
{
    unsigned int length = 0;
    char *found = xs_read(store, XBT_NULL, path, &length);
    snprintf(value, size, "%s", found ? found : "");
    free(found);
    return value;
}

bool store_exists(const char *path)
{
    unsigned int length;
    char *found = xs_read(store, XBT_NULL, path, &length);
    free(found);
    return found != NULL;
}

/*
 * Writes nodes in one transaction. Writes nothing if the node `anchor` does not exist, so a driver never creates a
 * removed directory again. Writes nothing if the anchor has the value `unwanted`, which may be NULL. Returns whether
 * the nodes were written.
 */
typedef bool writer(xs_transaction_t t, const void *context);

static bool write_if(const char *anchor, const char *unwanted, writer *write, const void *context)
{
    for (;;) {
        unsigned int length;
        const xs_transaction_t t = xs_transaction_start(store);
        if (t == XBT_NULL)
            return false;
        char *found = xs_read(store, t, anchor, &length);
        const bool done = found && !(unwanted && !strcmp(found, unwanted)) && write(t, context);
        free(found);
        if (xs_transaction_end(store, t, !done))
            return done;
        if (errno != EAGAIN)
            return false;
    }
}

struct one {
    const char *path, *value;
    size_t size;
};

static bool write_one(xs_transaction_t t, const void *context)
{
    const struct one *one = context;
    return xs_write(store, t, one->path, one->value, one->size);
}

bool store_write(const char *anchor, const char *path, const char *value, size_t size)
{
    return write_if(anchor, NULL, write_one, &(struct one){path, value, size});
}

struct all {
    const char *dir, *state;
    const struct offer *offers;
};

static bool write_in(xs_transaction_t t, const char *dir, const char *node, const char *value)
{
    char path[PATH_SIZE + 32];
    snprintf(path, sizeof path, "%s/%s", dir, node);
    return xs_write(store, t, path, value, strlen(value));
}

static bool write_all(xs_transaction_t t, const void *context)
{
    const struct all *all = context;
    for (const struct offer *o = all->offers; o && o->node; o++)
        if (!write_in(t, all->dir, o->node, o->value))
            return false;
    return write_in(t, all->dir, "state", all->state);
}

static const char *new_state(int before)
{
    static const char initialising[] = {'0' + XenbusStateInitialising, 0};
    return before > XenbusStateInitialising ? initialising : NULL;
}

bool store_write_all(const char *dir, int before, const struct offer *offers, const char *state)
{
    char anchor[PATH_SIZE + 32];
    snprintf(anchor, sizeof anchor, "%s/state", dir);
    return write_if(anchor, new_state(before), write_all, &(struct all){dir, state, offers});
}

void store_remove(const char *path)
{
    xs_rm(store, XBT_NULL, path);
}

struct failure {
    const char *dir, *path, *text;
};

static bool write_failure(xs_transaction_t t, const void *context)
{
    static const char closing[] = {'0' + XenbusStateClosing, 0};
    const struct failure *f = context;
    return (!f->path[0] || xs_write(store, t, f->path, f->text, strlen(f->text))) &&
           write_in(t, f->dir, "state", closing);
}

bool store_fail(uint32_t domid, const char *dir, int before, const char *text)
{
    char home[32], anchor[PATH_SIZE + 32], path[PATH_SIZE + 32] = "";
    snprintf(home, sizeof home, "/local/domain/%u", domid);
    if (!strncmp(dir, home, strlen(home)))
        snprintf(path, sizeof path, "%s/error%s/error", home, dir + strlen(home));
    snprintf(anchor, sizeof anchor, "%s/state", dir);
    return write_if(anchor, new_state(before), write_failure, &(struct failure){dir, path, text});
}
