/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads a fuzzer's input octet by octet. When the input is used up, every read returns 0. Owns nothing.
 * Only one thread may use a struct bytes. */
#ifndef FUZZ_BYTES_H
#define FUZZ_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The function that libFuzzer, or support/replay.c, calls for each input. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct bytes {
    const uint8_t *at, *end;
} bytes;

static inline bool bytes_left(const bytes *b)
{
    return b->at < b->end;
}

static inline unsigned next_byte(bytes *b)
{
    return bytes_left(b) ? *b->at++ : 0;
}

/* Returns a number from 0 to `limit` - 1. The next octet of the input chooses the number. */
static inline unsigned next_below(bytes *b, unsigned limit)
{
    return next_byte(b) % limit;
}

#endif
