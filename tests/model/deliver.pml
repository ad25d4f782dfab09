/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* src/core/deliver.c, and context.c dispatch_outside: application code runs without the lock. */

mtype = { REPORT, COMPLETION, UNCOUNTED };

/* next(): a delivery of an operation that has no other delivery running */
#define entry(o)                                                                                             \
    :: ao[o].queued_reports && !ao[o].delivering ->                                                         \
        picked = o; what = REPORT; ao[o].queued_reports--; ao[o].delivering = true                          \
    :: ao[o].queued_completion && !ao[o].delivering ->                                                                 \
        picked = o; what = COMPLETION; ao[o].queued_completion = false; ao[o].delivering = true                        \
    :: uncounted_reports[o] -> picked = o; what = UNCOUNTED; uncounted_reports[o]--

inline next()
{
    picked = NONE;
    if
    each(entry)
    :: else -> skip
    fi
}

/* Application code, without the lock. */
inline application()
{
    if
    :: what == COMPLETION ->
        assert(!notifications[picked] && !undelivered[picked]);
#ifdef BUSY
        has_ended(0); /* this callback waits until another thread has handled the event of operation 0 */
#endif
        notifications[picked]++
    :: else -> undelivered[picked]--
    fi
}

inline delivered()
{
    if
    :: what == COMPLETION -> destroy(picked)
    :: what == REPORT ->
        touch(picked);
        ao[picked].delivering = false;
        ao[picked].reports--;
        if
        :: !ao[picked].reports && ao[picked].complete -> notify(picked)
        :: else -> skip
        fi
    :: else -> skip
    fi;
    picked = NONE
}

/*
 * dispatch_outside of one thread. It is a separate process, so that the model has one copy of it although it
 * is called in many places. The caller waits until this process has finished.
 */
proctype dispatcher(byte me)
{
    byte w = 0, r = 0, g = 0, n_ended = 0, picked = NONE;
    mtype result = WAIT, what = COMPLETION;
end:
    do
    :: dispatching[me] ->
        do
        :: atomic {
            aos_run();
            next();
            if
            :: picked == NONE -> dispatching[me] = false; break
            :: else -> hand_over(); unlock()
            fi
        }
        application();
#ifdef FAULT_NOTIFIED_UNLOCKED
        if
        :: what == COMPLETION ->
            touch(picked);
            ao[picked].notified = true;
            touch(picked);
            if
            :: !ao[picked].in_initiator -> destroy(picked)
            :: else -> skip
            fi;
            what = UNCOUNTED
        :: else -> skip
        fi;
#endif
        atomic { take_lock(); delivered() }
        od
    od
}

inline dispatch_all()
{
    dispatching[me] = true;
    !dispatching[me]
}

