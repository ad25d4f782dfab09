/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The hand-written libxl.h that the fixture's generated headers need: the basic types and the builtins. */
#ifndef LIBXL_H
#define LIBXL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LIBXL_DOMID_INVALID (~(uint32_t)0)
#define LIBXL_MEMKB_DEFAULT (~(uint64_t)0)

typedef struct libxl_ctx libxl_ctx;
typedef uint32_t libxl_domid;

typedef struct {
    unsigned char uuid[16];
} libxl_uuid;

typedef struct {
    void *next, *prev;
} libxl_ev_link;

typedef struct {
    size_t size;
    unsigned char *map;
} libxl_bitmap;

typedef char **libxl_string_list, **libxl_key_value_list;
typedef unsigned char libxl_mac[6];

void libxl_string_list_dispose(libxl_string_list *list);
void libxl_key_value_list_dispose(libxl_key_value_list *list);

void libxl_bitmap_init(libxl_bitmap *map);
void libxl_bitmap_dispose(libxl_bitmap *map);

typedef struct {
    int how;
} libxl_asyncop_how;

typedef struct {
    int how;
} libxl_asyncprogress_how;

const char *libxl_error_message(void);

#include <_libxl_types.h>
#include <_libxl_operations.h>

#endif
