/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Starts any operation of the generated table, synchronously. An operation whose only input is a domid needs nothing here; any
 * other needs a row in starter.c, and the test names the operation if there is none. One thread.
 */
#ifndef STARTER_H
#define STARTER_H

#include "core.h"

#include "_libxl_operations_internal.h"

struct starter {
    libxl_ctx *ctx;
    libxl_domid guest;          /* what the operation is about; 0: none was made yet */
    libxl_domid made;           /* by a creation; LIBXL_DOMID_INVALID: nothing */
    libxl_domain_config config; /* what a creation makes */
};

/* How long an operation that only looks waits, and how long any other may take. */
enum { STARTER_WAIT_MS = 60, STARTER_LIMIT_MS = 5000 };

/* Whether only other operations or event generators run it. */
bool starter_is_hidden(unsigned operation);
/* Makes sure, by way of `ctx`, that there is a guest that runs and obeys requests, or sleeps. */
void starter_prepare(struct starter *s, libxl_ctx *ctx, unsigned operation);
/* Runs the operation. Allocates nothing itself. */
int starter_run(struct starter *s, unsigned operation);

#endif
