/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Guests that stop by themselves, as far as whoever waits for it can see. One thread; what fails ends the program. */
#ifndef STOPPER_H
#define STOPPER_H

#include <stdint.h>

/* The guest is shut down, as with power off, when the caller has been asleep for a while. One at a time. */
void stopper_begin(uint32_t domid);
/* After it has stopped: when Xen was told so, in ns of the monotonic clock. */
double stopper_end(void);

#endif
