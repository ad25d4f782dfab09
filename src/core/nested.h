/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Nested operations: operations that another operation, the parent, runs. A nested operation has a class like
 * any other operation. When a nested operation ends, it wakes the parent as a source does. If the parent ends
 * first, the nested operation is asked to stop, and the parent completes after it. If `outlives` is set, the
 * nested operation goes on in the background instead.
 */
#ifndef LIBXL__NESTED_H
#define LIBXL__NESTED_H

#include "ao.h"

/* One nested operation. Embed this in the parent's state; zero-initialise it. */
typedef struct libxl__nested {
    libxl__source source;
    libxl__ao *child;           /* NULL once the child has ended */
    struct libxl__group *group; /* NULL: the child belongs to no group */
    uint32_t index;             /* the child's index in the group */
    bool outlives;              /* the child goes on when the parent ends; set before the start */
    bool started, done;
    int rc; /* the child's result, once it is done */
} libxl__nested;

/* Call the following functions with the context locked. */

/*
 * Creates a child. The caller fills in its args (libxl__ao_args). The core allocates everything that the
 * child's start needs. So a phase can create the child of its undo in advance. When the parent ends, a child
 * that was never started is destroyed, and its sources are stopped. Returns NULL if there is no memory.
 */
libxl__ao *libxl__nested_create(libxl__ao *parent, libxl__nested *nested, const libxl__ao_class *cls);

/*
 * For a child that informs its parent before it ends. Wakes the parent, if the parent still waits for the
 * child.
 */
void libxl__nested_tell(libxl__ao *child);

/* Starts the child. It may have ended when this returns; check nested->done and nested->rc. */
void libxl__nested_start(libxl__nested *nested);

#endif
