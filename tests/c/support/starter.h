/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Starts any operation of the generated table, synchronously. An operation whose only input is a domid needs no row in starter.c.
 * Any other operation needs a row; without it the test fails and names the operation. Only one thread may call these.
 */
#ifndef STARTER_H
#define STARTER_H

#include "core.h"

#include "_libxl_operations_internal.h"

struct starter {
    libxl_ctx *ctx;
    libxl_domid guest;          /* the guest that the operation acts on; 0: none was made yet */
    libxl_domid made;           /* the domain that a creation made; LIBXL_DOMID_INVALID: none */
    libxl_domain_config config; /* the configuration of a creation */
};

/* The time limits of an operation that waits for a guest's end, and of any other operation. */
enum { STARTER_WAIT_MS = 60, STARTER_LIMIT_MS = 5000 };

/* Whether only other operations or event generators run this operation. */
bool starter_is_hidden(unsigned operation);
/* Makes sure that there is a running guest; creates it by `ctx` if necessary. A new guest obeys requests if the operation is a
 * shutdown or a reboot; else it ignores them. */
void starter_prepare(struct starter *s, libxl_ctx *ctx, unsigned operation);
/* Runs the operation. Allocates nothing itself. */
int starter_run(struct starter *s, unsigned operation);

#endif
