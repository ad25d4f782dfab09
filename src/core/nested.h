/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Nested operations: operations that another operation, the parent, runs. A nested operation has a class like
 * any other operation. When a nested operation ends, it wakes the parent as a source does. If the parent ends
 * first, the nested operation is asked to stop. The parent completes after the nested operation has ended. A
 * nested operation with `outlives` set is different: it goes on in the background when the parent ends.
 */
#ifndef LIBXL__NESTED_H
#define LIBXL__NESTED_H

#include "ao.h"

/* One nested operation. Embed this in the parent's state; zero-initialise it. */
typedef struct libxl__nested {
    libxl__source source;
    libxl__ao *child;           /* the nested operation; NULL once it has ended */
    struct libxl__group *group; /* the group that the child belongs to; NULL: it belongs to no group */
    uint32_t index;             /* the index of the child in the group */
    /* an input: the child's progress is reported as the parent's progress */
    bool counts;
    bool outlives; /* an input: the child continues in the background when the parent ends */
    bool started, done;
    int rc; /* the child's result, once it is done */
} libxl__nested;

/* Call the following functions with the context locked. */

/*
 * Creates a child, and allocates everything that the child's start needs. So a phase can create the child of
 * its undo in advance. The caller fills in the child's args (libxl__ao_args). When the parent ends, a child
 * that was never started is destroyed, and its sources are stopped. Returns NULL if there is no memory.
 */
libxl__ao *libxl__nested_create(libxl__ao *parent, libxl__nested *nested, const libxl__ao_class *cls);

/*
 * A child calls this to inform its parent before the child ends. Wakes the parent, if the parent still waits
 * for the child.
 */
void libxl__nested_tell(libxl__ao *child);

/*
 * Starts the child. The child may have ended when this function returns. The caller must check nested->done
 * and nested->rc.
 */
void libxl__nested_start(libxl__nested *nested);

#endif
