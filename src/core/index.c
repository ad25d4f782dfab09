/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: the array of buckets. The entries belong to the users of the index. The context's lock guards both.
 *
 * A bucket is a list with one entry for each key. This entry is the oldest one with the key. The entries with
 * the same key form a ring, in order of age. The table grows by one bucket at a time (linear hashing),
 * because moving all entries at once takes long. The new bucket N takes entries from bucket N - P, where P is
 * the largest power of 2 that is not above N.
 */
#include "index.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_SIZE = sizeof(((libxl__index *)0)->first_buckets) / sizeof(libxl__index_link *) };

static libxl__index_link **bucket_of(libxl__index *index, const uint64_t *key)
{
    uint64_t mixed = index->words > 1 ? key[0] ^ key[1] : key[0];
    mixed *= 0x9E3779B97F4A7C15ull; /* 2^64 / golden ratio: distributes similar keys over the buckets */
    uint32_t bucket = (uint32_t)(mixed >> 32) & index->mask;
    if (bucket >= index->size)
        bucket &= index->mask >> 1;
    return &index->buckets[bucket];
}

/*
 * Returns a pointer to the link that points to the oldest entry with this key. If there is no such entry,
 * returns a pointer to the bucket's last link, which is NULL.
 */
static libxl__index_link **oldest(libxl__index *index, const uint64_t *key)
{
    libxl__index_link **link = bucket_of(index, key);
    for (; *link; link = &(*link)->next) {
        const uint64_t *other = index->key_of(*link);
        ++*index->steps;
        if (other[0] == key[0] && (index->words == 1 || other[1] == key[1]))
            break;
    }
    return link;
}

/* Makes room for one more bucket in the array. Returns true, or false if there is no memory. */
static bool make_room(libxl__index *index)
{
    if (index->size < index->room)
        return true;
    libxl__index_link **before = index->buckets == index->first_buckets ? NULL : index->buckets;
    libxl__index_link **larger = realloc(before, 2 * (size_t)index->room * sizeof(*larger));
    if (!larger)
        return false;
    if (!before)
        memcpy(larger, index->first_buckets, sizeof(index->first_buckets));
    index->buckets = larger;
    index->room *= 2;
    return true;
}

static void grow(libxl__index *index)
{
    if (!make_room(index))
        return; /* the index still works, but its buckets become longer */
    if (index->size > index->mask)
        index->mask = 2 * index->mask + 1;
    libxl__index_link **link = &index->buckets[index->size & index->mask >> 1],
                      **split = &index->buckets[index->size];
    *split = NULL;
    index->size++;
    while (*link) {
        libxl__index_link *entry = *link;
        if (bucket_of(index, index->key_of(entry)) != split) {
            link = &entry->next;
            continue;
        }
        *link = entry->next;
        entry->next = *split;
        *split = entry;
    }
}

void libxl__index_open(libxl__index *index, const uint64_t *(*key_of)(const libxl__index_link *link),
                       uint32_t words, uint64_t *steps)
{
    *index = (libxl__index){.key_of = key_of,
                            .words = words,
                            .size = FIRST_SIZE,
                            .room = FIRST_SIZE,
                            .mask = FIRST_SIZE - 1,
                            .steps = steps};
    index->buckets = index->first_buckets;
}

void libxl__index_clear(libxl__index *index)
{
    if (index->buckets != index->first_buckets)
        free(index->buckets);
    libxl__index_open(index, index->key_of, index->words, index->steps);
}

void libxl__index_add(libxl__index *index, libxl__index_link *entry)
{
    if (index->count >= index->size)
        grow(index);
    libxl__index_link **link = oldest(index, index->key_of(entry)), *first = *link;
    if (first) {
        entry->newer = first;
        entry->older = first->older;
        first->older->newer = entry;
        first->older = entry;
    } else {
        entry->newer = entry->older = entry;
        entry->next = NULL;
        *link = entry;
    }
    index->count++;
}

void libxl__index_remove(libxl__index *index, libxl__index_link *entry)
{
    libxl__index_link **link = oldest(index, index->key_of(entry));
    if (*link == entry) {
        const bool alone = entry->newer == entry;
        *link = alone ? entry->next : entry->newer;
        if (!alone)
            entry->newer->next = entry->next;
    }
    entry->older->newer = entry->newer;
    entry->newer->older = entry->older;
    index->count--;
}

libxl__index_link *libxl__index_find(libxl__index *index, const uint64_t *key)
{
    return *oldest(index, key);
}
