/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The interface to the measured event loops: this library's core (core.c), libuv (uv.c), GLib (glib.c). libxl's own
 * loop cannot be driven from outside. A program has one loop and one thread. A failure ends the program.
 */
#ifndef LOOP_H
#define LOOP_H

#include <stdint.h>

/* The number of callbacks so far. */
extern long loop_calls;

/* Opens the loop, for at most `most` descriptors and timers. */
void loop_open(long most);
/* Watches a descriptor for reading. The callback only counts. */
void loop_watch(int fd);
/* Registers a timer of `delay` ns. The callback only counts. */
void loop_timer(uint64_t delay);
/* Runs one iteration of the loop: calls the callbacks of all ready descriptors and expired timers. Never blocks. */
void loop_pass(void);

#endif
