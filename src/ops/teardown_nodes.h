/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The xenstore nodes of a domain that is taken down: /local/domain/N, /libxl/N, /vm/UUID, and the mark (marks.h). The
 * teardown removes most of them before the domain is destroyed, which is the first step. It removes the rest when the domain
 * is gone, which is the second step and can be repeated.
 *
 * Paths are built from the domid and the UUID that the hypervisor has, never from values read in xenstore. Nodes that
 * belong to another domain stay: /vm/UUID while another living domain has the UUID, the others while another domain has
 * the domid.
 *
 * Call all functions with the context locked.
 */
#ifndef LIBXL__TEARDOWN_NODES_H
#define LIBXL__TEARDOWN_NODES_H

#include "ops.h"

/* Embed this in the operation's state; zero-initialise it. */
typedef struct libxl__teardown_nodes {
    uint32_t domid; /* LIBXL_DOMID_INVALID: there is only a mark */
    libxl_uuid uuid;
    bool unfinished; /* the mark stays until the domain is gone */
    bool has_tree;   /* the nodes that have the domid in their paths are the domain's */
    bool shared;     /* another living domain had the UUID at the first step */
    bool again;      /* an attempt has failed, so the next attempt removes all nodes */
    bool given_up;
    libxl__xs_batch *first;
    libxl__xs_batch *last; /* the batch of the second step; NULL: there was no memory for it */
    int uncertain;         /* the hypervisor's error when it was asked for the domains; 0: it has answered */
} libxl__teardown_nodes;

/* Reserves the memory for both steps. Errors: NOMEM, FAIL, recorded in ao. */
int libxl__teardown_nodes_reserve(libxl__ao *ao, libxl__teardown_nodes *nodes);
/* Starts the first step; `first` is done when it has ended. The caller has set the other members. */
void libxl__teardown_nodes_remove(libxl__teardown_nodes *nodes);
/*
 * Starts the second step, or repeats it after a failure. Also removes what the first step could not remove. The operation
 * is woken when an answer has arrived.
 */
void libxl__teardown_nodes_remove_rest(libxl__ao *ao, libxl__teardown_nodes *nodes);
/*
 * Returns LIBXL__AO_WAIT, or the result of the last attempt of the second step. Errors: those of libxl__xs_result and of
 * libxl__hv_look, recorded in ao.
 */
int libxl__teardown_nodes_result(const libxl__teardown_nodes *nodes);
/*
 * Replaces the second step when the teardown is given up: writes into the mark that no process will destroy the domain. Call it
 * until it returns true, which means that xenstored has answered.
 */
bool libxl__teardown_nodes_give_up(libxl__teardown_nodes *nodes);
/* Writes the paths to `text`, for a message. */
enum { LIBXL__TEARDOWN_NODES_TEXT = 240 };
void libxl__teardown_nodes_describe(const libxl__teardown_nodes *nodes,
                                    char text[LIBXL__TEARDOWN_NODES_TEXT]);

#endif
