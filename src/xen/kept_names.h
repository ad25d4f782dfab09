/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Names of domains, kept between searches. The watch of a kept name fires when the name may have changed.
 *
 * A search without kept names reads the name of every domain. So a context that makes one domain after the other
 * keeps the names, until it has not searched for ten seconds. Names are kept only if the transport delivers watch
 * events and answers in order (libxl__xs_transport.in_order).
 */
#ifndef LIBXL__KEPT_NAMES_H
#define LIBXL__KEPT_NAMES_H

#include <xenctrl.h>

#include "timer.h"
#include "watch.h"

typedef struct libxl__kept_name libxl__kept_name;

typedef struct libxl__kept_names {
    libxl__kept_name **names; /* in order of domid */
    uint32_t count, room;
    bool keeping;
    libxl__timer forget; /* started while keeping */
} libxl__kept_names;

/* Call all functions with the context locked. */

/* Frees the kept names. Called while the context is freed, after the transport has been closed. */
void libxl__kept_names_close(libxl_ctx *ctx);

/* Drops all kept names. Call this when xenstored does not report their changes any more. */
void libxl__kept_names_forget(libxl_ctx *ctx);

/* Keeps names for the next ten seconds. Does nothing if the transport does not allow it or there is no memory. */
void libxl__kept_names_extend(libxl_ctx *ctx);

/*
 * Drops the names of domains that are not in `list`. The list must be in order of domid. If `add` is true and names
 * are kept, also adds the names of the other domains in the list. An added name is watched at once; it is known after
 * libxl__kept_names_note. A name is not added if it cannot be watched or there is no memory for it.
 */
void libxl__kept_names_update(libxl_ctx *ctx, const xc_domaininfo_t *list, uint32_t count, bool add);

/*
 * Keeps a name that was read, unless its watch has fired after the event with the number `event_seq`. text is NULL if
 * the domain has no name.
 */
void libxl__kept_names_note(libxl_ctx *ctx, uint32_t domid, const char *text, uint64_t event_seq);

/* Returns whether the domain's present name is known. */
bool libxl__kept_names_known(libxl_ctx *ctx, uint32_t domid);

/* Returns the domain that is known to have this name, or LIBXL_DOMID_INVALID if none is known. */
uint32_t libxl__kept_names_find(libxl_ctx *ctx, const char *text);

#endif
