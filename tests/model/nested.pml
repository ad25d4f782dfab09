/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* src/core/nested.c. Operation 0 is the parent. Its children are the operations 1 and 2. */
#ifdef NESTED

/* The fields of libxl__nested, which is in the parent's memory. The scenario GROUP also uses those of libxl__group. */
bool attached[OPS], done[OPS], child_failed[OPS], detachable[OPS];
byte count, at_once, started;
bool group_failed;

inline count_child()
{
#ifndef FAULT_CHILD_NOT_COUNTED
    ao[0].jobs++
#else
    skip
#endif
}

inline uncount_child()
{
#ifndef FAULT_CHILD_NOT_COUNTED
    assert(ao[0].jobs);
    ao[0].jobs--
#else
    skip
#endif
}

/* The end of a child: it notifies its parent and is destroyed. */
inline nested_ended(c)
{
    assert(!ao[0].complete && !done[c]); /* the libxl__nested is in the parent's memory, so the parent must exist */
    touch(0);
    done[c] = true;
    child_failed[c] = ao[c].error;
    notifications[c]++;
    destroy(c);
    if
    :: attached[c] -> ao_wake(0)
    :: else -> skip
    fi;
#ifdef FAULT_CHILD_COMPLETES_PARENT
    ao[0].ending = ao[0].ending || started == count;
#endif
    uncount_child();
    ao_wake(0)
}

/* The stop function of the parent's source for a child. It is called when the parent ends first or was asked
 * to stop. */
inline stop_child(c)
{
    if
    :: attached[c] && !done[c] && detachable[c] ->
#ifndef FAULT_DETACHED_NOTIFIES_PARENT
        ao[c].how = BACKGROUND;
#endif
#ifndef FAULT_DETACHED_STILL_COUNTED
        uncount_child();
#endif
        ao_wake(0)
    :: attached[c] && !done[c] && !detachable[c] ->
        ao[c].stop = true;
        ao_wake(c)
    :: else -> skip
    fi;
    attached[c] = false
}

inline nested_start(c, detachable_)
{
    ao_create(c, CHILD, kinds[c], SILENT);
    attached[c] = true;
    detachable[c] = detachable_;
    count_child();
    first_step(c);
    began(c)
}

/* libxl__group_poll */
inline group_poll()
{
    do
    :: true ->
        g = 1;
        n_ended = 0;
        do
        :: g > started -> break
        :: else ->
            n_ended = n_ended + done[g];
            group_failed = group_failed || child_failed[g];
            g++
        od;
        g = 0;
        if
        :: (group_failed || started == count) && n_ended == started ->
            result = (group_failed -> ERROR : DONE);
            break
        :: !group_failed && started < count && started - n_ended < at_once ->
            started++;
            nested_start(started, false)
        :: else -> result = WAIT; break
        fi
    od;
    n_ended = 0
}

/* Starts a child that must run to its end. When the parent's own source fires, the parent leaves the child to
 * the background, as the undo of a creation does. */
inline start_and_detach()
{
    started = 1;
    registered[0] = true;
    nested_start(1, true);
    result = WAIT /* if the child has ended inside its start, it has woken its parent */
}

inline parent_first_step(o)
{
    if
    :: ao[o].kind == GROUP -> group_poll()
    :: ao[o].kind == DETACHES -> start_and_detach()
    :: else -> first_step(o)
    fi
}

inline parent_further_step(o)
{
    if
    :: ao[o].kind == GROUP -> group_poll()
    :: ao[o].kind == DETACHES -> result = (done[1] || ao[o].fired -> DONE : WAIT)
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
