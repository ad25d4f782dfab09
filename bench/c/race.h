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
 * Measures how much work two threads do in the time in which one thread does its work. Prints this as a
 * multiple of the work of one thread: "shared" with one context, "apart" with two contexts. The greatest
 * possible number is 2.
 */
void race(race_work *work, long times);

#endif
