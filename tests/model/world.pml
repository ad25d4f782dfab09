/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is not the caller: workers (src/core/worker.c), Xen, the clock. */

/* worker.c: a worker that takes jobs one by one */
proctype worker()
{
    byte me = THREADS, o = 0;
end:
    do
    :: atomic {
        ao[0].job == QUEUED && lock == NONE -> o = 0; ao[0].job = RUNNING
    } goto work
#if OPS > 1
    :: atomic {
        ao[1].job == QUEUED && lock == NONE -> o = 1; ao[1].job = RUNNING
    } goto work
#endif
    od;
work:
    skip; /* the work: not locked */
    atomic {
        take_lock();
        ao[o].job = ENDED;
        touch(o);
        ao[o].jobs = (ao[o].jobs -> ao[o].jobs - 1 : 0);
        ao_wake(o);
#ifndef FAULT_JOB_WAKES_NOBODY
        look_again = true;
#endif
        unlock()
    }
    goto end
}

#define happens(o)                                                                                           \
    :: registered[o] && !ready[o] -> ready[o] = true                                                         \
    :: limit[o] && (ao[o].kind == ENDLESS || ao[o].kind == UNWINDS) -> expired[o] = true; limit[o] = false

/* What operations wait for happens in the end, or their limit is reached. */
proctype xen()
{
end:
    do
    :: atomic {
        if
        happens(0)
#if OPS > 1
        happens(1)
#endif
        fi
    }
    od
}

