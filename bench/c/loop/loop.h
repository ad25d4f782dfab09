/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What an event loop does, once for each loop that is measured: this library's core (core.c), libuv (uv.c),
 * GLib (glib.c). libxl's own loop cannot be driven from outside. One loop; one thread. What fails ends the
 * program.
 */
#ifndef LOOP_H
#define LOOP_H

#include <stdint.h>

/* How often a callback has been called, whichever. */
extern long loop_calls;

/* Room for so many descriptors and timers. */
void loop_open(long most);
/* Watches one for reading; its callback only counts. */
void loop_watch(int fd);
/* Has a callback, that only counts, called in so many ns. */
void loop_timer(uint64_t delay);
/* One pass: what is ready is called; never blocks. */
void loop_pass(void);

#endif
