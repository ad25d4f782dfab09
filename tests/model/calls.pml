/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The public calls: initiators (ao.c), events (event.c), closing (context.c). */

/* ---- initiators */

/* ao_record.c: the first record that is free */
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
    assert(!holder[d]); /* nobody else has taken it meanwhile */
    holder[d] = o + 1;
    d = 0
}

inline abort_start(o)
{
    release_work(o);
    due[o] = 0; /* libxl__deliver_drop */
    ao[o].reports = 0;
    ao[o].reports_in_line = 0;
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
            !broken; /* it tries again after a while; the lock stays taken */
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
    flush();
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
#ifdef FAULT_RETURN_HIDDEN
    if
    :: failed[o] -> goto gone /* past the unlocking */
    :: else -> skip
    fi;
#endif
    if
    :: failed[o] || ao[o].how == SYNC ->
        if
        :: !failed[o] && !ao[o].notified -> wait_until_notified(o)
        :: else -> skip
        fi;
        flush(); /* leave_with */
        atomic {
            assert(!told[o] && !due[o]);
            told[o] = !failed[o];
            destroy(o)
        }
#ifdef FAULT_UNLOCKED_THROUGH_RECORD
        touch(o);
#endif
        unlock()
    :: else ->
#ifdef FAULT_NOTIFIED_UNLOCKED
        unlock(); /* the operation gets on while the initiator is still busy */
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

/* find() and libxl_event_free: the oldest that is wanted */
inline take_event(o)
{
    assert(!told[o] && !due[o]);
    queued[o] = false;
    told[o]++;
    destroy(o)
}

inline event_wait(mask)
{
    atomic {
        take_lock();
        waiter_begin(mask);
        if
        :: queued[0] || queued[OPS - 1] -> dispatch() /* now and then there is a look all the same */
        :: true -> skip
        fi
    }
    flush();
    do
    :: queued[0] && wants(me, 0) -> atomic { take_event(0); break }
#if OPS > 1
    :: queued[1] && wants(me, 1) -> atomic { take_event(1); break }
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
        :: w < THREADS && waiter[w].listed && waiter[w].wants -> waiter_wake(w); w++
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

/* What nobody waits for, begun and ended as xen/disk_eject.c does. */
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
#ifndef FAULT_FORGOTTEN_BEFORE_ITS_END
        aos_run();
#endif
        forgotten = true
    }
    leave()
}

/* The application's own loop: poll libxl_ctx_fd, then libxl_event_take, until operation o is over. */
inline serve(o)
{
    do
    :: over(o) -> break
    :: inner_readable || events_shown ->
        atomic {
            take_lock();
            if
            :: queued[o] -> skip /* the look is put off */
            :: true -> dispatch()
            fi
        }
        flush();
        atomic {
            if
            :: queued[o] -> take_event(o)
            :: else -> skip
            fi;
            unlock()
        }
    od
}

/* context.c libxl__ctx_drain and what follows it in libxl_ctx_free */
#ifdef FAULT_CLOSED_OVER_BACKGROUND
#define may_be_stopped(o) (ao[o].live && !ao[o].stop && ao[o].how != BACKGROUND)
#define closed_over       (!ao[0].live || ao[0].how == BACKGROUND)
#else
#define may_be_stopped(o) (ao[o].live && !ao[o].stop)
#define closed_over       (!any(is_live))
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
    flush();
    do
    :: closed_over -> break
    :: else -> waiter_wait()
    od;
    atomic { waiter_end() }
    leave();
    if
    :: queued[0] -> atomic { take_lock(); take_event(0); unlock() } /* dropped: nobody can ask for it */
    :: else -> skip
    fi
}

