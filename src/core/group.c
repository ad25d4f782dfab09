/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: the state of a group. The members are nested operations in the parent's memory. The context's lock
 * guards both. A call of libxl__group_poll costs time for the members that it starts, not for all members.
 * Only libxl__group_stop visits all members.
 */
#include "libxl_internal.h"

#include <assert.h>

int libxl__group_reserve(libxl__ao *parent, libxl__group *group)
{
    assert(group->width);
    if (!group->members && group->count)
        group->members = libxl__gc_alloc(&parent->gc, group->count * sizeof(*group->members));
    return group->members || !group->count ? 0 : ERROR_NOMEM;
}

static void start_member(libxl__ao *parent, libxl__group *group)
{
    const uint32_t index = group->started;
    libxl__nested *member = &group->members[index];
    libxl__ao *child = libxl__nested_create(parent, member, group->cls);
    const int rc = child ? group->fill(group, index, child) : ERROR_NOMEM;
    if (rc) {
        group->rc = libxl__ao_fail(parent, rc, "%s[%u]: %s", group->name, index, libxl_error_describe(rc));
        if (child)
            libxl__source_stop(parent->ctx, &member->source); /* destroys the child, which was not started */
        libxl__group_stop(group);
        return;
    }
    member->group = group;
    member->index = index;
    group->started++;
    libxl__nested_start(member);
}

int libxl__group_start(libxl__ao *parent, libxl__group *group)
{
    const int rc = libxl__group_reserve(parent, group);
    return rc ? rc : libxl__group_poll(parent, group);
}

int libxl__group_poll(libxl__ao *parent, libxl__group *group)
{
    while (!group->stopping && group->started < group->count && group->started - group->ended < group->width)
        start_member(parent, group);
    return group->started > group->ended ? LIBXL__AO_WAIT : group->rc;
}

void libxl__group_stop(libxl__group *group)
{
    group->stopping = true;
    for (uint32_t i = 0; i < group->started; i++)
        if (group->members[i].child)
            libxl__ao_request_stop(group->members[i].child, ERROR_ABORTED);
}

void libxl__group_member_ended(libxl__nested *member)
{
    libxl__group *group = member->group;
    group->ended++;
    libxl__ao_count_group(member->child->parent, member->index, group->count);
    if (!member->rc || group->rc)
        return;
    group->rc = member->rc;
    if (!group->keeps_going)
        libxl__group_stop(group);
}
