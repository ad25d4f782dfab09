/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Nested operations: operations that another operation, the parent, runs. A nested operation has a class like any other; its
 * end is a source of the parent's. The parent does not complete before it. A nested operation is asked to stop when the
 * parent ends first, unless it outlives the parent: then it goes on in the background.
 */
#ifndef LIBXL__NESTED_H
#define LIBXL__NESTED_H

#include "ao.h"

/* One nested operation. Embed this in the parent's state; zero-initialise it. */
typedef struct libxl__nested {
    libxl__source source;
    libxl__ao *child;           /* NULL once it has ended */
    struct libxl__group *group; /* NULL: the child belongs to no group */
    uint32_t index;             /* in the group */
    bool outlives;              /* set by the parent before the start */
    bool started, done;
    int rc; /* the child's result, once it is done */
} libxl__nested;

/* Call all of these with the context locked. */

/*
 * Creates a child, whose args (libxl__ao_args) the caller fills in. Its record, with its state, is all that a start needs
 * from the core, so a child can be created as the reserve of an undo. A child that is never started is destroyed when the
 * parent ends; its sources are stopped then. Returns NULL if the process is out of memory.
 */
libxl__ao *libxl__nested_create(libxl__ao *parent, libxl__nested *nested, const libxl__ao_class *cls);

/* Wakes the parent of a child that has started, if it still waits: the child has something to tell before it ends. */
void libxl__nested_tell(libxl__ao *child);

/* Starts the child. It may have ended when this returns: nested->done and nested->rc say so. */
void libxl__nested_start(libxl__nested *nested);

#endif
