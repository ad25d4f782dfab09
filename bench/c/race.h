/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Compares two threads with one thread that does the same work. */
#ifndef RACE_H
#define RACE_H

/*
 * Does the work `times` times, as thread 0 or 1. If `shared` is true, both threads use one context, otherwise each
 * uses its own.
 */
typedef void race_work(int thread, int shared, long times);

/*
 * Prints how much more work two threads do than one in the same time, as "shared" and "apart". 2 is the maximum.
 */
void race(race_work *work, long times);

#endif
