/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Controls the simulated machine through aioxen-sim-ctl; sim/README.md describes it. Only one thread may
 * call these functions. */
#ifndef SIMULATION_H
#define SIMULATION_H

#include <libxl.h>

/* Runs aioxen-sim-ctl with these arguments, and returns the program's output. Fails the test if the
 * program fails. The caller frees the output. */
char *simulation(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Like simulation(), but discards the output. */
void simulate(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Restores the initial state of the simulated machine: the daemons run, and no call fails. Does nothing on a
 * real machine. */
void simulation_restore(void);
/* Returns whether this process has run aioxen-sim-ctl since its last call of simulation_restore(). */
bool simulation_was_changed(void);

/* Adds a rule that makes calls of this process fail or wait. The text of a rule is CALL[:WHEN]:ACTION.
 * Returns the rule's number. */
int fault_add(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Returns how often a rule has acted. */
int fault_hits(int rule);
/* Processes the context until the rule has acted. Fails the test after 10 s. */
void fault_wait(libxl_ctx *ctx, int rule);
void faults_clear(void);

/* A list of names of calls to Xen, without duplicates. */
enum { CALLS_MOST = 64 };
struct calls {
    char names[CALLS_MOST][64];
    int count;
};
/* calls_end() stores the names of the calls that any process has made since calls_begin(). */
void calls_begin(void);
void calls_end(struct calls *calls);

#endif
