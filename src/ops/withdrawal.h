/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The withdrawal of a request that an operation has written to a node of a guest's ~/control. A withdrawal empties
 * the node if the node still contains the request. It needs no memory: without memory for a batch it uses the
 * context's spare batch (xs.h).
 *
 * Call all functions with the context locked, from the undo of a phase.
 */
#ifndef LIBXL__WITHDRAWAL_H
#define LIBXL__WITHDRAWAL_H

#include "xen.h"

/* The node of a request: a format, whose arguments are the guest's domid and the name of the node. */
#define LIBXL__CONTROL_NODE "/local/domain/%u/control/%s"

/* Embed this in the operation's state; zero-initialise it. */
typedef struct libxl__withdrawal {
    libxl__xs_batch *batch;        /* empties the node; NULL: the withdrawal has not begun */
    libxl__xs_request *unanswered; /* checks that the node still contains the request to the guest */
    libxl__xs_turn turn;           /* the operation's entry in the queue for the spare batch */
    bool out_of_memory;            /* the withdrawal uses the spare batch */
} libxl__withdrawal;

/*
 * Withdraws `request` from the node `name` of the operation's subject. Call libxl__xs_spare_reserve before the request
 * is written. Returns LIBXL__AO_WAIT until the withdrawal has ended, and extends the phase's limit while it makes
 * progress. Then returns 0 or an error. Errors: NOT_READY (the node does not contain the request any more),
 * DOMAIN_DESTROYED, and those of libxl__xs_rc.
 */
int libxl__withdrawal_step(libxl__ao *ao, libxl__withdrawal *withdrawal, const char *name,
                           const char *request);
/*
 * Returns whether the node was empty or missing, so that the guest has acknowledged the request. Call it when the
 * withdrawal has ended with NOT_READY.
 */
bool libxl__withdrawal_was_answered(const libxl__withdrawal *withdrawal);

#endif
