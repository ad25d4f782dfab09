/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Starts any operation of the generated table, synchronously. An operation whose only input is a domid needs
 * no row in operations/ (operations.h). Any other operation needs a row. If a row is missing, the test fails and
 * names the operation. Only one thread may call these functions.
 */
#ifndef STARTER_H
#define STARTER_H

#include "core.h"

#include "_libxl_operations_internal.h"

struct starter {
    libxl_ctx *ctx;
    libxl_domid guest;          /* The guest that the operation acts on. 0: no guest was made yet. */
    libxl_domid made;           /* The domain that a creation made. LIBXL_DOMID_INVALID: none. */
    libxl_domain_config config; /* The configuration of the creation that is started. */
};

/* The time limits in milliseconds. The first is for an operation that waits for a guest's end. The second
 * is for any other operation. */
enum { STARTER_WAIT_MS = 60, STARTER_LIMIT_MS = 5000 };

/* The file of the disk that operations add. starter_prepare() makes the file. */
#define STARTER_IMAGE "/run/disk.img"

/* Returns whether a program cannot start this operation itself. Only other operations or event generators
 * run such an operation. */
bool starter_is_hidden(unsigned operation);
/* Returns whether the operation may leave a PCI device bound to pciback. pci_return() gives it back. */
bool starter_takes_pci(unsigned operation);
/* Makes sure that there is a running guest. If there is none, the function creates a guest by `ctx`. For a
 * shutdown or a reboot, the guest obeys requests. For any other operation, the guest ignores requests. */
void starter_prepare(struct starter *s, libxl_ctx *ctx, unsigned operation);
/* Runs the operation, and returns the result. The function itself allocates no memory. */
int starter_run(struct starter *s, unsigned operation);

#endif
