/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A program written for libxl. */
#ifndef LIBXL_CALLS_H
#define LIBXL_CALLS_H

#include <libxl.h>

/*
 * Calls every function that libxl and this library have, as a program for libxl does. `domid` is a guest that
 * runs; it does not exist any more afterwards. Returns NULL, or the condition that did not hold.
 */
const char *libxl_calls(libxl_ctx *ctx, uint32_t domid);
/* The same of the types of a domain's configuration. */
const char *libxl_config_calls(libxl_ctx *ctx);

#endif
