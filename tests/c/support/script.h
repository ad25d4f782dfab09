/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An operation for unit tests of the driver. A script says what each phase does. The operation's `user` is a
 * struct script. The test owns the struct script, which must outlive the operation. Any thread may call the
 * functions below. They take the context's lock.
 */
#ifndef SCRIPT_H
#define SCRIPT_H

#include "core.h"

enum { SCRIPT_PHASES = 3 };

struct script {
    struct part {
        bool waits;         /* true: start and poll return LIBXL__AO_WAIT until `open` is set. */
        bool open;          /* true: the phase may end. */
        bool opens_on_stop; /* true: the stop function sets `open`. */
        bool undo_waits;    /* true: undo returns LIBXL__AO_WAIT until `undo_open` is set. */
        bool undo_open;
        bool extends; /* true: poll and undo move the deadline while they wait. */
        int rc;       /* The result of the phase. */
        int undo_rc;
        const char *message, *undo_message; /* The error messages of the phase and its undo. May be NULL. */
    } part[SCRIPT_PHASES];
    libxl__ao *ao;
    /*
     * The calls so far, with two characters for each call. The first character is the phase: a, b or c. The
     * second is + for start, . for a poll that ended the phase, ! for stop, or - for an undo that ended.
     */
    char trace[64];
    int polls; /* The number of calls of poll and undo that returned LIBXL__AO_WAIT. */
};

/* Declares the functions of phase a, b or c. */
#define SCRIPT_DECLARE(name)                                                                                 \
    int script_start_##name(libxl__ao *ao, void *state), script_poll_##name(libxl__ao *ao, void *state);     \
    void script_stop_##name(libxl__ao *ao, void *state);                                                     \
    int script_undo_##name(libxl__ao *ao, void *state)
SCRIPT_DECLARE(a);
SCRIPT_DECLARE(b);
SCRIPT_DECLARE(c);

/* Makes a row of a table of phases. Examples: PHASE(a), PHASE(b, .undo = script_undo_b, .undo_ms = 20). */
#define PHASE(letter, ...)                                                                                   \
    {                                                                                                        \
        .name = #letter, .start = script_start_##letter, .poll = script_poll_##letter, __VA_ARGS__           \
    }
/* Makes the phase with index `i` wait. Use this in the initialiser of a script. */
#define WAITS_IN(i)  .part[i] = {.waits = true}
#define UNDO(letter) .undo = script_undo_##letter
#define STOP(letter) .stop = script_stop_##letter

/* Defines a class of operations with these phases. */
#define SCRIPT_CLASS(class_name, ...)                                                                        \
    static const libxl__phase class_name##_list[] = {__VA_ARGS__};                                           \
    static const libxl__phases class_name##_phases = {.list = class_name##_list,                             \
                                                      .count = sizeof(class_name##_list) /                   \
                                                               sizeof(*class_name##_list),                   \
                                                      .state_size = sizeof(int)};                            \
    static const libxl__ao_class class_name = {                                                              \
        .name = #class_name, .phases = &class_name##_phases, .args_size = sizeof(void *), .slow = true}

/* Starts an operation of this class in the scene's way. */
#define SCRIPT_START(s, cls, p) START(s, core_begin, (s)->ctx, &(cls), (p), how)

/* Opens the phase with this index, or the phase's undo, and wakes the operation. */
void script_open(libxl_ctx *ctx, struct script *p, int index);
void script_open_undo(libxl_ctx *ctx, struct script *p, int index);
void script_wake(libxl_ctx *ctx, struct script *p);
/* Asks the operation to stop; `why` is the reason. */
void script_stop(libxl_ctx *ctx, struct script *p, int why);
/* Waits at most 10 s until the script's trace equals `trace`. */
void script_reach(scene *s, struct script *p, const char *trace);
/* Fails the test unless the operation ends with this result and this trace. */
void script_ends(op *o, const struct script *p, int rc, const char *trace);

#endif
