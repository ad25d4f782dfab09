/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Stops a guest from another thread, while the caller waits for its end. One thread; a failure ends the program. */
#ifndef STOPPER_H
#define STOPPER_H

#include <stdint.h>

/* Shuts the guest down, with the reason poweroff, 50 ms later. One guest at a time. */
void stopper_begin(uint32_t domid);
/* Joins the thread; returns the time of the hypercall, in ns of the monotonic clock. */
double stopper_end(void);

#endif
