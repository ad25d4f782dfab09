/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Searches for the domain that has a given name. The name of domain N is in the xenstore node
 * /local/domain/N/name, which only toolstacks write. xenstore cannot search for values. So a search reads the
 * name of every domain whose name is not kept (kept_names.h).
 */
#ifndef LIBXL__NAMES_H
#define LIBXL__NAMES_H

#include "ao.h"
#include "xs.h"

/*
 * A search for the domain with a given name. Embed this in the operation's state; libxl__name_search_start
 * sets it up.
 */
typedef struct libxl__name_search {
    const char *name;
    bool keep;
    enum { LIBXL__NAMES_CATCHING_UP, LIBXL__NAMES_READING } phase;
    libxl__xs_batch *batch;
    struct libxl__name_read *reads; /* the requests that read names; in the operation's memory */
    uint32_t count;
    uint32_t domid;     /* the domid of the domain that has the name; LIBXL_DOMID_INVALID: not found so far */
    uint64_t event_seq; /* the number of the last watch event before the names were read */
} libxl__name_search;

/* Call the following functions with the context locked. */

/*
 * Starts a search. The caller keeps `name` valid until the search ends. If `keep` is true, names are kept for
 * later searches. `first` may be a batch of other requests, or NULL. These requests are sent together with
 * the search's first request. The search then owns this batch. Errors: NOMEM, FAIL, NO_XENSTORE, recorded in
 * ao.
 */
int libxl__name_search_start(libxl__ao *ao, libxl__name_search *search, const char *name, bool keep,
                             libxl__xs_batch *first);
/*
 * Called from the phase's poll. Returns LIBXL__AO_WAIT, 0, or an error that is recorded in ao. When this
 * function returns 0, *domid_out is the domid, or LIBXL_DOMID_INVALID if no domain has the name. A domain
 * that has the name during the whole search is found.
 */
int libxl__name_search_step(libxl__ao *ao, libxl__name_search *search, uint32_t *domid_out);

#endif
