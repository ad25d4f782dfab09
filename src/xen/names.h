/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which living domain has a name: xenstore's /local/domain/N/name, written by toolstacks only.
 *
 * There is no index of names, so all have to be read. A context that makes domains one after the other keeps those
 * that it has read for as long as it goes on, true by a watch for each.
 */
#ifndef LIBXL__NAMES_H
#define LIBXL__NAMES_H

#include "ao.h"
#include "timer.h"
#include "watch.h"
#include "xs.h"

typedef struct libxl__name libxl__name;

typedef struct libxl__names {
    libxl__name **kept; /* by domid */
    uint32_t count, room;
    bool keeping;
    libxl__timer forget; /* started while keeping */
} libxl__names;

/* A search. The operation's, zeroed. */
typedef struct libxl__name_search {
    const char *name;
    bool keep;
    enum { LIBXL__NAMES_LISTENING, LIBXL__NAMES_READING } phase;
    libxl__xs_batch *batch;
    struct libxl__name_read *reads; /* in the operation's memory */
    uint32_t count;
    uint32_t domid;
    uint64_t heard; /* when reading began */
} libxl__name_search;

/* Locked, all of them. */

/*
 * Begins a search for the living domain of this name, which stays the caller's. `keep`: there will be more of them.
 * Errors: NOMEM, FAIL, NO_XENSTORE, noted in ao.
 */
int libxl__name_search_start(libxl__ao *ao, libxl__name_search *search, const char *name, bool keep);
/*
 * Called each time the body is. LIBXL__AO_WAIT; 0, and the domid, LIBXL_DOMID_INVALID if there is no such domain; or
 * an error, noted in ao. A domain that had the name when the search began, and has it still, is found.
 */
int libxl__name_search_step(libxl__ao *ao, libxl__name_search *search, uint32_t *domid_out);

/* The transport is closed. */
void libxl__names_close(libxl_ctx *ctx);

#endif
