/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The form of the generated tables of phases. phase.h says how the functions are called. The tables are
 * constant.
 */
#ifndef LIBXL__PHASE_TABLE_H
#define LIBXL__PHASE_TABLE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct libxl__ao libxl__ao;

typedef struct libxl__phase {
    const char *name;
    int (*start)(libxl__ao *ao, void *state); /* returns 0 (done), LIBXL__AO_WAIT or an error */
    /* Returns 0, LIBXL__AO_WAIT or an error; NULL: `start` never returns LIBXL__AO_WAIT. */
    int (*poll)(libxl__ao *ao, void *state);
    void (*stop)(libxl__ao *ao, void *state); /* asks the phase to end; NULL: the phase ends at once */
    /* Returns 0, LIBXL__AO_WAIT, LIBXL__AO_CARRIED_OUT or an error; NULL: there is nothing to undo. */
    int (*undo)(libxl__ao *ao, void *state);
    uint32_t limit_ms; /* how long the phase may take; 0: no limit */
    /* How long the phase is polled after `stop`; 0: until it ends. */
    uint32_t stop_ms;
    uint32_t undo_ms; /* how long the undo may take; 0: no limit */
    /* The error of a phase that has taken limit_ms; 0: no error, the next phase starts. */
    int limit_rc;
    bool commits;
} libxl__phase;

/* The phases of one operation. */
typedef struct libxl__phases {
    const libxl__phase *list;
    uint16_t count;
    uint16_t state_size;
} libxl__phases;

#endif
