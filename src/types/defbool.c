/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libxl_defbool: a boolean with a default. Owns nothing. These functions need no lock: any thread may call them. */
#include "_libxl_types_json.h"

#include <string.h>

#include "value_json.h"

static const char *const TRUE_WORD = "True", *const FALSE_WORD = "False", *const DEFAULT_WORD = "<default>";

void libxl_defbool_set(libxl_defbool *db, bool b)
{
    db->val = b ? 1 : -1;
}

void libxl_defbool_unset(libxl_defbool *db)
{
    db->val = 0;
}

void libxl_defbool_setdefault(libxl_defbool *db, bool b)
{
    if (libxl_defbool_is_default(*db))
        libxl_defbool_set(db, b);
}

bool libxl_defbool_is_default(libxl_defbool db)
{
    return !db.val;
}

bool libxl_defbool_val(libxl_defbool db)
{
    return db.val > 0;
}

const char *libxl_defbool_to_string(libxl_defbool b)
{
    return b.val > 0 ? TRUE_WORD : b.val < 0 ? FALSE_WORD : DEFAULT_WORD;
}

int libxl__defbool_gen_json(const libxl_defbool *p, json_object **out)
{
    return libxl__json_new_text(libxl_defbool_to_string(*p), out);
}

int libxl__defbool_parse_json(libxl_ctx *ctx, libxl_defbool *p, json_object *in)
{
    (void)ctx;
    const char *word = json_object_is_type(in, json_type_string) ? json_object_get_string(in) : "";
    if (strcmp(word, TRUE_WORD) == 0)
        libxl_defbool_set(p, true);
    else if (strcmp(word, FALSE_WORD) == 0)
        libxl_defbool_set(p, false);
    else if (strcmp(word, DEFAULT_WORD) == 0)
        libxl_defbool_unset(p);
    else
        return ERROR_INVAL;
    return 0;
}
