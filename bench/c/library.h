/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is written differently for this library and for Debian's libxl: everything else in the programs is the
 * same source. One thread.
 */
#ifndef LIBRARY_H
#define LIBRARY_H

#include <stdbool.h>
#include <stdint.h>

#include <libxl.h>
#include <libxl_event.h>

/* Ends the program if it cannot be had. */
libxl_ctx *library_open(void);

/* Does what is ready, or waits for at most `milliseconds`; false: nothing was ready by then. */
bool library_step(libxl_ctx *ctx, int milliseconds);

/*
 * Takes all events that are there: `seen`, where not NULL, is called with each one's for_user. How many. By
 * batch where the library can.
 */
long library_take(libxl_ctx *ctx, void (*seen)(uint64_t for_user));

/* The event that is for `user`, which must be there. */
void library_take_for(libxl_ctx *ctx, uint64_t user);

#endif
