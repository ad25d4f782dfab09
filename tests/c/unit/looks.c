/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The periodic checks of domains, called looks (src/xen/domains.h). While a domain is followed, the library
 * lists all domains regularly, even without an event from xenstored. */
#include "core.h"

#include <stdio.h>

#include "replace.h"
#include "simulation.h"
#include "xen.h"

enum { SOON_S = 3, LONG_S = 3600, LAST_DOMID = LIBXL__DOMID_FIRST_RESERVED - 1 };

/* Returns whether the next check is due within SOON_S seconds. If it is not, fails the test unless the check
 * is more than LONG_S seconds away. */
static bool is_scheduled(scene *s)
{
    libxl__ctx_lock(s->ctx);
    const uint64_t deadline = s->ctx->xen->domains.again.deadline;
    libxl__ctx_unlock(s->ctx);
    const bool soon = deadline < libxl__now() + LIBXL__SECONDS(SOON_S);
    assert_true(soon || deadline > libxl__now() + LIBXL__SECONDS(LONG_S));
    return soon;
}

/* Runs the scheduled check now. */
static void run_check_now(scene *s)
{
    libxl__ctx_lock(s->ctx);
    libxl__timer *timer = &s->ctx->xen->domains.again;
    libxl__timer_stop(s->ctx, timer);
    timer->callback(s->ctx, timer);
    libxl__ctx_leave(s->ctx);
}

static void the_check_is_scheduled_while_a_domain_is_followed(scene *s)
{
    libxl_domid domid = guest_new(s->ctx, "b", true);
    run_check_now(s);
    assert_false(is_scheduled(s)); /* No domain is followed. */
    op *o = START(s, libxl_domain_wait_gone, s->ctx, domid, how);
    assert_true(is_scheduled(s));
    run_check_now(s);
    assert_true(is_scheduled(s));
    assert_int_equal(libxl_ao_abort(s->ctx, op_how(o)), 0);
    assert_int_equal(op_result(o), ERROR_ABORTED);
    run_check_now(s);
    assert_false(is_scheduled(s));
    o = START(s, libxl_domain_wait_gone, s->ctx, domid, how);
    assert_true(is_scheduled(s));
    guest_destroy(s->ctx, domid);
    assert_int_equal(op_result(o), 0);
}

/* A check that was scheduled for an earlier follower also serves the next follower. */
static void the_next_follower_uses_the_scheduled_check(scene *s)
{
    libxl_domid domid = guest_new(s->ctx, "b", true);
    op *first = START(s, libxl_domain_wait_gone, s->ctx, domid, how);
    assert_int_equal(libxl_ao_abort(s->ctx, op_how(first)), 0);
    assert_int_equal(op_result(first), ERROR_ABORTED);
    op *second = START(s, libxl_domain_wait_gone, s->ctx, domid, how);
    run_check_now(s);
    assert_true(is_scheduled(s));
    guest_destroy(s->ctx, domid);
    assert_int_equal(op_result(second), 0);
}

/* The library fires the @releaseDomain watch as soon as the head of its event has arrived. */
static void the_release_watch_fires_early(scene *s)
{
    libxl_domid domid = guest_new(s->ctx, "b", true);
    op *o = START(s, libxl_domain_wait_gone, s->ctx, domid, how);
    libxl__ctx_lock(s->ctx);
    const libxl__watch *early = s->ctx->xen->watches.early_fire;
    assert_non_null(early);
    assert_string_equal(early->path, "@releaseDomain");
    libxl__ctx_unlock(s->ctx);
    guest_destroy(s->ctx, domid);
    assert_int_equal(op_result(o), 0);
}

/* ---- looks at single domains. The tests keep the context locked, so that no real event interferes. */

enum { GUESTS = 3 };

struct followed_guests {
    libxl_ctx *ctx;
    libxl_domid domids[GUESTS];
    libxl_uuid uuids[GUESTS];
    libxl__domain_follower followers[GUESTS];
    int rule; /* The number of a rule that counts the calls of this process that list domains. */
};

static void ignore_phase(libxl_ctx *ctx, libxl__domain_follower *follower)
{
    (void)ctx, (void)follower;
}

/* Makes a context and guests, and follows all guests but the last one. Returns with the context locked. */
static void open_guests(struct followed_guests *f)
{
    *f = (struct followed_guests){.ctx = open_context()};
    for (int i = 0; i < GUESTS; i++)
        f->domids[i] = guest_new(f->ctx, "b", true);
    libxl__ctx_lock(f->ctx);
    for (int i = 0; i < GUESTS; i++) {
        xc_domaininfo_t info;
        assert_int_equal(xc_domain_getinfolist(libxl__xch(f->ctx), f->domids[i], 1, &info), 1);
        memcpy(f->uuids[i].uuid, info.handle, sizeof(info.handle));
        if (i < GUESTS - 1)
            assert_int_equal(libxl__domain_follow(f->ctx, &f->followers[i], &info, ignore_phase), 0);
    }
    libxl__domains_look(f->ctx);
    /* xenconsoled maps the console of each guest. So a destroyed guest stays dying while xenconsoled is stopped. */
    simulate("xenconsoled stop");
    f->rule = fault_add("sysctl.getdomaininfolist:1ms");
}

static void close_guests(struct followed_guests *f)
{
    faults_clear();
    simulate("xenconsoled cont");
    for (int i = 0; i < GUESTS; i++)
        libxl__domain_unfollow(f->ctx, &f->followers[i]);
    libxl__ctx_leave(f->ctx);
    for (int i = 0; i < GUESTS; i++)
        remove_domain(f->domids[i], &f->uuids[i]);
    libxl_ctx_free(f->ctx);
}

static void kill_guest(struct followed_guests *f, int number)
{
    assert_int_equal(xc_domain_destroy(libxl__xch(f->ctx), f->domids[number]), 0);
}

/* Makes the watch NAME fire with the path NAME/DOMID. Returns how many calls that list domains the library
 * makes for it. */
static int fire(struct followed_guests *f, const char *name, libxl_domid domid)
{
    const libxl__domains *domains = &f->ctx->xen->domains;
    const int before = fault_hits(f->rule);
    const libxl__watch *watch = name[1] == 'r' ? domains->released : domains->introduced;
    char path[32];
    snprintf(path, sizeof(path), "%s/%u", name, (unsigned)domid);
    libxl__watch_event(f->ctx, path, libxl__watch_token_of(watch).text);
    return fault_hits(f->rule) - before;
}

/* Since Xen 4.22 the event of xenstored names the domain. */
static void an_event_that_names_a_domain_looks_at_this_domain_only(scene *s)
{
    struct followed_guests f;
    (void)s;
    open_guests(&f);
    assert_int_equal(fire(&f, "@releaseDomain", f.domids[2]), 0); /* No follower follows this domain. */
    assert_int_equal(fire(&f, "@releaseDomain", f.domids[0]), 1);
    assert_int_equal(f.followers[0].phase, LIBXL__DOMAIN_RUNNING);
    kill_guest(&f, 0);
    kill_guest(&f, 1);
    assert_int_equal(fire(&f, "@releaseDomain", f.domids[0]), 1);
    assert_int_equal(f.followers[0].phase, LIBXL__DOMAIN_DYING);
    assert_int_equal(f.followers[1].phase, LIBXL__DOMAIN_RUNNING);
    libxl__watch_event(f.ctx, "@releaseDomain", libxl__watch_token_of(f.ctx->xen->domains.released).text);
    /* An event without a domain's name concerns all domains. */
    assert_int_equal(f.followers[1].phase, LIBXL__DOMAIN_DYING);
    close_guests(&f);
}

/* An observer of all domains is notified of a new domain by the event that names it. */
static void an_observer_looks_at_the_introduced_domain_only(scene *s)
{
    struct followed_guests f;
    libxl_evgen_domain_lifecycle *evgen;
    libxl_uuid uuid[2];
    libxl_domid domid[2];
    (void)s;
    open_guests(&f);
    const libxl__followed_domains *followed = &f.ctx->xen->domains.followed;
    libxl__ctx_leave(f.ctx);
    assert_int_equal(libxl_evenable_domain_lifecycle(f.ctx, LIBXL_DOMID_ALL, 1, &evgen), 0);
    libxl__ctx_lock(f.ctx);
    libxl__domains_look(f.ctx);
    for (int i = 0; i < 2; i++) {
        libxl_uuid_generate(&uuid[i]);
        domid[i] = add_domain(&uuid[i]);
        assert_false(libxl__followed_has(followed, domid[i]));
    }
    assert_int_equal(fire(&f, "@introduceDomain", domid[0]), 1);
    assert_true(libxl__followed_has(followed, domid[0]));
    assert_false(libxl__followed_has(followed, domid[1]));
    libxl__ctx_leave(f.ctx);
    libxl_evdisable_domain_lifecycle(f.ctx, evgen);
    libxl__ctx_lock(f.ctx);
    close_guests(&f);
    for (int i = 0; i < 2; i++)
        remove_domain(domid[i], &uuid[i]);
}

/* While a followed domain is dying, most looks are at this domain only. A look at all domains comes now and then,
 * because xenstored does not report every change. */
static void the_checks_of_a_dying_domain_leave_others_out(scene *s)
{
    struct followed_guests f;
    (void)s;
    open_guests(&f);
    libxl__domains *domains = &f.ctx->xen->domains;
    kill_guest(&f, 0);
    libxl__domains_look(f.ctx);
    kill_guest(&f, 1);
    domains->next_complete = libxl__now() + LIBXL__SECONDS(LONG_S);
    domains->again.callback(f.ctx, &domains->again);
    assert_int_equal(f.followers[0].phase, LIBXL__DOMAIN_DYING);
    assert_int_equal(f.followers[1].phase, LIBXL__DOMAIN_RUNNING);
    domains->next_complete = libxl__now();
    domains->again.callback(f.ctx, &domains->again);
    assert_int_equal(f.followers[1].phase, LIBXL__DOMAIN_DYING);
    libxl__domains_look_soon(f.ctx); /* The look that this call requests is a look at all domains. */
    assert_int_equal(domains->next_complete, 0);
    close_guests(&f);
}

/* ---- following fails */

static int refuse_watch(libxl_ctx *ctx, libxl__watch *watch)
{
    (void)ctx, (void)watch;
    return ERROR_NO_XENSTORE;
}

/* The library's message about the failed follow replaces the thread's previous error message. */
static void the_error_of_a_failed_follow_has_its_own_message(scene *s)
{
    const libxl__xs_transport *working = s->ctx->xen->transport;
    libxl__xs_transport broken = *working;
    broken.add_watch = refuse_watch;
    s->ctx->xen->transport = &broken;
    for (int all = 0; all <= 1; all++) {
        libxl_evgen_domain_lifecycle *evgen;
        const libxl_domid domid = all ? LIBXL_DOMID_ALL : 0;
        assert_int_equal(libxl_domain_pause(s->ctx, LAST_DOMID, NULL), ERROR_DOMAIN_NOTFOUND);
        assert_int_equal(libxl_evenable_domain_lifecycle(s->ctx, domid, 1, &evgen), ERROR_NO_XENSTORE);
        assert_string_equal(libxl_error_message(),
                            "xenstored does not answer on this machine (following a domain)");
    }
    s->ctx->xen->transport = working;
}

static const body bodies[] = {
    BODY(the_check_is_scheduled_while_a_domain_is_followed, ASYNCHRONOUS | ALONE),
    BODY(the_next_follower_uses_the_scheduled_check, ASYNCHRONOUS | ALONE),
    BODY(the_release_watch_fires_early, ASYNCHRONOUS | ALONE),
    BODY(an_event_that_names_a_domain_looks_at_this_domain_only, NO_CONTEXT),
    BODY(an_observer_looks_at_the_introduced_domain_only, NO_CONTEXT),
    BODY(the_checks_of_a_dying_domain_leave_others_out, NO_CONTEXT),
    BODY(the_error_of_a_failed_follow_has_its_own_message, ASYNCHRONOUS | ALONE),
};

HARNESS_MAIN(bodies)
