/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Operations for core.c. The fuzzer's input chooses the actions of their phases. A phase can wait, fail, set
 * an alarm, report, or start nested operations and groups. When the input is used up, or `closing` is set,
 * each phase succeeds when it is called. Only one thread may use these operations.
 */
#ifndef FUZZ_PLAY_H
#define FUZZ_PLAY_H

#include "bytes.h"

#include "libxl_internal.h"

enum { PLAYS = 48, PLAY_PHASES = 4 };

/* One operation, whose argument is a pointer to this struct. The process aborts if the phases are called
 * in a wrong order. */
struct play {
    bool used;
    bool started;     /* true: an initiator has started the operation. */
    bool nested;      /* true: another operation runs this operation, so no completion is reported. */
    bool reported_to; /* true: libxl_ao_set_progress was called for the operation. */
    bool may_fail;    /* true: a phase has failed, or the operation was asked to stop. */
    bool synchronous; /* true: the call is synchronous, so its return is the completion. */
    int completions;
    /* The indexes of the phases that were started and undone last. -1: no phase was started. PLAY_PHASES:
     * no phase was undone. */
    int last_started, last_undone;
    /* The operation's record. NULL: the operation has ended, or has not begun. */
    libxl__ao *ao;
    libxl__ao *background;
};

extern struct plays {
    bytes input;
    bool closing;
    struct play all[PLAYS]; /* All plays. Each play is used for one operation. */
} plays;

/* Returns an unused play, or NULL if all plays have been used. */
struct play *play_new(void);
/* Returns the class that the next octet of the input chooses. */
const libxl__ao_class *play_class(void);

#endif
