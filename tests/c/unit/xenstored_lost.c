/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xenstored ends and is started again. Operations that do not need xenstored work without it. Operations that
 * need xenstored report that it is missing. A context works again when xenstored is back.
 */
#include "core.h"

#include "simulation.h"
#include "xen.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- xenstored has ended */

/*
 * Kills xenstored and xenconsoled. The context notices the loss of xenstored at its next request. Only
 * xenstored tells xenconsoled that a guest is being destroyed. Without xenstored, xenconsoled would keep a
 * page of each guest, and the guest would stay dying.
 */
static void kill_xenstored(libxl_ctx *ctx)
{
    char *name = NULL;
    simulate("xenstored kill");
    simulate("xenconsoled kill");
    assert_int_equal(libxl_domain_get_name(ctx, 0, &name, NULL), ERROR_NO_XENSTORE);
}

static void what_needs_no_xenstored_works_without_it(scene *s)
{
    libxl_shutdown_reason reason;
    libxl_dominfo info;
    libxl_domid domid = guest(s, "d5", true), other = guest(s, "b", true);
    kill_xenstored(s->ctx);
    assert_int_equal(libxl_domain_wait_shutdown(s->ctx, domid, &reason, NULL), 0);
    assert_int_equal(reason, LIBXL_SHUTDOWN_REASON_POWEROFF);
    op *gone = START(s, libxl_domain_wait_gone, s->ctx, other, how);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(libxl_domain_destroy(s->ctx, i ? domid : other, NULL), ERROR_NO_XENSTORE);
        assert_int_equal(libxl_domain_info(s->ctx, &info, i ? domid : other), ERROR_DOMAIN_NOTFOUND);
    }
    assert_int_equal(op_result(gone), 0);
    simulate("xenstored start");
}

static void events_of_domains_need_no_xenstored(scene *s)
{
    libxl_evgen_domain_lifecycle *one, *all;
    libxl_domid domid = guest(s, "d5", true);
    const uint64_t first = new_user(), second = new_user();
    assert_int_equal(libxl_evenable_domain_lifecycle(s->ctx, domid, first, &one), 0);
    kill_xenstored(s->ctx);
    assert_int_equal(libxl_evenable_domain_lifecycle(s->ctx, LIBXL_DOMID_ALL, second, &all), 0);
    next_event(s, domid, first, LIBXL_EVENT_TYPE_DOMAIN_SHUTDOWN);
    next_event(s, domid, second, LIBXL_EVENT_TYPE_DOMAIN_SHUTDOWN);
    assert_int_equal(libxl_domain_destroy(s->ctx, domid, NULL), ERROR_NO_XENSTORE);
    for (int i = 0; i < 2; i++) {
        next_event(s, domid, i ? first : second, LIBXL_EVENT_TYPE_DOMAIN_DYING);
        next_event(s, domid, i ? first : second, LIBXL_EVENT_TYPE_DOMAIN_GONE);
    }
    libxl_evdisable_domain_lifecycle(s->ctx, one);
    libxl_evdisable_domain_lifecycle(s->ctx, all);
    simulate("xenstored start");
}

/* ---- operations under way */

struct moment {
    const char *phase;
    bool reached;
};

static int kill_in_phase(libxl__ao *ao, libxl__phase_moment moment, void *user)
{
    struct moment *m = user;
    if (moment != LIBXL__PHASE_WAITING || m->reached || strcmp(libxl__phase_of(ao)->name, m->phase) != 0)
        return 0;
    m->reached = true;
    simulate("xenstored kill");
    simulate("xenconsoled kill");
    return 0;
}

/* xenstored is lost during a creation. For each phase, it is lost once during the first and once during the
 * second creation of a context. At the first creation the context has no watch yet. */
static void a_creation_that_loses_xenstored_leaves_no_domain(scene *s)
{
    static const char *const phases[] = {"name", "build", "introduce", "console"};
    for (size_t i = 0; i < 2 * sizeof(phases) / sizeof(*phases); i++) {
        struct moment m = {.phase = phases[i / 2]};
        libxl_domid domid;
        libxl_dominfo_list list;
        libxl_ctx *ctx = open_context();
        libxl_domain_config config = guest_config("b");
        if (i % 2)
            guest_destroy(ctx, guest_new(ctx, "b", false));
        simulate("xenconsoled stop"); /* xenconsoled must not answer before xenstored is killed. */
        libxl__ctx_set_phase_hook(ctx, kill_in_phase, &m);
        assert_int_equal(libxl_domain_create_new(ctx, &config, &domid, NULL, NULL), ERROR_NO_XENSTORE);
        assert_true(m.reached);
        assert_non_null(strstr(libxl_error_message(), "xenstored"));
        assert_int_equal(libxl_domain_list(ctx, &list, NULL), 0);
        assert_int_equal(list.num_domains, 1);
        libxl_dominfo_list_dispose(&list);
        libxl_domain_config_dispose(&config);
        simulate("xenstored start");
        assert_int_equal(libxl_ctx_free(ctx), 0);
    }
    (void)s;
}

static void a_pending_request_ends_when_xenstored_does(scene *s)
{
    libxl_domid domid = guest(s, "b", true);
    op *o = START(s, libxl_domain_shutdown, s->ctx, domid, how);
    wait_node(s, domid, "control/shutdown", "poweroff");
    simulate("xenstored kill");
    simulate("xenconsoled kill");
    assert_int_equal(op_result(o), ERROR_NO_XENSTORE);
    assert_non_null(strstr(o->message, "connection to xenstored was lost"));
    assert_int_equal(libxl_domain_destroy(s->ctx, domid, NULL), ERROR_NO_XENSTORE);
    simulate("xenstored start");
}

/* ---- xenstored is back */

/* Waits until the context has noticed that xenstored is back. */
static void wait_until_up(libxl_ctx *ctx)
{
    enum { LIMIT_MS = 20000 };
    char *name = NULL;
    for (uint64_t end = now_ms() + scaled_ms(LIMIT_MS); libxl_domain_get_name(ctx, 0, &name, NULL);
         sleep_ms(5)) {
        libxl_ctx_process(ctx);
        if (now_ms() > end)
            fail_msg("the context does not connect again: %s", libxl_error_message());
    }
    assert_string_equal(name, "Domain-0");
    free(name);
}

static void a_context_works_again_when_xenstored_is_back(scene *s)
{
    enum { DEATHS = 3 };
    libxl_counters before, after;
    destroy(s, guest(s, "b", true)); /* Now the context caches names, and its watches are registered. */
    libxl_ctx_counters(s->ctx, &before);
    for (int i = 0; i < DEATHS; i++) {
        kill_xenstored(s->ctx);
        simulate("xenstored start");
        wait_until_up(s->ctx);
        libxl_domid domid = guest(s, "l", true);
        op *gone = START(s, libxl_domain_wait_gone, s->ctx, domid, how);
        assert_int_equal(RUN(s, libxl_domain_shutdown(s->ctx, domid, how)), 0);
        destroy(s, domid);
        assert_int_equal(op_result(gone), 0);
    }
    libxl_ctx_counters(s->ctx, &after);
    assert_int_equal(after.descriptors, before.descriptors);
    /* There are fewer watches if ten seconds have passed since the last creation, because the context then
     * drops its cached names. */
    assert_true(after.watches <= before.watches);
    assert_true(after.timers <= before.timers);
}

/* Returns the number of watch events so far. */
static uint64_t watch_events(scene *s)
{
    libxl__ctx_lock(s->ctx);
    const uint64_t count = s->ctx->xen->watches.event_seq;
    libxl__ctx_unlock(s->ctx);
    return count;
}

/* The nodes of a domain are removed although the connection is down when the destruction begins. */
static void a_destruction_waits_a_moment_for_xenstored(scene *s)
{
    libxl_domid domid = guest(s, "b", true);
    libxl__ctx_lock(s->ctx);
    libxl__xs_link_lost(s->ctx, EPIPE); /* This simulates that xenstored has closed the connection. */
    libxl__ctx_leave(s->ctx);
    /* After the test, the fixture checks that no node is left. */
    assert_int_equal(RUN(s, libxl_domain_destroy(s->ctx, domid, how)), 0);
}

/* The library registers its watches again. So xenstored reports a domain that is created later. */
static void domains_are_followed_again_when_xenstored_is_back(scene *s)
{
    enum { AT_REGISTRATION = 2, LIMIT_MS = 10000 };
    libxl_evgen_domain_lifecycle *all;
    const uint64_t user = new_user(), before = watch_events(s);
    assert_int_equal(libxl_evenable_domain_lifecycle(s->ctx, LIBXL_DOMID_ALL, user, &all), 0);
    kill_xenstored(s->ctx);
    simulate("xenstored start");
    wait_until_up(s->ctx);
    next_event(s, LIBXL_DOMID_ALL, user, LIBXL_EVENT_TYPE_DOMAIN_EVENTS_LOST);
    libxl_domid domid = guest(s, "b", true);
    destroy(s, domid);
    next_event(s, domid, user, LIBXL_EVENT_TYPE_DOMAIN_APPEARED);
    next_event(s, domid, user, LIBXL_EVENT_TYPE_DOMAIN_DYING);
    next_event(s, domid, user, LIBXL_EVENT_TYPE_DOMAIN_GONE);
    for (uint64_t end = now_ms() + scaled_ms(LIMIT_MS); watch_events(s) <= before + 2 * AT_REGISTRATION;)
        if (pump(s, 10), now_ms() > end)
            fail_msg("there was no event of a watch");
    libxl_evdisable_domain_lifecycle(s->ctx, all);
}

/* The test writes the node again, because the restarted xenstored has no nodes. */
static void ejected_media_are_reported_again(scene *s)
{
    libxl_evgen_disk_eject *evgen;
    const uint64_t user = new_user();
    char path[96];
    libxl_domid domid = guest(s, "b", true);
    assert_int_equal(libxl_evenable_disk_eject(s->ctx, domid, "xvda", user, &evgen), 0);
    kill_xenstored(s->ctx);
    simulate("xenstored start");
    wait_until_up(s->ctx);
    fixture_check_connection();
    snprintf(path, sizeof(path), "/local/domain/%u/domid", domid);
    fixture_write(path, "");
    snprintf(path, sizeof(path), "/local/domain/%u/device/vbd/51712/eject", domid);
    fixture_write(path, "eject");
    const seen event = next_event(s, domid, user, LIBXL_EVENT_TYPE_DISK_EJECT);
    assert_string_equal(event.vdev, "xvda");
    libxl_evdisable_disk_eject(s->ctx, evgen);
    destroy(s, domid);
}

/* The connection is lost while xenstored has not answered the request to watch the node. */
static void a_watch_that_was_not_answered_is_made_again(scene *s)
{
    libxl_evgen_disk_eject *evgen;
    const uint64_t user = new_user();
    char path[96];
    libxl_domid domid = guest(s, "b", true);
    simulate("xenstored stop");
    assert_int_equal(libxl_evenable_disk_eject(s->ctx, domid, "xvda", user, &evgen), 0);
    pump_for(s, 50); /* With libxenstore, the thread makes the request meanwhile. */
    kill_xenstored(s->ctx);
    simulate("xenstored start");
    wait_until_up(s->ctx);
    fixture_check_connection();
    snprintf(path, sizeof(path), "/local/domain/%u/domid", domid);
    fixture_write(path, "");
    snprintf(path, sizeof(path), "/local/domain/%u/device/vbd/51712/eject", domid);
    fixture_write(path, "eject");
    next_event(s, domid, user, LIBXL_EVENT_TYPE_DISK_EJECT);
    libxl_evdisable_disk_eject(s->ctx, evgen);
    destroy(s, domid);
}

static const body bodies[] = {
    BODY(what_needs_no_xenstored_works_without_it, RUNS_ONCE),
    BODY(events_of_domains_need_no_xenstored, RUNS_ONCE),
    BODY(a_creation_that_loses_xenstored_leaves_no_domain, NO_CONTEXT),
    BODY(a_pending_request_ends_when_xenstored_does, RUNS_ONCE),
    BODY(a_context_works_again_when_xenstored_is_back, RUNS_ONCE),
    BODY(a_destruction_waits_a_moment_for_xenstored, RUNS_ONCE),
    BODY(domains_are_followed_again_when_xenstored_is_back, RUNS_ONCE),
    BODY(ejected_media_are_reported_again, RUNS_ONCE),
    BODY(a_watch_that_was_not_answered_is_made_again, RUNS_ONCE),
};

HARNESS_MAIN(bodies)
