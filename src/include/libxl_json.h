/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libxl_json.h: this header exists because programs for libxl include it.
 *
 * As in libxl, libxl.h declares the JSON functions of each type, libxl_T_to_json and libxl_T_from_json.
 * libxl's libxl_json.h also declares generators for the yajl library (libxl_T_gen_json). This library does
 * not use yajl and has no such generators; see docs/libxl.md.
 */
#ifndef LIBXL_JSON_H
#define LIBXL_JSON_H

#include <libxl.h>

#endif /* LIBXL_JSON_H */
