/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Programs that operations run. The library reaps each such program. It does not reap the application's
 * own children. */
#include "program.h"
#include "refuse.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- how programs end */

static void a_program_is_reaped_when_its_operation_ends(scene *s)
{
    static const struct {
        const char *command;
        int rc;
        const char *message;
    } ends[] = {
        {"exit 0", 0, ""},
        {"exit 3", ERROR_FAIL, "sh: exit status 3"},
        {"kill -USR1 $$", ERROR_FAIL, "sh: killed by signal 10"},
    };
    for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
        struct program p = SHELL(ends[i].command, -1, -1, -1);
        assert_int_equal(run_program(s, &p), ends[i].rc);
        check_says(s, ends[i].message);
        check_gone(&p);
    }
}

static void a_time_limit_kills_the_program(scene *s)
{
    struct program own = SHELL("exec sleep 100", -1, -1, -1), whole = own;
    /* In the case `own` the time limit is for the program alone. In the case `whole` it is for the whole
     * operation. */
    own.limit_ms = PROGRAM_LIMIT_MS;
    assert_int_equal(run_program(s, &own), ERROR_TIMEDOUT);
    check_says(s, "sh: did not end in time");
    check_gone(&own);
    assert_int_equal(RUN(s, core_begin(s->ctx, &limited_program_class, &whole, how)), ERROR_TIMEDOUT);
    check_gone(&whole);
}

/* The message is about the abort, not about the signal that killed the program. */
static void an_abort_kills_the_program_and_is_the_result(scene *s)
{
    struct program p = SHELL("exec sleep 100", -1, -1, -1);
    op *o = START(s, core_begin, s->ctx, &program_class, &p, how);
    assert_int_equal(kill(p.pid, 0), 0);
    assert_int_equal(libxl_ao_abort(s->ctx, &o->how), 0);
    assert_int_equal(op_result(o), ERROR_ABORTED);
    assert_null(strstr(last_message(s), "killed"));
    check_gone(&p);
}

/* The operation fails while its program runs. In one case the library kills the program. In the other case
 * the operation kills the program itself and reads its status. */
static void the_first_error_is_kept(scene *s)
{
    for (int cleans_up = 0; cleans_up <= 1; cleans_up++) {
        struct program p = SHELL("exec sleep 100", -1, -1, -1);
        p.fails = true;
        p.cleans_up = cleans_up;
        assert_int_equal(run_program(s, &p), ERROR_INVAL);
        check_says(s, "the first error");
        check_gone(&p);
    }
}

/* ---- programs that cannot start */

struct refusal {
    scene *s;
    int rc;
    char message[200];
    struct program program;
};

static void *run_where_processes_are_refused(void *argument)
{
    struct refusal *r = argument;
    const libxl_asyncop_how how = {.u.for_event = 1};
    refuse_processes();
    r->rc = core_begin(r->s->ctx, &program_class, &r->program, r->s->way.mode == SYNC ? NULL : &how);
    snprintf(r->message, sizeof(r->message), "%s", libxl_error_message());
    return NULL;
}

/* The initiator returns the error, and no completion follows. */
static void a_failed_fork_is_returned_by_the_initiator(scene *s)
{
    struct refusal r = {.s = s, .program = SHELL("exit 0", -1, -1, -1)};
    pthread_t thread; /* The test uses a thread because refusing processes cannot be undone. */
    pthread_create(&thread, NULL, run_where_processes_are_refused, &r);
    pthread_join(thread, NULL);
    assert_int_equal(r.rc, ERROR_FAIL);
    assert_non_null(strstr(r.message, strerror(EAGAIN)));
    pump(s, 20);
}

static void a_missing_program_is_returned_by_the_initiator(scene *s)
{
    struct program p = {.program = "/nonexistent/program", .stdio = {-1, -1, -1}};
    op *o = op_begin(s);
    op_started(o, core_begin(s->ctx, &program_class, &p, op_how(o)));
    assert_true(s->way.mode == SYNC || !o->started);
    assert_int_equal(o->rc, ERROR_FAIL);
    assert_non_null(strstr(o->message, strerror(ENOENT)));
}

/* ---- the application's own children */

static atomic_int signals;

static void count_signal(int number)
{
    (void)number;
    signals++;
}

static pid_t own_child(int status)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(status);
    return pid;
}

static void the_application_reaps_its_own_children(scene *s)
{
    enum { CHILDREN = 5 };
    struct sigaction counting = {.sa_handler = count_signal, .sa_flags = SA_RESTART}, before, after;
    pid_t own[CHILDREN];
    sigaction(SIGCHLD, &counting, &before);
    int at_first = signals;
    for (int i = 0; i < CHILDREN; i++) {
        struct program p = SHELL("exit 0", -1, -1, -1);
        own[i] = own_child(40 + i);
        assert_int_equal(run_program(s, &p), 0);
    }
    for (int i = 0; i < CHILDREN; i++) {
        int status;
        assert_int_equal(waitpid(own[i], &status, 0), own[i]);
        assert_int_equal(WEXITSTATUS(status), 40 + i);
    }
    assert_true(signals > at_first); /* The signal handler of the application was called. */
    sigaction(SIGCHLD, NULL, &after);
    assert_true(after.sa_handler == count_signal && after.sa_flags & SA_RESTART);
    sigaction(SIGCHLD, &before, NULL);
}

/*
 * An application that reaps every child also reaps the library's children. In this case an operation cannot
 * know how its program ended, and reports an error. This holds for a program that ends before the library has
 * the pidfd, and for a program that ends later.
 */
static void a_lost_exit_status_is_reported(scene *s)
{
    static const char *const commands[] = {"exit 0", "sleep 0.01"};
    struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
    sigaction(SIGCHLD, &ignore, &before);
    for (int i = 0; i < 20; i++) {
        struct program p = SHELL(commands[i % 2], -1, -1, -1);
        assert_int_equal(run_program(s, &p), ERROR_FAIL);
        check_says(s, "sh: its exit status was taken away: No child processes");
    }
    sigaction(SIGCHLD, &before, NULL);
}

static void contexts_do_not_share_children(scene *s)
{
    enum { CONTEXTS = 3, EACH = 4 };
    libxl_ctx *contexts[CONTEXTS];
    struct program programs[CONTEXTS][EACH];
    for (int c = 0; c < CONTEXTS; c++) {
        contexts[c] = core_open();
        for (int i = 0; i < EACH; i++) {
            programs[c][i] = SHELL(i % 2 ? "exit 0" : "sleep 0.02; exit 1", -1, -1, -1);
            assert_int_equal(core_start(contexts[c], &program_class, (uint64_t)i, &programs[c][i]),
                             ERROR_ASYNC_INPROGRESS);
        }
    }
    for (int c = CONTEXTS; c-- > 0; core_close(contexts[c]))
        for (int i = 0; i < EACH; i++) {
            uint64_t which;
            int rc = core_result(contexts[c], &which);
            assert_int_equal(rc, which % 2 ? 0 : ERROR_FAIL);
            check_gone(&programs[c][which]);
        }
    (void)s;
}

static void a_forked_child_keeps_no_pidfd(scene *s)
{
    const libxl_asyncop_how how = {.u.for_event = 1};
    struct program p = SHELL("exec sleep 100", -1, -1, -1);
    const int before = fixture_entries("/proc/self/fd");
    libxl_ctx *ctx = core_open();
    assert_int_equal(core_begin(ctx, &program_class, &p, &how), ERROR_ASYNC_INPROGRESS);
    assert_int_equal(core_left_after_fork(ctx), before);
    assert_int_equal(libxl_ao_abort(ctx, &how), 0);
    assert_int_equal(core_result(ctx, NULL), ERROR_ABORTED);
    core_close(ctx);
    (void)s;
}

static const body bodies[] = {
    BODY(a_program_is_reaped_when_its_operation_ends),
    BODY(a_time_limit_kills_the_program),
    BODY(an_abort_kills_the_program_and_is_the_result, ASYNCHRONOUS),
    BODY(the_first_error_is_kept),
    BODY(a_failed_fork_is_returned_by_the_initiator),
    BODY(a_missing_program_is_returned_by_the_initiator),
    BODY(the_application_reaps_its_own_children, ALONE),
    BODY(a_lost_exit_status_is_reported, ALONE),
    BODY(contexts_do_not_share_children, NO_CONTEXT),
    BODY(a_forked_child_keeps_no_pidfd, NO_CONTEXT),
};

HARNESS_MAIN(bodies)
