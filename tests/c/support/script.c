/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns: nothing. The tests own the scripts; the context's lock guards a script while its operation runs. */
#include "script.h"

#include <stdio.h>

enum { TIME_LIMIT_MS = 10000 };

static void note(struct script *p, int index, char what)
{
    const size_t length = strlen(p->trace);
    assert_true(length + 3 < sizeof(p->trace));
    p->trace[length] = (char)('a' + index);
    p->trace[length + 1] = what;
}

static int end_with(libxl__ao *ao, int rc, const char *message)
{
    return rc < 0 && message ? libxl__ao_fail(ao, rc, "%s", message) : rc;
}

static int start(libxl__ao *ao, int index)
{
    struct script *p = core_user(ao);
    const struct part *part = &p->part[index];
    p->ao = ao;
    note(p, index, '+');
    return part->waits ? LIBXL__AO_WAIT : end_with(ao, part->rc, part->message);
}

static int go_on_waiting(libxl__ao *ao, struct script *p, const struct part *part)
{
    p->polls++;
    if (part->extends)
        libxl__phase_extend(ao);
    return LIBXL__AO_WAIT;
}

static int poll_part(libxl__ao *ao, int index)
{
    struct script *p = core_user(ao);
    const struct part *part = &p->part[index];
    if (!part->open)
        return go_on_waiting(ao, p, part);
    note(p, index, '.');
    return end_with(ao, part->rc, part->message);
}

static void stop_part(libxl__ao *ao, int index)
{
    struct script *p = core_user(ao);
    note(p, index, '!');
    if (p->part[index].opens_on_stop)
        p->part[index].open = true;
}

static int undo_part(libxl__ao *ao, int index)
{
    struct script *p = core_user(ao);
    const struct part *part = &p->part[index];
    if (part->undo_waits && !part->undo_open)
        return go_on_waiting(ao, p, part);
    note(p, index, '-');
    return end_with(ao, part->undo_rc, part->undo_message);
}

#define FUNCTIONS(name, index)                                                                               \
    int script_start_##name(libxl__ao *ao, void *state)                                                      \
    {                                                                                                        \
        assert_int_equal(*(int *)state, index); /* The state counts the phases that have started. */         \
        ++*(int *)state;                                                                                     \
        return start(ao, index);                                                                             \
    }                                                                                                        \
    int script_poll_##name(libxl__ao *ao, void *state)                                                       \
    {                                                                                                        \
        (void)state;                                                                                         \
        return poll_part(ao, index);                                                                         \
    }                                                                                                        \
    void script_stop_##name(libxl__ao *ao, void *state)                                                      \
    {                                                                                                        \
        (void)state;                                                                                         \
        stop_part(ao, index);                                                                                \
    }                                                                                                        \
    int script_undo_##name(libxl__ao *ao, void *state)                                                       \
    {                                                                                                        \
        (void)state;                                                                                         \
        return undo_part(ao, index);                                                                         \
    }
FUNCTIONS(a, 0)
FUNCTIONS(b, 1)
FUNCTIONS(c, 2)

void script_wake(libxl_ctx *ctx, struct script *p)
{
    libxl__ctx_lock(ctx);
    libxl__ao_wake(p->ao);
    libxl__ctx_leave(ctx);
}

void script_open(libxl_ctx *ctx, struct script *p, int index)
{
    libxl__ctx_lock(ctx);
    p->part[index].open = true;
    libxl__ao_wake(p->ao);
    libxl__ctx_leave(ctx);
}

void script_open_undo(libxl_ctx *ctx, struct script *p, int index)
{
    libxl__ctx_lock(ctx);
    p->part[index].undo_open = true;
    libxl__ao_wake(p->ao);
    libxl__ctx_leave(ctx);
}

void script_stop(libxl_ctx *ctx, struct script *p, int why)
{
    libxl__ctx_lock(ctx);
    libxl__ao_request_stop(p->ao, why);
    libxl__ctx_leave(ctx);
}

void script_reach(scene *s, struct script *p, const char *trace)
{
    for (uint64_t end = now_ms() + scaled_ms(TIME_LIMIT_MS);; pump(s, 5)) {
        char now[sizeof(p->trace)];
        libxl__ctx_lock(s->ctx);
        memcpy(now, p->trace, sizeof(now));
        libxl__ctx_unlock(s->ctx);
        if (strcmp(now, trace) == 0)
            return;
        if (now_ms() > end)
            fail_msg("the trace is %s and did not become %s", now, trace);
    }
}

void script_ends(op *o, const struct script *p, int rc, const char *trace)
{
    const int result = op_result(o);
    assert_string_equal(p->trace, trace);
    assert_int_equal(result, rc);
}
