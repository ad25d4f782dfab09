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
#ifndef LIBXL_HAVE_AIOXEN
#include <libxl_utils.h>
#endif

/* Ends the program if it cannot be had. */
libxl_ctx *library_open(void);

/* Waits for at most `milliseconds` until there is something to do; false: there is nothing by then. */
bool library_wait(libxl_ctx *ctx, int milliseconds);
/* Does what library_wait has found; library_take is to follow. */
void library_process(libxl_ctx *ctx);
/* Both. */
bool library_step(libxl_ctx *ctx, int milliseconds);

/*
 * Takes all events that are there: `seen`, where not NULL, is called with each one's for_user. How many. By
 * batch where the library can.
 */
long library_take(libxl_ctx *ctx, void (*seen)(uint64_t for_user));

/*
 * A configuration for a guest of the tiny kernel that does what the command line says (sim/README.md);
 * libxl_domain_config_dispose frees it. Any thread.
 */
libxl_domain_config library_guest(libxl_ctx *ctx, libxl_domain_type type, unsigned memory_mb,
                                  const char *command_line);

/* A predicate of libxl_event_check: whether the event's for_user is the one that `user` points to. */
#ifndef LIBXL_HAVE_EVENT_IS_FOR
int libxl_event_is_for(const libxl_event *event, void *user);
#endif

#endif
