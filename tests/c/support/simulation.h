/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The simulated machine, told what to do by its own program (sim/README.md). One thread. */
#ifndef SIMULATION_H
#define SIMULATION_H

#include <libxl.h>

/* Runs aioxen-sim-ctl with these arguments; fails the test if it fails. What it printed, freed by the caller.
 */
char *simulation(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The same where nothing is printed that matters. */
void simulate(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Makes it what it is when a world begins: the daemons run, no call fails. On a real machine there is nothing to do. */
void simulation_restore(void);
/* Whether it has been told anything since, by this process. */
bool simulation_was_told(void);

/* Has calls of this process fail or wait: `spec` is CALL[:WHEN]:ACTION. The rule's number. */
int fault_add(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* How often a rule has acted. */
int fault_hits(int rule);
/* Has the context do its work until the rule has acted, at most 10 s. */
void fault_wait(libxl_ctx *ctx, int rule);
void faults_clear(void);

/* Calls `each` with the name of every call that something makes between begin and end. */
void calls_begin(void);
void calls_end(void (*each)(const char *call, void *user), void *user);

#endif
