/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Nested operations: operations that another operation, the parent, runs. A nested operation has a class like any other
 * operation. Its end is a source of the parent. If the parent ends first, the nested operation is asked to stop, and
 * the parent completes only after it. A nested operation with `outlives` set goes on in the background instead.
 */
#ifndef LIBXL__NESTED_H
#define LIBXL__NESTED_H

#include "ao.h"

/* One nested operation. Embed this in the parent's state; zero-initialise it. */
typedef struct libxl__nested {
    libxl__source source;
    libxl__ao *child;           /* NULL once it has ended */
    struct libxl__group *group; /* NULL: the child belongs to no group */
    uint32_t index;             /* the child's index in the group */
    bool outlives;              /* the child goes on when the parent ends; set before the start */
    bool started, done;
    int rc; /* the child's result, once it is done */
} libxl__nested;

/* Call all of these with the context locked. */

/*
 * Creates a child. The caller fills in its args (libxl__ao_args). The core allocates everything that the child's start
 * needs, so a phase can create a child in advance, for its undo. When the parent ends, a child that was never started
 * is destroyed, and its sources are stopped. Returns NULL if the process is out of memory.
 */
libxl__ao *libxl__nested_create(libxl__ao *parent, libxl__nested *nested, const libxl__ao_class *cls);

/* Wakes the parent of a started child, if the parent still waits for the child. For a child that informs its parent
 * before it ends. */
void libxl__nested_tell(libxl__ao *child);

/* Starts the child. It may have ended when this returns: nested->done and nested->rc say so. */
void libxl__nested_start(libxl__nested *nested);

#endif
