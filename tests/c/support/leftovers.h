/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Counts and removes the state that killed processes and failed undos leave in xenstore. Only one thread
 * may call these functions. */
#ifndef LEFTOVERS_H
#define LEFTOVERS_H

#include "fixture.h"

/* Waits until xenstored has handled the requests that a killed process has sent. */
void leftovers_settle(void);
/* Returns the number of domains that have a tree in xenstore. */
int leftovers_domains(void);
/*
 * Removes all marks of unfinished domains (src/xen/marks.h), and the trees of domains that `before` does not
 * list. Such trees remain when an undo fails. xenconsoled may also write into the tree of a domain that is
 * gone.
 */
void leftovers_remove(const struct fixture *before);

#endif
