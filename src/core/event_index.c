/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: the hash table, from libxl__event_index_make to libxl__event_index_drop. The events belong to the queue. The context's
 * lock guards both.
 *
 * The table uses linear probing and is at most a quarter full. Removing an event moves the following events of its
 * cluster, so the table needs no marks for removed events. Events with the same for_user stay in the order of the queue.
 */
#include "libxl_internal.h"

#include <stdlib.h>

/* The largest distance in slots from an event to its home slot. Beyond it, searching the queue is as fast. */
enum { FARTHEST = 128 };

static uint32_t home_of(const libxl__event_index *index, libxl_ev_user for_user)
{
    const uint64_t spread = for_user * 0x9E3779B97F4A7C15ull; /* 2^64 / golden ratio */
    return (uint32_t)(spread >> 32) & (index->room - 1);
}

static uint32_t next(const libxl__event_index *index, uint32_t slot)
{
    return (slot + 1) & (index->room - 1);
}

/* Returns false if all slots near the event's home are occupied. */
static bool put(libxl__event_index *index, libxl_event *event)
{
    uint32_t slot = home_of(index, event->for_user);
    for (int steps = 0; index->slots[slot]; steps++) {
        if (steps == FARTHEST)
            return false;
        slot = next(index, slot);
    }
    index->slots[slot] = event;
    index->count++;
    return true;
}

/* Replaces the table by one with `room` slots that holds all queued events. Returns false if there is no table now: memory has
 * run out, or the table would be useless. */
static bool make(libxl__event_index *index, const struct libxl__event_list *queue, uint32_t room)
{
    libxl_event *event;
    libxl__event_index_drop(index);
    index->slots = calloc(room, sizeof(libxl_event *));
    if (!index->slots)
        return false;
    index->room = room;
    TAILQ_FOREACH (event, queue, link)
        if (!put(index, event)) {
            libxl__event_index_drop(index);
            index->useless = true;
            return false;
        }
    return true;
}

bool libxl__event_index_make(libxl__event_index *index, const struct libxl__event_list *queue)
{
    uint32_t room = 64, count = 0;
    const libxl_event *event;
    if (index->useless)
        return false;
    TAILQ_FOREACH (event, queue, link)
        count++;
    while (room / 4 <= count)
        room *= 2;
    return make(index, queue, room);
}

void libxl__event_index_drop(libxl__event_index *index)
{
    if (!index->slots && !index->useless)
        return;
    free(index->slots);
    *index = (libxl__event_index){.slots = NULL};
}

void libxl__event_index_add(libxl__event_index *index, const struct libxl__event_list *queue,
                            libxl_event *event)
{
    if (!index->slots)
        return;
    if (index->count >= index->room / 4 || !put(index, event))
        make(index, queue, 2 * index->room);
}

void libxl__event_index_remove(libxl__event_index *index, const libxl_event *event)
{
    if (!index->slots)
        return;
    uint32_t hole = home_of(index, event->for_user);
    while (index->slots[hole] != event)
        hole = next(index, hole);
    /* An event behind the hole moves into it, unless its home lies between the hole and its slot. */
    for (uint32_t slot = next(index, hole); index->slots[slot]; slot = next(index, slot)) {
        const uint32_t home = home_of(index, index->slots[slot]->for_user);
        if (((slot - home) & (index->room - 1)) < ((slot - hole) & (index->room - 1)))
            continue;
        index->slots[hole] = index->slots[slot];
        hole = slot;
    }
    index->slots[hole] = NULL;
    index->count--;
}

libxl_event *libxl__event_index_find(const libxl__event_index *index, libxl_ev_user for_user,
                                     uint64_t typemask)
{
    libxl_event *event;
    for (uint32_t slot = home_of(index, for_user); (event = index->slots[slot]); slot = next(index, slot))
        if (event->for_user == for_user && libxl__event_wanted(event, typemask, NULL, NULL))
            return event;
    return NULL;
}
