/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the files of the drop-in share. The drop-in is this library under libxl's file name: libxenlight.so.4.17. It
 * has the objects of libaioxen. For functions whose conventions differ from libxl's, it has the functions of this
 * directory instead. tools/dropin renames each replaced function libxl_NAME to aioxen_NAME.
 */
#ifndef LIBXL_DROPIN_H
#define LIBXL_DROPIN_H

#include "json_common.h"
#include "libxl_internal.h"

#include <json-c/json.h>
#include <yajl/yajl_gen.h>

/*
 * libxl's error number for a child process that the library has not started. In this library, -14 is
 * ASYNC_INPROGRESS.
 */
#define LIBXL__DROPIN_UNKNOWN_CHILD (-14)

/* Returns libxl's number for the result of a function of this library. Any thread may call it. */
int libxl__dropin_rc(int rc);

/*
 * Reports on the standard error that a program has called a libxl function that this library does not have.
 * Reports each function once. Returns ERROR_NI. Any thread may call it.
 */
int libxl__dropin_missing(const char *name, bool *told);

/*
 * Write a value by calls of yajl. Any thread may call these functions; two threads must not use the same `hand` at
 * the same time. _struct reads and frees `text`, the JSON text of a value of this type; `text` NULL: there was no
 * memory for the text. _word writes null if `word` is NULL. _object releases the caller's reference to the object;
 * if `rc` is not 0, there is no object. The functions return yajl_gen_in_error_state if there is no value to write.
 */
yajl_gen_status libxl__dropin_yajl_struct(yajl_gen hand, const libxl__json_type *type, char *text);
yajl_gen_status libxl__dropin_yajl_word(yajl_gen hand, const char *word);
yajl_gen_status libxl__dropin_yajl_object(yajl_gen hand, int rc, json_object *object);

/*
 * Converts `text`, the JSON text of a value of this type, to libxl's layout, and frees `text`. The caller
 * frees the result. Returns NULL if `text` is NULL or there is no memory. Any thread may call it.
 */
char *libxl__dropin_layout(const libxl__json_type *type, char *text);

/*
 * libaioxen's functions libxl_NAME, which the drop-in has under the names aioxen_NAME. The drop-in's own functions
 * libxl_NAME have libxl's conventions and call them. The comments of libxl_NAME in the public headers say who may
 * call each function, and its errors.
 */
int aioxen_ctx_alloc(libxl_ctx **ctx_out, int version, unsigned flags, xentoollog_logger *logger);
int aioxen_childproc_reaped(libxl_ctx *ctx, pid_t pid, int status);
int aioxen_device_disk_add(libxl_ctx *ctx, uint32_t domid, const libxl_device_disk *disk,
                           const libxl_asyncop_how *how);

#endif
