/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An operation from its start to its end, as in src/core/{ao,deliver,loop,event,worker,context}.c. Inlines have the
 * names of the functions that they model. Code that runs under the lock is one atomic step.
 *
 * One of -DLIFE -DWAITING -DBUSY -DCLOSE -DNESTED -DALONE selects a scenario. Scenarios are at the end of this file and
 * define which thread makes which calls. Spin tries every choice that a scenario leaves open: how the operation
 * completes, what its body does, which thread waits or aborts, and the order of events. -DFAULT_X adds fault X; README.md
 * lists the faults.
 */
#define NONE 255

#ifdef LIFE
#define OPS     1
#define THREADS 2
#endif
#ifdef WAITING
#define OPS     2
#define THREADS 3
#endif
#ifdef BUSY
#define OPS     2
#define THREADS 3
#endif
#ifdef CLOSE
#define OPS     1
#define THREADS 1
#endif

#ifdef NESTED
#define OPS     3
#define THREADS 2
#endif
#ifdef ALONE
#define OPS     1
#define THREADS 2
#endif

#if OPS == 1
#define any(is)   (is(0))
#define each(one) one(0)
#elif OPS == 2
#define any(is)   (is(0) || is(1))
#define each(one) one(0) one(1)
#else
#define any(is)   (is(0) || is(1) || is(2))
#define each(one) one(0) one(1) one(2)
#endif

/* How the completion of an operation is notified: by the initiator's return, by a callback, by a queued
 * event, by the event_occurs hook, or by notifying the parent. The completion of an operation in the
 * background is not notified. */
mtype = { SYNC, CALLBACK, EVENT, HOOKED, CHILD, BACKGROUND };
/* Whether the body reports progress. Reports by callback and by hook are delivered alike. */
mtype = { SILENT, REPORTING };
/* What a body does. ENDLESS ends only when it is stopped. UNWINDS submits a job for its undo. The last two have children
 * (nested.pml). */
mtype = { FAILS, INSTANT, SOURCE, JOB, JOB_FAILS, WAKES_FAILS, UNWINDS, ENDLESS, GROUP, DETACHES };
mtype = { IDLE, QUEUED, RUNNING, ENDED };
mtype = { WAIT, DONE, ERROR }; /* results of bodies */

typedef Op {
    bool alive; /* the magic number is valid */
    bool in_initiator, complete, notified, ending, runnable, live, indexed;
    bool queued_completion, delivering; /* the completion is queued for delivery; a delivery of the operation is running */
    bool stop, fired, unwinding, error;
    byte jobs, reports, queued_reports, waiter;
    mtype how, kind, reporting, job;
}

typedef Waiter {
    bool listed, woken, following, signalled;
    byte waits_for; /* bit o is set if the thread waits for the event of operation o */
}

Op ao[OPS];
Waiter waiter[THREADS];

byte lock = NONE, leader = NONE;
bool look_again;                          /* the eventfd by which the loop looks for work again */
bool registered[OPS], ready[OPS];         /* the descriptor that a body waits for; whether it is readable */
bool limit[OPS], expired[OPS];            /* the timer of an operation; whether it has expired */
bool queued[OPS];                         /* true: the completion event of the operation is queued */
byte uncounted_reports[OPS];                  /* queued reports that are not counted for their operation */
bool closing, broken, woken_up;           /* woken_up: libxl_ctx_wake was called */
byte holder[OPS];                         /* for each record: the number of its operation plus 1; 0: the record is free */
bool handle, handle_freed;                   /* the starter's handle of a background operation; whether the starter has freed it */

/* The application's choices and observations. */
mtype how0, kind0, reporting0, kinds[OPS]; /* the chosen parameters */
byte notifications[OPS], undelivered[OPS]; /* undelivered: reports made and not delivered */
bool failed[OPS];
byte finished;
bool dispatching[THREADS];

#define waits_for(w, o)  (waiter[w].listed && ((waiter[w].waits_for >> (o)) & 1))
#define has_ended(o)      (notifications[o] || failed[o])
#define touch(o)     assert(ao[o].alive)
#define take_lock()  lock == NONE -> lock = me
#define unlock()     assert(lock == me); lock = NONE

#include "loop.pml"
#include "nested.pml"
#include "ao.pml"
#include "deliver.pml"
#include "waiting.pml"
#include "calls.pml"
#include "world.pml"

byte consumer;

#define choose_how(x)                                                                                           \
    if :: x = SYNC :: x = CALLBACK :: x = EVENT :: x = HOOKED fi
#define choose_kind(x)                                                                                          \
    if :: x = FAILS :: x = INSTANT :: x = SOURCE :: x = JOB :: x = JOB_FAILS :: x = WAKES_FAILS             \
       :: x = UNWINDS :: x = ENDLESS fi
#define choose_child_kind(x)                                                                                       \
    if :: x = FAILS :: x = INSTANT :: x = SOURCE :: x = JOB fi
#define choose_reporting(x)                                                                                     \
    if :: x = SILENT :: x = REPORTING fi

/* Waits in one of the possible ways until operation o has ended. */
inline consume(o)
{
    if
    :: ao[o].how == EVENT && !has_ended(o) -> event_wait(1 << o)
    :: serve(o)
    fi
}

proctype thread(byte me)
{
    byte w = 0, d = 0, r = 0, g = 0, n_ended = 0;
    mtype result;
    bool error = false, found = false;

#ifdef LIFE
    /* Thread 0 starts an operation of any kind in any mode. Thread 1 may abort it, may wait for the
     * operation's event before there is one, or may run the loop that completes the operation. */
    if
    :: me == 0 ->
        start(0, how0, kind0, reporting0);
        if
        :: failed[0] -> ctx_wake()
        :: !failed[0] && consumer == me -> consume(0)
        :: else -> skip
        fi
    :: me == 1 ->
        if
        :: ao_abort(0)
        :: skip
        fi;
#ifdef BROKEN
        atomic { take_lock(); broken = false; unlock() } /* the application closes other descriptors */
#endif
        if
        :: consumer == me && how0 == EVENT -> event_wait(1)
        :: consumer == me && how0 != SYNC -> serve(0)
        :: else -> skip
        fi
    fi;
#endif
#ifdef WAITING
    /* Three threads wait in the library at the same time: two for their own operations, one for an event. Or
     * the second thread starts the operation of that event and returns. */
    if
    :: me == 0 -> start(0, SYNC, kind0, SILENT)
    :: me == 1 -> start(1, how0, (kind0 == JOB -> SOURCE : JOB), SILENT)
    :: me == 1 -> start(1, how0, (kind0 == JOB -> INSTANT : SOURCE), SILENT)
    :: me == 2 && how0 == EVENT -> event_wait(2)
    :: me == 2 && how0 != EVENT -> serve(1)
    fi;
#endif
#ifdef BUSY
    /* Two threads wait for one event. On one of them runs a callback, which waits until the other thread has
     * handled the event. */
    if
    :: me == 0 || me == 1 -> event_wait(1)
    :: me == 2 ->
        start(1, CALLBACK, SOURCE, SILENT);
        start(0, EVENT, INSTANT, SILENT);
        has_ended(0) -> ctx_wake();
        serve(1)
    fi;
#endif
#ifdef CLOSE
    start(0, how0, kind0, reporting0);
    drain();
#endif
#ifdef NESTED
    /* Operation 0 is a parent: it runs nested operations, its children. Thread 1 aborts operation 0, calls
     * libxl_ctx_process, or does nothing. Thread 0 closes the context before or after operation 0 has ended. */
    if
    :: me == 0 ->
        start(0, how0, kind0, SILENT);
        if
        :: !has_ended(0) -> consume(0)
        :: skip
        fi;
        finished == 1;
        drain()
    :: me == 1 ->
        if
        :: ao_abort(0)
        :: process()
        :: skip
        fi
    fi;
#endif
#ifdef ALONE
    /* A background operation is stopped by its starter, or by closing the context, or ends by itself. */
    if
    :: me == 0 ->
        enable(0, kind0);
        if
        :: handle -> disable(0)
        :: skip
        fi;
        finished == 1;
        drain()
    :: me == 1 ->
        if
        :: process()
        :: skip
        fi
    fi;
#endif
    skip;
gone:
    finished++
}

#ifdef NESTED
#define expected_notifications(o) (o <= started)
#else
#define expected_notifications(o) 1
#endif

init
{
    byte t = 0;
    atomic {
#ifdef LIFE
        choose_how(how0);
        choose_kind(kind0);
        choose_reporting(reporting0);
        if :: consumer = 0 :: consumer = 1 fi;
#ifdef BROKEN
        broken = true; how0 = SYNC; kind0 = UNWINDS;
#endif
#endif
#ifdef WAITING
        if :: how0 = SYNC :: how0 = EVENT :: how0 = CALLBACK fi;
        if :: kind0 = SOURCE :: kind0 = JOB fi;
#endif
#ifdef CLOSE
        choose_how(how0);
        choose_kind(kind0);
        choose_reporting(reporting0);
#endif
#ifdef NESTED
        if :: how0 = SYNC :: how0 = CALLBACK fi;
        if
        :: kind0 = DETACHES; choose_kind(kinds[1])
        :: kind0 = GROUP
        :: kind0 = GROUP; count = 1; at_once = 1; choose_kind(kinds[1])
        :: kind0 = GROUP; count = 2; choose_child_kind(kinds[1]); choose_child_kind(kinds[2]);
            if :: at_once = 1 :: at_once = 2 fi
        fi;
#endif
#ifdef ALONE
        if :: kind0 = FAILS :: kind0 = SOURCE :: kind0 = ENDLESS fi;
#endif
        run worker();
        run xen();
        do
        :: t < THREADS -> run thread(t); run dispatcher(t); t++
        :: else -> break
        od
    }
    finished == THREADS;
    t = 0;
    do
    :: t == OPS -> break
    :: t < OPS ->
        assert(notifications[t] + failed[t] == expected_notifications(t)); /* exactly one notification or error */
        assert(!ao[t].alive && !undelivered[t]);  /* no record and no report is left */
        t++
    od;
    assert(lock == NONE && leader == NONE)
}

/*
 * All threads return. No fairness is assumed: in every infinite execution, a thread that needs only the lock
 * is in the end kept from it by another thread. So any lock that admits every waiting thread eventually is
 * enough. (A broken loop is retried until a thread repairs it.)
 */
ltl returns { <> (finished == THREADS) || <> [] (leader_starved || broken) }
