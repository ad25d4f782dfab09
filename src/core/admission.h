/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Admissions: a bounded number of operations at a time may do something; the others wait, first come, first served.
 *
 * Call all functions with the context locked. Any thread may call them. A libxl__admissions belongs to its user and outlives the
 * operations that ask it.
 */
#ifndef LIBXL__ADMISSION_H
#define LIBXL__ADMISSION_H

#include "ao.h"

typedef struct libxl__admission libxl__admission;
TAILQ_HEAD(libxl__admission_list, libxl__admission);

typedef struct libxl__admissions {
    uint32_t most, count;                         /* the operations inside: at most, now */
    struct libxl__admission_list inside, waiting; /* first in, first out */
} libxl__admissions;

/* An operation's admission, which is a source of it. Embed this in the operation's state; zero-initialise it. */
struct libxl__admission {
    libxl__source
        source; /* fires when the admission is granted; stopping it ends the admission or the wait */
    libxl__admissions *admissions;
    bool granted;
    TAILQ_ENTRY(libxl__admission) link;
};

/* Sets the number of operations at a time. Called once, while the context is created. */
void libxl__admissions_open(libxl__admissions *admissions, uint32_t most);

/*
 * Asks for admission; admission->granted says whether the operation is admitted at once. The admission ends with the operation,
 * or when its source is stopped.
 */
void libxl__admission_ask(libxl__ao *ao, libxl__admissions *admissions, libxl__admission *admission);

/* The admission that was granted next after this one, which is granted; NULL: there is none that has not ended. */
libxl__admission *libxl__admission_next(const libxl__admission *admission);

#endif
