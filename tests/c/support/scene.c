/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: the scene of the running test, its operations and the events that have arrived. scene->lock guards
 * the lists and the results, because any waiting thread may receive a completion. The operations are freed
 * only when the test has ended, so a second completion of an operation is detected and uses no freed memory.
 */
#include "scene.h"
#include "styles.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum {
    /* The interval at which a thread checks whether another thread has received its
     * event, in milliseconds. */
    TICK_MS = 5,
    EVENT_LIMIT_MS = 10000,
    REST_LIMIT_MS = 2000,
    ANY_TYPE = -1,
};

uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint64_t scaled_ms(uint64_t ms)
{
    const char *factor = getenv("AIOXEN_TEST_FACTOR");
    return factor ? (uint64_t)((double)ms * strtod(factor, NULL)) : ms;
}

void sleep_ms(unsigned milliseconds)
{
    usleep(milliseconds * 1000);
}

/* ---- completions and events */

static void completed(op *o, const seen *event, const char *message)
{
    pthread_mutex_lock(&o->s->lock);
    o->rc = event->value;
    o->domid = event->domid;
    o->uuid = event->uuid;
    o->thread = pthread_self();
    snprintf(o->message, sizeof(o->message), "%s", message ? message : "");
    pthread_mutex_unlock(&o->s->lock);
    atomic_fetch_add(&o->completions, 1);
}

static void called_back(libxl_ctx *ctx, int rc, void *user)
{
    completed(user, &(seen){.value = rc}, rc ? libxl_error_message() : NULL);
    /* Ends a libxl_event_wait() in which the test may be waiting. This call takes the context's lock, so the
     * caller must not hold the lock. */
    libxl_ctx_wake(ctx);
}

static op *find_op(scene *s, uint64_t for_user)
{
    pthread_mutex_lock(&s->lock);
    op *o = s->ops;
    while (o && (uintptr_t)o != for_user)
        o = o->next;
    pthread_mutex_unlock(&s->lock);
    return o;
}

void scene_note(scene *s, seen event, const char *message)
{
    op *o = event.type == LIBXL_EVENT_TYPE_OPERATION_COMPLETE ? find_op(s, event.for_user) : NULL;
    if (o) {
        completed(o, &event, message);
        return;
    }
    seen *node = malloc(sizeof(*node)), **end = &s->events;
    *node = event;
    node->next = NULL;
    pthread_mutex_lock(&s->lock);
    while (*end)
        end = &(*end)->next;
    *end = node;
    pthread_mutex_unlock(&s->lock);
}

/* ---- waiting */

void pump(scene *s, int milliseconds)
{
    if (s->way.several && (milliseconds < 0 || milliseconds > TICK_MS))
        milliseconds = TICK_MS; /* Another thread may receive the event that this thread waits for. */
    styles[s->way.style].wait(s, milliseconds);
}

void pump_for(scene *s, int milliseconds)
{
    for (uint64_t end = now_ms() + (uint64_t)milliseconds, now; (now = now_ms()) < end;)
        pump(s, (int)(end - now));
}

struct identity {
    libxl_domid domid;
    uint64_t for_user;
    int type;
};

static bool event_matches(const seen *event, const struct identity *id)
{
    return event->domid == id->domid && event->for_user == id->for_user &&
           (id->type == ANY_TYPE || (int)event->type == id->type);
}

static bool take_noted(scene *s, const struct identity *id, seen *out)
{
    pthread_mutex_lock(&s->lock);
    seen **at = &s->events, *found;
    while ((found = *at) && !event_matches(found, id))
        at = &found->next;
    if (found) {
        *at = found->next;
        *out = *found;
        free(found);
    }
    pthread_mutex_unlock(&s->lock);
    return found;
}

static bool event_within(scene *s, const struct identity *id, int milliseconds, seen *out)
{
    uint64_t end = now_ms() + (uint64_t)milliseconds;
    for (uint64_t now; !take_noted(s, id, out);) {
        if ((now = now_ms()) >= end)
            return false;
        pump(s, (int)(end - now));
    }
    return true;
}

seen next_event(scene *s, libxl_domid domid, uint64_t for_user, int type)
{
    seen event;
    const struct identity id = {domid, for_user, s->way.several ? type : ANY_TYPE};
    if (!event_within(s, &id, (int)scaled_ms(EVENT_LIMIT_MS), &event))
        fail_msg("no event of type %d came for domain %u and for_user %#llx", type, domid,
                 (unsigned long long)for_user);
    assert_int_equal(event.type, type);
    return event;
}

bool take_event(scene *s, libxl_domid domid, uint64_t for_user, int milliseconds, seen *out)
{
    const struct identity id = {domid, for_user, ANY_TYPE};
    return event_within(s, &id, milliseconds, out);
}

bool no_event(scene *s, libxl_domid domid, uint64_t for_user, int milliseconds)
{
    seen event;
    return !take_event(s, domid, for_user, milliseconds, &event);
}

uint64_t new_user(void)
{
    static atomic_uint_fast64_t last = 0xfedcba9800000000;
    return atomic_fetch_add(&last, 1) + 1;
}

void wait_node(scene *s, libxl_domid domid, const char *path, const char *value)
{
    for (uint64_t end = now_ms() + scaled_ms(EVENT_LIMIT_MS); now_ms() < end; pump(s, 5)) {
        char *now = guest_node(domid, path);
        bool is = value && now ? strcmp(now, value) == 0 : !value && !now;
        free(now);
        if (is)
            return;
    }
    fail_msg("%s of domain %u did not become '%s'", path, domid, value ? value : "");
}

/* ---- operations */

static _Thread_local op *last_begun;

op *op_begin(scene *s)
{
    op *o = calloc(1, sizeof(*o));
    o->s = s;
    o->started = s->way.mode == SYNC;
    if (s->way.mode == CALLBACK) {
        o->how.callback = called_back;
        o->how.u.for_callback = o;
    } else {
        o->how.u.for_event = (uintptr_t)o;
    }
    pthread_mutex_lock(&s->lock);
    o->next = s->ops;
    s->ops = o;
    pthread_mutex_unlock(&s->lock);
    last_begun = o;
    return o;
}

const libxl_asyncop_how *op_how(const op *o)
{
    return o->s->way.mode == SYNC ? NULL : &o->how;
}

void op_started(op *o, int returned)
{
    if (o->s->way.mode == SYNC) {
        completed(o, &(seen){.value = returned}, returned ? libxl_error_message() : NULL);
    } else if (returned == ERROR_ASYNC_INPROGRESS) {
        o->started = true;
    } else {
        /* The initiator has refused the operation. In these modes it never returns 0. */
        assert_true(returned < 0);
        o->rc = returned;
        snprintf(o->message, sizeof(o->message), "%s", libxl_error_message());
    }
}

bool op_done(const op *o)
{
    return !o->started || atomic_load(&o->completions);
}

const char *last_message(const scene *s)
{
    (void)s;
    return last_begun->message;
}

void check_says(const scene *s, const char *part)
{
    if (!strstr(last_message(s), part))
        fail_msg("'%s' has no '%s'", last_message(s), part);
}

int op_result(op *o)
{
    call_end(o);
    while (!op_done(o))
        pump(o->s, -1);
    pthread_mutex_lock(&o->s->lock);
    int rc = o->rc;
    pthread_mutex_unlock(&o->s->lock);
    return rc;
}

/* ---- a scene */

libxl_ctx *open_context(void)
{
    libxl_ctx *ctx;
    assert_int_equal(libxl_ctx_alloc(&ctx, LIBXL_VERSION, 0, NULL), 0);
    return ctx;
}

void complete_instantly(libxl_ctx *ctx, uint64_t for_user)
{
    libxl_physinfo info;
    const libxl_asyncop_how how = {.u.for_event = for_user};
    assert_int_equal(libxl_host_info(ctx, &info, &how), ERROR_ASYNC_INPROGRESS);
}

void scene_open(scene *s)
{
    pthread_mutex_init(&s->lock, NULL);
    s->over = false;
    /* The flags of libxl_ctx_alloc(), which choose how the context connects to xenstored. */
    const char *flags = getenv("AIOXEN_TEST_FLAGS");
    assert_int_equal(libxl_ctx_alloc(&s->ctx, LIBXL_VERSION, flags ? (unsigned)atoi(flags) : 0, &call_logger),
                     0);
    if (styles[s->way.style].begin)
        styles[s->way.style].begin(s);
    s->open = true;
}

struct run {
    scene *s;
    const body *body;
};

static void *run_on_thread(void *argument)
{
    const struct run *r = argument;
    r->body->run(r->s);
    return NULL;
}

static void *pump_until_over(void *argument)
{
    scene *s = argument;
    while (!atomic_load(&s->over))
        pump(s, TICK_MS);
    return NULL;
}

/* Runs the body on the scene's threads. A failed assertion on one of several threads ends the process,
 * because the other threads still use the scene. */
void scene_run(scene *s, const body *b)
{
    const int runs = b->reason & ALONE ? 1 : 2;
    struct run run = {s, b};
    pthread_t waiting, running[2];
    if (!s->way.several) {
        b->run(s);
        return;
    }
    setenv("CMOCKA_TEST_ABORT", "1", 1);
    pthread_create(&waiting, NULL, pump_until_over, s);
    for (int i = 0; i < runs; i++)
        pthread_create(&running[i], NULL, run_on_thread, &run);
    for (int i = 0; i < runs; i++)
        pthread_join(running[i], NULL);
    atomic_store(&s->over, true);
    pthread_join(waiting, NULL);
    unsetenv("CMOCKA_TEST_ABORT");
}

static void check_completions(const scene *s)
{
    for (const op *o = s->ops; o; o = o->next)
        if (atomic_load(&o->completions) != (o->started ? 1 : 0))
            fail_msg("an operation that was %s completed %d times, rc %d", o->started ? "started" : "refused",
                     atomic_load(&o->completions), o->rc);
}

static void scene_free(scene *s)
{
    for (seen *event; (event = s->events); free(event))
        s->events = event->next;
    for (op *o; (o = s->ops); free(o))
        s->ops = o->next;
    pthread_mutex_destroy(&s->lock);
}

/* Waits for the background work of aborted operations. Frees the events that no test has taken. */
static void wait_until_idle(scene *s)
{
    libxl_counters now;
    for (uint64_t end = now_ms() + scaled_ms(REST_LIMIT_MS); now_ms() < end; pump(s, TICK_MS)) {
        libxl_ctx_counters(s->ctx, &now);
        if (!now.timers && !now.jobs && !now.events)
            return;
    }
}

void scene_close(scene *s)
{
    for (op *o = s->ops; o; o = o->next)
        call_end(o);
    wait_until_idle(s);
    fixture_check_counters(s->ctx);
    s->open = false;
    assert_int_equal(libxl_ctx_free(s->ctx), 0);
    if (styles[s->way.style].end)
        styles[s->way.style].end(s);
    check_completions(s);
    scene_free(s);
}
