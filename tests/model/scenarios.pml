/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The life of an operation, as src/core/{ao,deliver,loop,event,worker,context}.c live it. Inlines have the names of
 * the functions that they stand for; what the code does under the lock is one atomic step here.
 *
 * Scenarios (one of -DLIFE -DWAITING -DBUSY -DCLOSE -DNESTED -DALONE) say who calls what, at the end of the
 * file. Whatever a scenario leaves open (how the operation completes, what its body does, who waits, who aborts, when things
 * happen) is tried in every way. -DFAULT_X puts fault X back: README.md lists them.
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

/* How the application is told: by return, by its callback, by the queue, by its event_occurs hook.
 * A child tells its parent, and what runs in the background nobody. */
mtype = { SYNC, CALLBACK, EVENT, HOOKED, CHILD, BACKGROUND };
/* Whether its body reports. Callback or hook: it is all the same to the line. */
mtype = { SILENT, REPORTING };
/* What a body does. ENDLESS ends only by being stopped; UNWINDS has a job to put things back with.
 * The last two have children: nested.pml. */
mtype = { FAILS, INSTANT, SOURCE, JOB, JOB_FAILS, WAKES_FAILS, UNWINDS, ENDLESS, GATHERS, HANDS_ON };
mtype = { IDLE, QUEUED, RUNNING, ENDED };
mtype = { WAIT, DONE, ERROR }; /* what bodies return */

typedef Op {
    bool alive; /* the magic number is right */
    bool in_initiator, complete, notified, ending, runnable, live, indexed;
    bool in_line, delivering; /* its completion stands in line; something of it is under way */
    bool stop, fired, unwinding, error;
    byte jobs, reports, reports_in_line, waiter;
    mtype how, kind, reporting, job;
}

typedef Waiter {
    bool listed, woken, following, signalled;
    byte wants; /* bit o: the event of operation o */
}

Op ao[OPS];
Waiter waiter[THREADS];

byte lock = NONE, leader = NONE;
bool look_again;                          /* the eventfd */
bool registered[OPS], ready[OPS];         /* the descriptor that a body waits for, and whether it is readable */
bool limit[OPS], expired[OPS];            /* the timer of an operation, and whether the timerfd tells of it */
bool queued[OPS];                         /* completion events */
byte stray_reports[OPS];                  /* reports in line that are taken for nobody's */
bool closing, broken, woken_up;           /* woken_up: libxl_ctx_wake was called */
byte holder[OPS];                         /* of a record: operation + 1 */
bool handle, forgotten;                   /* of a background operation's starter, and whether that has freed it */

/* What the application has seen. */
mtype how0, kind0, reporting0, kinds[OPS]; /* what it asks for */
byte told[OPS], due[OPS]; /* due: reports made and not yet handed over */
bool failed[OPS];
byte finished;
bool flushing[THREADS];

#define wants(w, o)  (waiter[w].listed && ((waiter[w].wants >> (o)) & 1))
#define over(o)      (told[o] || failed[o])
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

#define any_how(x)                                                                                           \
    if :: x = SYNC :: x = CALLBACK :: x = EVENT :: x = HOOKED fi
#define any_kind(x)                                                                                          \
    if :: x = FAILS :: x = INSTANT :: x = SOURCE :: x = JOB :: x = JOB_FAILS :: x = WAKES_FAILS             \
       :: x = UNWINDS :: x = ENDLESS fi
#define childs_kind(x)                                                                                       \
    if :: x = FAILS :: x = INSTANT :: x = SOURCE :: x = JOB fi
#define any_reporting(x)                                                                                     \
    if :: x = SILENT :: x = REPORTING fi

/* Waits, in one of the ways there are, until operation o is over. */
inline consume(o)
{
    if
    :: ao[o].how == EVENT && !over(o) -> event_wait(1 << o)
    :: serve(o)
    fi
}

proctype thread(byte me)
{
    byte w = 0, d = 0, r = 0, g = 0, ended = 0;
    mtype result;
    bool error = false, found = false;

#ifdef LIFE
    /* One starts an operation of any kind in any mode; the other may abort it, may wait for its event already
     * before it exists, or may be the one whose loop brings it to its end. */
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
        atomic { take_lock(); broken = false; unlock() } /* the application closes what it need not have open */
#endif
        if
        :: consumer == me && how0 == EVENT -> event_wait(1)
        :: consumer == me && how0 != SYNC -> serve(0)
        :: else -> skip
        fi
    fi;
#endif
#ifdef WAITING
    /* Three threads wait in the library at once: two for an operation of theirs, one for an event; or the
     * second starts the operation whose event the third waits for, and goes. */
    if
    :: me == 0 -> start(0, SYNC, kind0, SILENT)
    :: me == 1 -> start(1, how0, (kind0 == JOB -> SOURCE : JOB), SILENT)
    :: me == 1 -> start(1, how0, (kind0 == JOB -> INSTANT : SOURCE), SILENT)
    :: me == 2 && how0 == EVENT -> event_wait(2)
    :: me == 2 && how0 != EVENT -> serve(1)
    fi;
#endif
#ifdef BUSY
    /* Two threads wait for either event. A callback on one of them waits for what happens on the other. */
    if
    :: me == 0 || me == 1 -> event_wait(1)
    :: me == 2 ->
        start(1, CALLBACK, SOURCE, SILENT);
        start(0, EVENT, INSTANT, SILENT);
        over(0) -> ctx_wake();
        serve(1)
    fi;
#endif
#ifdef CLOSE
    start(0, how0, kind0, reporting0);
    drain();
#endif
#ifdef NESTED
    /* A parent with children is aborted, or not; the context is closed after its end or under it. */
    if
    :: me == 0 ->
        start(0, how0, kind0, SILENT);
        if
        :: !over(0) -> consume(0)
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
    /* An operation in the background is ended by who has begun it, or by itself, or by the context's end. */
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
#define asked_for(o) (o <= started)
#else
#define asked_for(o) 1
#endif

init
{
    byte t = 0;
    atomic {
#ifdef LIFE
        any_how(how0);
        any_kind(kind0);
        any_reporting(reporting0);
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
        any_how(how0);
        any_kind(kind0);
        any_reporting(reporting0);
#endif
#ifdef NESTED
        if :: how0 = SYNC :: how0 = CALLBACK fi;
        if
        :: kind0 = HANDS_ON; any_kind(kinds[1])
        :: kind0 = GATHERS
        :: kind0 = GATHERS; count = 1; at_once = 1; any_kind(kinds[1])
        :: kind0 = GATHERS; count = 2; childs_kind(kinds[1]); childs_kind(kinds[2]);
            if :: at_once = 1 :: at_once = 2 fi
        fi;
#endif
#ifdef ALONE
        if :: kind0 = FAILS :: kind0 = SOURCE :: kind0 = ENDLESS fi;
#endif
        run worker();
        run xen();
        do
        :: t < THREADS -> run thread(t); run flusher(t); t++
        :: else -> break
        od
    }
    finished == THREADS;
    t = 0;
    do
    :: t == OPS -> break
    :: t < OPS ->
        assert(told[t] + failed[t] == asked_for(t)); /* exactly one notification, or an error instead */
        assert(!ao[t].alive && !due[t]);  /* nothing is left */
        t++
    od;
    assert(lock == NONE && leader == NONE)
}

/*
 * All threads return. Nothing is assumed to be fair: what goes on for ever ends in one thread passing over
 * another one that needs but the lock, so any lock that lets everybody in at last is enough. (A broken loop is
 * tried until somebody gets in to mend it.)
 */
ltl returns { <> (finished == THREADS) || <> [] (passed_over || broken) }
