/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: the table. Guarded by the context's lock. Linear probing, at most a quarter full; what is removed is closed
 * up behind, so that events with the same for_user stay in their order.
 */
#include "libxl_internal.h"

#include <stdlib.h>

enum { FARTHEST = 128 };

static uint32_t home_of(const libxl__event_index *index, libxl_ev_user for_user)
{
    const uint64_t spread = for_user * 0x9E3779B97F4A7C15ull; /* 2^64 / golden ratio */
    return (uint32_t)(spread >> 32) & (index->room - 1);
}

static uint32_t next(const libxl__event_index *index, uint32_t place)
{
    return (place + 1) & (index->room - 1);
}

/* false: too far from its home. */
static bool put(libxl__event_index *index, libxl_event *event)
{
    uint32_t place = home_of(index, event->for_user);
    for (int steps = 0; index->places[place]; steps++) {
        if (steps == FARTHEST)
            return false;
        place = next(index, place);
    }
    index->places[place] = event;
    index->count++;
    return true;
}

/* In place of what there was, which is gone if this fails. */
static bool make(libxl__event_index *index, const struct libxl__event_list *queue, uint32_t room)
{
    libxl_event *event;
    libxl__event_index_drop(index);
    index->places = calloc(room, sizeof(libxl_event *));
    if (!index->places)
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
    if (!index->places && !index->useless)
        return;
    free(index->places);
    *index = (libxl__event_index){.places = NULL};
}

void libxl__event_index_add(libxl__event_index *index, const struct libxl__event_list *queue,
                            libxl_event *event)
{
    if (!index->places)
        return;
    if (index->count >= index->room / 4 || !put(index, event))
        make(index, queue, 2 * index->room);
}

void libxl__event_index_remove(libxl__event_index *index, const libxl_event *event)
{
    if (!index->places)
        return;
    uint32_t hole = home_of(index, event->for_user);
    while (index->places[hole] != event)
        hole = next(index, hole);
    /* Whoever stands behind, and is not at home between the hole and itself, moves up. */
    for (uint32_t place = next(index, hole); index->places[place]; place = next(index, place)) {
        const uint32_t home = home_of(index, index->places[place]->for_user);
        if (((place - home) & (index->room - 1)) < ((place - hole) & (index->room - 1)))
            continue;
        index->places[hole] = index->places[place];
        hole = place;
    }
    index->places[hole] = NULL;
    index->count--;
}

libxl_event *libxl__event_index_find(const libxl__event_index *index, libxl_ev_user for_user,
                                     uint64_t typemask)
{
    libxl_event *event;
    for (uint32_t place = home_of(index, for_user); (event = index->places[place]);
         place = next(index, place))
        if (event->for_user == for_user && libxl__event_wanted(event, typemask, NULL, NULL))
            return event;
    return NULL;
}
