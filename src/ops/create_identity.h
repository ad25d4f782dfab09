/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The name and the UUID of a domain that is created, and its mark (marks.h). Call all functions with the context locked.
 */
#ifndef LIBXL__CREATE_IDENTITY_H
#define LIBXL__CREATE_IDENTITY_H

#include "ops.h"

/* Embed this in the creation's state; zero-initialise it. */
typedef struct libxl__create_identity {
    libxl__creation creation;
    libxl__name_search namesake;
    libxl__xs_batch *unmark; /* removes the mark; reserved before the mark is written */
    libxl__xs_batch *remark; /* writes the mark anew, with the domid; NULL: the mark needs no domid */
    bool marked, remarked;   /* the mark was sent to xenstored, without the domid and with it */
} libxl__create_identity;

/*
 * Sets build->uuid: a random UUID if none is given. Claims the name and the UUID among the context's creations. Errors,
 * recorded in ao: DOMAIN_EXISTS (another domain or creation has the UUID, or another creation has the name), FAIL and those
 * of libxl__hv_find.
 */
int libxl__identity_claim(libxl__ao *ao, libxl__create_identity *identity, libxl__build *build,
                          const libxl_domain_create_info *info);
/*
 * Writes the mark, and starts to search for a domain that has the name. Sets build->announce. Continue with
 * libxl__identity_poll. Errors: NOMEM and those of libxl__name_search_start.
 */
int libxl__identity_mark(libxl__ao *ao, libxl__create_identity *identity, libxl__build *build,
                         const libxl_domain_create_info *info);
/* Returns LIBXL__AO_WAIT, then 0. Errors, recorded in ao: DOMAIN_EXISTS and those of libxl__name_search_step. */
int libxl__identity_poll(libxl__ao *ao, libxl__create_identity *identity,
                         const libxl_domain_create_info *info);
/* Adds the domid to the mark. If that fails, the creation continues, although its domain cannot be found by the mark. */
void libxl__identity_mark_domid(libxl__create_identity *identity, const libxl__build *build);

#endif
