/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The interface to the measured event loops. core.c has the loop of this library's core, uv.c has libuv, and
 * glib.c has GLib. A program cannot drive libxl's own loop. A program has one loop and one thread. A failure
 * ends the program.
 */
#ifndef LOOP_H
#define LOOP_H

#include <stdint.h>

/* The number of callbacks so far. */
extern long loop_calls;

/* Opens the loop. The loop can have at most `most` descriptors and timers. */
void loop_open(long most);
/* Watches a descriptor for reading. The callback only counts. */
void loop_watch(int fd);
/* Registers a timer of `delay` ns. The callback only counts. */
void loop_timer(uint64_t delay);
/* Runs one iteration of the loop. The iteration calls the callbacks of all ready descriptors and expired
 * timers. Never blocks. */
void loop_pass(void);

#endif
