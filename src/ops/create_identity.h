/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The name, the UUID and the mark (marks.h) of a domain that is being created. Call all functions with the
 * context locked.
 */
#ifndef LIBXL__CREATE_IDENTITY_H
#define LIBXL__CREATE_IDENTITY_H

#include "ops.h"

/*
 * The identity of the domain that the operation creates. Embed this in the creation's state; zero-initialise
 * it.
 */
typedef struct libxl__create_identity {
    libxl__creation creation;
    libxl__name_search namesake;
    /* A second name that no other domain may have, because the domain gets it later; NULL: none. */
    const char *later;
    bool searches_later; /* the search is for the name `later` */
    /* Reads the mark of an earlier creation with the same UUID; NULL: the mark was read, or need not be read. */
    libxl__xs_batch *former;
    const libxl__xs_request *request; /* the only request of the batch `former` */
    libxl__xs_batch *unmark;          /* removes the mark (marks.h); reserved before the mark is written */
    /* Writes the mark a second time, with the domid; NULL: the domain is made with its UUID. */
    libxl__xs_batch *remark;
    bool keeps;    /* the domain exists already, so it may have the name itself */
    bool marked;   /* the mark without the domid was sent to xenstored */
    bool remarked; /* the mark with the domid was sent to xenstored */
} libxl__create_identity;

/*
 * Sets build->uuid to the configuration's UUID, or to a random UUID if the configuration has none. Sets build->handle
 * to a random UUID. If the configuration has no UUID, build->uuid and build->handle are the same. Adds the creation
 * to the context's creations (creations.h). Errors, recorded in ao: DOMAIN_EXISTS (another domain or creation has the
 * UUID, or another creation has the name), FAIL and those of libxl__hv_find.
 */
int libxl__identity_claim(libxl__ao *ao, libxl__create_identity *identity, libxl__build *build,
                          const libxl_domain_create_info *info);
/*
 * Like libxl__identity_claim, for the existing domain build->domid, which keeps its UUID. The caller has set
 * build->uuid and build->handle.
 */
int libxl__identity_keep(libxl__ao *ao, libxl__create_identity *identity, const libxl__build *build,
                         const libxl_domain_create_info *info);
/*
 * Writes the mark, and starts to search for a domain that has the name. If the configuration has a UUID, or the domain
 * exists, first reads the mark that another operation has written for this UUID. Continue with libxl__identity_poll.
 * Errors: NOMEM and those of libxl__name_search_start.
 */
int libxl__identity_mark(libxl__ao *ao, libxl__create_identity *identity, const libxl__build *build,
                         const libxl_domain_create_info *info);
/*
 * Returns LIBXL__AO_WAIT until the mark is written and the search has ended. Then returns 0 or an error.
 * Errors, recorded in ao: DOMAIN_EXISTS (a domain has the name, another process creates a domain with the UUID, or an
 * unfinished domain will get the UUID), BUSY (after libxl__identity_keep: another process resets the domain) and those of
 * libxl__name_search_step.
 */
int libxl__identity_poll(libxl__ao *ao, libxl__create_identity *identity, const libxl__build *build,
                         const libxl_domain_create_info *info);
/* Returns whether the domain is made with a random UUID, and gets the UUID of the configuration afterwards. */
static inline bool libxl__identity_comes_later(const libxl__build *build)
{
    return libxl_uuid_compare(&build->handle, &build->uuid) != 0;
}
/*
 * Adds the domid of the made domain to the mark, and then gives the domain the configuration's UUID. Returns
 * LIBXL__AO_WAIT until the domain has its UUID. Errors, recorded in ao: DOMAIN_EXISTS (another program has made a
 * domain with this UUID since libxl__identity_claim), those of libxl__xs_result and libxl__hv_set_handle.
 */
int libxl__identity_give_uuid(libxl__ao *ao, libxl__create_identity *identity, libxl__build *build);

#endif
