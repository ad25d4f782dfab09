/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The assertions of a debug build that check an operation's functions. A failed assertion ends the process
 * with a line that names the operation and the phase. */
#include "core.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static int fails(libxl__ao *ao, void *args)
{
    (void)args;
    return libxl__ao_fail(ao, ERROR_NI, "not possible");
}

static int waits(libxl__ao *ao, void *args)
{
    (void)ao, (void)args;
    return LIBXL__AO_WAIT;
}

static int succeeds(libxl__ao *ao, void *state)
{
    (void)ao, (void)state;
    return 0;
}

static const int declared[] = {ERROR_FAIL, ERROR_NOMEM, 0};

#define PHASES(...)                                                                                          \
    (&(const libxl__phases){.list = (const libxl__phase[]){{.name = "first", .start = succeeds},             \
                                                           {.name = "second", __VA_ARGS__}},                 \
                            .count = 2})

static const libxl__ao_class undeclared = {.name = "undeclared", .body = fails, .errors = declared},
                             undeclared_in_phase = {.name = "sloppy",
                                                    .phases = PHASES(.start = fails),
                                                    .slow = true,
                                                    .errors = declared},
                             waits_at_once = {.name = "instant", .body = waits, .errors = declared},
                             waits_for_nothing = {.name = "idle",
                                                  .phases = PHASES(.start = waits, .poll = waits),
                                                  .slow = true,
                                                  .errors = declared};

static void run(const libxl__ao_class *cls)
{
    libxl__ao *ao;
    const libxl_asyncop_how how = {.u.for_event = 1};
    const struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    signal(SIGABRT, SIG_DFL);
    if (!libxl__ao_create(core_open(), cls, 0, &how, &ao))
        libxl__ao_start(ao);
}

/* Runs the operation in a child process, which must abort. The child's stderr must contain all of `words`. */
static void ends_the_process(const libxl__ao_class *cls, const char *const words[3])
{
    int pipes[2], status;
    char text[1024] = "";
    assert_int_equal(pipe(pipes), 0);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (!child) {
        dup2(pipes[1], STDERR_FILENO);
        run(cls);
        _exit(0);
    }
    close(pipes[1]);
    for (size_t got = 0, more;
         (more = (size_t)read(pipes[0], text + got, sizeof(text) - 1 - got)) > 0 && more < sizeof(text);
         got += more)
        ;
    close(pipes[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT)
        fail_msg("%s: the process has not ended by SIGABRT", cls->name);
    for (int i = 0; i < 3 && words[i]; i++)
        if (!strstr(text, words[i]))
            fail_msg("%s: '%s' is not in '%s'", cls->name, words[i], text);
}

static void an_undeclared_error_of_a_body(scene *s)
{
    (void)s;
    ends_the_process(&undeclared, (const char *[]){"operation undeclared", "-4", "does not declare"});
}

static void an_undeclared_error_of_a_phase(scene *s)
{
    (void)s;
    ends_the_process(&undeclared_in_phase,
                     (const char *[]){"operation sloppy, phase second", "-4", "does not declare"});
}

static void an_instant_body_that_waits(scene *s)
{
    (void)s;
    ends_the_process(&waits_at_once, (const char *[]){"operation instant", "must not wait", NULL});
}

static void a_phase_that_waits_for_nothing(scene *s)
{
    (void)s;
    ends_the_process(&waits_for_nothing,
                     (const char *[]){"operation idle, phase second", "for nothing", NULL});
}

static const body bodies[] = {
    BODY(an_undeclared_error_of_a_body, NO_CONTEXT),
    BODY(an_undeclared_error_of_a_phase, NO_CONTEXT),
    BODY(an_instant_body_that_waits, NO_CONTEXT),
    BODY(a_phase_that_waits_for_nothing, NO_CONTEXT),
};

HARNESS_MAIN(bodies)
