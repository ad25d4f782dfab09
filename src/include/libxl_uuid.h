/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libxl_uuid: the UUID of a domain. Included by libxl.h.
 *
 * The functions allocate no memory, take no lock and call no callbacks. Any thread may call them.
 */
#ifndef LIBXL_UUID_H
#define LIBXL_UUID_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The type of a context, which libxl.h describes. It is declared here because libxl.h includes this file
 * first, as in libxl.
 */
typedef struct libxl__ctx libxl_ctx;

/* 16 octets in big-endian order. If all octets are zero, the UUID is nil: it identifies no domain. */
typedef struct {
    unsigned char uuid[16];
} libxl_uuid;

/* For printf: printf("%s " LIBXL_UUID_FMT, text, LIBXL_UUID_BYTES(uuid)). */
#define LIBXL_UUID_FMT                                                                                       \
    "%02hhx%02hhx%02hhx%02hhx-%02hhx%02hhx-%02hhx%02hhx-%02hhx%02hhx-%02hhx%02hhx%02hhx%02hhx%02hhx%02hhx"
/* The number of characters that LIBXL_UUID_FMT prints. */
#define LIBXL_UUID_FMTLEN 36
#define LIBXL__UUID_BYTES(u)                                                                                 \
    u[0], u[1], u[2], u[3], u[4], u[5], u[6], u[7], u[8], u[9], u[10], u[11], u[12], u[13], u[14], u[15]
#define LIBXL_UUID_BYTES(arg) LIBXL__UUID_BYTES((arg).uuid)

/* Sets all octets to zero. */
void libxl_uuid_clear(libxl_uuid *uuid);

/*
 * Both do the same as libxl_uuid_clear. They exist because every type of this library has an init and a
 * dispose function.
 */
void libxl_uuid_init(libxl_uuid *uuid);
void libxl_uuid_dispose(libxl_uuid *uuid);

/* Returns 1 if all octets are zero, otherwise 0. */
int libxl_uuid_is_nil(const libxl_uuid *uuid);

/*
 * Makes a random UUID (RFC 4122, version 4). If the system returns no random numbers, sets all octets to zero
 * and errno to the cause.
 */
void libxl_uuid_generate(libxl_uuid *uuid);

/*
 * Reads 32 hexadecimal digits, with or without the four dashes. Returns 0, or -1 if the text has another
 * form. After an error *uuid is unchanged.
 */
int libxl_uuid_from_string(libxl_uuid *uuid, const char *text);

/* Copies *src to *dst. `ctx` is not used and may be NULL. */
void libxl_uuid_copy(libxl_ctx *ctx, libxl_uuid *dst, const libxl_uuid *src);

/* Compares the UUIDs octet by octet. Returns a negative number, 0 or a positive number, as memcmp does. */
int libxl_uuid_compare(const libxl_uuid *a, const libxl_uuid *b);

/* Return a pointer to the 16 octets of *uuid. */
const uint8_t *libxl_uuid_bytearray_const(const libxl_uuid *uuid);
uint8_t *libxl_uuid_bytearray(libxl_uuid *uuid);

/* In libxl 4.4 and older libxl_uuid_copy had no context. */
#if defined(LIBXL_API_VERSION) && LIBXL_API_VERSION < 0x040500
static inline void libxl_uuid_copy_0x040400(libxl_uuid *dst, const libxl_uuid *src)
{
    libxl_uuid_copy(NULL, dst, src);
}
#define libxl_uuid_copy libxl_uuid_copy_0x040400
#endif

#ifdef __cplusplus
}
#endif

#endif /* LIBXL_UUID_H */
