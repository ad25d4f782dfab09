/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Compares two threads with one thread that does the same work. */
#ifndef RACE_H
#define RACE_H

/*
 * The type of a function that does the work `times` times, as thread 0 or thread 1. If `shared` is true, both
 * threads use one context. Otherwise each thread uses its own context.
 */
typedef void race_work(int thread, int shared, long times);

/*
 * Compares the work of two threads with the work of one thread in the same time. Prints the ratio with one
 * context as "shared", and the ratio with two contexts as "apart". The greatest possible ratio is 2.
 */
void race(race_work *work, long times);

#endif
