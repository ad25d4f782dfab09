/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Watches over the wire protocol: events of removed watches, events in two parts, and events that name a domain.
 * A thread of the test plays xenstored (support/xenstored.h). */
#include "xenstored.h"

static void count_call(libxl_ctx *ctx, void *user, bool failed)
{
    (void)ctx;
    assert_false(failed);
    ++*(int *)user;
}

/* xenstored may have sent an event of the removed watch before it received the request to remove it. */
static void a_late_event_does_not_fire_the_slot_s_new_watch(scene *s)
{
    xenstored x;
    libxl_ctx *ctx = xenstored_open(&x);
    libxl__watch *watch;
    int first = 0, second = 0;
    libxl__ctx_lock(ctx);
    assert_int_equal(libxl__watch_add(ctx, "/watched", count_call, &first, false, &watch), 0);
    core_run(ctx, &first);
    libxl__watch_remove(ctx, watch);
    core_run_for(ctx, 20); /* After this time the slot of the removed watch is free. */
    assert_int_equal(libxl__watch_add(ctx, "/watched", count_call, &second, false, &watch), 0);
    core_run(ctx, &second);
    assert_int_equal(watch->slot, 0); /* The new watch has the slot of the removed watch. */
    xenstored_wait_watches(&x, 2);
    xenstored_event(&x, "/watched", x.tokens[0]);
    core_run_for(ctx, 20);
    assert_int_equal(first, 1);
    assert_int_equal(second, 1);
    xenstored_event(&x, "/watched", x.tokens[1]);
    core_run_for(ctx, 20);
    assert_int_equal(second, 2);
    libxl__watch_remove(ctx, watch);
    libxl__ctx_unlock(ctx);
    xenstored_close(&x, ctx);
    (void)s;
}

/* ---- an event whose head arrives before its body */

struct split_event {
    xenstored x;
    libxl_ctx *ctx;
    libxl__watch *early, *other;
    int early_calls, other_calls;
};

/* Sets two watches whose events have the same length. Returns with the lock held. */
static void open_halves(struct split_event *h)
{
    h->early_calls = h->other_calls = 0;
    h->ctx = xenstored_open(&h->x);
    libxl__ctx_lock(h->ctx);
    assert_int_equal(libxl__watch_add(h->ctx, "@special", count_call, &h->early_calls, false, &h->early), 0);
    libxl__watch_fire_early(h->ctx, h->early);
    assert_int_equal(libxl__watch_add(h->ctx, "/another", count_call, &h->other_calls, false, &h->other), 0);
    core_run(h->ctx, &h->other_calls);
    assert_int_equal(h->early_calls, 1); /* A watch fires once when it is registered. */
}

static void close_halves(struct split_event *h)
{
    libxl__watch_remove(h->ctx, h->early);
    libxl__watch_remove(h->ctx, h->other);
    libxl__ctx_unlock(h->ctx);
    xenstored_close(&h->x, h->ctx);
}

/* Processes the messages from xenstored, and checks how often each watch has fired. */
static void expect_calls(struct split_event *h, int early, int other)
{
    core_run_for(h->ctx, 20);
    assert_int_equal(h->early_calls, early);
    assert_int_equal(h->other_calls, other);
}

static void an_early_watch_fires_at_the_head(scene *s)
{
    struct split_event h;
    open_halves(&h);
    for (int i = 0; i < 2; i++) {
        xenstored_event_head(&h.x, "@special", h.x.tokens[0]);
        expect_calls(&h, 2 + 2 * i, 1);
        xenstored_event_body(&h.x, "@special", h.x.tokens[0]);
        expect_calls(&h, 2 + 2 * i, 1); /* The body of the event does not fire the watch again. */
        xenstored_event(&h.x, "@special", h.x.tokens[0]);
        expect_calls(&h, 3 + 2 * i, 1);
    }
    close_halves(&h);
    (void)s;
}

static void another_watch_s_head_may_fire_it_but_not_its_body(scene *s)
{
    struct split_event h;
    open_halves(&h);
    xenstored_event_head(&h.x, "/another", h.x.tokens[1]);
    expect_calls(&h, 2, 1);
    xenstored_event_body(&h.x, "/another", h.x.tokens[1]);
    expect_calls(&h, 2, 2);
    xenstored_event(&h.x, "@special", h.x.tokens[0]);
    expect_calls(&h, 3, 2);
    /* The length of this event differs from the length of the early watch's events. */
    xenstored_event_head(&h.x, "/another/below", h.x.tokens[1]);
    expect_calls(&h, 3, 2);
    xenstored_event_body(&h.x, "/another/below", h.x.tokens[1]);
    expect_calls(&h, 3, 3);
    close_halves(&h);
    (void)s;
}

static void an_early_watch_may_be_removed_between_head_and_body(scene *s)
{
    struct split_event h;
    open_halves(&h);
    xenstored_event_head(&h.x, "@special", h.x.tokens[0]);
    expect_calls(&h, 2, 1);
    libxl__watch_remove(h.ctx, h.early);
    h.early = NULL;
    xenstored_event_body(&h.x, "@special", h.x.tokens[0]);
    xenstored_event_head(&h.x, "@special", h.x.tokens[0]);
    expect_calls(&h, 2, 1);
    xenstored_event_body(&h.x, "@special", h.x.tokens[0]);
    xenstored_event(&h.x, "/another", h.x.tokens[1]);
    expect_calls(&h, 2, 2);
    close_halves(&h);
    (void)s;
}

/* ---- events that name a domain */

enum { NO_DOMAIN = -1, DEFERRED = -2 };

struct named_events {
    int calls, domid; /* The number of events, and the domain that the last one has named. */
    bool defers;
};

static void note_domain(libxl_ctx *ctx, void *user, bool failed)
{
    struct named_events *events = user;
    uint32_t domid;
    assert_false(failed);
    events->calls++;
    events->domid = NO_DOMAIN;
    if (events->defers && libxl__watch_defer(ctx))
        events->domid = DEFERRED;
    else if (libxl__watch_domid(ctx, &domid))
        events->domid = (int)domid;
}

/* Sets the watch of @releaseDomain, and waits for its first event. Returns with the lock held. */
static libxl_ctx *open_named(xenstored *x, bool known, struct named_events *events, libxl__watch **watch)
{
    *events = (struct named_events){.domid = NO_DOMAIN};
    libxl_ctx *ctx = xenstored_open(x);
    x->knows_depth = known;
    libxl__ctx_lock(ctx);
    assert_int_equal(libxl__watch_add_domains(ctx, "@releaseDomain", note_domain, events, watch), 0);
    core_run(ctx, &events->calls);
    assert_int_equal(events->domid, NO_DOMAIN);
    assert_int_equal(x->depths, 1);
    assert_int_equal(x->watches, 1);
    return ctx;
}

static void close_named(xenstored *x, libxl_ctx *ctx, libxl__watch *watch)
{
    libxl__watch_remove(ctx, watch);
    libxl__ctx_unlock(ctx);
    xenstored_close(x, ctx);
}

static void a_new_xenstored_names_the_domain_of_an_event(scene *s)
{
    static const struct {
        const char *path;
        int domid;
    } events[] = {
        {"@releaseDomain/7", 7},
        {"@releaseDomain", NO_DOMAIN},
        {"@releaseDomain/32751", 32751},
        {"@releaseDomain/32752", NO_DOMAIN}, /* No domain can have this number. */
        {"@releaseDomain/0", 0},
        {"@releaseDomain/", NO_DOMAIN},
        {"@releaseDomain/7x", NO_DOMAIN},
        {"@releaseDomain/99999999999999999999", NO_DOMAIN},
    };
    xenstored x;
    struct named_events seen;
    libxl__watch *watch;
    libxl_ctx *ctx = open_named(&x, true, &seen, &watch);
    for (int i = 0; i < (int)(sizeof(events) / sizeof(*events)); i++) {
        xenstored_event(&x, events[i].path, x.tokens[0]);
        core_run_for(ctx, 20);
        assert_int_equal(seen.calls, i + 2);
        assert_int_equal(seen.domid, events[i].domid);
    }
    close_named(&x, ctx, watch);
    (void)s;
}

static void an_old_xenstored_gets_the_watch_without_a_depth(scene *s)
{
    xenstored x;
    struct named_events seen;
    libxl__watch *watch;
    libxl_ctx *ctx = open_named(&x, false, &seen, &watch);
    assert_false(watch->depth);
    xenstored_event(&x, "@releaseDomain", x.tokens[0]);
    core_run_for(ctx, 20);
    assert_int_equal(seen.calls, 2);
    assert_int_equal(seen.domid, NO_DOMAIN);
    close_named(&x, ctx, watch);
    (void)s;
}

/* If an event names a domain, the length in its head is up to six octets larger. */
static void a_deferred_early_watch_is_called_again_with_the_domain(scene *s)
{
    xenstored x;
    struct named_events seen;
    libxl__watch *watch;
    libxl_ctx *ctx = open_named(&x, true, &seen, &watch);
    libxl__watch_fire_early(ctx, watch);
    for (int defers = 0; defers <= 1; defers++) {
        const int before = seen.calls;
        seen.defers = defers;
        xenstored_event_head(&x, "@releaseDomain/12345", x.tokens[0]);
        core_run_for(ctx, 20);
        assert_int_equal(seen.calls, before + 1);
        assert_int_equal(seen.domid, defers ? DEFERRED : NO_DOMAIN);
        xenstored_event_body(&x, "@releaseDomain/12345", x.tokens[0]);
        core_run_for(ctx, 20);
        assert_int_equal(seen.calls, before + 1 + defers);
        assert_int_equal(seen.domid, defers ? 12345 : NO_DOMAIN);
    }
    close_named(&x, ctx, watch);
    (void)s;
}

static const body bodies[] = {
    BODY(an_early_watch_fires_at_the_head, NO_CONTEXT),
    BODY(another_watch_s_head_may_fire_it_but_not_its_body, NO_CONTEXT),
    BODY(an_early_watch_may_be_removed_between_head_and_body, NO_CONTEXT),
    BODY(a_new_xenstored_names_the_domain_of_an_event, NO_CONTEXT),
    BODY(an_old_xenstored_gets_the_watch_without_a_depth, NO_CONTEXT),
    BODY(a_deferred_early_watch_is_called_again_with_the_domain, NO_CONTEXT),
    BODY(a_late_event_does_not_fire_the_slot_s_new_watch, NO_CONTEXT),
};

HARNESS_MAIN(bodies)
