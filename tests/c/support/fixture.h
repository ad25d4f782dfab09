/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Records descriptors, threads, domains, their files and xenstore nodes before a test, and compares them after it. The
 * functions that take a struct fixture may be called from one thread only; the others from any thread.
 */
#ifndef FIXTURE_H
#define FIXTURE_H

#include <stdbool.h>

#include <libxl.h>

struct fixture {
    int descriptors, threads;
    bool has_world;         /* xenstored and the hypervisor can be reached */
    libxl_domid domids[64]; /* the entries of /local/domain */
    int domains, nodes, files;
};

/* The number of entries of a directory such as /proc/self/fd or /proc/self/task. */
int fixture_entries(const char *directory);

/* Connects to xenstored again if the test has killed and restarted xenstored. fixture_check() does this, too. */
void fixture_check_connection(void);

void fixture_begin(struct fixture *before);
/* Fails the test if anything differs from `before`. Threads and descriptors have 2 s to disappear. */
void fixture_check(const struct fixture *before);
/* Like fixture_check(), but compares domains and xenstore nodes only. */
void fixture_check_world(const struct fixture *before);
/* Returns the value of a xenstore node, which the caller frees. NULL: there is no such node. Call this after fixture_begin(). */
char *fixture_node(const char *path);
/* Writes a node with dom0's privileges. A NULL value removes the node. Call this after fixture_begin(). */
void fixture_write(const char *path, const char *value);
/* Removes the file of a domain's configuration, if it exists. */
void fixture_remove_files(libxl_domid domid, const libxl_uuid *uuid);
/* Removes the trees of a domain, and the file of its configuration. Fails the test if one of them is missing. Call this after fixture_begin(). */
void fixture_remove_nodes(libxl_domid domid, const libxl_uuid *uuid);
/* Returns a node's permissions in the form of xenstore-ls -p: "n0,r7". The caller frees the text. NULL: there is no such node.
 * Call this after fixture_begin(). */
char *fixture_perms(const char *path);
/* The path of these functions is a format with one domid. Call them after fixture_begin(). */
bool fixture_has(const char *format, libxl_domid domid);
/* Fails the test if the node does not hold `wanted`. */
void fixture_check_value(libxl_domid domid, const char *format, const char *wanted);
/* Fails the test if the node's permissions differ. They are a format with one domid, too. */
void fixture_check_perms(libxl_domid domid, const char *format, const char *format_of_perms);
/* Destroys all domains that `before` does not list. */
void fixture_clean(const struct fixture *before);
/* Fails the test if the context has anything alive except idle workers. */
void fixture_check_counters(libxl_ctx *ctx);

#endif
