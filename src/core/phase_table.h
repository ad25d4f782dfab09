/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The types of the generated tables of phases. The tables are constant. phase.h says how phase.c calls the functions
 * in a table.
 */
#ifndef LIBXL__PHASE_TABLE_H
#define LIBXL__PHASE_TABLE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct libxl__ao libxl__ao;

typedef struct libxl__phase {
    const char *name;
    /* Starts the phase. Returns 0 (the phase is done), LIBXL__AO_WAIT or an error. */
    int (*start)(libxl__ao *ao, void *state);
    /*
     * Checks whether a waiting phase is done. Returns 0, LIBXL__AO_WAIT or an error. NULL: `start` never
     * returns LIBXL__AO_WAIT.
     */
    int (*poll)(libxl__ao *ao, void *state);
    /*
     * Asks the phase to end, after a stop request or at the end of limit_ms. NULL: the phase ends at once in these
     * cases.
     */
    void (*stop)(libxl__ao *ao, void *state);
    /*
     * Undoes the phase. Returns 0, LIBXL__AO_WAIT, LIBXL__AO_CARRIED_OUT or an error. NULL: there is nothing
     * to undo.
     */
    int (*undo)(libxl__ao *ao, void *state);
    uint32_t limit_ms; /* the time that the phase may take, in ms; 0: no limit */
    /* The time for which the phase is polled after `stop`, in ms; 0: until the phase ends. */
    uint32_t stop_ms;
    uint32_t undo_ms; /* the time that the undo may take, in ms; 0: no limit */
    /* The error of a phase that does not end within limit_ms; 0: no error, the next phase starts. */
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
