/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Memory runs out. Each allocation of the library fails once during the life of a domain. There is no crash.
 * No completion is lost or doubled, and no domain or node is left. The test needs the simulator, because it
 * repeats the domain's life about two hundred times.
 */
#include "harness.h"

#include <stdlib.h>

#include "allocation.h"

enum { TIME_LIMIT_MS = 5000, MOST = 2000 };

struct life {
    libxl_ctx *ctx;
    bool callbacks;
    int starts, ends; /* The numbers of operations that have been started and that have ended. */
    int rc;           /* The rc of the operation that ended last. */
    int missed;       /* The number of calls of the disaster hook. */
};

static void ended(libxl_ctx *ctx, int rc, void *user)
{
    struct life *l = user;
    (void)ctx;
    l->ends++;
    l->rc = rc;
}

static void disaster(void *user, libxl_event_type type, const char *message, int errnoval)
{
    struct life *l = user;
    libxl_counters count;
    (void)type, (void)errnoval;
    assert_non_null(message);
    libxl_ctx_counters(l->ctx, &count); /* The context's lock is free, as in every callback. */
    l->missed++;
}

static libxl_asyncop_how begin(struct life *l)
{
    libxl_asyncop_how how = {.u.for_event = 1};
    if (l->callbacks)
        how = (libxl_asyncop_how){.callback = ended, .u.for_callback = l};
    return how;
}

/* Waits once, at most 5 ms, for an event. */
static void look(struct life *l)
{
    libxl_event *event;
    libxl_event_wait_limit(l->ctx, &event, LIBXL_EVENTMASK_ALL, NULL, NULL, 5);
    if (event && event->type == LIBXL_EVENT_TYPE_OPERATION_COMPLETE)
        ended(l->ctx, event->u.operation_complete.rc, l);
    libxl_event_free(l->ctx, event);
}

static int result(struct life *l, int started)
{
    if (started != ERROR_ASYNC_INPROGRESS) {
        assert_int_not_equal(started, 0);
        return started;
    }
    l->starts++;
    for (uint64_t end = now_ms() + scaled_ms(TIME_LIMIT_MS); l->ends < l->starts;) {
        if (now_ms() > end)
            fail_msg("a completion was lost");
        look(l);
    }
    assert_int_equal(l->ends, l->starts);
    return l->rc;
}

#define DO(l, call)                                                                                          \
    ({                                                                                                       \
        const libxl_asyncop_how how_ = begin(l), *how = &how_;                                               \
        result(l, (call));                                                                                   \
    })

/* Creates, unpauses and destroys a guest. Tries to unpause and to destroy the guest twice, because the
 * first attempt may fail for lack of memory. */
static void live(struct life *l)
{
    libxl_domid domid = LIBXL_DOMID_INVALID, found;
    libxl_shutdown_reason reason;
    libxl_dominfo_list list;
    libxl_version_info version;
    libxl_evgen_domain_lifecycle *evgen = NULL;
    char *name = NULL;
    libxl_domain_config config = guest_config("l");
    const libxl_asyncprogress_how progress = {.for_event = 2};
    int rc = DO(l, libxl_domain_create_new(l->ctx, &config, &domid, how, &progress));
    libxl_domain_config_dispose(&config);
    if (rc)
        return;
    libxl_evenable_domain_lifecycle(l->ctx, LIBXL_DOMID_ALL, 3, &evgen);
    if (DO(l, libxl_domain_unpause(l->ctx, domid, how)))
        DO(l, libxl_domain_unpause(l->ctx, domid, how));
    if (DO(l, libxl_domain_get_name(l->ctx, domid, &name, how)) == 0) {
        DO(l, libxl_domain_find(l->ctx, name, &found, how));
        free(name);
    }
    if (DO(l, libxl_domain_list(l->ctx, &list, how)) == 0)
        libxl_dominfo_list_dispose(&list);
    if (DO(l, libxl_host_version(l->ctx, &version, how)) == 0)
        libxl_version_info_dispose(&version);
    if (DO(l, libxl_domain_shutdown(l->ctx, domid, how)) == 0)
        DO(l, libxl_domain_wait_shutdown(l->ctx, domid, &reason, how));
    if (DO(l, libxl_domain_destroy(l->ctx, domid, how)))
        DO(l, libxl_domain_destroy(l->ctx, domid, how));
    DO(l, libxl_domain_wait_gone(l->ctx, domid, how));
    libxl_evdisable_domain_lifecycle(l->ctx, evgen);
}

static int missed; /* The number of calls of the disaster hook in all runs of live(). */

/* Makes the n-th allocation fail. Returns whether the library has made n allocations. */
static bool live_with_failure(unsigned n, bool callbacks)
{
    struct fixture before;
    struct life l = {.callbacks = callbacks};
    const libxl_event_hooks hooks = {.event_occurs_mask = 0, .disaster = disaster};
    fixture_begin(&before);
    allocation_fail(n);
    if (libxl_ctx_alloc(&l.ctx, LIBXL_VERSION, 0, NULL) == 0) {
        libxl_event_register_callbacks(l.ctx, &hooks, &l);
        live(&l);
        assert_int_equal(libxl_ctx_free(l.ctx), 0);
    }
    assert_int_equal(l.ends, l.starts);
    missed += l.missed;
    bool failed = allocations() >= n;
    allocation_fail(0);
    fixture_check(&before);
    return failed;
}

static void each_allocation_can_fail(bool callbacks)
{
    unsigned n = 1;
    missed = 0;
    while (live_with_failure(n, callbacks) && n < MOST)
        n++;
    assert_in_range(n, 50, MOST - 1);
    assert_in_range(missed, 1, MOST); /* The disaster hook was called. */
}

static void each_allocation_can_fail_with_callbacks(scene *s)
{
    (void)s;
    each_allocation_can_fail(true);
}

static void each_allocation_can_fail_with_events(scene *s)
{
    (void)s;
    each_allocation_can_fail(false);
}

/* All allocations from the n-th on fail until the creation has completed. The creation's undo needs no
 * allocation, because it uses reserved memory. */
static bool create_without_memory(libxl_ctx *ctx, unsigned n)
{
    struct fixture before;
    struct life l = {.ctx = ctx, .callbacks = true};
    libxl_domid domid;
    libxl_domain_config config = guest_config("b");
    fixture_begin(&before);
    allocation_fail_from(n);
    const int rc = DO(&l, libxl_domain_create_new(ctx, &config, &domid, how, NULL));
    const bool failed = allocations() >= n;
    allocation_fail(0);
    libxl_domain_config_dispose(&config);
    if (!rc)
        guest_destroy(ctx, domid);
    fixture_check_world(&before);
    return failed;
}

static void a_creation_without_memory_leaves_nothing(scene *s)
{
    libxl_ctx *ctx = open_context();
    unsigned n = 1;
    (void)s;
    while (create_without_memory(ctx, n) && n < MOST)
        n++;
    assert_in_range(n, 20, MOST - 1);
    assert_int_equal(libxl_ctx_free(ctx), 0);
}

static const body bodies[] = {
    BODY(each_allocation_can_fail_with_callbacks, NO_CONTEXT),
    BODY(each_allocation_can_fail_with_events, NO_CONTEXT),
    BODY(a_creation_without_memory_leaves_nothing, NO_CONTEXT),
};

HARNESS_MAIN(bodies)
