/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Decides during a save of a running guest when the guest is suspended. Reports how much of its memory is saved.
 * Call all functions with the context locked.
 */
#ifndef LIBXL__PRECOPY_H
#define LIBXL__PRECOPY_H

#include "ao_report.h"
#include "transfer_messages.h"

/* The copying of one guest's memory while the guest runs. Embed this in the operation's state. */
typedef struct libxl__precopy {
    uint32_t most_rounds, downtime_ms; /* as in libxl_save_policy, with the defaults set */
    uint64_t pages;                    /* the number of the domain's pages */
    uint64_t counted;                  /* the pages sent, as libxenguest counts them */
    uint64_t since; /* the time of the last change of `counted`, in ns, monotonic; 0: no round has begun */
    libxl__copying seen; /* the progress that was reported last */
} libxl__precopy;

/*
 * Initialises the structure with this policy; NULL: the defaults. `pages` is the number of the domain's pages.
 */
void libxl__precopy_begin(libxl__precopy *precopy, const libxl_save_policy *policy, uint64_t pages);
/*
 * Handles a message ROUND, and reports the progress. Returns the value for the answer, the message POLICY: 1 if
 * the guest must be suspended now, else 0.
 */
int libxl__precopy_decide(libxl__ao *ao, libxl__precopy *precopy, const libxl__transfer_message *round);

#endif
