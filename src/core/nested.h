/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Operations inside operations: a nested operation has a class and a body like any other, but its completion
 * is a source of its parent's. The parent does not complete before it; when the parent ends first, it is
 * asked to stop.
 */
#ifndef LIBXL__NESTED_H
#define LIBXL__NESTED_H

#include "ao.h"

/* One nested operation. The parent's, zeroed. */
typedef struct libxl__nested {
    libxl__source source;
    libxl__ao *child; /* NULL once it has ended */
    bool outlives;    /* set before the start: when the parent ends first, this one goes on alone */
    bool done;
    int rc;
} libxl__nested;

/* Locked, all of them. */

/* Makes one, whose args (libxl__ao_args) the caller fills in. NULL: NOMEM. */
libxl__ao *libxl__nested_create(libxl__ao *parent, libxl__nested *nested, const libxl__ao_class *cls);
/* Starts it. It may be done when this returns; however it ends, that is told by nested->done and ->rc. */
void libxl__nested_start(libxl__nested *nested);

/* Many alike, some at a time. The parent's, zeroed. */
typedef struct libxl__gather {
    const libxl__ao_class *cls;
    void (*fill)(libxl__ao *parent, uint32_t index, void *args); /* gives the index-th its args */
    uint32_t count, at_once;
    uint32_t started, done;
    int rc; /* the first error */
    libxl__nested *nested;
} libxl__gather;

/*
 * Called each time the parent's body is: starts as many as may run, until all `count` are done (none at all
 * is fine). LIBXL__AO_WAIT, or 0 or the first error; after an error no more are started, and those that run
 * are awaited.
 */
int libxl__gather_step(libxl__ao *parent, libxl__gather *gather);

#endif
