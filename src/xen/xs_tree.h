/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads a part of xenstore: the values of a node's children, and of the nodes below the children whose names
 * are numbers, to a given depth. A guest may write these nodes. So only the first message of each list of
 * names is used, and the number of nodes is limited.
 *
 * Call all functions with the context locked.
 */
#ifndef LIBXL__XS_TREE_H
#define LIBXL__XS_TREE_H

#include "ao.h"
#include "xs.h"

/*
 * LIBXL__XS_TREE_NODES: the greatest number of nodes that are read. LIBXL__XS_TREE_NUMBERS: the children of a node
 * below the root are read only if the node's name is a number that is less than this constant.
 */
enum { LIBXL__XS_TREE_NODES = 512, LIBXL__XS_TREE_NUMBERS = 64 };

/* A node that was found. */
typedef struct libxl__xs_tree_node {
    const char *path;                       /* below the root, without a leading slash; "" is the root */
    size_t length;                          /* the length of the path, in octets */
    const libxl__xs_request *names, *value; /* requests of the present batch for this node; NULL: none */
    const char *text;                       /* the value; NULL: not read, or missing */
} libxl__xs_tree_node;

/* The nodes that one call of libxl__xs_tree_start reads. Embed this in the operation's state; zero-initialise it. */
typedef struct libxl__xs_tree {
    const char *root;
    libxl__xs_batch *batch;
    libxl__xs_tree_node *nodes; /* in the operation's memory; the root is the first node */
    uint32_t count, asked;      /* `asked`: the number of nodes whose requests were sent */
    unsigned depth;             /* the number of levels below the root that are not listed yet */
} libxl__xs_tree;

/*
 * Starts to read the nodes below `root`, which is not copied: its children, and `depth` further levels of
 * numbers. Returns LIBXL__AO_WAIT or an error. Errors: NOMEM, and those of libxl__xs_run.
 */
int libxl__xs_tree_start(libxl__ao *ao, libxl__xs_tree *tree, const char *root, unsigned depth);
/*
 * Called from the phase's poll. Returns LIBXL__AO_WAIT, 0 if all nodes were read, or an error. Errors: NOMEM,
 * and those of libxl__xs_result. A missing node has no value.
 */
int libxl__xs_tree_step(libxl__ao *ao, libxl__xs_tree *tree);
/* Returns the value of the node at this path below the root. NULL: the node is missing. */
const char *libxl__xs_tree_value(const libxl__xs_tree *tree, const char *path, ...)
    __attribute__((format(printf, 2, 3)));
/* Returns whether the node at this path below the root exists. */
bool libxl__xs_tree_has(const libxl__xs_tree *tree, const char *path, ...)
    __attribute__((format(printf, 2, 3)));

#endif
