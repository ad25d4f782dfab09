/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The types of a fixed number of octets: libxl_mac and libxl_ms_vm_genid. Also the JSON form of libxl_uuid. A
 * value of these types owns nothing. These functions need no lock: any thread may call them.
 */
#include "_libxl_types_json.h"

#include <stdio.h>
#include <string.h>

#include "value_json.h"

/* ---- MAC addresses. The JSON form is a string such as "00:16:3e:00:00:01". */

void libxl_mac_copy(libxl_ctx *ctx, libxl_mac *dst, const libxl_mac *src)
{
    (void)ctx;
    memcpy(*dst, *src, sizeof(*dst));
}

int libxl__mac_copy(libxl_ctx *ctx, libxl_mac *dst, const libxl_mac *src)
{
    libxl_mac_copy(ctx, dst, src);
    return 0;
}

int libxl__mac_gen_json(const libxl_mac *p, json_object **out)
{
    char text[LIBXL_MAC_FMTLEN + 1];
    snprintf(text, sizeof(text), LIBXL_MAC_FMT, LIBXL_MAC_BYTES(*p));
    return libxl__json_new_text(text, out);
}

int libxl__mac_parse_json(libxl_ctx *ctx, libxl_mac *p, json_object *in)
{
    uint8_t octets[6];
    char again[LIBXL_MAC_FMTLEN + 1];
    (void)ctx;
    if (!json_object_is_type(in, json_type_string) || json_object_get_string_len(in) != LIBXL_MAC_FMTLEN)
        return ERROR_INVAL;
    const char *text = json_object_get_string(in);
    if (sscanf(text, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx", &octets[0], &octets[1], &octets[2], &octets[3],
               &octets[4], &octets[5]) != 6)
        return ERROR_INVAL;
    /*
     * sscanf also accepts blanks and signs. So the octets are printed, and the printed text is compared with the
     * input.
     */
    snprintf(again, sizeof(again), LIBXL_MAC_FMT, LIBXL_MAC_BYTES(octets));
    if (strcasecmp(text, again) != 0)
        return ERROR_INVAL;
    memcpy(*p, octets, sizeof(octets));
    return 0;
}

/* ---- generation IDs. The JSON form is an array of 16 numbers. */

bool libxl_ms_vm_genid_is_zero(const libxl_ms_vm_genid *id)
{
    static const libxl_ms_vm_genid zero;
    return memcmp(id, &zero, sizeof(zero)) == 0;
}

void libxl_ms_vm_genid_copy(libxl_ctx *ctx, libxl_ms_vm_genid *dst, const libxl_ms_vm_genid *src)
{
    (void)ctx;
    *dst = *src;
}

int libxl__ms_vm_genid_copy(libxl_ctx *ctx, libxl_ms_vm_genid *dst, const libxl_ms_vm_genid *src)
{
    libxl_ms_vm_genid_copy(ctx, dst, src);
    return 0;
}

int libxl__ms_vm_genid_gen_json(const libxl_ms_vm_genid *p, json_object **out)
{
    *out = json_object_new_array();
    if (!*out)
        return ERROR_NOMEM;
    for (size_t i = 0; i < sizeof(p->bytes); i++)
        if (libxl__json_append(*out, json_object_new_int(p->bytes[i]))) {
            json_object_put(*out);
            *out = NULL;
            return ERROR_NOMEM;
        }
    return 0;
}

int libxl__ms_vm_genid_parse_json(libxl_ctx *ctx, libxl_ms_vm_genid *p, json_object *in)
{
    (void)ctx;
    if (!json_object_is_type(in, json_type_array) || json_object_array_length(in) != sizeof(p->bytes))
        return ERROR_INVAL;
    for (size_t i = 0; i < sizeof(p->bytes); i++) {
        json_object *element = json_object_array_get_idx(in, i);
        const int64_t value =
            json_object_is_type(element, json_type_int) ? json_object_get_int64(element) : -1;
        if (value < 0 || value > UINT8_MAX)
            return ERROR_INVAL;
        p->bytes[i] = (uint8_t)value;
    }
    return 0;
}

/* ---- features of processors. The JSON form is an array of eight numbers. */

void libxl_hwcap_copy(libxl_ctx *ctx, libxl_hwcap *dst, const libxl_hwcap *src)
{
    (void)ctx;
    memcpy(*dst, *src, sizeof(*dst));
}

int libxl__hwcap_copy(libxl_ctx *ctx, libxl_hwcap *dst, const libxl_hwcap *src)
{
    libxl_hwcap_copy(ctx, dst, src);
    return 0;
}

int libxl__hwcap_gen_json(const libxl_hwcap *p, json_object **out)
{
    *out = json_object_new_array();
    if (!*out)
        return ERROR_NOMEM;
    for (size_t i = 0; i < sizeof(*p) / sizeof(**p); i++)
        if (libxl__json_append(*out, json_object_new_int64((*p)[i]))) {
            json_object_put(*out);
            *out = NULL;
            return ERROR_NOMEM;
        }
    return 0;
}

int libxl__hwcap_parse_json(libxl_ctx *ctx, libxl_hwcap *p, json_object *in)
{
    const size_t count = sizeof(*p) / sizeof(**p);
    (void)ctx;
    if (!json_object_is_type(in, json_type_array) || json_object_array_length(in) != count)
        return ERROR_INVAL;
    for (size_t i = 0; i < count; i++) {
        json_object *element = json_object_array_get_idx(in, i);
        const int64_t value =
            json_object_is_type(element, json_type_int) ? json_object_get_int64(element) : -1;
        if (value < 0 || value > UINT32_MAX)
            return ERROR_INVAL;
        (*p)[i] = (uint32_t)value;
    }
    return 0;
}

/* ---- the JSON form of UUIDs: a string that libxl_uuid_from_string reads. uuid.c has the other functions. */

int libxl__uuid_gen_json(const libxl_uuid *p, json_object **out)
{
    char text[LIBXL_UUID_FMTLEN + 1];

    snprintf(text, sizeof(text), LIBXL_UUID_FMT, LIBXL_UUID_BYTES(*p));
    return libxl__json_new_text(text, out);
}

int libxl__uuid_parse_json(libxl_ctx *ctx, libxl_uuid *p, json_object *in)
{
    (void)ctx;
    if (!json_object_is_type(in, json_type_string) || json_object_get_string_len(in) != LIBXL_UUID_FMTLEN)
        return ERROR_INVAL;
    return libxl_uuid_from_string(p, json_object_get_string(in)) ? ERROR_INVAL : 0;
}
