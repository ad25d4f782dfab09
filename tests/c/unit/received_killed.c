/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A receiver whose process is killed just before or just after the guest begins to run. The sender learns of
 * the guest only in the latter case. So the library must list the domain as unfinished if the process was
 * killed before the guest ran, and must not list it if it was killed after.
 */
#include "core.h"
#include "saving.h"

#include "_libxl_operations_internal.h"
#include "marks.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* The messages that the sender gets before `answer` (src/ops/peer.h). */
static const char before_answer[] = "xl migration receiver ready, send binary domain data.\n"
                                    "0002{}" /* no error */
                                    "domain received, ready to unpause";
static const char answer[] = "my copy unpause results are as follows\0"; /* followed by the status 0 */

/* Ends the process before domain_receive starts its phase `user`. */
static int end_at(libxl__ao *ao, libxl__phase_moment moment, void *user)
{
    if (moment == LIBXL__PHASE_BEFORE_START && ao->cls == &libxl__operations[LIBXL__OP_DOMAIN_RECEIVE] &&
        strcmp(libxl__phase_of(ao)->name, user) == 0)
        raise(SIGKILL);
    return 0;
}

/* Receives the saved guest in a process that is killed before this phase. Stores the data that the sender
 * gets in `got`, and returns its length. */
static size_t receive(const char *phase, char *got, size_t size)
{
    int status, out[2];
    char name[16];
    snprintf(name, sizeof(name), "%s", phase);
    assert_int_equal(pipe(out), 0);
    const int in = saving_sender();
    const pid_t child = fork();
    assert_true(child >= 0);
    if (!child) {
        libxl_ctx *ctx;
        libxl_domid domid;
        close(out[0]);
        libxl_ctx_alloc(&ctx, LIBXL_VERSION, 0, NULL);
        libxl__ctx_set_phase_hook(ctx, end_at, name);
        libxl_domain_receive(ctx, in, out[1], 0, NULL, &domid, NULL);
        _exit(1);
    }
    close(out[1]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    saving_settle();
    size_t length = 0;
    for (ssize_t n; (n = read(out[0], got + length, size - length)) > 0;)
        length += (size_t)n;
    close(out[0]);
    return length;
}

/* Returns the only domain besides domain 0. */
static libxl_dominfo only_guest(libxl_ctx *ctx)
{
    libxl_dominfo_list list;
    assert_int_equal(libxl_domain_list(ctx, &list, NULL), 0);
    assert_int_equal(list.num_domains, 2);
    const libxl_dominfo info = list.domains[1];
    list.num_domains = 1;
    libxl_dominfo_list_dispose(&list);
    return info;
}

static libxl_unfinished_list unfinished(libxl_ctx *ctx)
{
    libxl_unfinished_list list;
    assert_int_equal(libxl_domain_list_unfinished(ctx, &list, NULL), 0);
    return list;
}

static void open_all(scene *s)
{
    saving_begin();
    assert_int_equal(libxl_ctx_alloc(&s->ctx, LIBXL_VERSION, 0, NULL), 0);
    saving_prepare(s->ctx);
}

static void close_all(scene *s)
{
    libxl_ctx_free(s->ctx);
    s->ctx = NULL;
    saving_end();
}

static void before_the_guest_runs_the_domain_is_unfinished(scene *s)
{
    char got[512];
    open_all(s);
    const size_t length = receive("run", got, sizeof(got));
    assert_int_equal(length, sizeof(before_answer));
    assert_memory_equal(got, before_answer, length);
    libxl_dominfo info = only_guest(s->ctx);
    assert_true(info.paused);
    libxl_unfinished_list list = unfinished(s->ctx);
    assert_int_equal(list.num_domains, 1);
    assert_int_equal(list.domains[0].domid, info.domid);
    assert_int_equal(libxl_domain_remove_unfinished(s->ctx, &list.domains[0].uuid, NULL), 0);
    libxl_unfinished_list_dispose(&list);
    assert_int_equal(libxl_domain_get_info(s->ctx, info.domid, &info, NULL), ERROR_DOMAIN_NOTFOUND);
    close_all(s);
}

static void after_that_the_guest_is_not_unfinished(scene *s)
{
    char got[512], path[LIBXL__MARK_PATH];
    open_all(s);
    const size_t length = receive("clear", got, sizeof(got));
    assert_int_equal(length, sizeof(before_answer) + sizeof(answer));
    assert_memory_equal(got, before_answer, sizeof(before_answer));
    assert_memory_equal(got + sizeof(before_answer), answer, sizeof(answer));
    const libxl_dominfo info = only_guest(s->ctx);
    assert_false(info.paused || info.shutdown);
    snprintf(path, sizeof(path), LIBXL__MARK_FMT, LIBXL__MARK_OF(info.uuid));
    char *mark = fixture_node(path);
    assert_non_null(mark); /* The process was killed before it removed the mark. */
    free(mark);
    libxl_unfinished_list list = unfinished(s->ctx);
    assert_int_equal(list.num_domains, 0);
    libxl_unfinished_list_dispose(&list);
    assert_int_equal(libxl_domain_remove_unfinished(s->ctx, &info.uuid, NULL), ERROR_NOTFOUND);
    saving_check_runs(info.domid, "after the removal of unfinished domains");
    /* The guest obeys the shutdown request. */
    assert_int_equal(libxl_domain_shutdown(s->ctx, info.domid, NULL), 0);
    assert_int_equal(libxl_domain_destroy(s->ctx, info.domid, NULL), 0);
    close_all(s);
}

static const body bodies[] = {
    BODY(before_the_guest_runs_the_domain_is_unfinished, NO_CONTEXT),
    BODY(after_that_the_guest_is_not_unfinished, NO_CONTEXT),
};

HARNESS_MAIN(bodies)
