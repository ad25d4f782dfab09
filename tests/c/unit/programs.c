/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The descriptors and signals of programs. A program that an operation runs gets three descriptors and
 * default signals. A program that the application runs inherits nothing from the library.
 */
#include "program.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

/* The application gives its descriptors 0, 1 and 2 to a program as the program's 0, 1 and 2. The test
 * tries all 27 assignments. */
static void sources_may_be_0_1_and_2(scene *s)
{
    static const char *const names[] = {"zero", "one", "two"};
    int kept[3], rc[27];
    char got[27][3][16];
    for (int i = 0; i < 3; i++)
        kept[i] = fcntl(i, F_DUPFD_CLOEXEC, 3);
    for (int n = 0; n < 27; n++) {
        struct program p =
            SHELL("read word; echo out >&1; echo err >&2; echo $word >&2", n / 9, n / 3 % 3, n % 3);
        for (int i = 0; i < 3; i++) {
            int fd = scratch(names[i]);
            dup2(fd, i);
            close(fd);
            fcntl(i, F_SETFL, O_APPEND);
        }
        rc[n] = run_program(s, &p);
        for (int i = 0; i < 3; i++)
            snprintf(got[n][i], sizeof(got[n][i]), "%s", text_of(i) + strlen(names[i]));
    }
    for (int i = 0; i < 3; i++) {
        dup2(kept[i], i);
        close(kept[i]);
    }
    /* Descriptors 0, 1 and 2 have been restored, so assertions can print again. */
    for (int n = 0; n < 27; n++) {
        char expected[3][32] = {"", "", ""};
        strcat(expected[n / 3 % 3], "out\n");
        strcat(strcat(strcat(expected[n % 3], "err\n"), names[n / 9]), "\n");
        assert_int_equal(rc[n], 0);
        for (int i = 0; i < 3; i++)
            assert_string_equal(got[n][i], expected[i]);
    }
}

/* If the application has closed descriptors 0, 1 and 2, descriptors of the library get these numbers. */
static void the_application_may_have_closed_0_1_and_2(scene *s)
{
    int kept[3], out = scratch("");
    struct program p = SHELL("readlink /proc/self/fd/0 /proc/self/fd/2; exec ls /proc/self/fd", -1, out, -1);
    for (int i = 0; i < 3; i++) {
        kept[i] = fcntl(i, F_DUPFD_CLOEXEC, 3);
        close(i);
    }
    int rc = run_program(s, &p);
    for (int i = 0; i < 3; i++) {
        dup2(kept[i], i);
        close(kept[i]);
    }
    assert_int_equal(rc, 0);
    /* ls has opened descriptor 3 to read the directory. */
    assert_string_equal(text_of(out), "/dev/null\n/dev/null\n0\n1\n2\n3\n");
    close(out);
}

static void a_program_has_no_other_descriptor(scene *s)
{
    int out = scratch(""), inheritable = dup(out); /* The program must not get the inheritable duplicate. */
    struct program p = SHELL("exec ls /proc/self/fd", -1, out, -1);
    assert_int_equal(run_program(s, &p), 0);
    assert_string_equal(text_of(out), "0\n1\n2\n3\n");
    close(inheritable);
    close(out);
}

static void a_program_has_default_signals(scene *s)
{
    sigset_t all, before;
    struct sigaction ignore = {.sa_handler = SIG_IGN}, restored;
    int out = scratch("");
    /* sed clears the bits of the two signals that the C library reserves. */
    struct program p =
        SHELL("grep -E 'SigBlk|SigIgn' /proc/$$/status | sed s/0180000000/0000000000/", -1, out, -1);
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    sigaction(SIGUSR1, &ignore, &restored);
    int rc = run_program(s, &p);
    sigaction(SIGUSR1, &restored, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    assert_int_equal(rc, 0);
    assert_string_equal(text_of(out), "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
    close(out);
}

/* ---- other threads open and close descriptors */

struct busy {
    atomic_bool over;
    atomic_int rounds;
};

static void *open_and_close(void *argument)
{
    struct busy *b = argument;
    for (int ends[2]; !b->over; b->rounds++) {
        assert_int_equal(pipe(ends), 0); /* Neither end of the pipe is closed on exec. */
        close(ends[0]);
        close(ends[1]);
    }
    return NULL;
}

static void no_descriptor_leaks_while_others_are_opened(scene *s)
{
    struct busy busy = {.over = false};
    pthread_t thread;
    pthread_create(&thread, NULL, open_and_close, &busy);
    for (int i = 0; i < 20; i++)
        a_program_has_no_other_descriptor(s);
    busy.over = true;
    pthread_join(thread, NULL);
    assert_true(busy.rounds > 20);
}

static void *run_programs(void *argument)
{
    struct busy *b = argument;
    for (; !b->over; b->rounds++) {
        libxl_ctx *ctx = core_open();
        struct program p = SHELL("exit 0", -1, -1, -1);
        assert_int_equal(core_begin(ctx, &program_class, &p, NULL), 0);
        core_close(ctx);
    }
    return NULL;
}

/* Returns the number of descriptors of a program that the application starts by fork and exec. */
static int descriptors_of_own_child(void)
{
    int count = 0, out = scratch("");
    pid_t pid = fork();
    if (pid == 0) {
        dup2(out, 1);
        execlp("ls", "ls", "/proc/self/fd", NULL);
        _exit(127);
    }
    waitpid(pid, NULL, 0);
    for (const char *c = text_of(out); *c; c++)
        count += *c == '\n';
    close(out);
    return count;
}

static void the_application_s_programs_inherit_nothing(scene *s)
{
    struct busy busy = {.over = false};
    pthread_t thread;
    int without = descriptors_of_own_child();
    assert_true(without >= 4);
    pthread_create(&thread, NULL, run_programs, &busy);
    for (int i = 0; i < 200; i++)
        assert_int_equal(descriptors_of_own_child(), without);
    busy.over = true;
    pthread_join(thread, NULL);
    assert_true(busy.rounds > 10);
    (void)s;
}

static const body bodies[] = {
    BODY(sources_may_be_0_1_and_2, ALONE),
    BODY(the_application_may_have_closed_0_1_and_2, ALONE),
    BODY(a_program_has_no_other_descriptor),
    BODY(a_program_has_default_signals, ALONE),
    BODY(no_descriptor_leaks_while_others_are_opened, ALONE),
    BODY(the_application_s_programs_inherit_nothing, NO_CONTEXT),
};

HARNESS_MAIN(bodies)
