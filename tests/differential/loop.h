/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An application's event loop. The library registers descriptors and timeouts with this loop. Only one
 * thread may use the loop. */
#ifndef LOOP_H
#define LOOP_H

#include <libxl.h>

/* The error that fd_register returns. 0: fd_register registers the descriptor. */
extern int loop_refusal;
extern const libxl_osevent_hooks loop_hooks;

/* Polls once, at most 5 s, and reports the occurrences to the library. */
void loop_step(libxl_ctx *ctx);

#endif
