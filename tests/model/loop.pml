/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* src/core/loop.c: who polls, who sleeps, who is woken. */

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

/* What the polled descriptor shows: everything registered by now, by whomever. */
#define shows(o) (registered[o] && ready[o])
#define has_expired(o) expired[o]
#define is_queued(o)   queued[o]
#define inner_readable (look_again || any(shows) || any(has_expired) || broken)
#define events_shown   any(is_queued)
#ifdef FAULT_STALE_SET
bool set[OPS]; /* what the leader had seen registered when it began to poll */
#define seen(o) (set[o] && shows(o))
#define polled  (look_again || any(seen) || any(has_expired) || broken)
#else
#define polled inner_readable
#endif
/* The one way to go on for ever: somebody looks in vain; the leader has been woken and needs but the lock. */
#define passed_over (leader != NONE && waiter[leader].woken && look_again)

inline ao_wake(o)
{
    touch(o);
    ao[o].runnable = ao[o].runnable || !ao[o].complete
}

inline dispatch()
{
#if defined FAULT_WAKEUP_TAKEN
    look_again = false;
#elif !defined FAULT_WAKEUP_KEPT
    look_again = look_again && leader != NONE && waiter[leader].woken; /* not yet seen by whom it is for */
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

