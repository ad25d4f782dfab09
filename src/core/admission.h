/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Admissions limit the number of operations that do something at the same time. The other operations wait,
 * and are admitted in the order in which they asked.
 *
 * Call all functions with the context locked. Any thread may call them. A libxl__admissions belongs to its
 * user and must outlive the operations that ask for admission.
 */
#ifndef LIBXL__ADMISSION_H
#define LIBXL__ADMISSION_H

#include "ao.h"

typedef struct libxl__admission libxl__admission;
TAILQ_HEAD(libxl__admission_list, libxl__admission);

typedef struct libxl__admissions {
    /*
     * The greatest number of operations that may be admitted at the same time, and the number that are
     * admitted now.
     */
    uint32_t most, count;
    /*
     * The list of the admitted operations, and the list of the waiting operations. The oldest is first in
     * each list.
     */
    struct libxl__admission_list inside, waiting;
} libxl__admissions;

/*
 * One operation's request for admission, and the admission itself. Embed this structure in the operation's
 * state; zero-initialise it.
 */
struct libxl__admission {
    /*
     * This source fires when a waiting operation is admitted. Stopping the source ends the admission or the
     * wait.
     */
    libxl__source source;
    libxl__admissions *admissions;
    bool granted;
    TAILQ_ENTRY(libxl__admission) link;
};

/* Sets the maximum number of admitted operations. Called once, while the context is created. */
void libxl__admissions_open(libxl__admissions *admissions, uint32_t most);

/*
 * Asks for admission. admission->granted says whether the operation is admitted at once. The admission ends
 * when the operation ends or when the source is stopped.
 */
void libxl__admission_ask(libxl__ao *ao, libxl__admissions *admissions, libxl__admission *admission);

#endif
