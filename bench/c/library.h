/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The calls that differ between this library and Debian's libxl. The other source files of the programs
 * are the same for both. Only one thread may call the functions, unless stated otherwise.
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

/* Opens and returns a context. Ends the program if opening fails. */
libxl_ctx *library_open(void);

/* Waits at most `milliseconds` until the library has something to handle. Returns false if it has nothing
 * to handle after this time. */
bool library_wait(libxl_ctx *ctx, int milliseconds);
/* Handles the descriptors that library_wait has found ready. Call library_take after this function. */
void library_process(libxl_ctx *ctx);
/* Calls library_wait, then library_process. */
bool library_step(libxl_ctx *ctx, int milliseconds);

/*
 * Takes all queued events, in batches if the library can, and returns their number. Calls `seen`, unless
 * it is NULL, with the for_user of each event.
 */
long library_take(libxl_ctx *ctx, void (*seen)(uint64_t for_user));

/*
 * Returns the configuration of a guest with the tiny kernel. The command line selects what the guest does;
 * see sim/README.md. The caller disposes of the configuration by libxl_domain_config_dispose(). Any thread
 * may call this.
 */
libxl_domain_config library_guest(libxl_ctx *ctx, libxl_domain_type type, unsigned memory_mb,
                                  const char *command_line);

/*
 * Adds two disks and a network interface to the configuration. Each disk has its own file in the folder
 * AIOXEN_BENCH_FOLDER. The interface is on the bridge xenbr0. Any thread may call this.
 */
void library_add_devices(libxl_domain_config *config);

/* A predicate for libxl_event_check. Returns whether the event's for_user equals *user. */
#ifndef LIBXL_HAVE_EVENT_IS_FOR
int libxl_event_is_for(const libxl_event *event, void *user);
#endif

#endif
