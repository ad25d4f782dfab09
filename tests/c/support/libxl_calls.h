/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A program written for libxl. */
#ifndef LIBXL_CALLS_H
#define LIBXL_CALLS_H

#include <libxl.h>

/*
 * Calls every function that both libxl and this library have, like a program for libxl. `domid` is a running guest;
 * the calls destroy it. Returns NULL, or the condition that did not hold.
 */
const char *libxl_calls(libxl_ctx *ctx, uint32_t domid);
/* Calls the functions of the types of a domain's configuration. Returns NULL, or the condition that did not hold. */
const char *libxl_config_calls(libxl_ctx *ctx);

#endif
