/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Stops a guest from another thread, while the caller waits for the guest's end. Only one thread may call the
 * functions. A failure ends the program.
 */
#ifndef STOPPER_H
#define STOPPER_H

#include <stdint.h>

/*
 * Starts a thread that shuts the guest down after 50 ms, with the reason poweroff. Call stopper_end before
 * the next call.
 */
void stopper_begin(uint32_t domid);
/* Joins the thread. Returns the time at which the thread made the hypercall, in ns of the monotonic clock. */
double stopper_end(void);

#endif
