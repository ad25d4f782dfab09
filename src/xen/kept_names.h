/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A cache of the names of domains. Names are kept from one search for a name to the next search. Each kept
 * name has a watch, which fires when the name may have changed.
 *
 * Without kept names, a search reads the name of every domain. A context that makes many domains searches
 * often. So the context keeps the names until ten seconds after its last search. Names are kept only if the
 * transport delivers watch events and answers in order (libxl__xs_transport.in_order).
 */
#ifndef LIBXL__KEPT_NAMES_H
#define LIBXL__KEPT_NAMES_H

#include <xenctrl.h>

#include "timer.h"
#include "watch.h"

typedef struct libxl__kept_name libxl__kept_name;

typedef struct libxl__kept_names {
    libxl__kept_name **names; /* the array of kept names, sorted by domid */
    uint32_t count, room;
    bool keeping;
    libxl__timer forget; /* the timer that drops the names when it expires; started while `keeping` is true */
} libxl__kept_names;

/* Call all functions with the context locked. */

/* Frees the kept names. Called while the context is freed, after the transport has been closed. */
void libxl__kept_names_close(libxl_ctx *ctx);

/* Drops all kept names. Call this when xenstored no longer reports changes of the names. */
void libxl__kept_names_forget(libxl_ctx *ctx);

/*
 * Keeps names for the next ten seconds. Does nothing if the transport does not allow kept names, or if there
 * is no memory.
 */
void libxl__kept_names_extend(libxl_ctx *ctx);

/*
 * Drops the names of domains that are not in `list`. The list must be sorted by domid. If `add` is true and
 * names are kept, also adds an entry for each domain in the list that has no entry. The name of a new entry
 * is watched at once, but it is known only after libxl__kept_names_note. A domain gets no entry if its name
 * cannot be watched or if there is no memory.
 */
void libxl__kept_names_update(libxl_ctx *ctx, const xc_domaininfo_t *list, uint32_t count, bool add);

/*
 * Keeps a name that was read. `event_seq` is the number of watch events before the name was read. Does
 * nothing if the watch of the name has fired since then. `text` NULL: the domain has no name.
 */
void libxl__kept_names_note(libxl_ctx *ctx, uint32_t domid, const char *text, uint64_t event_seq);

/* Returns whether the domain's present name is known. */
bool libxl__kept_names_known(libxl_ctx *ctx, uint32_t domid);

/* Returns the domid of the domain that is known to have this name, or LIBXL_DOMID_INVALID. */
uint32_t libxl__kept_names_find(libxl_ctx *ctx, const char *text);

#endif
