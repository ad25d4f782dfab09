/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Groups: one nested operation for each element of an array. The nested operations are the group's members. A
 * bounded number of members run at the same time. The first error stops the other members, unless
 * `keeps_going` is set. A phase starts, polls and stops a group with the functions below. To undo what the
 * members have done, the parent can run another group.
 */
#ifndef LIBXL__GROUP_H
#define LIBXL__GROUP_H

#include "nested.h"

/*
 * A group. Embed this in the parent's state; zero-initialise it. Then set the members above the empty line.
 */
typedef struct libxl__group libxl__group;
struct libxl__group {
    const libxl__ao_class *cls; /* the class of the members' operations */
    /* The public name of the array. A message about a member begins with NAME[INDEX]. */
    const char *name;
    /*
     * Sets a member's args before the member's start. child->parent is the parent. Returns 0 or an error of
     * the class.
     */
    int (*fill)(const libxl__group *group, uint32_t index, libxl__ao *child);
    const void *context; /* the caller's data for `fill` */
    uint32_t count;      /* the number of members, which may be 0 */
    bool keeps_going;    /* an input: the error of a member does not stop the other members */
    uint32_t width;      /* the number of members that may run at the same time; at least 1 */

    uint32_t started, ended;
    bool stopping;          /* the group starts no more members */
    int rc;                 /* the first error of a member; 0: no member has failed */
    libxl__nested *members; /* an array in the parent's memory, in the order of the elements */
};

/* Call the following functions with the context locked. */

/* Reserves the memory for all members. Errors: NOMEM. A call is optional, because libxl__group_start reserves the
 * memory, too. */
int libxl__group_reserve(libxl__ao *parent, libxl__group *group);

/*
 * Starts as many members as may run at the same time. Returns the same values as libxl__group_poll. Returns
 * NOMEM if there is no memory for the members.
 */
int libxl__group_start(libxl__ao *parent, libxl__group *group);

/*
 * Starts further members in place of members that have ended. Returns LIBXL__AO_WAIT until all started
 * members have ended. Then returns 0, or the first error of a member. The error's message is recorded in the
 * parent.
 */
int libxl__group_poll(libxl__ao *parent, libxl__group *group);

/*
 * Starts no more members, and asks the running members to stop. libxl__group_poll still waits until they have
 * ended.
 */
void libxl__group_stop(libxl__group *group);

/* Counts a member that has ended. If the member has failed, stops the group. Called by nested.c. */
void libxl__group_member_ended(libxl__nested *member);

#endif
