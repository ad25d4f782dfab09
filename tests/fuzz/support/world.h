/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Makes the result of a run depend on its input alone. The target moves the clock, and chooses the
 * allocations that fail. WRAPPED in Makefile.inc lists functions of the C library. The linker replaces the
 * library's calls of these functions by calls of the functions in world.c. Only one thread may call these
 * functions.
 */
#ifndef FUZZ_WORLD_H
#define FUZZ_WORLD_H

#include <stdint.h>

/*
 * Starts a run: the clock is at its first value, and no allocation fails. `idle` is called when the library
 * polls without a limit while no descriptor is ready and no timer is armed. `idle` has to wake the library.
 * If the next poll also finds nothing, the process aborts, because the library would wait for ever.
 */
void world_begin(void (*idle)(void));
/* Moves the clock. Timers that have expired make their descriptors readable. */
void world_advance(uint64_t nanoseconds);
/* Makes one allocation fail. The next `after` allocations succeed, the following allocation fails, and all
 * later allocations succeed. */
void world_fail_allocation(unsigned after);
/* Lets all allocations succeed. */
void world_allow_allocations(void);

/*
 * The next connect() of the library succeeds, and its socket is then `fd`, which this call takes over. If `fd` is -1,
 * closes a socket that was not used, and the next connect() is the C library's.
 */
void world_connect(int fd);

/* If `condition` does not hold, ends the process with a message, as an assertion does. */
#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            world_fault(#condition, __FILE__, __LINE__);                                                     \
    } while (0)
_Noreturn void world_fault(const char *condition, const char *file, int line);

#endif
