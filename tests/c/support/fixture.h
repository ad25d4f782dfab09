/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Records the state before a test, and compares the state after the test with it. The state consists of the
 * descriptors, the threads, the domains, the files of domains, and the xenstore nodes. Only one thread may
 * call the functions that take a struct fixture. Any thread may call the other functions.
 */
#ifndef FIXTURE_H
#define FIXTURE_H

#include <stdbool.h>

#include <libxl.h>

struct fixture {
    int descriptors, threads;
    bool has_world;         /* true: the test can reach xenstored and the hypervisor. */
    libxl_domid domids[64]; /* The domids of the entries of /local/domain. */
    int domains, nodes, files;
};

/* Returns the number of entries of a directory such as /proc/self/fd or /proc/self/task. */
int fixture_entries(const char *directory);

/* Connects to xenstored again if the test has restarted xenstored. fixture_check() calls this. */
void fixture_check_connection(void);

void fixture_begin(struct fixture *before);
/* Fails the test if anything differs from `before`. Threads and descriptors have 2 s to disappear. */
void fixture_check(const struct fixture *before);
/* Does the same as fixture_check(), but compares only domains and xenstore nodes. */
void fixture_check_world(const struct fixture *before);
/* Returns the value of a xenstore node, or NULL if there is no such node. The caller frees the value. Call
 * this after fixture_begin(). */
char *fixture_node(const char *path);
/* Writes a node with dom0's privileges. A NULL value removes the node. Call this after fixture_begin(). */
void fixture_write(const char *path, const char *value);
/* Removes the file of a domain's configuration, if it exists. */
void fixture_remove_files(libxl_domid domid, const libxl_uuid *uuid);
/* Removes the trees of a domain and the file of the domain's configuration. Fails the test if a tree or
 * the file is missing. Call this after fixture_begin(). */
void fixture_remove_nodes(libxl_domid domid, const libxl_uuid *uuid);
/* Returns the permissions of a node, for example "n0,r7", in the form of xenstore-ls -p. Returns NULL if
 * there is no such node. The caller frees the text. Call this after fixture_begin(). */
char *fixture_perms(const char *path);
/* Returns whether a node exists. In this function and the next two, `format` is the node's path with a %u
 * for the domid. Call these functions after fixture_begin(). */
bool fixture_has(const char *format, libxl_domid domid);
/* Fails the test if the node does not hold `wanted`. */
void fixture_check_value(libxl_domid domid, const char *format, const char *wanted);
/* Fails the test if the node's permissions differ from `format_of_perms`, which also has a %u for
 * the domid. */
void fixture_check_perms(libxl_domid domid, const char *format, const char *format_of_perms);
/* Destroys all domains that `before` does not list. */
void fixture_clean(const struct fixture *before);
/* Fails the test if the context owns anything except idle worker threads. */
void fixture_check_counters(libxl_ctx *ctx);

#endif
