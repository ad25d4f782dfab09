/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Makes allocations of the library fail. It replaces malloc, calloc, realloc, strdup, strndup and vasprintf in
 * the program that links it. Only calls from libaioxen itself are counted and fail; calls from libxenctrl and
 * other libraries always go through.
 */
#ifndef ALLOCATION_H
#define ALLOCATION_H

/* Makes the n-th allocation of the library from now on fail, once. 0: no allocation fails. Resets the count. */
void allocation_fail(unsigned n);
/* The same, but all allocations from the n-th on fail. */
void allocation_fail_from(unsigned n);
/* The number of allocations since the last call of one of these; counted only while one is to fail. */
unsigned allocations(void);

#endif
