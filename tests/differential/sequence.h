/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Declarations that the files with sequences share. */
#ifndef SEQUENCE_H
#define SEQUENCE_H

#include <libxl.h>

#define MASK(type) ((uint64_t)1 << LIBXL_EVENT_TYPE_##type)

/* The context of the sequence that runs. */
extern libxl_ctx *ctx;

/* Returns the `how` of an operation that completes with an event. */
libxl_asyncop_how event_how(uint64_t user);
/* Prints an event. `domid` is the domid that the event should have. */
void say_event(const libxl_event *event, uint32_t domid);
/* Waits for an event, prints it and frees it. */
void wait_event(uint64_t mask, uint32_t domid);
/* Looks for an event once. If there is one, prints it and frees it. */
void check_event(uint64_t mask, libxl_event_predicate *predicate, void *user);

/* The sequences of sequence_loops.c. */
void poll_loop(void);
void event_hook(void);
void fd_register_refuses(void);
void application_loop(void);
void application_loop_and_abort(void);
void children(void);

#endif
