/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* src/core/loop.c: libxl__waiter_wait with lead and follow. `error`: the loop is broken. */

inline waiter_begin(mask)
{
    waiter[me].listed = true;
    waiter[me].wants = mask;
    waiter[me].woken = false
}

inline waiter_end()
{
    waiter[me].listed = false;
    waiter[me].wants = 0;
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
#ifdef FAULT_STALE_SET
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
    flush();
    if
    :: !waiter[me].woken && leader != NONE -> follow()
    :: !waiter[me].woken && leader == NONE -> lead()
    :: else -> skip
    fi;
    flush();
    waiter[me].woken = false
}

