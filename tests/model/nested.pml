/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* src/core/nested.c: operation 0 is the parent of the operations 1 and 2, its children. */
#ifdef NESTED

/* libxl__nested, in the parent's memory; and the libxl__gather of GATHERS */
bool attached[OPS], done[OPS], child_failed[OPS], outlives[OPS];
byte count, at_once, started;
bool gather_failed;

inline child_counts()
{
#ifndef FAULT_CHILD_NOT_COUNTED
    ao[0].jobs++
#else
    skip
#endif
}

inline child_counts_no_more()
{
#ifndef FAULT_CHILD_NOT_COUNTED
    assert(ao[0].jobs);
    ao[0].jobs--
#else
    skip
#endif
}

/* The end of a child: it tells its parent, and is destroyed */
inline nested_ended(c)
{
    assert(!ao[0].complete && !done[c]); /* what it writes to is the parent's */
    touch(0);
    done[c] = true;
    child_failed[c] = ao[c].error;
    told[c]++;
    destroy(c);
    if
    :: attached[c] -> ao_wake(0)
    :: else -> skip
    fi;
#ifdef FAULT_CHILD_COMPLETES_PARENT
    ao[0].ending = ao[0].ending || started == count;
#endif
    child_counts_no_more();
    ao_wake(0)
}

/* stop() of its source: the parent has ended first, or has been asked to stop */
inline stop_child(c)
{
    if
    :: attached[c] && !done[c] && outlives[c] ->
#ifndef FAULT_HANDED_OVER_TELLS_PARENT
        ao[c].how = BACKGROUND;
#endif
#ifndef FAULT_HANDED_OVER_STILL_COUNTED
        child_counts_no_more();
#endif
        ao_wake(0)
    :: attached[c] && !done[c] && !outlives[c] ->
        ao[c].stop = true;
        ao_wake(c)
    :: else -> skip
    fi;
    attached[c] = false
}

inline nested_start(c, outlives_)
{
    ao_create(c, CHILD, kinds[c], SILENT);
    attached[c] = true;
    outlives[c] = outlives_;
    child_counts();
    first_step(c);
    began(c)
}

/* libxl__gather_step */
inline gather_step()
{
    do
    :: true ->
        g = 1;
        ended = 0;
        do
        :: g > started -> break
        :: else ->
            ended = ended + done[g];
            gather_failed = gather_failed || child_failed[g];
            g++
        od;
        g = 0;
        if
        :: (gather_failed || started == count) && ended == started ->
            result = (gather_failed -> ERROR : DONE);
            break
        :: !gather_failed && started < count && started - ended < at_once ->
            started++;
            nested_start(started, false)
        :: else -> result = WAIT; break
        fi
    od;
    ended = 0
}

/* Begins what has to be done in any case and goes when its patience ends, as a creation that is undone. */
inline hand_on()
{
    started = 1;
    registered[0] = true;
    nested_start(1, true);
    result = WAIT /* though the child may have ended at once: then it has woken its parent */
}

inline parent_first_step(o)
{
    if
    :: ao[o].kind == GATHERS -> gather_step()
    :: ao[o].kind == HANDS_ON -> hand_on()
    :: else -> first_step(o)
    fi
}

inline parent_further_step(o)
{
    if
    :: ao[o].kind == GATHERS -> gather_step()
    :: ao[o].kind == HANDS_ON -> result = (done[1] || ao[o].fired -> DONE : WAIT)
    :: else -> further_step(o)
    fi
}

inline stop_children(o)
{
    if
    :: o == 0 -> stop_child(1); stop_child(2)
    :: else -> skip
    fi
}

#else
#define parent_first_step(o)   first_step(o)
#define parent_further_step(o) further_step(o)
#define stop_children(o)       skip
#endif
