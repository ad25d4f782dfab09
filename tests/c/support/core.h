/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The core alone, without a hypervisor: for tests that look inside. One thread, unless a test makes more. */
#ifndef CORE_H
#define CORE_H

#include "harness.h"

#include "libxl_internal.h"

libxl_ctx *core_open(void);
/* Everything must have ended; fails the test otherwise. */
void core_close(libxl_ctx *ctx);

/* Locked: lets the loop work until *done is not 0, at most 50 s, then fails the test. */
void core_run(libxl_ctx *ctx, const int *done);
/* Locked: lets it work for so long. */
void core_run_for(libxl_ctx *ctx, unsigned milliseconds);

/* What an initiator of this class does, and returns: in any of a scene's ways. The args are `user`. */
int core_begin(libxl_ctx *ctx, const libxl__ao_class *cls, void *user, const libxl_asyncop_how *how);
/* The same with an event of this number. */
int core_start(libxl_ctx *ctx, const libxl__ao_class *cls, uint64_t for_event, void *user);
/* The argument that a body was started with. */
void *core_user(libxl__ao *ao);
/* Waits for an operation's event; its rc, and its number in *for_event (may be NULL). */
int core_result(libxl_ctx *ctx, uint64_t *for_event);

/* How many descriptors the child of a fork has once it has given its copy of the context up. */
int core_left_after_fork(libxl_ctx *ctx);

#endif
