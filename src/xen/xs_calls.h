/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Makes the calls of libxenstore, which block. Only xs_caller.c uses it, on its thread.
 */
#ifndef LIBXL__XS_CALLS_H
#define LIBXL__XS_CALLS_H

#include "xs_transport.h"

struct xs_handle;

/*
 * The two handles: one for requests, and one for watches. They are separate because libxenstore starts a
 * reading thread for a handle that has watches. NULL: not connected.
 */
struct libxl__xs_handles {
    struct xs_handle *requests, *watches;
};

/* Makes a call. Returns 0 or an errno; ENOTCONN: the connection is lost. */
int libxl__xs_make_call(struct libxl__xs_handles *handles, libxl__xs_call *call);
void libxl__xs_close_handles(struct libxl__xs_handles *handles);

/*
 * Returns the call of a watch. The call is stored in the memory in front of the watch.
 * libxl__xs_transport.watch_room is the size of this memory.
 */
static inline libxl__xs_call *libxl__xs_call_of(libxl__watch *watch)
{
    return (libxl__xs_call *)(void *)watch - 1;
}

static inline libxl__watch *libxl__watch_of_call(libxl__xs_call *call)
{
    return (libxl__watch *)(void *)(call + 1);
}

#endif
