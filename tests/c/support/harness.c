/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: the scene of the running test, its operations and the events it has got. scene->lock guards the lists
 * and the results, because any thread that waits may be the one that is told. Operations are freed when the
 * test has ended, so that a second completion of one is seen and not a use of freed memory.
 */
#include "styles.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum {
    TICK_MS = 20, /* how often one of several threads looks whether another got what it waits for */
    TEST_LIMIT_S = 60,
    EVENT_LIMIT_MS = 10000,
};

uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void sleep_ms(unsigned milliseconds)
{
    usleep(milliseconds * 1000);
}

/* ---- what comes back */

void scene_completed(op *o, int rc, uint32_t domid, const char *message)
{
    pthread_mutex_lock(&o->s->lock);
    o->rc = rc;
    o->domid = domid;
    o->thread = pthread_self();
    snprintf(o->message, sizeof(o->message), "%s", message ? message : "");
    pthread_mutex_unlock(&o->s->lock);
    atomic_fetch_add(&o->completions, 1);
}

static void called_back(libxl_ctx *ctx, int rc, void *user)
{
    op *o = user;
    scene_completed(o, rc, LIBXL_DOMID_INVALID, rc ? libxl_error_message() : NULL);
    libxl_ctx_wake(ctx); /* for a test that sits in libxl_event_wait; and it shows that the lock is free */
}

void scene_noted(scene *s, seen event)
{
    seen *noted = malloc(sizeof(*noted));
    *noted = event;
    noted->next = NULL;
    pthread_mutex_lock(&s->lock);
    *s->events_end = noted;
    s->events_end = &noted->next;
    pthread_mutex_unlock(&s->lock);
}

static const char *const mode_names[] = {[SYNC] = "sync", [CALLBACK] = "callback", [EVENT] = "event"};

void pump(scene *s, int milliseconds)
{
    if (s->way.several && (milliseconds < 0 || milliseconds > TICK_MS))
        milliseconds = TICK_MS; /* another thread may be told in our place */
    styles[s->way.style].wait(s, milliseconds);
}

static bool take_noted(scene *s, seen *out)
{
    pthread_mutex_lock(&s->lock);
    seen *first = s->events;
    if (first) {
        s->events = first->next;
        if (!s->events)
            s->events_end = &s->events;
        *out = *first;
        free(first);
    }
    pthread_mutex_unlock(&s->lock);
    return first;
}

static bool event_within(scene *s, seen *out, int milliseconds)
{
    uint64_t end = now_ms() + (uint64_t)milliseconds;
    for (uint64_t now; !take_noted(s, out);) {
        if ((now = now_ms()) >= end)
            return false;
        pump(s, (int)(end - now));
    }
    return true;
}

seen next_event(scene *s)
{
    seen event;
    if (!event_within(s, &event, EVENT_LIMIT_MS))
        fail_msg("no event came");
    return event;
}

bool no_event(scene *s, int milliseconds)
{
    seen event;
    return !event_within(s, &event, milliseconds);
}

void wait_node(scene *s, libxl_domid domid, const char *path, const char *value)
{
    for (uint64_t end = now_ms() + EVENT_LIMIT_MS; now_ms() < end; pump(s, 5)) {
        char *now = guest_node(domid, path);
        bool is = value && now ? strcmp(now, value) == 0 : !value && !now;
        free(now);
        if (is)
            return;
    }
    fail_msg("%s of domain %u does not become '%s'", path, domid, value ? value : "");
}

/* ---- operations */

op *op_begin(scene *s)
{
    op *o = calloc(1, sizeof(*o));
    o->s = s;
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
    return o;
}

const libxl_asyncop_how *op_how(const op *o)
{
    return o->s->way.mode == SYNC ? NULL : &o->how;
}

void op_started(op *o, int returned)
{
    if (o->s->way.mode == SYNC) {
        scene_completed(o, returned, LIBXL_DOMID_INVALID, returned ? libxl_error_message() : NULL);
        o->started = true;
    } else if (returned == ERROR_ASYNC_INPROGRESS) {
        o->started = true;
    } else {
        assert_true(returned < 0); /* refused: 0 is no answer */
        o->rc = returned;
        snprintf(o->message, sizeof(o->message), "%s", libxl_error_message());
    }
}

bool op_done(const op *o)
{
    return !o->started || atomic_load(&o->completions);
}

int op_result(op *o)
{
    while (!op_done(o))
        pump(o->s, -1);
    pthread_mutex_lock(&o->s->lock);
    int rc = o->rc;
    pthread_mutex_unlock(&o->s->lock);
    return rc;
}

const char *last_message(const scene *s)
{
    return s->ops ? s->ops->message : "";
}

/* ---- a scene */

static void scene_open(scene *s)
{
    s->events_end = &s->events;
    pthread_mutex_init(&s->lock, NULL);
    s->over = false;
    /* The environment may ask for the other way to xenstored. */
    const char *flags = getenv("AIOXEN_TEST_FLAGS");
    assert_int_equal(libxl_ctx_alloc(&s->ctx, LIBXL_VERSION, flags ? (unsigned)atoi(flags) : 0, NULL), 0);
    if (styles[s->way.style].begin)
        styles[s->way.style].begin(s);
    s->open = true;
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
    seen event;
    while (take_noted(s, &event))
        ;
    for (op *o; (o = s->ops); free(o))
        s->ops = o->next;
    pthread_mutex_destroy(&s->lock);
}

static void scene_close(scene *s)
{
    if (!s->ctx) /* the body has freed it */
        s->open = false;
    if (s->open) {
        s->open = false;
        fixture_check_counters(s->ctx);
        assert_int_equal(libxl_ctx_free(s->ctx), 0);
    }
    if (styles[s->way.style].end)
        styles[s->way.style].end(s);
    check_completions(s);
    scene_free(s);
}

static void *run_on_thread(void *argument)
{
    const struct {
        scene *s;
        const body *body;
    } *what = argument;
    what->body->run(what->s);
    return NULL;
}

static void *wait_too(void *argument)
{
    scene *s = argument;
    while (!atomic_load(&s->over))
        pump(s, TICK_MS);
    return NULL;
}

static void run_several(scene *s, const body *b)
{
    struct {
        scene *s;
        const body *body;
    } what = {s, b};
    pthread_t waiting, running;
    pthread_create(&waiting, NULL, wait_too, s);
    pthread_create(&running, NULL, run_on_thread, &what);
    b->run(s);
    pthread_join(running, NULL);
    atomic_store(&s->over, true);
    pthread_join(waiting, NULL);
}

/* ---- tests: bodies times ways */

struct test {
    const body *body;
    way way;
    scene scene;
};

static void run_one(void **state)
{
    struct test *test = *state;
    scene *s = &test->scene;
    alarm(TEST_LIMIT_S);
    s->way = test->way;
    fixture_begin(&s->before);
    if (test->body->ways == NO_CONTEXT) {
        test->body->run(s);
    } else {
        scene_open(s);
        if (s->way.several)
            run_several(s, test->body);
        else
            test->body->run(s);
        scene_close(s);
    }
    fixture_check(&s->before);
}

/* After a failure: what the test has left must not fail the next one. */
static int clean_up(void **state)
{
    struct test *test = *state;
    if (test->scene.open)
        libxl_ctx_free(test->scene.ctx);
    fixture_clean(&test->scene.before);
    alarm(0);
    return 0;
}

#define ANY_MODE  ((1u << MODES) - 1)
#define ANY_STYLE ((1u << STYLES) - 1)

static const struct {
    unsigned modes, styles;
    bool several;
} ways_table[] = {
    [ONE_WAY] = {1 << EVENT, 1 << WAIT, false},
    [NO_CONTEXT] = {1 << EVENT, 1 << WAIT, false},
    [IN_LOOP] = {1 << EVENT, 1 << LOOP, false},
    [BOTH] = {1 << CALLBACK | 1 << EVENT, 1 << WAIT, false},
    [EACH_MODE] = {ANY_MODE, 1 << WAIT, false},
    [EACH_STYLE] = {1 << CALLBACK | 1 << EVENT, ANY_STYLE, false},
    [ASYNC] = {1 << CALLBACK | 1 << EVENT, ANY_STYLE, false},
    [DIAGONAL] = {ANY_MODE, ANY_STYLE, true},
    [ALL_WAYS] = {ANY_MODE, ANY_STYLE, true},
};

static bool is_wanted(const body *b, way w)
{
    if (!(ways_table[b->ways].modes >> w.mode & 1) || !(ways_table[b->ways].styles >> w.style & 1))
        return false;
    if (w.several && !ways_table[b->ways].several)
        return false;
    if (b->ways == EACH_STYLE && (w.mode == CALLBACK) != (w.style % 2))
        return false;
    if (b->ways == DIAGONAL && ((int)w.mode + (int)w.style) % 3)
        return false;
    return w.mode != SYNC || w.style == WAIT || w.several; /* one synchronous thread has no style */
}

static char *test_name(const body *b, way w)
{
    char *name;
    int length = b->ways == ONE_WAY || b->ways == NO_CONTEXT || b->ways == IN_LOOP
                     ? asprintf(&name, "%s", b->name)
                     : asprintf(&name, "%s[%s-%s-%s]", b->name, mode_names[w.mode], styles[w.style].name,
                                w.several ? "threads" : "thread");
    return length < 0 ? NULL : name;
}

static bool asked_for(int argc, char **argv, const char *name)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], name) == 0)
            return true;
    return argc == 1;
}

static void *do_nothing(void *nothing)
{
    return nothing;
}

/* A sanitizer may make a thread of its own with the first thread: before anyone counts. */
static void make_first_thread(void)
{
    pthread_t thread;
    pthread_create(&thread, NULL, do_nothing, NULL);
    pthread_join(thread, NULL);
}

int harness_main(int argc, char **argv, const body *bodies, size_t count)
{
    enum { WAYS = MODES * STYLES * 2 };
    struct CMUnitTest *tests = calloc(count * WAYS, sizeof(*tests));
    struct test *states = calloc(count * WAYS, sizeof(*states));
    bool list = argc == 2 && strcmp(argv[1], "--list") == 0;
    size_t n = 0;
    if (argc == 2 && strcmp(argv[1], "--clean") == 0)
        fixture_clean(&(struct fixture){.has_world = true, .domains = 1, .domids = {0}});
    for (size_t i = 0; i < count * WAYS; i++) {
        const body *b = &bodies[i / WAYS];
        const way w = {.mode = (enum mode)(i % MODES),
                       .style = (enum style)(i / MODES % STYLES),
                       .several = i / (MODES * STYLES) % 2};
        char *name = is_wanted(b, w) ? test_name(b, w) : NULL;
        if (name && list)
            puts(name);
        if (!name || list || !asked_for(argc, argv, name)) {
            free(name);
            continue;
        }
        states[n] = (struct test){.body = b, .way = w};
        tests[n] = (struct CMUnitTest){name, run_one, NULL, clean_up, &states[n]};
        n++;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    make_first_thread();
    int failed = n ? _cmocka_run_group_tests("tests", tests, n, NULL, NULL) : 0;
    for (size_t i = 0; i < n; i++)
        free((char *)(uintptr_t)tests[i].name);
    free(tests);
    free(states);
    return failed != 0;
}
