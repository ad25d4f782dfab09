/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Functions that decide which domain belongs to a mark (marks.h). Call them with the context locked.
 *
 * A domain of another program may have the UUID of a mark. So there are five rules. If the mark has a domid,
 * the mark's domain is the domain with this domid and this UUID. If the mark says that the UUID is unique,
 * the mark's domain is the domain with this UUID. If the mark has neither, no domain belongs to the mark,
 * because the mark's process has ended before it knew the domid. A domain whose tree in xenstore belongs to
 * another toolstack never belongs to a mark. A domain without a tree may belong to a mark, because a domain
 * has no tree while it is built.
 */
#ifndef LIBXL__UNFINISHED_H
#define LIBXL__UNFINISHED_H

#include "ops.h"

#include <string.h>

/*
 * Returns whether a domain with the mark's UUID and this domid may belong to the mark. The caller must also
 * check the domain's tree.
 */
static inline bool libxl__mark_names(const libxl__mark *mark, uint32_t domid)
{
    return mark->domid == LIBXL__MARK_UNIQUE || mark->domid == domid;
}

/*
 * Returns whether the tree /local/domain/N belongs to another toolstack. `tree` is the request that has read
 * the value of this node.
 */
static inline bool libxl__tree_is_foreign(const libxl__xs_request *tree)
{
    const char *owner = libxl__xs_value(tree);
    return owner && strcmp(owner, LIBXL__TREE_OWNER) != 0;
}

#endif
