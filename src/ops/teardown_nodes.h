/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The xenstore nodes of a domain that is taken down: /local/domain/N, /libxl/N, /vm/UUID, and the mark
 * (marks.h). The teardown removes the nodes in two steps. In the first step, before the domain is destroyed,
 * it removes most of the nodes. In the second step, when the domain is gone, it removes all other nodes. The
 * second step can be repeated.
 *
 * Paths are built from the domid and the UUID that the hypervisor has, never from values read in xenstore.
 * Nodes that belong to another domain are not removed. If another living domain has the UUID, /vm/UUID is not
 * removed. If another domain has the domid, the nodes whose paths contain the domid are not removed.
 *
 * Call all functions with the context locked.
 */
#ifndef LIBXL__TEARDOWN_NODES_H
#define LIBXL__TEARDOWN_NODES_H

#include "ops.h"

/* The state of both steps. Embed this in the operation's state; zero-initialise it. */
typedef struct libxl__teardown_nodes {
    uint32_t domid; /* the domid of the domain; LIBXL_DOMID_INVALID: there is only a mark */
    libxl_uuid uuid;
    libxl_uuid handle; /* the UUID that the hypervisor has for the domain */
    bool unfinished;   /* the mark is removed only when the domain is gone */
    bool resets;       /* the mark is that of a soft reset */
    uint32_t marked;   /* if `resets` is set: the domid of the domain that is reset, which has the UUID */
    bool has_tree;     /* the nodes whose paths contain the domid belong to the domain */
    bool keeps_tree; /* these nodes are not removed, because they name devices that are still to be removed */
    bool shared;     /* another living domain had the UUID when the first step started */
    bool again;      /* an attempt has failed; the next attempt removes all nodes */
    bool given_up;
    libxl__xs_batch *first;
    libxl__xs_batch *last; /* the batch of the second step; NULL: there was no memory for it */
    /* The error of the hypercall that lists the domains; 0: the hypercall has succeeded. */
    int uncertain;
} libxl__teardown_nodes;

/* Reserves the memory for both steps. Errors: NOMEM, FAIL, recorded in ao. */
int libxl__teardown_nodes_reserve(libxl__ao *ao, libxl__teardown_nodes *nodes);
/* Starts the first step. `first` is done when the step has ended. The caller has set the other members. */
void libxl__teardown_nodes_remove(libxl__teardown_nodes *nodes);
/*
 * Returns 0 if no other domain has got the domid since the domain has gone. Errors: NOTFOUND (another domain
 * has it), those of libxl__hv_look.
 */
int libxl__teardown_nodes_check_tree(libxl__ao *ao, libxl__teardown_nodes *nodes);
/*
 * Starts the second step, or repeats it after a failure. Also removes nodes that the first step could not
 * remove. The operation is woken when an answer has arrived.
 */
void libxl__teardown_nodes_remove_rest(libxl__ao *ao, libxl__teardown_nodes *nodes);
/*
 * Returns LIBXL__AO_WAIT, or the result of the last attempt of the second step. Errors: those of
 * libxl__xs_result and of libxl__hv_look, recorded in ao.
 */
int libxl__teardown_nodes_result(const libxl__teardown_nodes *nodes);
/*
 * Call this instead of the second step when the teardown is given up. Changes the mark: it then says that no
 * process will destroy the domain. Returns true once xenstored has answered. Call this again each time a
 * source has fired until it returns true.
 */
bool libxl__teardown_nodes_give_up(libxl__teardown_nodes *nodes);
/* Writes the paths of the nodes to `text`, for a message. */
enum { LIBXL__TEARDOWN_NODES_TEXT = 240 };
void libxl__teardown_nodes_describe(const libxl__teardown_nodes *nodes,
                                    char text[LIBXL__TEARDOWN_NODES_TEXT]);

#endif
