/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Opening, using and closing contexts. Some tests close a context that has operations in flight, or make
 * calls fail. */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- closing with operations in flight */

enum { WAITING = 10, OPERATIONS = WAITING + 3 };

struct completions {
    int count[OPERATIONS], rc[OPERATIONS];
};
static struct completions results;

static void complete_number(libxl_ctx *ctx, int rc, void *number)
{
    int *i = number;
    libxl_dominfo_list list;
    results.count[*i]++;
    results.rc[*i] = rc;
    /* A callback may call functions of the context that is being closed, but new operations are refused. */
    assert_int_equal(libxl_domain_list(ctx, &list, NULL), ERROR_CLOSED);
}

static void event_number(void *user, libxl_event *event)
{
    results.count[event->for_user]++;
    results.rc[event->for_user] = event->u.operation_complete.rc;
    libxl_event_free(*(libxl_ctx **)user, event);
}

/* Starts operations on guest `domid` that end late or never. They complete by callbacks if `callbacks` is
 * true, else by events. */
static void start_many(libxl_ctx *ctx, libxl_domid domid, bool callbacks)
{
    static int numbers[OPERATIONS];
    static libxl_shutdown_reason reason;
    static libxl_domid made;
    libxl_domain_config config = guest_config("b");
    memset(&results, 0, sizeof(results));
    for (int i = 0; i < OPERATIONS; i++) {
        libxl_asyncop_how how = {.u.for_event = (uint64_t)i};
        numbers[i] = i;
        if (callbacks)
            how = (libxl_asyncop_how){.callback = complete_number, .u.for_callback = &numbers[i]};
        int rc = i < WAITING        ? libxl_domain_wait_shutdown(ctx, domid, &reason, &how)
                 : i == WAITING     ? libxl_domain_shutdown(ctx, domid, &how)
                 : i == WAITING + 1 ? libxl_domain_wait_gone(ctx, domid, &how)
                                    : libxl_domain_create_new(ctx, &config, &made, &how, NULL);
        assert_int_equal(rc, ERROR_ASYNC_INPROGRESS);
    }
    libxl_domain_config_dispose(&config);
}

static void assert_all_aborted_once(void)
{
    for (int i = 0; i < OPERATIONS; i++) {
        assert_int_equal(results.count[i], 1);
        assert_int_equal(results.rc[i], ERROR_ABORTED);
    }
}

static void closing_calls_each_callback_once(scene *s)
{
    libxl_ctx *other = open_context();
    libxl_domid domid = guest_new(other, "b", true);
    (void)s;
    /* The test closes the context at once, after 3 ms, and after 6 ms. */
    for (int round = 0; round < 3; round++) {
        libxl_ctx *ctx = open_context();
        start_many(ctx, domid, true);
        sleep_ms((unsigned)round * 3);
        assert_int_equal(libxl_ctx_free(ctx), 0);
        assert_all_aborted_once();
    }
    guest_destroy(other, domid);
    libxl_ctx_free(other);
}

static void closing_delivers_each_event_to_the_hook_once(scene *s)
{
    libxl_ctx *other = open_context(), *ctx = open_context();
    const libxl_event_hooks hooks = {.event_occurs_mask = LIBXL_EVENTMASK_ALL, .event_occurs = event_number};
    libxl_domid domid = guest_new(other, "b", true);
    (void)s;
    libxl_event_register_callbacks(ctx, &hooks, &ctx);
    start_many(ctx, domid, false);
    assert_int_equal(libxl_ctx_free(ctx), 0);
    assert_all_aborted_once();
    guest_destroy(other, domid);
    libxl_ctx_free(other);
}

static void closing_drops_queued_events(scene *s)
{
    libxl_evgen_domain_lifecycle *evgen;
    libxl_ctx *other = open_context(), *ctx = open_context();
    libxl_domid domid = guest_new(other, "b", true);
    (void)s;
    assert_int_equal(libxl_evenable_domain_lifecycle(ctx, LIBXL_DOMID_ALL, 1, &evgen), 0);
    start_many(ctx, domid, false);
    sleep_ms(5);
    libxl_ctx_process(ctx);
    assert_int_equal(libxl_ctx_free(ctx), 0); /* The context is freed while an event generator is enabled. */
    guest_destroy(other, domid);
    libxl_ctx_free(other);
}

static void try_to_close(libxl_ctx *ctx, int rc, void *user)
{
    (void)rc;
    *(int *)user = libxl_ctx_free(ctx);
}

static void closing_from_a_callback_is_refused(scene *s)
{
    int refused = 0;
    libxl_physinfo info;
    const libxl_asyncop_how callback = {.callback = try_to_close, .u.for_callback = &refused};
    assert_int_equal(libxl_host_info(s->ctx, &info, &callback), ERROR_ASYNC_INPROGRESS);
    assert_int_equal(refused, ERROR_INVAL);
    /* The context is still open, because the callback's call of libxl_ctx_free() has failed. */
    assert_int_equal(RUN(s, libxl_host_info(s->ctx, &info, how)), 0);
}

static void freeing_null_is_allowed(scene *s)
{
    assert_int_equal(libxl_ctx_free(NULL), 0);
    libxl_event_free(s->ctx, NULL);
}

/* ---- opening */

static void wrong_arguments_are_refused(scene *s)
{
    libxl_ctx *ctx = (void *)1;
    (void)s;
    assert_int_equal(libxl_ctx_alloc(&ctx, LIBXL_VERSION + 1, 0, NULL), ERROR_VERSION);
    assert_null(ctx);
    assert_non_null(strstr(libxl_error_message(), "version: 1"));
    ctx = (void *)1;
    assert_int_equal(libxl_ctx_alloc(&ctx, LIBXL_VERSION, 1u << 31, NULL), ERROR_INVAL);
    assert_null(ctx);
    assert_non_null(strstr(libxl_error_message(), "flags: 0x80000000"));
}

static void contexts_are_independent(scene *s)
{
    enum { CONTEXTS = 8 };
    libxl_ctx *contexts[CONTEXTS];
    libxl_event *event;
    libxl_physinfo info;
    const libxl_asyncop_how how = {.u.for_event = 1};
    for (int i = 0; i < CONTEXTS; i++)
        contexts[i] = open_context();
    assert_int_equal(libxl_host_info(contexts[3], &info, &how), ERROR_ASYNC_INPROGRESS);
    for (int i = 0; i < CONTEXTS; i++) {
        assert_int_equal(libxl_event_check(contexts[i], &event, LIBXL_EVENTMASK_ALL, NULL, NULL),
                         i == 3 ? 0 : ERROR_NOT_READY);
        libxl_event_free(contexts[i], event);
    }
    assert_int_equal(libxl_event_check(contexts[3], &event, LIBXL_EVENTMASK_ALL, NULL, NULL),
                     ERROR_NOT_READY);
    for (int i = 0; i < CONTEXTS; i++)
        assert_int_equal(libxl_ctx_free(contexts[i]), 0);
    (void)s;
}

/* The test raises the limit of descriptors by one until a context can be opened. So each step of the opening
 * fails once for lack of a descriptor. */
static void opening_without_descriptors_leaks_nothing(scene *s)
{
    struct rlimit before, limit;
    libxl_ctx *ctx = NULL;
    (void)s;
    int at_first = fixture_entries("/proc/self/fd"), failures = 0;
    getrlimit(RLIMIT_NOFILE, &before);
    for (rlim_t allowed = 3; !ctx && allowed < 200; allowed++) {
        limit = (struct rlimit){.rlim_cur = allowed, .rlim_max = before.rlim_max};
        setrlimit(RLIMIT_NOFILE, &limit);
        int rc = libxl_ctx_alloc(&ctx, LIBXL_VERSION, 0, NULL);
        setrlimit(RLIMIT_NOFILE, &before);
        if (rc) {
            failures++;
            assert_null(ctx);
            assert_true(*libxl_error_message());
            assert_int_equal(fixture_entries("/proc/self/fd"), at_first);
        }
    }
    assert_non_null(ctx);
    assert_in_range(failures, 5, 200);
    assert_int_equal(libxl_ctx_free(ctx), 0);
}

/* ---- a context in use */

static void ask_for_names(scene *s, int times)
{
    for (int i = 0; i < times; i++) {
        char *name = NULL;
        assert_int_equal(RUN(s, libxl_domain_get_name(s->ctx, 0, &name, how)), 0);
        free(name);
    }
}

static void many_operations_leak_no_descriptor(scene *s)
{
    struct fixture before, after;
    /* Each thread opens its handle to the hypervisor before the test counts descriptors. */
    ask_for_names(s, 20);
    fixture_begin(&before);
    ask_for_names(s, 200);
    fixture_begin(&after);
    assert_int_equal(after.descriptors, before.descriptors);
    /* The library may have started one more thread: the worker that serves xenstore. */
    assert_in_range(after.threads, before.threads, before.threads + 1);
}

/* ---- fork and exec */

/* The number of descriptors of a context. The loop has five descriptors, and the connection to xenstored
 * has one. */
enum { OWN_DESCRIPTORS = 6 };

static void a_forked_child_releases_its_copy(scene *s)
{
    libxl_physinfo info;
    /* The variable is static because LeakSanitizer would report the child's copy of a local variable. */
    static libxl_ctx *ctx;
    ctx = open_context();
    int with = fixture_entries("/proc/self/fd");
    pid_t child = fork();
    if (child == 0) {
        libxl_postfork_child_noexec(ctx);
        bool dead = libxl_host_info(ctx, &info, NULL) == ERROR_CLOSED;
        _exit(dead && fixture_entries("/proc/self/fd") <= with - OWN_DESCRIPTORS ? 0 : 1);
    }
    int status;
    waitpid(child, &status, 0);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    char *name = NULL;
    /* The context of the parent process still works. */
    assert_int_equal(libxl_host_info(ctx, &info, NULL), 0);
    assert_int_equal(libxl_domain_get_name(ctx, 0, &name, NULL), 0);
    assert_string_equal(name, "Domain-0");
    free(name);
    libxl_ctx_free(ctx);
    (void)s;
}

struct asking {
    libxl_ctx *ctx;
    atomic_bool over;
};

static void *ask_repeatedly(void *argument)
{
    struct asking *asking = argument;
    libxl_physinfo info;
    while (!atomic_load(&asking->over))
        libxl_host_info(asking->ctx, &info, NULL);
    return NULL;
}

/* The test forks at random moments. Another thread may hold any lock at the moment of a fork. */
static void a_forked_child_has_a_closed_copy_at_any_moment(scene *s)
{
    struct asking asking = {.ctx = open_context()};
    pthread_t thread;
    libxl_physinfo info;
    int status = 0;
    pthread_create(&thread, NULL, ask_repeatedly, &asking);
    for (int i = 0; i < 100 && status == 0; i++) {
        pid_t child = fork();
        if (child == 0) {
            alarm(5);
            libxl_postfork_child_noexec(asking.ctx);
            _exit(libxl_host_info(asking.ctx, &info, NULL) == ERROR_CLOSED ? 0 : 1);
        }
        waitpid(child, &status, 0);
    }
    atomic_store(&asking.over, true);
    pthread_join(thread, NULL);
    assert_int_equal(status, 0);
    libxl_ctx_free(asking.ctx);
    (void)s;
}

static int descriptors_of_a_program(void)
{
    int count = -1;
    FILE *pipe = popen("ls /proc/self/fd | wc -l", "re");
    assert_int_equal(fscanf(pipe, "%d", &count), 1);
    pclose(pipe);
    return count;
}

static void a_program_inherits_no_descriptor(scene *s)
{
    (void)s;
    int without = descriptors_of_a_program();
    libxl_ctx *ctx = open_context();
    assert_int_equal(descriptors_of_a_program(), without);
    libxl_ctx_free(ctx);
}

static const body bodies[] = {
    BODY(closing_calls_each_callback_once, NO_CONTEXT),
    BODY(closing_delivers_each_event_to_the_hook_once, NO_CONTEXT),
    BODY(closing_drops_queued_events, NO_CONTEXT),
    BODY(closing_from_a_callback_is_refused),
    BODY(freeing_null_is_allowed),
    BODY(wrong_arguments_are_refused, NO_CONTEXT),
    BODY(contexts_are_independent, NO_CONTEXT),
    BODY(opening_without_descriptors_leaks_nothing, NO_CONTEXT),
    BODY(many_operations_leak_no_descriptor, ALONE),
    BODY(a_forked_child_releases_its_copy, NO_CONTEXT),
    BODY(a_forked_child_has_a_closed_copy_at_any_moment, NO_CONTEXT),
    BODY(a_program_inherits_no_descriptor, NO_CONTEXT),
};

HARNESS_MAIN(bodies)
