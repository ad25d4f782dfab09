/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The container of a compressed stream (docs/compressed.md). It is a sequence of zstd's frames, so `zstd -d`
 * decompresses it to a file of `xl save`. The container's own headers are skippable frames (RFC 8878), which zstd
 * ignores. All numbers are little-endian.
 */
#ifndef AIOXEN_TRANSFER_CONTAINER_H
#define AIOXEN_TRANSFER_CONTAINER_H

#include <stddef.h>
#include <stdint.h>

enum { PART = 1 << 20 }; /* the greatest number of octets of the stream in one part */

#define CONTAINER_FRAME 0x184d2a5au /* the magic number of a skippable frame */
#define CONTAINER_MAGIC "aioxen saved domain"

/* The container begins with this header, which is as long as the magic of xl's header. */
typedef struct container_header {
    uint32_t frame;  /* CONTAINER_FRAME */
    uint32_t length; /* the size of the members below, in octets */
    char magic[20];
    uint32_t version; /* CONTAINER_VERSION */
} container_header;

enum { CONTAINER_VERSION = 1 };

/*
 * The header of a part. A frame of zstd with `size` octets follows. The container ends with a header whose `size` is
 * 0.
 */
typedef struct part_header {
    uint32_t frame;  /* CONTAINER_FRAME */
    uint32_t length; /* the size of the members below, in octets */
    uint32_t number; /* the number of the part, from 0 */
    uint32_t size;
    uint32_t crc; /* zlib's CRC-32 of the frame of zstd */
} part_header;

enum {
    CONTAINER_LENGTH = sizeof(container_header) - offsetof(container_header, magic),
    PART_LENGTH = sizeof(part_header) - offsetof(part_header, number),
};

#endif
