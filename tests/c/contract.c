/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The promises O1 to O10 about operations. libxl_event.h has the text of each promise. O1 says that every
 * operation takes an ao_how. The compiler checks O1, because the tests pass `how` to each operation.
 */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- O2: NULL is synchronous and returns the operation's rc */

static void o2_synchronous_returns_the_result(scene *s)
{
    char *name = NULL;
    libxl_domid domid = guest(s, "b", false);
    assert_int_equal(libxl_domain_get_name(s->ctx, domid, &name, NULL), 0);
    assert_int_equal(strncmp(name, "test-", 5), 0);
    free(name);
    assert_int_equal(libxl_domain_destroy(s->ctx, domid, NULL), 0);
    assert_int_equal(libxl_domain_destroy(s->ctx, domid, NULL), ERROR_DOMAIN_NOTFOUND);
    /* libxl_domain_find() waits for xenstored before it fails. */
    assert_int_equal(libxl_domain_find(s->ctx, "nobody", &domid, NULL), ERROR_NOTFOUND);
}

/* ---- O3: ASYNC_INPROGRESS means started; any other result means that no completion follows */

static void o3_a_refused_operation_does_not_complete(scene *s)
{
    op *refused[] = {START(s, libxl_domain_pause, s->ctx, 0x7000, how),
                     START(s, libxl_domain_get_name, s->ctx, 0, NULL, how)};
    for (int i = 0; i < 2; i++) {
        assert_true(s->way.mode == SYNC || !refused[i]->started);
        assert_int_equal(op_result(refused[i]), i == 0 ? ERROR_DOMAIN_NOTFOUND : ERROR_INVAL);
    }
    /* If a refused operation completes late, the harness counts the completion and fails the test. */
    pump_for(s, 30);
}

static void o3_started_is_asynchronous(scene *s)
{
    char *name = NULL;
    op *o = op_begin(s);
    int rc = libxl_domain_get_name(s->ctx, 0, &name, op_how(o));
    op_started(o, rc);
    assert_int_equal(rc, -14);
    assert_int_equal(op_result(o), 0);
    assert_string_equal(name, "Domain-0");
    free(name);
}

/* ---- O4: the callback is called once, with no lock held */

struct from_callback {
    atomic_int calls;
    int rc;
    char *name;
    libxl_physinfo info;
};

static void call_the_library(libxl_ctx *ctx, int rc, void *user)
{
    struct from_callback *f = user;
    f->rc = rc;
    f->rc |= libxl_host_info(ctx, &f->info, NULL);
    /* libxl_domain_get_name() has to wait for xenstored. */
    f->rc |= libxl_domain_get_name(ctx, 0, &f->name, NULL);
    f->calls++;
    libxl_ctx_wake(ctx);
}

static void o4_the_callback_may_call_the_library(scene *s)
{
    struct from_callback f = {.name = NULL};
    char *name = NULL;
    libxl_asyncop_how how = {.callback = call_the_library, .u.for_callback = &f};
    assert_int_equal(libxl_domain_get_name(s->ctx, 0, &name, &how), ERROR_ASYNC_INPROGRESS);
    while (!f.calls)
        pump(s, -1);
    pump_for(s, 30);
    assert_int_equal(f.calls, 1);
    assert_int_equal(f.rc, 0);
    assert_string_equal(f.name, name);
    free(f.name);
    free(name);
}

static void o4_a_failing_operation_in_every_way(scene *s)
{
    libxl_domid domid;
    assert_int_equal(RUN(s, libxl_domain_find(s->ctx, "nobody", &domid, how)), ERROR_NOTFOUND);
    assert_non_null(strstr(last_message(s), "nobody"));
}

/* ---- O5: without a callback exactly one OPERATION_COMPLETE, with for_user, domid and rc */

static void o5_the_event_names_the_operation(scene *s)
{
    libxl_domid domid = guest(s, "b", true);
    const libxl_asyncop_how how = {.u.for_event = new_user()};
    assert_int_equal(libxl_domain_destroy(s->ctx, domid, &how), ERROR_ASYNC_INPROGRESS);
    assert_int_equal(LIBXL_EVENT_TYPE_OPERATION_COMPLETE, 4);
    assert_int_equal(next_event(s, domid, how.u.for_event, 4).value, 0);
    assert_true(no_event(s, domid, how.u.for_event, 30));
}

static void o5_the_event_names_the_domain(scene *s)
{
    libxl_dominfo info;
    libxl_domid domid = LIBXL_DOMID_INVALID;
    libxl_domain_config config = guest_config("b");
    op *o = START(s, libxl_domain_create_new, s->ctx, &config, &domid, how, NULL);
    assert_int_equal(op_result(o), 0);
    libxl_domain_config_dispose(&config);
    assert_int_equal(libxl_domain_info(s->ctx, &info, domid), 0);
    if (s->way.mode == EVENT)
        assert_int_equal(o->domid, domid); /* The event of a creation names the created domain. */
    o = START(s, libxl_domain_destroy, s->ctx, domid, how);
    assert_int_equal(op_result(o), 0);
    if (s->way.mode == EVENT) {
        assert_int_equal(o->domid, domid);
        /* The UUID identifies the domain, because another domain may get the same domid. */
        assert_memory_equal(&o->uuid, &info.uuid, sizeof(info.uuid));
    }
}

/* ---- O6: an operation may finish inside its initiating call */

static void o6_an_instant_operation_is_done_when_its_initiator_returns(scene *s)
{
    libxl_physinfo info = {.nr_cpus = 0};
    op *o = START(s, libxl_host_info, s->ctx, &info, how);
    if (!s->way.several) { /* If the test has several threads, another thread may be taking the event. */
        assert_true(s->way.mode == EVENT || op_done(o));
        pump(s, 0);
        assert_true(op_done(o));
    }
    assert_int_equal(op_result(o), 0);
    assert_true(info.nr_cpus >= 1);
}

/* ---- O7: the how and every input are copied */

static void o7_inputs_may_be_freed_at_once(scene *s)
{
    libxl_domid domid;
    libxl_domain_config config = guest_config("b"), original = config;
    op *o = op_begin(s);
    libxl_asyncop_how *how = malloc(sizeof(*how));
    *how = o->how;
    op_started(o, libxl_domain_create_new(s->ctx, &config, &domid, s->way.mode == SYNC ? NULL : how, NULL));
    assert_memory_equal(&config, &original, sizeof(config)); /* The initiator does not write to its inputs. */
    memset(how, 0xa5, sizeof(*how));
    free(how);
    memset(config.b_info.kernel, 'x', strlen(config.b_info.kernel));
    memset(config.c_info.name, 'x', strlen(config.c_info.name));
    libxl_domain_config_dispose(&config);
    memset(&config, 0xa5, sizeof(config));
    assert_int_equal(op_result(o), 0);
    char *name = guest_node(domid, "name");
    assert_int_equal(strncmp(name, "test-", 5), 0);
    free(name);
    destroy(s, domid);
}

/* ---- O8: callbacks run on a thread on which the application calls the library */

static void o8_completions_run_on_a_thread_that_waits(scene *s)
{
    char *name = NULL;
    /* libxl_domain_get_name() ends when xenstored answers. */
    op *o = START(s, libxl_domain_get_name, s->ctx, 0, &name, how);
    if (s->way.mode != SYNC && !s->way.several) {
        sleep_ms(30);
        assert_false(op_done(o)); /* No thread was in the library, so the operation has not completed. */
    }
    assert_int_equal(op_result(o), 0);
    if (s->way.mode != SYNC && !s->way.several)
        assert_true(pthread_equal(o->thread, pthread_self()));
    free(name);
}

/* ---- O9: no completion is lost or doubled (the harness counts them; see also context.c and sim/memory.c) */

static void o9_aborted_operations_complete_once(scene *s)
{
    libxl_shutdown_reason reason;
    libxl_domid domid = guest(s, "b", false);
    op *ops[20];
    for (int i = 0; i < 20; i++)
        ops[i] = START(s, libxl_domain_wait_shutdown, s->ctx, domid, &reason, how);
    for (int i = 0; i < 20; i += 2)
        assert_int_equal(libxl_ao_abort(s->ctx, &ops[i]->how), 0);
    for (int i = 0; i < 20; i += 2)
        assert_int_equal(op_result(ops[i]), ERROR_ABORTED);
    destroy(s, domid);
    for (int i = 1; i < 20; i += 2)
        assert_int_equal(op_result(ops[i]), ERROR_DOMAIN_DESTROYED);
}

/* ---- O10: complete means done */

static void o10_a_created_domain_is_complete(scene *s)
{
    libxl_dominfo info;
    libxl_domid domid = LIBXL_DOMID_INVALID;
    libxl_domain_config config = guest_config("b");
    assert_int_equal(RUN(s, libxl_domain_create_new(s->ctx, &config, &domid, how, NULL)), 0);
    assert_int_equal(libxl_domain_info(s->ctx, &info, domid), 0);
    assert_true(info.paused);
    char *tty = guest_node(domid, "console/tty"), *name = guest_node(domid, "name");
    assert_true(tty && *tty);
    assert_string_equal(name, config.c_info.name);
    free(tty);
    free(name);
    libxl_domain_config_dispose(&config);
    destroy(s, domid);
    assert_int_equal(libxl_domain_info(s->ctx, &info, domid), ERROR_DOMAIN_NOTFOUND);
    assert_null(guest_node(domid, "name"));
}

static void o10_a_shutdown_completes_once_the_guest_has_acknowledged(scene *s)
{
    libxl_shutdown_reason reason;
    libxl_domid domid = guest(s, "l", true);
    assert_int_equal(RUN(s, libxl_domain_shutdown(s->ctx, domid, how)), 0);
    char *node = guest_node(domid, "control/shutdown");
    assert_string_equal(node, "");
    free(node);
    assert_int_equal(RUN(s, libxl_domain_wait_shutdown(s->ctx, domid, &reason, how)), 0);
    assert_int_equal(reason, LIBXL_SHUTDOWN_REASON_POWEROFF);
    destroy(s, domid);
}

/* A guest with the command line "b" does not react to requests. The test acknowledges the request in the
 * guest's place, and the guest goes on running. */
static void o10_a_guest_that_acknowledges_need_not_have_stopped(scene *s)
{
    char path[64];
    libxl_dominfo info;
    libxl_domid domid = guest(s, "b", true);
    snprintf(path, sizeof(path), "/local/domain/%u/control/shutdown", domid);
    op *o = START(s, libxl_domain_shutdown, s->ctx, domid, how);
    wait_node(s, domid, "control/shutdown", "poweroff");
    pump_for(s, 50);
    assert_false(op_done(o));
    fixture_write(path, "");
    assert_int_equal(op_result(o), 0);
    assert_int_equal(libxl_domain_info(s->ctx, &info, domid), 0);
    assert_false(info.shutdown);
    destroy(s, domid);
}

static const body bodies[] = {
    BODY(o2_synchronous_returns_the_result),
    BODY(o3_a_refused_operation_does_not_complete),
    BODY(o3_started_is_asynchronous, ASYNCHRONOUS),
    BODY(o4_the_callback_may_call_the_library),
    BODY(o4_a_failing_operation_in_every_way),
    BODY(o5_the_event_names_the_operation),
    BODY(o5_the_event_names_the_domain),
    BODY(o6_an_instant_operation_is_done_when_its_initiator_returns),
    BODY(o7_inputs_may_be_freed_at_once),
    BODY(o8_completions_run_on_a_thread_that_waits),
    BODY(o9_aborted_operations_complete_once, ASYNCHRONOUS),
    BODY(o10_a_created_domain_is_complete),
    BODY(o10_a_shutdown_completes_once_the_guest_has_acknowledged),
    BODY(o10_a_guest_that_acknowledges_need_not_have_stopped),
};

HARNESS_MAIN(bodies)
