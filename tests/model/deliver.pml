/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* src/core/deliver.c, and context.c libxl__ctx_flush: the application's code runs with no lock held. */

mtype = { REPORT, COMPLETION, STRAY };

/* next(): one whose operation has nothing else under way */
#define entry(o)                                                                                             \
    :: ao[o].reports_in_line && !ao[o].delivering ->                                                         \
        picked = o; what = REPORT; ao[o].reports_in_line--; ao[o].delivering = true                          \
    :: ao[o].in_line && !ao[o].delivering ->                                                                 \
        picked = o; what = COMPLETION; ao[o].in_line = false; ao[o].delivering = true                        \
    :: stray_reports[o] -> picked = o; what = STRAY; stray_reports[o]--

inline next()
{
    picked = NONE;
    if
    each(entry)
    :: else -> skip
    fi
}

/* The application's own code: no lock is held. */
inline application()
{
    if
    :: what == COMPLETION ->
        assert(!told[picked] && !due[picked]);
#ifdef BUSY
        over(0); /* it waits for what another thread is to do on the other event */
#endif
        told[picked]++
    :: else -> due[picked]--
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
 * libxl__ctx_flush of one thread. It is called from everywhere: a process of its own, so that there is one copy
 * of it; the caller waits for it to end.
 */
proctype flusher(byte me)
{
    byte w = 0, r = 0, g = 0, ended = 0, picked = NONE;
    mtype result = WAIT, what = COMPLETION;
end:
    do
    :: flushing[me] ->
        do
        :: atomic {
            aos_run();
            next();
            if
            :: picked == NONE -> flushing[me] = false; break
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
            what = STRAY
        :: else -> skip
        fi;
#endif
        atomic { take_lock(); delivered() }
        od
    od
}

inline flush()
{
    flushing[me] = true;
    !flushing[me]
}

