/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Groups: one nested operation for each element of an array, a bounded number at a time. The first error stops the rest.
 * A phase starts, polls and stops a group with the functions below; another group can undo what the members have done.
 */
#ifndef LIBXL__GROUP_H
#define LIBXL__GROUP_H

#include "nested.h"

/* Embed this in the parent's state; zero-initialise it, then set the members above the empty line. */
typedef struct libxl__group {
    const libxl__ao_class *cls; /* of the members */
    const char
        *name; /* of the array, as the application knows it: a member's message begins with NAME[INDEX] */
    void (*fill)(libxl__ao *parent, uint32_t index, void *args); /* sets a member's args before its start */
    uint32_t count;                                              /* of members; may be 0 */
    uint32_t width; /* the most members that run at a time; at least 1 */

    uint32_t started, ended;
    bool stopping;          /* no more members are started */
    int rc;                 /* the first error */
    libxl__nested *members; /* in the order of the array; in the parent's memory */
} libxl__group;

/* Call all of these with the context locked. */

/* Reserves the memory for all members. Errors: NOMEM. libxl__group_start does this where it has not been done. */
int libxl__group_reserve(libxl__ao *parent, libxl__group *group);

/* Starts as many members as may run. Returns as libxl__group_poll; NOMEM if the members have no memory. */
int libxl__group_start(libxl__ao *parent, libxl__group *group);

/*
 * Starts more members as others end. Returns LIBXL__AO_WAIT until all that were started have ended; then 0, or the first
 * error, with its message noted in the parent.
 */
int libxl__group_poll(libxl__ao *parent, libxl__group *group);

/* Starts no more members, and asks those that run to stop. libxl__group_poll still waits for them. */
void libxl__group_stop(libxl__group *group);

/* Whether the member at this index has ended with success. */
bool libxl__group_succeeded(const libxl__group *group, uint32_t index);

/* For nested.c: a member has ended. */
void libxl__group_member_ended(libxl__nested *member);

#endif
