/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What must be the same before and after a test: descriptors, threads, domains, xenstore nodes. One thread.
 */
#ifndef FIXTURE_H
#define FIXTURE_H

#include <stdbool.h>

#include <libxl.h>

struct fixture {
    int descriptors, threads;
    bool has_world;         /* there is a xenstored: domains and nodes can be looked at */
    libxl_domid domids[64]; /* of the nodes below /local/domain */
    int domains, nodes;
};

/* How many entries a directory has: of /proc/self/fd, /proc/self/task. */
int fixture_entries(const char *directory);

void fixture_begin(struct fixture *before);
/* Fails the test when something is different. Threads and descriptors have a moment to go. */
void fixture_check(const struct fixture *before);
/* The same for domains and xenstore nodes only. */
void fixture_check_world(const struct fixture *before);
/* A node of xenstore, freed by the caller; NULL: there is none. After fixture_begin. */
char *fixture_node(const char *path);
/* Writes one, as whoever may write there does; NULL: removes it. After fixture_begin. */
void fixture_write(const char *path, const char *value);
/* What it allows, as xenstore-ls -p writes it: "n0,r7". Freed by the caller; NULL: no node. After fixture_begin. */
char *fixture_perms(const char *path);
/* Destroys the domains that are new. */
void fixture_clean(const struct fixture *before);
/* Fails the test unless the context has nothing alive but idle workers. */
void fixture_check_counters(libxl_ctx *ctx);

#endif
