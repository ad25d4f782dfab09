/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Finding a queued event by its for_user without a search: for whoever takes them by libxl_event_is_for. */
#ifndef LIBXL__EVENT_INDEX_H
#define LIBXL__EVENT_INDEX_H

#include <stdbool.h>
#include <stdint.h>

#include <libxl.h>

struct libxl__event_list;

/* All zero: there is none, and adding and removing do nothing. */
typedef struct libxl__event_index {
    libxl_event **places; /* an open hash table; the events are the queue's */
    uint32_t room, count; /* room is a power of 2 */
    bool useless;         /* too many events with one for_user: the queue is as good; until it is empty */
} libxl__event_index;

/* Everything here: the context locked. */

/* Makes one of all that are queued, if it is useful and there is memory for it; whether there is one now. */
bool libxl__event_index_make(libxl__event_index *index, const struct libxl__event_list *queue);
void libxl__event_index_drop(libxl__event_index *index);

/* An event is queued; `queue`: with it. The index may be dropped. */
void libxl__event_index_add(libxl__event_index *index, const struct libxl__event_list *queue,
                            libxl_event *event);
void libxl__event_index_remove(libxl__event_index *index, const libxl_event *event);

/* The oldest with this for_user whose type's bit is in the mask, or NULL. */
libxl_event *libxl__event_index_find(const libxl__event_index *index, libxl_ev_user for_user,
                                     uint64_t typemask);

#endif
