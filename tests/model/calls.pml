/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The public calls: initiators (ao.c), events (event.c), closing (context.c). */

/* ---- initiators */

/* ao_record.c: the first free record */
inline record_get(o)
{
    d = 0;
    do
    :: holder[d] -> d++
    :: else -> break
    od
}
inline record_have(o)
{
    assert(!holder[d]); /* no other thread has taken this record */
    holder[d] = o + 1;
    d = 0
}

inline abort_start(o)
{
    release_work(o);
    undelivered[o] = 0; /* as libxl__deliver_drop */
    ao[o].reports = 0;
    ao[o].queued_reports = 0;
    failed[o] = true
}

inline wait_until_notified(o)
{
    atomic { waiter_begin(0); ao[o].waiter = me }
    do
    :: ao[o].notified -> break
    :: else ->
        waiter_wait();
        if
        :: error ->
#ifdef FAULT_SLEEPS_LOCKED
            !broken; /* the library retries after a sleep, with the lock held */
#else
            atomic { ao[o].stop = true; ao_wake(o) }
#endif
            error = false
        :: else -> skip
        fi
    od;
    atomic { ao[o].waiter = NONE; waiter_end() }
}

/* libxl__ctx_leave */
inline leave()
{
    dispatch_all();
    unlock()
}

inline start(o, how_, kind_, reporting_)
{
#ifdef FAULT_CREATED_UNLOCKED
    record_get(o);
    record_have(o);
    atomic { take_lock() }
    atomic {
#else
    atomic {
        take_lock();
        record_get(o);
        record_have(o);
#endif
        ao_create(o, how_, kind_, reporting_);
        parent_first_step(o);
        if
        :: result == ERROR && !ao[o].jobs -> abort_start(o)
        :: else -> began(o)
        fi
    }
#ifdef FAULT_RETURN_SKIPS_UNLOCK
    if
    :: failed[o] -> goto gone /* leaves without unlocking */
    :: else -> skip
    fi;
#endif
    if
    :: failed[o] || ao[o].how == SYNC ->
        if
        :: !failed[o] && !ao[o].notified -> wait_until_notified(o)
        :: else -> skip
        fi;
        dispatch_all(); /* as leave_with */
        atomic {
            assert(!notifications[o] && !undelivered[o]);
            notifications[o] = !failed[o];
            destroy(o)
        }
#ifdef FAULT_UNLOCKED_THROUGH_RECORD
        touch(o);
#endif
        unlock()
    :: else ->
#ifdef FAULT_NOTIFIED_UNLOCKED
        unlock(); /* the operation proceeds while its initiator runs */
        atomic { take_lock(); ao[o].in_initiator = false }
        if
        :: ao[o].notified -> destroy(o)
        :: else -> skip
        fi;
#endif
#ifdef FAULT_NOT_DELIVERED_IN_INITIATOR
        unlock()
#else
        leave()
#endif
    fi
}

/* ---- the other public calls */

inline ao_abort(o)
{
    atomic {
        take_lock();
        found = ao[o].indexed;
    }
#ifdef FAULT_HOLDERS_NOT_COUNTED
    unlock();
    atomic { take_lock() }
#endif
    atomic {
        if
        :: found && !ao[o].stop -> ao[o].stop = true; ao_wake(o)
        :: else -> skip
        fi;
        found = false
    }
    leave()
}

/* find() and libxl_event_free: the oldest event that is waited for */
inline take_event(o)
{
    assert(!notifications[o] && !undelivered[o]);
    queued[o] = false;
    notifications[o]++;
    destroy(o)
}

inline event_wait(mask)
{
    atomic {
        take_lock();
        waiter_begin(mask);
        if
        /* Every 64th wait dispatches, although events are queued. */
        :: queued[0] || queued[OPS - 1] -> dispatch()
        :: true -> skip
        fi
    }
    dispatch_all();
    do
    :: queued[0] && waits_for(me, 0) -> atomic { take_event(0); break }
#if OPS > 1
    :: queued[1] && waits_for(me, 1) -> atomic { take_event(1); break }
#endif
    :: else ->
        if
        :: woken_up -> break
        :: else -> waiter_wait()
        fi
    od;
    atomic { waiter_end() }
    leave()
}

inline ctx_wake()
{
    atomic {
        take_lock();
        woken_up = true;
        w = 0;
        do
        :: w == THREADS -> break
        :: w < THREADS && waiter[w].listed && waiter[w].waits_for -> waiter_wake(w); w++
        :: else -> w++
        od;
        w = 0
    }
    leave()
}

/* libxl_ctx_process */
inline process()
{
    atomic { take_lock(); dispatch() }
    leave()
}

/* A background operation, started and stopped as in src/ops/disk_eject.c. */
inline enable(o, kind_)
{
    atomic {
        take_lock();
        ao_create(o, BACKGROUND, kind_, SILENT);
        handle = true;
        first_step(o);
        began(o)
    }
    leave()
}

inline disable(o)
{
    atomic {
        take_lock();
        if
        :: handle -> touch(o); ao[o].stop = true; ao_wake(o)
        :: else -> skip
        fi;
#ifndef FAULT_HANDLE_FREED_EARLY
        aos_run();
#endif
        handle_freed = true
    }
    leave()
}

/* The application's loop: poll libxl_ctx_fd, then libxl_event_take, until operation o has ended. */
inline serve(o)
{
    do
    :: has_ended(o) -> break
    :: inner_readable || events_shown ->
        atomic {
            take_lock();
            if
            :: queued[o] -> skip /* an event is queued, so libxl_event_take does not dispatch */
            :: true -> dispatch()
            fi
        }
        dispatch_all();
        atomic {
            if
            :: queued[o] -> take_event(o)
            :: else -> skip
            fi;
            unlock()
        }
    od
}

/* libxl__ctx_drain of context.c, and the rest of libxl_ctx_free */
#ifdef FAULT_CLOSED_BEFORE_BACKGROUND
#define may_be_stopped(o) (ao[o].live && !ao[o].stop && ao[o].how != BACKGROUND)
#define all_ended       (!ao[0].live || ao[0].how == BACKGROUND)
#else
#define may_be_stopped(o) (ao[o].live && !ao[o].stop)
#define all_ended       (!any(is_live))
#endif

inline drain()
{
    atomic {
        take_lock();
        closing = true;
        d = 0;
        do
        :: d == OPS -> break
        :: d < OPS && may_be_stopped(d) -> ao[d].stop = true; ao_wake(d); d++
        :: else -> d++
        od;
        d = 0;
        waiter_begin(0)
    }
    dispatch_all();
    do
    :: all_ended -> break
    :: else -> waiter_wait()
    od;
    atomic { waiter_end() }
    leave();
    if
    :: queued[0] -> atomic { take_lock(); take_event(0); unlock() } /* dropped with the context */
    :: else -> skip
    fi
}

