/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* src/core/ao.c, and the waking of src/core/event.c. Each part that runs under the lock is one step. */

/* ---- ao.c: ending */

inline destroy(o)
{
    touch(o);
    /* no list or pointer refers to the record */
    assert(!ao[o].runnable && !ao[o].queued_completion && !ao[o].live && !ao[o].indexed && !ao[o].jobs);
    assert(!ao[o].reports && !registered[o] && !limit[o] && ao[o].waiter == NONE);
    ao[o].alive = false
}

inline release_work(o)
{
    registered[o] = false;
    ready[o] = false;
#ifndef FAULT_FAILED_START_STAYS_RUNNABLE
    ao[o].runnable = false;
#endif
    limit[o] = false;
    expired[o] = false;
    ao[o].indexed = false
}

/* deliver.c */
inline deliver_completion(o)
{
#ifdef FAULT_QUEUE_NOT_INITIALISED
    assert(false);
#endif
    ao[o].queued_completion = true
}

/* Wakes one waiter that sleeps. Threads that run application code check the queue of events when they
 * return. */
inline event_occurred(o)
{
    queued[o] = true;
#ifndef FAULT_EVENT_WAKES_NO_WAITER
    w = 0;
    do
    :: w == THREADS -> break
    :: w < THREADS && waits_for(w, o) && !waiter[w].woken ->
        waiter_wake(w);
#ifdef FAULT_BUSY_WAITER_CHOSEN
        break;
#else
        if
        :: leader == w || waiter[w].following -> break
        :: else -> w++
        fi
#endif
    :: else -> w++
    od;
    w = 0
#endif
}

/* The end of a background operation. It clears its starter's handle, so that the starter knows of the end. */
inline background_ended(o)
{
    assert(!handle_freed); /* the handle's memory still exists */
#ifndef FAULT_HANDLE_KEPT
    handle = false;
#endif
    notifications[o]++;
    destroy(o)
}

inline notify(o)
{
#ifdef FAULT_NOTIFIED_UNLOCKED
    ao[o].notified = ao[o].how != CALLBACK;
#else
    ao[o].notified = true;
#endif
    if
#ifdef NESTED
    :: ao[o].how == CHILD -> nested_ended(o)
#endif
    :: ao[o].how == BACKGROUND -> background_ended(o)
    :: ao[o].how == SYNC && ao[o].waiter != NONE -> waiter_wake(ao[o].waiter)
    :: ao[o].how == CALLBACK || ao[o].how == HOOKED -> deliver_completion(o)
    :: ao[o].how == EVENT -> event_occurred(o)
#ifdef FAULT_EVENT_ALLOCATED_LATE
    :: ao[o].how == EVENT -> destroy(o) /* no memory for the completion event */
#endif
    :: else -> skip
    fi
}

#define is_live(o) ao[o].live

inline finish(o)
{
    touch(o);
    assert(!ao[o].complete);
    release_work(o);
    ao[o].complete = true;
    ao[o].live = false;
    if
    :: closing && !any(is_live) -> waiter_wake(0) /* wakes the thread that waits for aos.drained */
    :: else -> skip
    fi;
    if
    :: !ao[o].reports -> notify(o)
    :: else -> skip /* the completion is notified after the last report was delivered */
    fi
}

inline ao_complete(o)
{
    assert(!ao[o].complete && !ao[o].ending);
    ao[o].ending = true;
    ao[o].error = result == ERROR;
    registered[o] = false;
    stop_children(o);
    if
#ifdef FAULT_COMPLETED_BEFORE_JOBS
    :: true -> ao[o].jobs = 0; finish(o)
#endif
    :: !ao[o].jobs -> finish(o)
    :: else -> skip
    fi
}

/* ---- ao.c: starting and running */

inline report(o)
{
    undelivered[o]++;
#ifdef FAULT_REPORT_OVERTAKEN
    uncounted_reports[o]++
#else
    ao[o].reports++;
    ao[o].queued_reports++
#endif
}

inline submit(o)
{
    ao[o].job = QUEUED;
    ao[o].jobs++
}

/* The end of a body that succeeds, perhaps with a report just before it. */
inline body_done(o)
{
    if
    :: ao[o].reporting == REPORTING && !ao[o].stop -> report(o)
    :: else -> skip
    fi;
    result = DONE
}

inline first_step(o)
{
    if
    :: ao[o].kind == FAILS -> result = ERROR
    :: ao[o].kind == INSTANT -> body_done(o)
    :: ao[o].kind == SOURCE || ao[o].kind == UNWINDS -> registered[o] = true; result = WAIT
    :: ao[o].kind == JOB -> submit(o); result = WAIT
    :: ao[o].kind == JOB_FAILS -> submit(o); result = ERROR
    :: ao[o].kind == WAKES_FAILS -> ao_wake(o); result = ERROR
    :: ao[o].kind == ENDLESS -> result = WAIT
    fi
}

inline further_step(o)
{
    result = WAIT;
    if
    :: ao[o].unwinding && ao[o].job == ENDED -> result = ERROR
    :: ao[o].kind == UNWINDS && ao[o].stop && !ao[o].unwinding -> ao[o].unwinding = true; submit(o)
    :: !ao[o].unwinding && ao[o].fired && !ao[o].stop -> body_done(o)
    :: ao[o].kind == JOB && ao[o].job == ENDED -> body_done(o)
    :: else -> skip
    fi
}

inline ao_create(o, how_, kind_, reporting_)
{
    ao[o].alive = true;
    ao[o].in_initiator = true;
    ao[o].waiter = NONE;
    ao[o].how = how_;
    ao[o].kind = kind_;
    ao[o].reporting = reporting_;
    ao[o].job = IDLE
}

inline enter_progress(o)
{
    ao[o].live = true;
    ao[o].indexed = ao[o].how == CALLBACK || ao[o].how == EVENT || ao[o].how == HOOKED;
    limit[o] = true;
    if
    :: closing -> ao[o].stop = true; ao_wake(o) /* libxl__aos_abort_all ran before this operation was listed */
    :: else -> skip
    fi
}

inline began(o)
{
    if
    :: result == WAIT || ao[o].jobs -> enter_progress(o)
    :: else -> skip
    fi;
    if
    :: result != WAIT -> ao_complete(o)
    :: else -> skip
    fi
}

/* run() */
inline run_body(o)
{
    assert(ao[o].alive && !failed[o]);
    ao[o].runnable = false;
    if
    :: ao[o].ending && ao[o].jobs -> skip
    :: ao[o].ending && !ao[o].jobs -> finish(o)
    :: else ->
        if
        :: ao[o].stop && ao[o].kind != UNWINDS -> result = ERROR
        :: else -> parent_further_step(o)
        fi;
        if
        :: result != WAIT -> ao_complete(o)
        :: else -> skip
        fi
    fi
}

inline aos_run()
{
    do
    :: r < OPS && ao[r].runnable -> run_body(r); r = 0
    :: r < OPS && !ao[r].runnable -> r++
    :: else -> break
    od;
    r = 0
}

