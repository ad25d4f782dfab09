/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The phase driver, src/core/phase.c: one operation with COUNT phases. Inlines have the names of the functions that they
 * model. The driver runs under the context's lock, so each of its runs is one atomic step. Spin tries every result of every
 * start, poll and undo function, every declaration of the phases, and every order of wake-ups, stop requests and expiring
 * limits. -DFAULT_X adds fault X; README.md lists the faults.
 */
#define COUNT 3

/* Results of phase functions, and of the operation. */
mtype = { DONE, WAIT, CARRIED_OUT, STOPPED, FAILED, LIMIT, UNDO_FAILED };

/* The declaration of a phase. Every phase has limits. Phases without a limit are covered, since a limit need
 * not expire. */
typedef Phase {
    bool has_stop, has_undo, limit_fails, commits;
}

/* What has happened to a phase so far. The phase's functions check it. */
typedef Seen {
    bool started, polled_to_end, stopped, undone;
}

Phase phase[COUNT];
Seen seen[COUNT];

/* libxl__phase_position, and the members of the record that the driver uses */
byte index;
bool entered, started, stopping, undoing, committed, expired, armed;
mtype stop = DONE, rc = DONE; /* DONE: no stop was requested, no error has occurred */

bool ready; /* the phases are declared */
bool runnable = true, waiting, point_of_no_return, carried_out, completed;
mtype result;

/* ---- the functions of the phases, with what the driver must guarantee for each call */

#define undone_above(i) ((i) + 1 >= COUNT || !needs_undo((i) + 1)) && ((i) + 2 >= COUNT || !needs_undo((i) + 2))
#define needs_undo(i)   (seen[i].started && phase[i].has_undo && !seen[i].undone)
#define ended_before(i) (((i) < 1 || seen[0].polled_to_end) && ((i) < 2 || seen[1].polled_to_end))

inline advance_result()
{
    if
    :: result = DONE; seen[index].polled_to_end = true
    :: result = WAIT
    :: result = FAILED
    fi
}

inline start_function()
{
    assert(!completed && !undoing);
    assert(!seen[index].started && ended_before(index)); /* each phase starts once, in order */
    assert(stop == DONE || phase[index].commits || point_of_no_return); /* no phase starts after a stop request */
    seen[index].started = true;
    point_of_no_return = point_of_no_return || phase[index].commits;
    advance_result()
}

inline poll_function()
{
    assert(!completed && !undoing && seen[index].started && !seen[index].polled_to_end);
    /* A stop request immediately ends a phase without a stop function, unless the phase commits. */
    assert(stop == DONE || phase[index].has_stop || point_of_no_return);
    advance_result()
}

inline stop_function()
{
    /* The driver calls the stop function once for each phase. */
    assert(!completed && seen[index].started && !seen[index].stopped);
    seen[index].stopped = true
}

inline undo_function()
{
    assert(!completed && !point_of_no_return);
    /* the undo functions are called in reverse order */
    assert(seen[index].started && !seen[index].undone && undone_above(index));
    if
    :: result = DONE; seen[index].undone = true
    :: result = WAIT
    :: result = UNDO_FAILED; seen[index].undone = true
    :: result = CARRIED_OUT; carried_out = true
    fi
}

/* The end of the operation: exactly once, with the right result, and with everything undone. */
inline complete()
{
    assert(!completed);
    completed = true;
    assert(result != WAIT && result != UNDO_FAILED && result != CARRIED_OUT);
    assert(!carried_out || result == DONE);
    assert(result != DONE || carried_out || (seen[COUNT - 1].started && ended_before(COUNT - 1)));
    assert(result == DONE || point_of_no_return || !needs_undo(0) && !needs_undo(1) && !needs_undo(2))
}

/* ---- phase.c */

inline set_limit()
{
    armed = true;
    expired = false
}

inline clear_limit()
{
    armed = false;
    expired = false
}

inline note_reason(why)
{
    if
    :: rc == DONE -> rc = why
    :: else -> skip
    fi
}

inline enter_undo()
{
#ifdef FAULT_UNDO_UNLIMITED
    clear_limit()
#else
    set_limit()
#endif
}

#ifdef FAULT_UNSTARTED_UNDONE
#define calls_undo phase[index].has_undo
#else
#define calls_undo (phase[index].has_undo && started)
#endif
#ifdef FAULT_UNDONE_IN_ORDER
#define last_undo (index == failing)
#define next_undo index + 1
#else
#define last_undo (index == 0)
#define next_undo index - 1
#endif

inline undo()
{
    do
    :: true ->
        result = DONE;
        if
        :: calls_undo -> undo_function()
        :: else -> skip
        fi;
#ifdef FAULT_UNDO_ERROR_REPORTED
        if
        :: result == UNDO_FAILED -> rc = UNDO_FAILED
        :: else -> skip
        fi;
#endif
#ifndef FAULT_CARRIED_OUT_IGNORED
        if
        :: result == CARRIED_OUT -> result = DONE; break
        :: else -> skip
        fi;
#endif
        if
        :: result == WAIT && !expired -> break
        :: else -> seen[index].undone = true /* ended, failed, or given up when its limit expired */
        fi;
        if
        :: last_undo -> result = rc; break
        :: else -> index = next_undo; started = true; enter_undo()
        fi
    od
}

inline begin_undo(why)
{
    note_reason(why);
    if
#ifndef FAULT_COMMITTED_UNDONE
    :: committed -> result = rc
#endif
    :: else ->
        undoing = true;
#ifdef FAULT_FAILING_PHASE_NOT_UNDONE
        index = (index -> index - 1 : 0);
#endif
#ifdef FAULT_UNDONE_IN_ORDER
        failing = index;
        index = 0;
#endif
        enter_undo();
        undo()
    fi
}

inline enter()
{
    started = false;
    stopping = false;
    committed = committed || phase[index].commits;
    set_limit()
}

inline call_stop()
{
    stopping = true;
#ifdef FAULT_STOP_UNLIMITED
    clear_limit();
#else
    set_limit();
#endif
    stop_function()
}

/* Sets `result`: WAIT if the phase goes on, DONE if the next phase is to start, or the error that ends the
 * phase. */
inline check_stop()
{
    /* Only its limit ends a committed phase that has no stop function. */
    reason = (stop != DONE && !(committed && !phase[index].has_stop) -> stop : (expired -> LIMIT : DONE));
    if
#ifdef FAULT_LIMIT_FORGOTTEN
    :: expired && stopping -> result = (rc != DONE -> rc : stop)
#else
    :: expired && stopping -> result = (rc != DONE -> rc : (stop != DONE -> stop : LIMIT))
#endif
    :: expired && !stopping && !phase[index].limit_fails -> result = DONE; seen[index].polled_to_end = true
    :: else ->
        if
#ifdef FAULT_STOP_REPEATED
        :: reason == DONE -> result = WAIT
#else
        :: reason == DONE || stopping -> result = WAIT
#endif
        :: else ->
            if
            :: !phase[index].has_stop -> result = reason
            :: else ->
                if
                :: !committed -> note_reason(reason)
                :: else -> skip
                fi;
                call_stop();
                result = WAIT
            fi
        fi
    fi
}

/* A committed phase starts even after a stop request. Its stop function is called then. */
inline run_phase()
{
    checks = started;
    if
#ifndef FAULT_STARTED_AFTER_STOP
    :: !started && stop != DONE && !committed -> result = stop
    :: !started && !(stop != DONE && !committed) ->
#else
    :: !started ->
#endif
        started = true;
        start_function();
#ifndef FAULT_STOP_BEFORE_START_FORGOTTEN
        checks = (result == WAIT && stop != DONE)
#endif
    :: started -> skip
    fi;
    if
    :: checks ->
        check_stop();
        if
        :: result == WAIT -> poll_function()
        :: else -> skip
        fi
    :: else -> skip
    fi
}

inline forward()
{
    do
    :: true ->
        run_phase();
        if
        :: result == WAIT -> break
        :: result != WAIT && result != DONE ->
            reason = (stop != DONE && stopping -> stop : result);
            begin_undo(reason);
            break
        :: result == DONE && index + 1 == COUNT -> break
#ifndef FAULT_STARTED_AFTER_STOP
        :: result == DONE && index + 1 < COUNT && (rc != DONE || stop != DONE && !committed) ->
            begin_undo(stop);
            break
        :: result == DONE && index + 1 < COUNT && !(rc != DONE || stop != DONE && !committed) ->
#else
        :: result == DONE && index + 1 < COUNT ->
#endif
            index++;
            enter()
        fi
    od
}

/* libxl__phases_run, which ao.c calls until it returns a result */
active proctype driver()
{
    mtype reason = DONE;
    bool checks = false;
#ifdef FAULT_UNDONE_IN_ORDER
    byte failing = 0;
#endif
end:
    do
#ifdef FAULT_RUN_AFTER_ITS_END
    :: atomic { ready && runnable ->
#else
    :: atomic { ready && runnable && !completed ->
#endif
        runnable = false;
        waiting = false;
        if
        :: !entered -> entered = true; enter()
        :: else -> skip
        fi;
        if
        :: undoing -> undo()
        :: else -> forward()
        fi;
        if
        :: result == WAIT ->
            waiting = true;
            /* An operation that was asked to stop waits only in a phase whose stop function was called. */
            assert(undoing || stop == DONE || !phase[index].has_stop || seen[index].stopped)
        :: else -> complete()
        fi
      }
    od
}

/* ---- the environment */

/* The source of a stop request: an abort, the operation's time limit, or the closing of the context. */
active proctype stopper()
{
end:
    atomic { ready && !completed -> stop = STOPPED; runnable = true }
}

/* The timer of the phase, of its stop, or of its undo. */
active proctype clock()
{
end:
    do
    :: atomic { waiting && armed && !expired -> expired = true; armed = false; runnable = true }
    od
}

/* A source fires, or the operation is woken without a reason, even after its end. */
active proctype source()
{
end:
    do
    :: atomic { waiting || completed -> runnable = true }
    od
}

/* Every declaration of the phases. A phase that commits makes all later ones committed. */
init
{
    byte i = 0;
    atomic {
        do
        :: i == COUNT -> break
        :: i < COUNT ->
            if :: phase[i].has_stop = true :: skip fi;
            if :: phase[i].has_undo = true :: skip fi;
            if :: phase[i].limit_fails = true :: skip fi;
            i++
        od;
        if
        :: skip
        :: phase[0].commits = true
        :: phase[1].commits = true
        :: phase[2].commits = true
        fi;
        ready = true
    }
}

/* An operation that was asked to stop or has failed ends, since every stop and undo has a limit. This needs weak fairness (-f). */
ltl ends { [] (stop != DONE || rc != DONE || undoing -> <> completed) }
