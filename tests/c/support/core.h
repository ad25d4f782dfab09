/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Helpers for tests of the core's internals. They use a context that has the core alone, without a
 * hypervisor. Any thread may call these functions. Each function fails the test on an error.
 */
#ifndef CORE_H
#define CORE_H

#include "harness.h"

#include "libxl_internal.h"

libxl_ctx *core_open(void);
/* Closes the context. Fails the test if a timer or a descriptor is left. */
void core_close(libxl_ctx *ctx);

/* Caller holds the lock. Runs the loop until *done is not 0. Fails the test after 50 s. */
void core_run(libxl_ctx *ctx, const int *done);
/* Caller holds the lock. Runs the loop for `milliseconds`. */
void core_run_for(libxl_ctx *ctx, unsigned milliseconds);

/* Defines the table ID_phases with one phase. `function` both starts and polls the phase. `state_type` is
 * the type of the phase's state. */
#define CORE_PHASE(id, function, state_type)                                                                 \
    static const libxl__phase id##_phase = {.name = "only", .start = (function), .poll = (function)};        \
    static const libxl__phases id##_phases = {                                                               \
        .list = &id##_phase, .count = 1, .state_size = sizeof(state_type)}

/* Defines the class ID_class with one phase. The functions ID_start and ID_poll run the phase.
 * `state_type` is the type of its state. */
#define CORE_CLASS(id, state_type)                                                                           \
    static const libxl__phase id##_phase = {.name = #id, .start = id##_start, .poll = id##_poll};            \
    static const libxl__phases id##_phases = {                                                               \
        .list = &id##_phase, .count = 1, .state_size = sizeof(state_type)};                                  \
    static const libxl__ao_class id##_class = {                                                              \
        .name = #id, .phases = &id##_phases, .args_size = sizeof(void *), .slow = true}

/* Starts an operation of a class, as a generated initiator does. Returns the initiator's result. `user` is
 * the operation's argument. */
int core_begin(libxl_ctx *ctx, const libxl__ao_class *cls, void *user, const libxl_asyncop_how *how);
/* Like core_begin(), but the operation completes by an event whose for_user is `for_event`. */
int core_start(libxl_ctx *ctx, const libxl__ao_class *cls, uint64_t for_event, void *user);
/* Returns the `user` that was passed to core_begin() or core_start(). The operation's functions call this. */
void *core_user(libxl__ao *ao);
/* Waits for the next completion event. Returns its rc; stores its for_user in *for_event, which may
 * be NULL. */
int core_result(libxl_ctx *ctx, uint64_t *for_event);

/* Processes the context if its descriptor is readable. Returns whether it was readable. */
bool core_continue(libxl_ctx *ctx);

/* Returns whether the sweeps include an operation. They do if AIOXEN_SWEEP_ONLY, an environment variable with
 * a list of operation names, is not set or has the operation's name. */
bool core_selects(const libxl__ao_class *cls);

/* Forks, and returns how many descriptors the child has after libxl__ctx_postfork(). */
int core_left_after_fork(libxl_ctx *ctx);

#endif
