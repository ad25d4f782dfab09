/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What killed processes and failed undos leave in xenstore. One thread. */
#ifndef LEFTOVERS_H
#define LEFTOVERS_H

#include "fixture.h"

/* Waits until xenstored has handled the requests that a killed process has sent. */
void leftovers_settle(void);
/* The number of domains that have a tree in xenstore. */
int leftovers_domains(void);
/*
 * Removes all marks of unfinished domains, and the trees of domains that `before` does not list: xenconsoled has written into
 * them after their domains were gone. Nothing else does so when an undo fails.
 */
void leftovers_remove(const struct fixture *before);

#endif
