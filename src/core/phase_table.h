/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The generated tables of phases. phase.h says how the functions are called. Owns: nothing; the tables are constant. */
#ifndef LIBXL__PHASE_TABLE_H
#define LIBXL__PHASE_TABLE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct libxl__ao libxl__ao;

typedef struct libxl__phase {
    const char *name;
    int (*start)(libxl__ao *ao, void *state); /* returns 0 (done), LIBXL__AO_WAIT or an error */
    int (*poll)(libxl__ao *ao, void *state);  /* returns as start; NULL: start never returns LIBXL__AO_WAIT */
    void (*stop)(libxl__ao *ao, void *state); /* begins to end the phase; NULL: the phase ends at once */
    int (*undo)(libxl__ao *ao, void *state);  /* as poll, or LIBXL__AO_CARRIED_OUT; NULL: nothing to undo */
    uint32_t limit_ms;                        /* how long the phase may take; 0: without limit */
    uint32_t stop_ms;                         /* how long the phase is polled after stop; 0: until it ends */
    uint32_t undo_ms;                         /* how long the undo may take; 0: without limit */
    int limit_rc; /* the error when limit_ms has passed; 0: no error, the next phase starts */
    bool commits;
} libxl__phase;

/* The generated description of one operation. */
typedef struct libxl__phases {
    const libxl__phase *list;
    uint16_t count;
    uint16_t state_size;
} libxl__phases;

#endif
