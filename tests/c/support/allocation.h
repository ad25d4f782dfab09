/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Makes allocations of the library fail. This file replaces malloc, calloc, realloc, strdup, strndup and
 * vasprintf in the program that links it. Only calls from libaioxen itself are counted and fail; calls from
 * libxenctrl and other libraries always go through.
 */
#ifndef ALLOCATION_H
#define ALLOCATION_H

/* Makes the n-th allocation of the library from now on fail, once. 0: no allocation fails. Resets
 * the count. */
void allocation_fail(unsigned n);
/* Like allocation_fail(), but all allocations from the n-th on fail. */
void allocation_fail_from(unsigned n);
/* Returns the number of allocations by the library since the last call of allocation_fail() or
 * allocation_fail_from(). The library's allocations are counted only while an allocation is set to fail. */
unsigned allocations(void);

#endif
