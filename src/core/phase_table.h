/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The generated tables of phases. phase.h says how the functions are called. Owns: nothing; the tables are constant. */
#ifndef LIBXL__PHASE_TABLE_H
#define LIBXL__PHASE_TABLE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct libxl__ao libxl__ao;

typedef struct libxl__phase {
    const char *name;
    int (*start)(libxl__ao *ao, void *state); /* 0: done; LIBXL__AO_WAIT; or an error */
    int (*poll)(libxl__ao *ao, void *state);  /* the same; NULL: start never returns LIBXL__AO_WAIT */
    void (*stop)(libxl__ao *ao,
                 void *state); /* asked to stop: begins to end the phase. NULL: it is left at once */
    int (*undo)(
        libxl__ao *ao,
        void *state);  /* 0, LIBXL__AO_WAIT, LIBXL__AO_CARRIED_OUT or an error; NULL: nothing to undo */
    uint32_t limit_ms; /* how long the phase may take; 0: without limit */
    uint32_t stop_ms;  /* how long it is polled after stop; 0: until it ends */
    uint32_t undo_ms;  /* how long undo is awaited; 0: until it ends */
    int limit_rc;      /* the error when limit_ms has passed; 0: then the next phase starts */
    bool commits;
} libxl__phase;

/* The generated description of one operation. */
typedef struct libxl__phases {
    const libxl__phase *list;
    uint16_t count;
    uint16_t state_size;
} libxl__phases;

#endif
