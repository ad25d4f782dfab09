/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Finds a queued event by its for_user without searching the queue. Made for applications that take events with the
 * predicate libxl_event_is_for.
 */
#ifndef LIBXL__EVENT_INDEX_H
#define LIBXL__EVENT_INDEX_H

#include <stdbool.h>
#include <stdint.h>

#include <libxl.h>

struct libxl__event_list;

/* Zero-initialised: there is no index, and adding and removing do nothing. */
typedef struct libxl__event_index {
    libxl_event **slots;  /* an open hash table; the events belong to the queue */
    uint32_t room, count; /* room is a power of 2 */
    bool useless;         /* too many events have one for_user: no index is made until the queue is empty */
} libxl__event_index;

/* Everything here: the context locked. */

/* Makes an index of all queued events, if it is useful and there is memory. Returns whether there is an index now. */
bool libxl__event_index_make(libxl__event_index *index, const struct libxl__event_list *queue);
void libxl__event_index_drop(libxl__event_index *index);

/* Adds an event, which is in `queue` already. Without memory the index is dropped. */
void libxl__event_index_add(libxl__event_index *index, const struct libxl__event_list *queue,
                            libxl_event *event);
void libxl__event_index_remove(libxl__event_index *index, const libxl_event *event);

/* Returns the oldest event with this for_user whose type's bit is in the mask, or NULL. */
libxl_event *libxl__event_index_find(const libxl__event_index *index, libxl_ev_user for_user,
                                     uint64_t typemask);

#endif
