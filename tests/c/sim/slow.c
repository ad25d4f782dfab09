/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Slow builds, slow destructions and a hung xenstored do not delay other operations. */
#include "harness.h"
#include "simulation.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PROMPT_MS = 50 };

/* Pauses and unpauses the domain and lists all domains. Returns whether this took less than PROMPT_MS in at
 * least one of five attempts. A busy machine delays some attempts. */
static bool others_are_prompt(scene *s, libxl_domid domid)
{
    uint64_t fastest = UINT64_MAX;
    for (int i = 0; i < 5; i++) {
        libxl_dominfo_list list;
        uint64_t began = now_ms();
        assert_int_equal(RUN(s, libxl_domain_pause(s->ctx, domid, how)), 0);
        assert_int_equal(RUN(s, libxl_domain_unpause(s->ctx, domid, how)), 0);
        assert_int_equal(RUN(s, libxl_domain_list(s->ctx, &list, how)), 0);
        libxl_dominfo_list_dispose(&list);
        if (now_ms() - began < fastest)
            fastest = now_ms() - began;
    }
    return fastest < PROMPT_MS;
}

static void a_slow_build_delays_no_other_operation(scene *s)
{
    libxl_domid other = guest(s, "b", true), domid;
    libxl_domain_config config = guest_config("b");
    int rule = fault_add("domctl.max_vcpus:1:300ms");
    op *o = START(s, libxl_domain_create_new, s->ctx, &config, &domid, how, NULL);
    fault_wait(s->ctx, rule);
    assert_true(others_are_prompt(s, other));
    char *name = NULL;
    /* Operations that use xenstore are not delayed either. */
    assert_int_equal(RUN(s, libxl_domain_get_name(s->ctx, other, &name, how)), 0);
    free(name);
    assert_false(op_done(o));
    assert_int_equal(op_result(o), 0);
    faults_clear();
    libxl_domain_config_dispose(&config);
    destroy(s, domid);
    destroy(s, other);
}

static void a_slow_destruction_delays_no_other_operation(scene *s)
{
    libxl_domid other = guest(s, "b", true), domid = guest(s, "b", true);
    int rule = fault_add("domctl.destroydomain:1:300ms");
    op *o = START(s, libxl_domain_destroy, s->ctx, domid, how);
    fault_wait(s->ctx, rule);
    assert_true(others_are_prompt(s, other));
    assert_false(op_done(o));
    assert_int_equal(op_result(o), 0);
    faults_clear();
    destroy(s, other);
}

/* When a domain that owns nodes dies, xenstored searches all nodes for the domain's nodes. The library
 * removes the nodes before it destroys the domain, and so avoids the search. */
static void the_nodes_are_removed_before_the_domain(scene *s)
{
    libxl_dominfo info;
    libxl_domid domid = guest(s, "b", true);
    int rule = fault_add("domctl.destroydomain:1:300ms");
    op *o = START(s, libxl_domain_destroy, s->ctx, domid, how);
    fault_wait(s->ctx, rule);
    assert_null(guest_node(domid, "control/shutdown"));
    assert_int_equal(libxl_domain_info(s->ctx, &info, domid), 0);
    /* The guest does not run while the library removes the guest's nodes. */
    assert_true(info.paused && !info.dying);
    assert_int_equal(op_result(o), 0);
    faults_clear();
}

static void a_hung_xenstored_does_not_prevent_a_destruction(scene *s)
{
    enum { MOST_MS = 3000 };
    libxl_dominfo info = {.dying = false};
    libxl_domid domid = guest(s, "b", true);
    simulate("xenstored stop");
    op *o = START(s, libxl_domain_destroy, s->ctx, domid, how);
    for (uint64_t end = now_ms() + MOST_MS; !info.dying && now_ms() < end;) {
        pump(s, 10);
        assert_int_equal(libxl_domain_info(s->ctx, &info, domid), 0);
    }
    simulate("xenstored cont");
    assert_true(info.dying);
    assert_int_equal(op_result(o), 0);
    assert_null(guest_node(domid, "name"));
}

static void a_hung_xenstored_delays_no_other_operation(scene *s)
{
    char *name = NULL;
    libxl_domid domid = guest(s, "b", true);
    simulate("xenstored stop");
    op *asking = START(s, libxl_domain_get_name, s->ctx, domid, &name, how);
    op *shutting = START(s, libxl_domain_shutdown, s->ctx, domid, how);
    assert_true(others_are_prompt(s, domid));
    assert_false(op_done(asking) || op_done(shutting));
    /* A time limit ends an operation that waits for xenstored. */
    assert_int_equal(libxl_ao_set_limit(s->ctx, &asking->how, 50), 0);
    assert_int_equal(op_result(asking), ERROR_TIMEDOUT);
    simulate("xenstored cont");
    assert_int_equal(libxl_ao_abort(s->ctx, &shutting->how), 0);
    assert_int_equal(op_result(shutting), ERROR_ABORTED);
    assert_int_equal(RUN(s, libxl_domain_get_name(s->ctx, domid, &name, how)), 0);
    free(name);
    destroy(s, domid);
}

/* The undo of the creation asks xenstored to remove nodes. When the undo's time limit has passed, the undo
 * stops waiting for the answer. */
static void an_aborted_build_does_not_wait_for_xenstored(scene *s)
{
    libxl_domid domid;
    libxl_domain_config config = guest_config("b");
    int rule = fault_add("domctl.max_vcpus:1:300ms");
    op *o = START(s, libxl_domain_create_new, s->ctx, &config, &domid, how, NULL);
    fault_wait(s->ctx, rule);
    simulate("xenstored stop");
    assert_int_equal(libxl_ao_abort(s->ctx, &o->how), 0);
    for (uint64_t end = now_ms() + scaled_ms(8000); !op_done(o) && now_ms() < end;)
        pump(s, 20);
    const bool done = op_done(o);
    simulate("xenstored cont");
    assert_int_equal(op_result(o), ERROR_ABORTED);
    assert_true(done);
    faults_clear();
    libxl_domain_config_dispose(&config);
}

/* ---- domains that die slowly */

static void a_destruction_completes_when_the_domain_is_gone(scene *s)
{
    libxl_dominfo info;
    libxl_evgen_domain_lifecycle *evgen;
    libxl_domid domid = guest(s, "b", true);
    assert_int_equal(libxl_evenable_domain_lifecycle(s->ctx, domid, 1, &evgen), 0);
    simulate("fault add dying=300");
    uint64_t began = now_ms();
    op *o = START(s, libxl_domain_destroy, s->ctx, domid, how);
    next_event(s, domid, 1, LIBXL_EVENT_TYPE_DOMAIN_DYING);
    assert_false(op_done(o));
    assert_int_equal(libxl_domain_info(s->ctx, &info, domid), 0);
    assert_true(info.dying);
    next_event(s, domid, 1, LIBXL_EVENT_TYPE_DOMAIN_GONE);
    assert_int_equal(op_result(o), 0);
    assert_in_range(now_ms() - began, 295, 2000);
    assert_int_equal(libxl_domain_info(s->ctx, &info, domid), ERROR_DOMAIN_NOTFOUND);
    faults_clear();
    libxl_evdisable_domain_lifecycle(s->ctx, evgen);
}

static void a_dying_domain_refuses_requests(scene *s)
{
    libxl_shutdown_reason reason;
    libxl_domid domid = guest(s, "b", true);
    simulate("fault add dying=400");
    op *o = START(s, libxl_domain_destroy, s->ctx, domid, how);
    assert_int_equal(libxl_ao_set_limit(s->ctx, &o->how, 100), 0);
    /* At the time limit only the operation ends. The destruction goes on. */
    assert_int_equal(op_result(o), ERROR_TIMEDOUT);
    wait_node(s, domid, "name", NULL);
    assert_int_equal(RUN(s, libxl_domain_shutdown(s->ctx, domid, how)), ERROR_DOMAIN_DESTROYED);
    assert_int_equal(RUN(s, libxl_domain_reboot(s->ctx, domid, how)), ERROR_DOMAIN_DESTROYED);
    assert_int_equal(RUN(s, libxl_domain_wait_shutdown(s->ctx, domid, &reason, how)), ERROR_DOMAIN_DESTROYED);
    assert_null(guest_node(domid, "name")); /* Nothing has written the removed node again. */
    op *going = START(s, libxl_domain_wait_gone, s->ctx, domid, how);
    int rc = RUN(s, libxl_domain_destroy(s->ctx, domid, how));
    assert_true(rc == 0 || rc == ERROR_DOMAIN_NOTFOUND);
    assert_int_equal(op_result(going), 0);
    faults_clear();
}

static void an_aborted_destruction_removes_the_nodes(scene *s)
{
    libxl_domid domid = guest(s, "b", true);
    simulate("fault add dying=200");
    int rule = fault_add("domctl.destroydomain:1:100ms");
    op *o = START(s, libxl_domain_destroy, s->ctx, domid, how);
    fault_wait(s->ctx, rule);
    assert_int_equal(libxl_ao_abort(s->ctx, &o->how), 0);
    assert_int_equal(op_result(o), ERROR_ABORTED);
    assert_non_null(strstr(o->message, "domain_teardown goes on in the background"));
    assert_int_equal(RUN(s, libxl_domain_wait_gone(s->ctx, domid, how)), 0);
    wait_node(s, domid, "name", NULL);
    faults_clear();
}

/* A restarted xenconsoled may read a domain's nodes before the library removes them, and may write the name
 * of the terminal after the removal. */
static void a_node_written_while_the_domain_dies_is_removed(scene *s)
{
    char path[64];
    libxl_domid domid = guest(s, "b", true);
    snprintf(path, sizeof(path), "/local/domain/%u/console/tty", domid);
    int rule = fault_add("domctl.destroydomain:1:200ms");
    op *o = START(s, libxl_domain_destroy, s->ctx, domid, how);
    fault_wait(s->ctx, rule);
    assert_null(guest_node(domid, "console/tty"));
    fixture_write(path, "/dev/pts/0");
    assert_int_equal(op_result(o), 0);
    faults_clear();
    assert_null(guest_node(domid, "console/tty"));
}

static void closing_waits_for_a_running_destruction(scene *s)
{
    libxl_ctx *other = open_context(), *ctx = open_context();
    libxl_domid domid = guest_new(other, "b", true);
    const libxl_asyncop_how how = {.u.for_event = 1};
    int rule = fault_add("domctl.destroydomain:1:200ms");
    assert_int_equal(libxl_domain_destroy(ctx, domid, &how), ERROR_ASYNC_INPROGRESS);
    fault_wait(ctx, rule);
    assert_int_equal(libxl_ctx_free(ctx), 0);
    faults_clear();
    assert_null(guest_node(domid, "name"));
    assert_int_equal(libxl_domain_wait_gone(other, domid, NULL), 0);
    libxl_ctx_free(other);
    (void)s;
}

/* Runs in a child process: xenstored hangs during a creation, and the context is freed. Does not return. */
static void hang_and_close(void)
{
    libxl_domid domid;
    libxl_ctx *ctx = open_context();
    libxl_domain_config config = guest_config("b");
    const libxl_asyncop_how how = {.u.for_event = 1};
    int rule = fault_add("domctl.max_vcpus:1:300ms");
    if (libxl_domain_create_new(ctx, &config, &domid, &how, NULL) != ERROR_ASYNC_INPROGRESS)
        _exit(1);
    fault_wait(ctx, rule);
    simulate("xenstored stop");
    _exit(libxl_ctx_free(ctx) ? 1 : 0);
}

/* Removes the mark (src/xen/marks.h) of a creation. The process of the creation has ended without removing the mark,
 * and the domain is gone. */
static void remove_the_mark(void)
{
    libxl_unfinished_list list;
    libxl_ctx *ctx = open_context();
    assert_int_equal(libxl_domain_list_unfinished(ctx, &list, NULL), 0);
    assert_int_equal(list.num_domains, 1);
    assert_int_equal(list.domains[0].domid, LIBXL_DOMID_INVALID);
    assert_int_equal(libxl_domain_remove_unfinished(ctx, &list.domains[0].uuid, NULL), 0);
    libxl_unfinished_list_dispose(&list);
    libxl_ctx_free(ctx);
}

static void closing_does_not_wait_for_xenstored(scene *s)
{
    (void)s;
    int status;
    pid_t ended = 0;
    faults_clear(); /* After faults_clear(), the harness restores the simulation even if the test fails. */
    const pid_t child = fork();
    assert_true(child >= 0);
    if (!child)
        hang_and_close();
    for (uint64_t end = now_ms() + scaled_ms(13000); !ended && now_ms() < end; sleep_ms(20))
        ended = waitpid(child, &status, WNOHANG);
    simulate("xenstored cont");
    if (!ended)
        kill(child, SIGKILL);
    if (!ended)
        waitpid(child, &status, 0);
    faults_clear();
    assert_int_equal(ended, child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    remove_the_mark();
}

static const body bodies[] = {
    BODY(a_slow_build_delays_no_other_operation, ALONE | SLOW),
    BODY(a_slow_destruction_delays_no_other_operation, ALONE | SLOW),
    BODY(the_nodes_are_removed_before_the_domain, ALONE | SLOW),
    BODY(a_hung_xenstored_does_not_prevent_a_destruction, ALONE | SLOW),
    BODY(a_hung_xenstored_delays_no_other_operation, ASYNCHRONOUS | ALONE | SLOW),
    BODY(an_aborted_build_does_not_wait_for_xenstored, ASYNCHRONOUS | ALONE | SLOW),
    BODY(a_destruction_completes_when_the_domain_is_gone, ALONE | SLOW),
    BODY(a_dying_domain_refuses_requests, ASYNCHRONOUS | ALONE | SLOW),
    BODY(an_aborted_destruction_removes_the_nodes, ASYNCHRONOUS | ALONE | SLOW),
    BODY(a_node_written_while_the_domain_dies_is_removed, ALONE | SLOW),
    BODY(closing_waits_for_a_running_destruction, NO_CONTEXT),
    BODY(closing_does_not_wait_for_xenstored, NO_CONTEXT),
};

HARNESS_MAIN(bodies)
