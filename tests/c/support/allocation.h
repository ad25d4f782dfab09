/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Makes allocations of the library fail: a program that links this has its malloc, calloc, realloc, strdup,
 * strndup and vasprintf. Only calls that come from libaioxen itself count; what its own libraries do in such
 * a case is their affair.
 */
#ifndef ALLOCATION_H
#define ALLOCATION_H

/* The n-th allocation of the library from now on fails, once; 0: none. */
void allocation_fail(unsigned n);
/* How many there were since. */
unsigned allocations(void);

#endif
