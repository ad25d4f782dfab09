/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* src/core/loop.c: which thread polls, which sleeps, which is woken. */

inline waiter_wake(x)
{
    if
    :: waiter[x].woken -> skip
    :: else ->
        waiter[x].woken = true;
        if
        :: leader == x -> look_again = true
        :: leader != x && waiter[x].following -> waiter[x].signalled = true
        :: else -> skip
        fi
    fi
}

inline hand_over()
{
#ifndef FAULT_LEAD_NOT_HANDED_OVER
    if
    :: leader == NONE && waiter[0].following -> waiter[0].signalled = true
#if THREADS > 1
    :: leader == NONE && waiter[1].following -> waiter[1].signalled = true
#endif
#if THREADS > 2
    :: leader == NONE && waiter[2].following -> waiter[2].signalled = true
#endif
    :: else -> skip
    fi
#else
    skip
#endif
}

/* inner_readable is the condition under which the descriptor that the leader polls is readable. This
 * descriptor covers all descriptors that are registered now. */
#define shows(o) (registered[o] && ready[o])
#define has_expired(o) expired[o]
#define is_queued(o)   queued[o]
#define inner_readable (look_again || any(shows) || any(has_expired) || broken)
#define events_shown   any(is_queued)
#ifdef FAULT_STALE_POLL_SET
bool set[OPS]; /* the descriptors that were registered when the leader began to poll */
#define seen(o) (set[o] && shows(o))
#define polled  (look_again || any(seen) || any(has_expired) || broken)
#else
#define polled inner_readable
#endif
/* True: the leader has been woken, and needs the lock. Another thread can dispatch again and again in this state. The
 * formula `returns` in scenarios.pml allows an infinite execution only if it ends in this state or in a broken loop. */
#define leader_starved (leader != NONE && waiter[leader].woken && look_again)

inline ao_wake(o)
{
    touch(o);
    ao[o].runnable = ao[o].runnable || !ao[o].complete
}

inline dispatch()
{
#if defined FAULT_WAKEUP_CONSUMED
    look_again = false;
#elif !defined FAULT_WAKEUP_KEPT
    look_again = look_again && leader != NONE && waiter[leader].woken; /* the leader has not seen its wake-up yet */
#endif
    d = 0;
    do
    :: d == OPS -> break
    :: d < OPS ->
        if
        :: shows(d) -> ready[d] = false; registered[d] = false; ao[d].fired = true; ao_wake(d)
        :: else -> skip
        fi;
        if
        :: expired[d] -> expired[d] = false; touch(d); ao[d].stop = true; ao_wake(d)
        :: else -> skip
        fi;
        d++
    od;
    d = 0
}

