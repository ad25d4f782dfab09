/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The hand-written functions of libxl_uuid. Owns nothing. Any thread may call these functions, with or
 * without the context's lock.
 */
#include <libxl.h>

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

void libxl_uuid_init(libxl_uuid *uuid)
{
    memset(uuid, 0, sizeof(*uuid));
}

void libxl_uuid_clear(libxl_uuid *uuid)
{
    libxl_uuid_init(uuid);
}

const uint8_t *libxl_uuid_bytearray_const(const libxl_uuid *uuid)
{
    return uuid->uuid;
}

uint8_t *libxl_uuid_bytearray(libxl_uuid *uuid)
{
    return uuid->uuid;
}

void libxl_uuid_dispose(libxl_uuid *uuid)
{
    libxl_uuid_init(uuid);
}

int libxl_uuid_is_nil(const libxl_uuid *uuid)
{
    static const libxl_uuid nil;
    return libxl_uuid_compare(uuid, &nil) == 0;
}

void libxl_uuid_generate(libxl_uuid *uuid)
{
    /* The result of getrandom is all octets or an error, because the kernel fills up to 256 octets at once. */
    ssize_t got;
    do
        got = getrandom(uuid->uuid, sizeof(uuid->uuid), 0);
    while (got < 0 && errno == EINTR);
    if (got < 0) {
        libxl_uuid_init(uuid);
        return;
    }
    uuid->uuid[6] = (uuid->uuid[6] & 0x0f) | 0x40; /* sets the version to 4 (random) */
    uuid->uuid[8] = (uuid->uuid[8] & 0x3f) | 0x80; /* sets the variant to that of RFC 4122 */
}

int libxl_uuid_from_string(libxl_uuid *uuid, const char *text)
{
    libxl_uuid parsed;
    for (size_t i = 0; i < sizeof(parsed.uuid); i++) {
        unsigned octet;
        if (*text == '-' && (i == 4 || i == 6 || i == 8 || i == 10))
            text++;
        if (!isxdigit((unsigned char)text[0]) || !isxdigit((unsigned char)text[1]))
            return -1;
        sscanf(text, "%2x", &octet);
        parsed.uuid[i] = (unsigned char)octet;
        text += 2;
    }
    if (*text)
        return -1;
    *uuid = parsed;
    return 0;
}

void libxl_uuid_copy(libxl_ctx *ctx, libxl_uuid *dst, const libxl_uuid *src)
{
    (void)ctx;
    *dst = *src;
}

int libxl_uuid_compare(const libxl_uuid *a, const libxl_uuid *b)
{
    return memcmp(a->uuid, b->uuid, sizeof(a->uuid));
}
