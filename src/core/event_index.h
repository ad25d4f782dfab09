/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An index of the queued events by their for_user. It is made only for applications that take events with the predicate
 * libxl_event_is_for.
 *
 * Call every function with the context locked. Any thread may call it.
 */
#ifndef LIBXL__EVENT_INDEX_H
#define LIBXL__EVENT_INDEX_H

#include <stdbool.h>
#include <stdint.h>

#include <libxl.h>

struct libxl__event_list;

/* Zero-initialise it: there is no index then, and adding and removing do nothing. */
typedef struct libxl__event_index {
    libxl_event **slots;  /* an open-addressing hash table; NULL: no index */
    uint32_t room, count; /* slots, a power of 2; events */
    bool useless;         /* too many events share one for_user; no index is made until the queue is empty */
} libxl__event_index;

/* Makes an index of all queued events, unless it would be useless or memory runs out. Returns whether there is an index now. */
bool libxl__event_index_make(libxl__event_index *index, const struct libxl__event_list *queue);
/* Frees the index. An index may be made again afterwards. */
void libxl__event_index_drop(libxl__event_index *index);

/* Adds an event that is in `queue` already. Drops the index if memory runs out or it has become useless. */
void libxl__event_index_add(libxl__event_index *index, const struct libxl__event_list *queue,
                            libxl_event *event);
/* Removes an event, which must be in the index if there is one. */
void libxl__event_index_remove(libxl__event_index *index, const libxl_event *event);

/* Returns the oldest event with this for_user whose type is in the mask, or NULL. There must be an index. */
libxl_event *libxl__event_index_find(const libxl__event_index *index, libxl_ev_user for_user,
                                     uint64_t typemask);

#endif
