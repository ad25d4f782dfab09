/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Functions that decide which domain belongs to a mark (marks.h). Call them with the context locked.
 *
 * A domain of another program may have the UUID of a mark. So there are four rules. A domain whose UUID is the
 * mark's handle belongs to the mark. A domain with the mark's domid and the mark's UUID belongs to the mark. A
 * domain whose tree in xenstore belongs to another toolstack never belongs to a mark, except that of a soft reset. A domain without a tree
 * may belong to a mark, because a domain has no tree while it is built.
 */
#ifndef LIBXL__UNFINISHED_H
#define LIBXL__UNFINISHED_H

#include "ops.h"

#include <string.h>

/* Returns whether the hypervisor has this UUID for the domain. */
static inline bool libxl__has_handle(const xc_domaininfo_t *info, const libxl_uuid *uuid)
{
    return memcmp(info->handle, uuid->uuid, sizeof(info->handle)) == 0;
}

/*
 * Returns whether the domain may belong to the mark of the UUID `uuid`. The caller must also check the domain's
 * tree.
 */
static inline bool libxl__mark_names(const libxl__mark *mark, const libxl_uuid *uuid,
                                     const xc_domaininfo_t *info)
{
    return (!libxl_uuid_is_nil(&mark->handle) && libxl__has_handle(info, &mark->handle)) ||
           (mark->domid == info->domain && libxl__has_handle(info, uuid));
}

/*
 * Returns whether the guest of a domain has run. No creation lets the guest run before the domain is complete.
 * domain_receive lets it run before it removes the mark. So such a domain is not unfinished, even if it has a mark.
 */
static inline bool libxl__has_run(const xc_domaininfo_t *info)
{
    return !(info->flags & (XEN_DOMINF_paused | XEN_DOMINF_dying)) || info->cpu_time;
}

/*
 * Returns whether the domain of a mark is complete after all. The guest of a soft reset has run before, and is
 * stopped or paused until its reset is complete.
 */
static inline bool libxl__is_complete(const libxl__mark *mark, const xc_domaininfo_t *info)
{
    return mark->resets ? !(info->flags & (XEN_DOMINF_paused | XEN_DOMINF_shutdown | XEN_DOMINF_dying))
                        : libxl__has_run(info);
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
