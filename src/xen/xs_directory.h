/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads the names of all children of a xenstore node. A list that does not fit into one message of xenstored is read
 * in parts. If it changes between two parts, it is read again from the start.
 *
 * Call both functions with the context locked.
 */
#ifndef LIBXL__XS_DIRECTORY_H
#define LIBXL__XS_DIRECTORY_H

#include "ao.h"
#include "xs.h"

/* Embed this in the operation's state; zero-initialise it. */
typedef struct libxl__xs_directory {
    const char *path;
    libxl__xs_batch *batch;
    libxl__xs_request *request;
    const char *version; /* of the parts that were read; NULL: nothing has been read yet */
    uint32_t offset, restarts;
    /*
     * The result, in the operation's memory. A name can be in it twice if the node changes all the time. After
     * libxl__xs_directory_step has returned 0, `names` is not NULL, even if there are no names.
     */
    const char **names;
    uint32_t count, room;
} libxl__xs_directory;

/*
 * Starts to read the names. `path` is not copied. Returns LIBXL__AO_WAIT, or an error: NOMEM, FAIL, NO_XENSTORE, recorded
 * in ao.
 */
int libxl__xs_directory_start(libxl__ao *ao, libxl__xs_directory *directory, const char *path);
/*
 * Call this from the phase's poll. Returns LIBXL__AO_WAIT, or 0 if all names have been read, or an error: those of
 * libxl__xs_result, and NOMEM. A missing node has no children.
 */
int libxl__xs_directory_step(libxl__ao *ao, libxl__xs_directory *directory);

#endif
