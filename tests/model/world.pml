/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The library's environment: workers (src/core/worker.c), Xen and the clock. */

/* worker.c: a worker that does one job after the other */
#define takes(x)                                                                                             \
    :: atomic { ao[x].job == QUEUED && lock == NONE -> o = x; ao[x].job = RUNNING } goto work

proctype worker()
{
    byte me = THREADS, o = 0;
end:
    do
    each(takes)
    od;
work:
    skip; /* the worker does the job without the lock */
    atomic {
        take_lock();
        ao[o].job = ENDED;
        touch(o);
        ao[o].jobs = (ao[o].jobs -> ao[o].jobs - 1 : 0);
        ao_wake(o);
#ifndef FAULT_JOB_WAKES_NO_THREAD
        look_again = true;
#endif
        unlock()
    }
    goto end
}

#define happens(o)                                                                                           \
    :: registered[o] && !ready[o] -> ready[o] = true                                                         \
    :: limit[o] && (ao[o].kind == ENDLESS || ao[o].kind == UNWINDS) -> expired[o] = true; limit[o] = false

/* The events that operations wait for happen eventually, or the time limit expires. */
proctype xen()
{
end:
    do
    :: atomic {
        if
        each(happens)
        fi
    }
    od
}

