/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The library used together with libxenmanage, which Xen has since 4.21. The test plays libxenmanage.
 * tests/Makefile.inc compiles domain_ids.c once more, with the played header. */
#include "core.h"

#include <errno.h>

#include "release.h"
#include "replace.h"
#include "simulation.h"
#include "xen.h"

enum { ID = 1000 };

/* The played libxenmanage. */
static struct {
    /* unreachable: libxenmanage cannot be opened. refuses: it answers with an error. */
    bool unreachable, refuses;
    uint64_t id; /* the unique number of every domain */
    unsigned state;
    /* The numbers of attempts to open libxenmanage, of open handles, and of questions so far. */
    int opened, open, asked;
} played;

xenmanage_handle *xenmanage_open(struct xentoollog_logger *logger, unsigned int open_flags)
{
    assert_non_null(logger); /* Without a logger the real library writes to standard error. */
    assert_int_equal(open_flags, 0);
    played.opened++;
    if (played.unreachable)
        return NULL;
    played.open++;
    return (xenmanage_handle *)&played;
}

int xenmanage_close(xenmanage_handle *handle)
{
    assert_ptr_equal(handle, &played);
    played.open--;
    return 0;
}

int xenmanage_get_domain_info(xenmanage_handle *handle, unsigned int domid, unsigned int *state,
                              unsigned int *caps, uint64_t *unique_id)
{
    assert_ptr_equal(handle, &played);
    assert_null(caps);
    (void)domid;
    played.asked++;
    if (played.refuses) {
        errno = EPERM;
        return -1;
    }
    *state = played.state;
    *unique_id = played.id;
    return 0;
}

/* Runs one planned check, and returns how often it has listed domains. Call it with the context locked. */
static int check(libxl_ctx *ctx, int rule)
{
    libxl__domains *domains = &ctx->xen->domains;
    const int before = fault_hits(rule);
    domains->next_complete = libxl__now() + LIBXL__SECONDS(1000);
    domains->again.callback(ctx, &domains->again);
    return fault_hits(rule) - before;
}

/* Opens a context, and follows a domain that stays dying. Returns with the context locked. */
static libxl_ctx *follow_dying(libxl__domain_follower *follower, libxl__domain_callback *callback, int *rule)
{
    libxl_ctx *ctx = open_context();
    const libxl_domid domid = guest_new(ctx, "b", true);
    xc_domaininfo_t info;
    /* xenconsoled maps the console of each guest. So a destroyed guest stays dying while xenconsoled is stopped. */
    simulate("xenconsoled stop");
    libxl__ctx_lock(ctx);
    assert_int_equal(xc_domain_getinfolist(libxl__xch(ctx), domid, 1, &info), 1);
    assert_int_equal(libxl__domain_follow(ctx, follower, &info, callback), 0);
    assert_int_equal(xc_domain_destroy(libxl__xch(ctx), domid), 0);
    libxl__domains_look(ctx);
    assert_int_equal(ctx->xen->domains.followed.dying, 1);
    *rule = fault_add("sysctl.getdomaininfolist:1ms");
    return ctx;
}

static void close_dying(libxl_ctx *ctx, libxl__domain_follower *follower)
{
    const libxl_domid domid = follower->domid;
    const libxl_uuid uuid = follower->domain->uuid;
    libxl__domain_unfollow(ctx, follower);
    faults_clear();
    simulate("xenconsoled cont");
    libxl__ctx_leave(ctx);
    remove_domain(domid, &uuid);
    libxl_ctx_free(ctx);
    assert_int_equal(played.open, 0);
}

static void note_phase(libxl_ctx *ctx, libxl__domain_follower *follower)
{
    (void)ctx, (void)follower;
}

static void a_dying_domain_with_the_same_number_is_not_listed(scene *s)
{
    libxl__domain_follower follower = {0};
    int rule;
    played = (typeof(played)){.id = ID, .state = XENMANAGE_GETDOMSTATE_STATE_EXIST};
    libxl_ctx *ctx = follow_dying(&follower, note_phase, &rule);
    /* The library lists the domains to learn to which domain the number belongs. */
    assert_int_equal(check(ctx, rule), 1);
    assert_int_equal(check(ctx, rule), 0);
    assert_int_equal(check(ctx, rule), 0);
    played.id++; /* The changed number means that another domain has the domid. */
    assert_int_equal(check(ctx, rule), 1);
    assert_int_equal(check(ctx, rule), 0);
    played.state = 0;
    assert_int_equal(check(ctx, rule), 1);
    assert_int_equal(played.opened, 1);
    close_dying(ctx, &follower);
    (void)s;
}

/* A domain that the list no longer has is gone, and its followers are notified. */
static void a_changed_number_leads_to_the_end_of_the_domain(scene *s)
{
    libxl__domain_follower follower = {0};
    int rule;
    played = (typeof(played)){.id = ID, .state = XENMANAGE_GETDOMSTATE_STATE_EXIST};
    libxl_ctx *ctx = follow_dying(&follower, note_phase, &rule);
    assert_int_equal(check(ctx, rule), 1);
    simulate("xenconsoled cont"); /* The domain ends. */
    for (xc_domaininfo_t info; xc_domain_getinfolist(libxl__xch(ctx), follower.domid, 1, &info) == 1 &&
                               info.domain == follower.domid;)
        sleep_ms(1);
    check(ctx, rule);
    assert_int_equal(follower.phase, LIBXL__DOMAIN_DYING); /* The number is unchanged. */
    played.state = 0;
    check(ctx, rule);
    assert_int_equal(follower.phase, LIBXL__DOMAIN_GONE);
    close_dying(ctx, &follower);
    (void)s;
}

static void without_an_answer_the_domain_is_listed(scene *s)
{
    for (int unreachable = 0; unreachable <= 1; unreachable++) {
        libxl__domain_follower follower = {0};
        int rule;
        played = (typeof(played)){.unreachable = unreachable, .refuses = true};
        libxl_ctx *ctx = follow_dying(&follower, note_phase, &rule);
        for (int i = 0; i < 3; i++)
            assert_int_equal(check(ctx, rule), 1);
        assert_int_equal(played.opened, 1);
        assert_int_equal(played.asked, unreachable ? 0 : 3);
        close_dying(ctx, &follower);
    }
    (void)s;
}

static const body bodies[] = {
    BODY(a_dying_domain_with_the_same_number_is_not_listed, NO_CONTEXT),
    BODY(a_changed_number_leads_to_the_end_of_the_domain, NO_CONTEXT),
    BODY(without_an_answer_the_domain_is_listed, NO_CONTEXT),
};

HARNESS_MAIN(bodies)
