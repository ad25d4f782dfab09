/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Names of domains that are kept between searches, each with a watch that says when it may have changed.
 *
 * A search without kept names reads the name of every domain. A context that searches repeatedly, because it makes one
 * domain after the other, keeps the names until it has not searched for ten seconds. Names are kept only if the transport
 * delivers watch events and answers in order (libxl__xs_transport.in_order).
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

/* Drops all kept names, because xenstored does not report their changes any more. */
void libxl__kept_names_forget(libxl_ctx *ctx);

/* Keeps names from now on, or for another ten seconds, if the transport and the memory allow it. */
void libxl__kept_names_extend(libxl_ctx *ctx);

/*
 * Drops the names of domains that are not in this list, which is in order of domid. If `add` is true, adds the domains that
 * are missing. The name of an added domain is watched at once, but not known until libxl__kept_names_note. A domain whose name
 * cannot be watched is not added, nor is one for which there is no memory.
 */
void libxl__kept_names_update(libxl_ctx *ctx, const xc_domaininfo_t *list, uint32_t count, bool add);

/* Keeps the name that has been read, unless its watch has fired since `event_seq`. NULL: the domain has no name. */
void libxl__kept_names_note(libxl_ctx *ctx, uint32_t domid, const char *text, uint64_t event_seq);

/* Whether the domain's name is known now. */
bool libxl__kept_names_known(libxl_ctx *ctx, uint32_t domid);

/* The domain that is known to have this name; LIBXL_DOMID_INVALID: none is known. */
uint32_t libxl__kept_names_find(libxl_ctx *ctx, const char *text);

#endif
