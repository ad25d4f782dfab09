/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libxl_json.h: exists because programs for libxl include it.
 *
 * The JSON functions of each type, libxl_T_to_json and libxl_T_from_json, are declared by libxl.h, as in
 * libxl. What libxl declares here in addition are its generators for the yajl library (libxl_T_gen_json).
 * This library has none of them and does not use yajl: see docs/libxl.md.
 */
#ifndef LIBXL_JSON_H
#define LIBXL_JSON_H

#include <libxl.h>

#endif /* LIBXL_JSON_H */
