/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The JSON functions of hand-written types. Owns: nothing. No lock: any thread may call these. */
#include "_libxl_types_json.h"

#include <stdio.h>

int libxl__uuid_gen_json(const libxl_uuid *p, json_object **out)
{
    char text[LIBXL_UUID_FMTLEN + 1];

    snprintf(text, sizeof(text), LIBXL_UUID_FMT, LIBXL_UUID_BYTES(*p));
    *out = json_object_new_string(text);
    return *out ? 0 : ERROR_NOMEM;
}

int libxl__uuid_parse_json(libxl_ctx *ctx, libxl_uuid *p, json_object *in)
{
    (void)ctx;
    if (!json_object_is_type(in, json_type_string) || json_object_get_string_len(in) != LIBXL_UUID_FMTLEN)
        return ERROR_INVAL;
    return libxl_uuid_from_string(p, json_object_get_string(in)) ? ERROR_INVAL : 0;
}
