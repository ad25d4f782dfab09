/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads the names of all children of a xenstore node. A list that does not fit into one message of xenstored
 * is read in parts. If the list changes between two parts, the list is read again from the start.
 *
 * Call both functions with the context locked.
 */
#ifndef LIBXL__XS_DIRECTORY_H
#define LIBXL__XS_DIRECTORY_H

#include "ao.h"
#include "xs.h"

/* A list that is being read. Embed this in the operation's state; zero-initialise it. */
typedef struct libxl__xs_directory {
    const char *path;
    bool for_application; /* the application has named the node (libxl__xs_for_application) */
    libxl__xs_batch *batch;
    libxl__xs_request *request;
    const char *version; /* the version of the parts that were read; NULL: no part was read yet */
    uint32_t offset, restarts;
    /*
     * The names that were read, in the operation's memory. If the node changes all the time, `names` may have
     * a name twice. After libxl__xs_directory_step has returned 0, `names` is not NULL, even if there are no
     * names.
     */
    const char **names;
    uint32_t count, room;
    bool missing; /* the node does not exist */
} libxl__xs_directory;

/*
 * Starts to read the names. `path` is not copied. Only `for_application` is read from the former contents of
 * *directory. Returns LIBXL__AO_WAIT or an error. Errors: NOMEM, FAIL, NO_XENSTORE, recorded in ao.
 */
int libxl__xs_directory_start(libxl__ao *ao, libxl__xs_directory *directory, const char *path);
/*
 * Called from the phase's poll. Returns LIBXL__AO_WAIT, 0 if all names have been read, or an error. Errors:
 * NOMEM, and those of libxl__xs_result. A missing node has no children.
 */
int libxl__xs_directory_step(libxl__ao *ao, libxl__xs_directory *directory);

#endif
