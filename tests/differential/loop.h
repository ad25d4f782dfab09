/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An application's own loop, which the library registers its descriptors and timeouts with. One thread. */
#ifndef LOOP_H
#define LOOP_H

#include <libxl.h>

/* What fd_register answers instead of registering; 0: it registers. */
extern int loop_answer;
extern const libxl_osevent_hooks loop_hooks;

/* Waits for one thing, at most 5 s, and tells the library. */
void loop_step(libxl_ctx *ctx);

#endif
