/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns: the plays. The input chooses what their phases do. */
#include "play.h"

#include "world.h"

enum { MOST_MEMBERS = 5 };

struct plays plays;

struct play *play_new(void)
{
    for (int i = 0; i < PLAYS; i++)
        if (!plays.all[i].used) {
            plays.all[i] = (struct play){.used = true, .last_started = -1, .last_undone = PLAY_PHASES};
            return &plays.all[i];
        }
    return NULL;
}

static struct play *play_of(libxl__ao *ao)
{
    return *(struct play **)libxl__ao_args(ao);
}

/* ---- phases, whose actions the input chooses */

struct state {
    libxl__alarm alarm;
    libxl__nested nested;
    libxl__group group;
    struct play *members[MOST_MEMBERS];
};

static const libxl__ao_class grouped_class;

static int fill_member(const libxl__group *group, uint32_t index, libxl__ao *child)
{
    (void)group;
    const struct state *s = libxl__ao_state(child->parent);
    *(struct play **)libxl__ao_args(child) = s->members[index];
    return 0;
}

static void start_child(libxl__ao *ao, struct state *s)
{
    struct play *p = s->nested.source.ao || s->nested.done ? NULL : play_new();
    libxl__ao *child = p ? libxl__nested_create(ao, &s->nested, play_class()) : NULL;
    if (p && !child)
        p->used = false;
    if (!child)
        return;
    p->nested = true;
    p->ao = NULL;
    *(struct play **)libxl__ao_args(child) = p;
    if (next_byte(&plays.input) % 4) {
        s->nested.outlives = next_below(&plays.input, 2);
        libxl__nested_start(&s->nested);
    }
}

static int start_group(libxl__ao *ao, struct state *s)
{
    if (s->group.count)
        return 0;
    s->group = (libxl__group){.cls = &grouped_class,
                              .name = "members",
                              .fill = fill_member,
                              .count = 1 + next_below(&plays.input, MOST_MEMBERS),
                              .width = 1 + next_below(&plays.input, 3)};
    for (uint32_t i = 0; i < s->group.count; i++) {
        s->members[i] = play_new();
        if (!s->members[i]) /* All plays have been used, so the group has fewer members. */
            s->group.count = i;
        else
            s->members[i]->nested = true;
    }
    return libxl__group_start(ao, &s->group);
}

/* Carries out the action that the next octet of the input chooses. Returns the phase's return value. */
static int act(libxl__ao *ao, struct state *s, bool may_wait)
{
    struct play *p = play_of(ao);
    p->ao = ao;
    const unsigned what = next_byte(&plays.input);
    switch (what % 16) {
    case 1: p->may_fail = true; return libxl__ao_fail(ao, ERROR_KERNEL, "phase");
    case 2: p->may_fail = true; return ERROR_INVAL;
    case 3:
        p->may_fail |= libxl__alarm_set(ao, &s->alarm, LIBXL__MILLISECONDS(next_byte(&plays.input))) != 0;
        break;
    case 4: libxl__ao_count(ao, what, 256, "octets"); break;
    case 5: start_child(ao, s); break;
    case 6:
        if (start_group(ao, s) < 0)
            p->may_fail = true;
        break;
    case 7: libxl__ao_wake(ao); break;
    case 8: libxl__phase_extend(ao); break;
    case 9: libxl__group_stop(&s->group); break;
    default: break;
    }
    if (!may_wait || plays.closing || !bytes_left(&plays.input))
        return 0;
    return what & 0x80 ? LIBXL__AO_WAIT : 0;
}

static int start_phase(libxl__ao *ao, struct state *s, int index)
{
    struct play *p = play_of(ao);
    CHECK(index > p->last_started);
    p->last_started = index;
    return act(ao, s, true);
}

static int poll_phase(libxl__ao *ao, struct state *s)
{
    if (s->group.count && s->group.started) {
        const int rc = libxl__group_poll(ao, &s->group);
        play_of(ao)->may_fail |= rc < 0;
        if (rc)
            return rc;
    }
    return act(ao, s, true);
}

static void stop_phase(libxl__ao *ao, struct state *s)
{
    const unsigned what = next_byte(&plays.input);
    if (what & 1)
        libxl__group_stop(&s->group);
    if (what & 2 || plays.closing || !bytes_left(&plays.input))
        libxl__ao_wake(ao);
}

static int undo_phase(libxl__ao *ao, struct state *s, int index)
{
    struct play *p = play_of(ao);
    CHECK(index <= p->last_started && index <= p->last_undone);
    p->last_undone = index;
    const unsigned what = next_byte(&plays.input);
    if (what % 8 == 1)
        return ERROR_FAIL;
    if (what % 8 == 2)
        return LIBXL__AO_CARRIED_OUT;
    if (what % 8 == 3)
        libxl__alarm_set(ao, &s->alarm, LIBXL__MILLISECONDS(what));
    return what & 0x80 && bytes_left(&plays.input) && !plays.closing ? LIBXL__AO_WAIT : 0;
}

#define PHASE(index)                                                                                         \
    static int start_##index(libxl__ao *ao, void *state)                                                     \
    {                                                                                                        \
        return start_phase(ao, state, index);                                                                \
    }                                                                                                        \
    static int undo_##index(libxl__ao *ao, void *state)                                                      \
    {                                                                                                        \
        return undo_phase(ao, state, index);                                                                 \
    }
PHASE(0)
PHASE(1)
PHASE(2)
PHASE(3)

static int poll_any(libxl__ao *ao, void *state)
{
    return poll_phase(ao, state);
}

static void stop_any(libxl__ao *ao, void *state)
{
    stop_phase(ao, state);
}

/* Forgets the operation's record. The library calls this function when the operation ends, because the
 * record must not be used any more. */
static void forget(void *args)
{
    struct play *p = *(struct play **)args;
    if (p) /* If `p` is NULL, the operation goes on in another record. */
        p->ao = NULL;
}

#define ROW(index, ...)                                                                                      \
    {                                                                                                        \
        .name = "phase" #index, .start = start_##index, .poll = poll_any, __VA_ARGS__                        \
    }
#define CLASS(class_name, ...)                                                                               \
    static const libxl__phase class_name##_list[] = {__VA_ARGS__};                                           \
    static const libxl__phases class_name##_phases = {                                                       \
        class_name##_list, sizeof(class_name##_list) / sizeof(*class_name##_list), sizeof(struct state)};    \
    static const libxl__ao_class class_name##_class = {.name = #class_name,                                  \
                                                       .phases = &class_name##_phases,                       \
                                                       .dispose = forget,                                    \
                                                       .args_size = sizeof(struct play *),                   \
                                                       .slow = true}

CLASS(plain, ROW(0, .undo = undo_0), ROW(1), ROW(2, .undo = undo_2));
CLASS(limited, ROW(0, .undo = undo_0, .undo_ms = 20),
      ROW(1, .limit_ms = 50, .limit_rc = ERROR_TIMEDOUT, .undo = undo_1), ROW(2, .limit_ms = 30),
      ROW(3, .undo = undo_3, .undo_ms = 5));
CLASS(stoppable, ROW(0, .stop = stop_any, .undo = undo_0),
      ROW(1, .stop = stop_any, .stop_ms = 10, .undo = undo_1), ROW(2, .stop = stop_any));
CLASS(committing, ROW(0, .undo = undo_0), ROW(1, .commits = true), ROW(2, .stop = stop_any, .stop_ms = 40));
CLASS(grouped, ROW(0, .undo = undo_0, .undo_ms = 100), ROW(1, .stop = stop_any));

const libxl__ao_class *play_class(void)
{
    static const libxl__ao_class *const classes[] = {&plain_class, &limited_class, &stoppable_class,
                                                     &committing_class, &grouped_class};
    return classes[next_below(&plays.input, sizeof(classes) / sizeof(*classes))];
}
