/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Every operation, with every call to Xen that it makes, failing with every errno: the error is one that the operation's IDL entry
 * declares, and the message says what has failed.
 *
 * The operations are those of the generated table. One whose only input is a domid needs nothing here; any other needs a starter,
 * and the test names the operation if there is none.
 */
#include "core.h"
#include "simulation.h"

#include "_libxl_operations_internal.h"

#include <stdio.h>
#include <stdlib.h>

enum { MOST_CALLS = 64, MOST_TIMES = 4, WAIT_MS = 60, LIMIT_MS = 5000 };

static const char *const errnos[] = {"EPERM",  "EACCES", "ENOMEM",     "ESRCH",  "EINVAL", "EBUSY",
                                     "EEXIST", "ENOSYS", "EOPNOTSUPP", "EMFILE", "EIO",    "ENOSPC"};

struct sweep {
    libxl_ctx *ctx;
    libxl_domid guest, made;
    bool pvh; /* what a creation makes */
    char calls[MOST_CALLS][64];
    int count;
    unsigned points;
};

/* ---- starting an operation synchronously */

static int start_create(struct sweep *w)
{
    libxl_domain_config config = w->pvh ? guest_config_pvh("b") : guest_config("b");
    const int rc = libxl_domain_create_new(w->ctx, &config, &w->made, NULL, NULL);
    libxl_domain_config_dispose(&config);
    return rc;
}

/* The guest does not stop: only the time limit ends the wait. */
static int start_wait_shutdown(struct sweep *w)
{
    libxl_shutdown_reason reason;
    libxl_ao_set_limit(w->ctx, NULL, WAIT_MS);
    const int rc = libxl_domain_wait_shutdown(w->ctx, w->guest, &reason, NULL);
    libxl_ao_set_limit(w->ctx, NULL, LIMIT_MS);
    return rc;
}

static int start_wait_gone(struct sweep *w)
{
    libxl_ao_set_limit(w->ctx, NULL, WAIT_MS);
    const int rc = libxl_domain_wait_gone(w->ctx, w->guest, NULL);
    libxl_ao_set_limit(w->ctx, NULL, LIMIT_MS);
    return rc;
}

static int start_get_info(struct sweep *w)
{
    libxl_dominfo info;
    return libxl_domain_get_info(w->ctx, w->guest, &info, NULL);
}

static int start_list(struct sweep *w)
{
    libxl_dominfo_list list;
    const int rc = libxl_domain_list(w->ctx, &list, NULL);
    libxl_dominfo_list_dispose(&list);
    return rc;
}

static int start_get_name(struct sweep *w)
{
    char *name = NULL;
    const int rc = libxl_domain_get_name(w->ctx, w->guest, &name, NULL);
    free(name);
    return rc;
}

static int start_find(struct sweep *w)
{
    libxl_domid domid;
    return libxl_domain_find(w->ctx, "Domain-0", &domid, NULL);
}

static int start_host_info(struct sweep *w)
{
    libxl_physinfo info;
    return libxl_host_info(w->ctx, &info, NULL);
}

static int start_host_version(struct sweep *w)
{
    libxl_version_info info;
    const int rc = libxl_host_version(w->ctx, &info, NULL);
    libxl_version_info_dispose(&info);
    return rc;
}

static int (*const starters[LIBXL__OP_COUNT])(struct sweep *w) = {
    [LIBXL__OP_DOMAIN_CREATE_NEW] = start_create,   [LIBXL__OP_DOMAIN_WAIT_SHUTDOWN] = start_wait_shutdown,
    [LIBXL__OP_DOMAIN_WAIT_GONE] = start_wait_gone, [LIBXL__OP_DOMAIN_GET_INFO] = start_get_info,
    [LIBXL__OP_DOMAIN_LIST] = start_list,           [LIBXL__OP_DOMAIN_GET_NAME] = start_get_name,
    [LIBXL__OP_DOMAIN_FIND] = start_find,           [LIBXL__OP_HOST_INFO] = start_host_info,
    [LIBXL__OP_HOST_VERSION] = start_host_version,
};

/* Hidden operations run inside others, or inside an event generator. */
static bool is_hidden(unsigned operation)
{
    return operation == LIBXL__OP_DOMAIN_TEARDOWN || operation == LIBXL__OP_DISK_EJECT;
}

static int start(struct sweep *w, unsigned operation)
{
    const libxl__ao_class *cls = &libxl__operations[operation];
    if (starters[operation])
        return starters[operation](w);
    if (cls->args_size != sizeof(libxl_domid))
        fail_msg("%s: this test needs a starter for it", cls->name);
    libxl__ao *ao;
    const int rc = libxl__ao_create(w->ctx, cls, w->guest, NULL, &ao);
    if (rc)
        return rc;
    *(libxl_domid *)libxl__ao_args(ao) = w->guest;
    return libxl__ao_start(ao);
}

/* ---- the points */

static void note_call(const char *call, void *user)
{
    struct sweep *w = user;
    if (w->count < MOST_CALLS)
        snprintf(w->calls[w->count++], sizeof(w->calls[0]), "%s", call);
}

/* Makes sure that there is a guest that runs and obeys requests, or sleeps. */
static void prepare(struct sweep *w, unsigned operation)
{
    libxl_dominfo info;
    if (w->guest && !libxl_domain_info(w->ctx, &info, w->guest) && !info.shutdown && !info.dying) {
        while (info.paused && !libxl_domain_unpause(w->ctx, w->guest, NULL) &&
               !libxl_domain_info(w->ctx, &info, w->guest))
            ;
        return;
    }
    if (w->guest)
        libxl_domain_destroy(w->ctx, w->guest, NULL);
    const bool obeys = operation == LIBXL__OP_DOMAIN_SHUTDOWN || operation == LIBXL__OP_DOMAIN_REBOOT;
    w->guest = guest_new(w->ctx, obeys ? "l" : "b", true);
}

static bool is_declared(const libxl__ao_class *cls, int rc)
{
    const int *error = cls->errors;
    while (*error && *error != rc)
        error++;
    return *error;
}

/* Whether the library's words for the kind of error are all that there is. */
static bool says_nothing(int rc, const char *message)
{
    return !*message || strcmp(message, libxl_error_describe(rc)) == 0;
}

/* Makes the n-th of these calls fail. Returns whether there were so many. */
static bool run_point(struct sweep *w, unsigned operation, const char *call, const char *errnoval, int n)
{
    const libxl__ao_class *cls = &libxl__operations[operation];
    prepare(w, operation);
    w->made = LIBXL_DOMID_INVALID;
    const int rule = fault_add("%s:%d:%s", call, n, errnoval), rc = start(w, operation);
    const bool hit = fault_hits(rule);
    char message[512];
    snprintf(message, sizeof(message), "%s", libxl_error_message());
    faults_clear();
    if (rc && !is_declared(cls, rc))
        fail_msg("%s, call %d of %s, %s: %d '%s' is not declared", cls->name, n, call, errnoval, rc, message);
    if (rc && says_nothing(rc, message))
        fail_msg("%s, call %d of %s, %s: %d '%s' says nothing", cls->name, n, call, errnoval, rc, message);
    if (!rc && w->made != LIBXL_DOMID_INVALID)
        assert_int_equal(libxl_domain_destroy(w->ctx, w->made, NULL), 0);
    w->points += hit;
    return hit;
}

static void run_operation(struct sweep *w, unsigned operation)
{
    w->count = 0;
    if (w->guest)
        libxl_domain_destroy(w->ctx, w->guest, NULL);
    w->guest = 0;
    prepare(w, operation);
    calls_begin();
    start(w, operation);
    calls_end(note_call, w);
    if (operation == LIBXL__OP_DOMAIN_CREATE_NEW)
        assert_int_equal(libxl_domain_destroy(w->ctx, w->made, NULL), 0);
    assert_in_range(w->count, 1, MOST_CALLS - 1);
    for (int i = 0; i < w->count; i++)
        for (size_t e = 0; e < sizeof(errnos) / sizeof(*errnos); e++)
            for (int n = 1; n <= MOST_TIMES && run_point(w, operation, w->calls[i], errnos[e], n); n++)
                ;
}

static void sweep(bool (*selects)(unsigned operation), bool pvh, unsigned least)
{
    struct sweep w = {.pvh = pvh};
    struct fixture before;
    unsigned operations = 0;
    fixture_begin(&before);
    assert_int_equal(libxl_ctx_alloc(&w.ctx, LIBXL_VERSION, 0, NULL), 0);
    libxl_ao_set_limit(w.ctx, NULL, LIMIT_MS);
    for (unsigned operation = 0; operation < LIBXL__OP_COUNT; operation++)
        if (!is_hidden(operation) && selects(operation)) {
            run_operation(&w, operation);
            operations++;
        }
    if (w.guest)
        libxl_domain_destroy(w.ctx, w.guest, NULL);
    libxl_ctx_free(w.ctx);
    fixture_clean(&before);
    printf("errnos: %u operations, %zu errnos, %u points\n", operations, sizeof(errnos) / sizeof(*errnos),
           w.points);
    assert_true(w.points > least);
}

static bool makes_a_domain(unsigned operation)
{
    return operation == LIBXL__OP_DOMAIN_CREATE_NEW;
}

static bool is_instant(unsigned operation)
{
    return !libxl__operations[operation].slow;
}

static bool is_another(unsigned operation)
{
    return !makes_a_domain(operation) && !is_instant(operation);
}

static void every_error_of_a_pv_creation_is_declared(scene *s)
{
    (void)s;
    sweep(makes_a_domain, false, 300);
}

static void every_error_of_a_pvh_creation_is_declared(scene *s)
{
    (void)s;
    sweep(makes_a_domain, true, 300);
}

static void every_error_of_an_instant_operation_is_declared(scene *s)
{
    (void)s;
    sweep(is_instant, false, 100);
}

static void every_error_of_other_operations_is_declared(scene *s)
{
    (void)s;
    sweep(is_another, false, 100);
}

static const body bodies[] = {
    BODY(every_error_of_a_pv_creation_is_declared, NO_CONTEXT),
    BODY(every_error_of_a_pvh_creation_is_declared, NO_CONTEXT),
    BODY(every_error_of_an_instant_operation_is_declared, NO_CONTEXT),
    BODY(every_error_of_other_operations_is_declared, NO_CONTEXT),
};

HARNESS_MAIN(bodies)
