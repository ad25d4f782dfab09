/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Functions that decide which domain belongs to a mark (marks.h). Call them with the context locked.
 *
 * A domain of another program may have the UUID of the mark. So the rules are: If the mark has a domid, its domain has this domid
 * and the UUID. If the mark says that the UUID is unique, its domain has the UUID. If the mark has neither, no domain belongs to
 * it, because its process has ended before it knew the domid. A domain whose tree in xenstore belongs to another toolstack
 * never belongs to a mark. A domain without a tree may belong to one, because a domain has no tree while it is built.
 */
#ifndef LIBXL__UNFINISHED_H
#define LIBXL__UNFINISHED_H

#include "ops.h"

#include <string.h>

/* Returns whether the mark allows that a domain with its UUID and this domid belongs to it. The caller also checks the tree. */
static inline bool libxl__mark_names(const libxl__mark *mark, uint32_t domid)
{
    return mark->domid == LIBXL__MARK_UNIQUE || mark->domid == domid;
}

/* Returns whether the tree /local/domain/N belongs to another toolstack. `tree` has read the value of this node. */
static inline bool libxl__tree_is_foreign(const libxl__xs_request *tree)
{
    const char *owner = libxl__xs_value(tree);
    return owner && strcmp(owner, LIBXL__TREE_OWNER) != 0;
}

#endif
