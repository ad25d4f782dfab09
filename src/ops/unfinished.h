/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which domain belongs to a mark (marks.h). Call the functions with the context locked.
 *
 * A domain of another program may have the UUID of the mark. If the mark has a domid, the domain must have this domid
 * and the UUID. If the UUID is unique, the domain must have the UUID. If the mark has neither, its process has ended
 * before it knew of a domain, and no domain belongs to the mark. A domain whose tree in xenstore is another toolstack's
 * never belongs to a mark. A domain without a tree may, because a domain has no tree while it is built.
 */
#ifndef LIBXL__UNFINISHED_H
#define LIBXL__UNFINISHED_H

#include "ops.h"

#include <string.h>

/* Returns whether a domain that has the mark's UUID and this domid belongs to the mark, as far as the mark tells. */
static inline bool libxl__mark_names(const libxl__mark *mark, uint32_t domid)
{
    return mark->domid == LIBXL__MARK_UNIQUE || mark->domid == domid;
}

/* Returns whether the tree /local/domain/N, which `tree` has read, is another toolstack's. */
static inline bool libxl__tree_is_foreign(const libxl__xs_request *tree)
{
    const char *owner = libxl__xs_value(tree);
    return owner && strcmp(owner, LIBXL__TREE_OWNER) != 0;
}

#endif
