/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An index is a table of entries that have keys. It finds the oldest entry with a given key. The cost of
 * adding, removing and finding does not depend on the number of entries, or on the number of entries with the
 * same key. No function can fail. If there is no memory for a larger table, the index works more slowly.
 *
 * Call every function with the context locked. Any thread may call the functions. An entry belongs to its
 * user. The user removes the entry from the index before the entry's memory is freed.
 */
#ifndef LIBXL__INDEX_H
#define LIBXL__INDEX_H

#include <stdbool.h>
#include <stdint.h>

typedef struct libxl__index_link libxl__index_link;
struct libxl__index_link {
    libxl__index_link *next;          /* the oldest entry with another key */
    libxl__index_link *newer, *older; /* the neighbours in the ring of the entries with the same key */
};

typedef struct libxl__index {
    const uint64_t *(*key_of)(const libxl__index_link *link); /* Returns the key of an entry. */
    uint32_t words;                                           /* the number of words in a key: 1 or 2 */
    uint32_t count;                                           /* the number of entries in the index */
    /* `size`: the number of buckets in use. `room`: the number of buckets for which the array has room. */
    uint32_t size, room;
    uint32_t mask; /* the mask that maps a hash to a bucket: a power of 2 minus 1, and at least size - 1 */
    libxl__index_link **buckets, *first_buckets[16];
    /* Counts the entries that searches have visited; belongs to the user of the index. */
    uint64_t *steps;
} libxl__index;

/* Prepares an empty index. */
void libxl__index_open(libxl__index *index, const uint64_t *(*key_of)(const libxl__index_link *link),
                       uint32_t words, uint64_t *steps);
/* Forgets all entries and frees the memory. The index is empty then. */
void libxl__index_clear(libxl__index *index);
/* Adds an entry as the newest one with its key. The key must not change while the entry is in the index. */
void libxl__index_add(libxl__index *index, libxl__index_link *entry);
/* Removes an entry, which must be in the index. */
void libxl__index_remove(libxl__index *index, libxl__index_link *entry);
/* Returns the oldest entry with this key, or NULL. */
libxl__index_link *libxl__index_find(libxl__index *index, const uint64_t *key);

#endif
