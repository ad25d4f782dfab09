/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Threads that do the same, beside one that does it alone. */
#ifndef RACE_H
#define RACE_H

/* Does something `times` times, as thread 0 or 1, with what is shared by both or with what is its own. */
typedef void race_work(int thread, int shared, long times);

/*
 * Says how much more two threads do in the same time than one: "shared" and "apart". 2 would be all that can
 * be had.
 */
void race(race_work *work, long times);

#endif
