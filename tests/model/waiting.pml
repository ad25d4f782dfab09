/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* src/core/loop.c: libxl__waiter_wait with lead and follow. `error` is set if the loop is broken. */

inline waiter_begin(mask)
{
    waiter[me].listed = true;
    waiter[me].waits_for = mask;
    waiter[me].woken = false
}

inline waiter_end()
{
    waiter[me].listed = false;
    waiter[me].waits_for = 0;
    hand_over()
}

inline follow()
{
    atomic { waiter[me].following = true; waiter[me].signalled = false; unlock() }
    atomic { waiter[me].signalled && lock == NONE -> lock = me; waiter[me].following = false }
}

#define see(o) set[o] = registered[o];

inline lead()
{
    atomic {
        leader = me;
#ifdef FAULT_STALE_POLL_SET
        each(see);
#endif
        unlock()
    }
    polled; /* poll(2) */
    atomic {
        take_lock();
        leader = NONE;
        if
        :: broken -> error = true
        :: else -> dispatch()
        fi
    }
}

inline waiter_wait()
{
    dispatch_all();
    if
    :: !waiter[me].woken && leader != NONE -> follow()
    :: !waiter[me].woken && leader == NONE -> lead()
    :: else -> skip
    fi;
    dispatch_all();
    waiter[me].woken = false
}

