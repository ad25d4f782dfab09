/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Runs the tests of a program. harness.h explains bodies and ways. Owns: the list of tests, which has one test
 * for each way of each body. Only the main thread uses the list. */
#include "scene.h"
#include "simulation.h"
#include "styles.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { TEST_LIMIT_S = 60, ALL_WAYS = MODES * STYLES * 2, FEW_WAYS = 6, TWO_WAYS = 2 };

/* ---- the ways that a body runs in */

static bool is_once(const body *b)
{
    return b->reason & (RUNS_ONCE | NO_CONTEXT);
}

/* Returns way `i` of a body that runs in few ways. The mode and the style differ from each way to the next.
 * There is one way with one thread for each mode, then one with several threads for each mode, and so on. */
static way one_of_few(size_t number, enum mode first, int i)
{
    const int modes = MODES - first;
    return (way){.mode = (enum mode)((int)first + i % modes),
                 .style = (enum style)((number + (size_t)i) % STYLES),
                 .several = i / modes % 2};
}

/* Returns way `i` of a body that runs in two ways. Way 0 has one thread, and way 1 has several threads. The
 * mode and the style (harness.h) depend on `number`, the index of the body in the program's table. So the
 * bodies of a program together run in all modes and styles. */
static way one_of_two(size_t number, enum mode first, int i)
{
    const int modes = MODES - first;
    return one_of_few(number, first, i * modes + (int)(number + (size_t)i) % modes);
}

static way one_of_all(enum mode first, int i)
{
    const int modes = MODES - first;
    return (way){.mode = (enum mode)((int)first + i % modes),
                 .style = (enum style)(i / modes % STYLES),
                 .several = i / modes / STYLES};
}

/* Stores the ways in which body `number` of this program runs in `ways`. Returns their number. */
static int ways_of(const body *b, size_t number, way ways[ALL_WAYS])
{
    const char *setting = getenv("AIOXEN_TEST_WAYS");
    const bool two = setting && strcmp(setting, "two") == 0;
    const bool few = b->reason & SLOW || (setting && strcmp(setting, "few") == 0);
    const enum mode first = is_once(b) ? EVENT : b->reason & ASYNCHRONOUS ? CALLBACK : SYNC;
    const int count = is_once(b) ? 1 : two ? TWO_WAYS : few ? FEW_WAYS : (MODES - (int)first) * STYLES * 2;
    for (int i = 0; i < count; i++)
        ways[i] = count == 1 ? one_of_all(first, i)
                  : two      ? one_of_two(number, first, i)
                  : few      ? one_of_few(number, first, i)
                             : one_of_all(first, i);
    return count;
}

static char *test_name(const body *b, way w)
{
    static const char *const modes[] = {[SYNC] = "sync", [CALLBACK] = "callback", [EVENT] = "event"};
    char *name;
    int length = is_once(b) ? asprintf(&name, "%s", b->name)
                            : asprintf(&name, "%s[%s-%s-%s]", b->name, modes[w.mode], styles[w.style].name,
                                       w.several ? "threads" : "thread");
    return length < 0 ? NULL : name;
}

/* ---- tests */

struct test {
    const body *body;
    way way;
    scene scene;
};

void harness_begin_limit(void)
{
    alarm((unsigned)(scaled_ms(TEST_LIMIT_S * 1000) / 1000));
}

static void run_one(void **state)
{
    struct test *test = *state;
    scene *s = &test->scene;
    harness_begin_limit();
    s->way = test->way;
    fixture_begin(&s->before);
    if (test->body->reason & NO_CONTEXT) {
        test->body->run(s);
    } else {
        scene_open(s);
        scene_run(s, test->body);
        scene_close(s);
    }
    fixture_check(&s->before);
}

/* Cleans up after each test. Without this, the leftovers of a failed test would make the next test fail. */
static int clean_up(void **state)
{
    struct test *test = *state;
    if (simulation_was_changed())
        simulation_restore();
    if (test->scene.open)
        libxl_ctx_free(test->scene.ctx);
    fixture_clean(&test->scene.before);
    alarm(0);
    return 0;
}

static bool is_selected(int argc, char **argv, const char *name)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], name) == 0)
            return true;
    return argc == 1;
}

/* Prints each argument that is not the name of a test. Returns how many there are. */
static int unknown_names(int argc, char **argv, const struct CMUnitTest *tests, size_t count)
{
    int unknown = 0;
    for (int i = 1; i < argc; i++) {
        size_t n = 0;
        while (n < count && strcmp(argv[i], tests[n].name) != 0)
            n++;
        if (n == count) {
            fprintf(stderr, "%s: no such test: %s\n", argv[0], argv[i]);
            unknown++;
        }
    }
    return unknown;
}

static void *do_nothing(void *nothing)
{
    return nothing;
}

/* Starts a thread and waits for its end. A sanitizer may start a thread of its own together with the first
 * thread. The sanitizer's thread must exist before the fixture counts threads. */
static void make_first_thread(void)
{
    pthread_t thread;
    pthread_create(&thread, NULL, do_nothing, NULL);
    pthread_join(thread, NULL);
}

int harness_main(int argc, char **argv, const body *bodies, size_t count)
{
    struct CMUnitTest *tests = calloc(count * ALL_WAYS, sizeof(*tests));
    struct test *states = calloc(count * ALL_WAYS, sizeof(*states));
    const bool list = argc == 2 && strcmp(argv[1], "--list") == 0;
    const bool clean = argc == 2 && strcmp(argv[1], "--clean") == 0;
    size_t n = 0;
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (clean) {
        simulation_restore();
        fixture_clean(&(struct fixture){.has_world = true, .domains = 1, .domids = {0}});
    }
    for (size_t number = 0; number < count; number++) {
        way ways[ALL_WAYS];
        const body *b = &bodies[number];
        for (int i = ways_of(b, number, ways) - 1; i >= 0; i--) {
            char *name = test_name(b, ways[i]);
            if (list)
                puts(name);
            if (list || !is_selected(argc, argv, name)) {
                free(name);
                continue;
            }
            states[n] = (struct test){.body = b, .way = ways[i]};
            tests[n] = (struct CMUnitTest){name, run_one, NULL, clean_up, &states[n]};
            n++;
        }
    }
    if (!list && !clean && unknown_names(argc, argv, tests, n))
        return 1;
    make_first_thread();
    int failed = n ? _cmocka_run_group_tests("tests", tests, n, NULL, NULL) : 0;
    for (size_t i = 0; i < n; i++)
        free((char *)(uintptr_t)tests[i].name);
    free(tests);
    free(states);
    return failed != 0;
}
