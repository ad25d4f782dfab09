/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the files of the drop-in share. The drop-in is this library under libxl's file name: libxenlight.so.4.17.
 * It has the objects of libaioxen, and the functions of this directory in place of those whose conventions
 * differ from libxl's. tools/dropin renames each replaced function libxl_NAME to aioxen_NAME.
 */
#ifndef LIBXL_DROPIN_H
#define LIBXL_DROPIN_H

#include "libxl_internal.h"

#include <json-c/json.h>
#include <yajl/yajl_gen.h>

/* libxl's number for a child that is not one of the library's. This library uses it for "started". */
#define LIBXL__DROPIN_UNKNOWN_CHILD (-14)

/* Returns libxl's number for the result of a function of this library. Any thread may call it. */
int libxl__dropin_rc(int rc);

/*
 * Writes that a program has called a function of libxl that this library does not have, once for each function,
 * to the standard error. Returns ERROR_NI. Any thread may call it.
 */
int libxl__dropin_missing(const char *name, bool *told);

/*
 * Repeats a value as calls of yajl. Any thread may call these functions, with a `hand` of its own. _text reads JSON
 * and frees `text`, which may be NULL. _word writes null if `word` is NULL. _object takes the caller's reference; if
 * `rc` is not 0 there is no object. A text that cannot be made or read gives yajl_gen_in_error_state.
 */
yajl_gen_status libxl__dropin_yajl_text(yajl_gen hand, char *text);
yajl_gen_status libxl__dropin_yajl_word(yajl_gen hand, const char *word);
yajl_gen_status libxl__dropin_yajl_object(yajl_gen hand, int rc, json_object *object);

/* The replaced functions, with this library's conventions. */
int aioxen_ctx_alloc(libxl_ctx **ctx_out, int version, unsigned flags, xentoollog_logger *logger);
int aioxen_childproc_reaped(libxl_ctx *ctx, pid_t pid, int status);

#endif
