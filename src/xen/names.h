/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Finding the living domain that has a name. The name is in xenstore, /local/domain/N/name, which only toolstacks write.
 * xenstore has no index of names, so a search reads the names of all domains that are not kept (kept_names.h).
 */
#ifndef LIBXL__NAMES_H
#define LIBXL__NAMES_H

#include "ao.h"
#include "xs.h"

/* A search. Embed this in the operation's state; libxl__name_search_start sets it up. */
typedef struct libxl__name_search {
    const char *name;
    bool keep;
    enum { LIBXL__NAMES_CATCHING_UP, LIBXL__NAMES_READING } phase;
    libxl__xs_batch *batch;
    struct libxl__name_read *reads; /* in the operation's memory */
    uint32_t count;
    uint32_t domid;     /* the domain that has the name; LIBXL_DOMID_INVALID: not found so far */
    uint64_t event_seq; /* the number of the last watch event when reading began */
} libxl__name_search;

/* Call both functions with the context locked. */

/*
 * Starts a search. The caller keeps `name` valid until the search ends. `keep`: more searches are likely, so names are kept.
 * `first`: a batch whose requests are sent with the first ones of the search, which owns it from now on; NULL: none.
 * Errors: NOMEM, FAIL, NO_XENSTORE, recorded in ao.
 */
int libxl__name_search_start(libxl__ao *ao, libxl__name_search *search, const char *name, bool keep,
                             libxl__xs_batch *first);
/*
 * Call this from the phase's poll. Returns LIBXL__AO_WAIT; 0 and the domid, LIBXL_DOMID_INVALID if there is no such
 * domain; or an error, recorded in ao. A domain that has the name from the start of the search to its end is found.
 */
int libxl__name_search_step(libxl__ao *ao, libxl__name_search *search, uint32_t *domid_out);

#endif
