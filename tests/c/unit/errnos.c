/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Makes every call to Xen of every operation fail with every errno. The IDL entry of the operation must
 * declare the error, and the message must name the call that has failed.
 *
 * The operations are those of the generated table; support/starter.c starts them. By default the sweep tries all
 * errnos for the first call of each function, and one errno for each later call of the function. It tries one errno
 * for each call of an operation that suspends, saves, resumes or restores a domain. With
 * AIOXEN_SWEEP=all the sweep tries all errnos for every call.
 */
#include "pci.h"
#include "saving.h"
#include "simulation.h"
#include "starter.h"

#include <stdio.h>
#include <stdlib.h>

enum { MOST_TIMES = 4 };

static const char *const errnos[] = {"EPERM",  "EACCES", "ENOMEM",     "ESRCH",  "EINVAL", "EBUSY",
                                     "EEXIST", "ENOSYS", "EOPNOTSUPP", "EMFILE", "EIO",    "ENOSPC"};

struct sweep {
    struct starter starter;
    struct calls calls;
    bool all;
    bool pci; /* true: an operation on PCI devices was started. */
    unsigned points;
};

/* ---- the points */

static bool is_declared(const libxl__ao_class *cls, int rc)
{
    const int *error = cls->errors;
    while (*error && *error != rc)
        error++;
    return *error;
}

/* Returns whether the message fails to name the operation, the phase or a cause. */
static bool says_too_little(const libxl__ao_class *cls, const char *message)
{
    const char *place = strstr(message, " (");
    return !place || place == message || !strstr(place, cls->name) ||
           (cls->phases && !strstr(place, ", phase "));
}

/* Makes the n-th call of this name fail. Returns whether the operation has made n calls. */
static bool run_point(struct sweep *w, unsigned operation, const char *call, const char *errnoval, int n)
{
    const libxl__ao_class *cls = &libxl__operations[operation];
    harness_begin_limit();
    starter_prepare(&w->starter, w->starter.ctx, operation);
    const int rule = fault_add("%s:%d:%s", call, n, errnoval), rc = starter_run(&w->starter, operation);
    const bool hit = fault_hits(rule);
    char message[512];
    snprintf(message, sizeof(message), "%s", libxl_error_message());
    faults_clear();
    if (rc && !is_declared(cls, rc))
        fail_msg("%s, call %d of %s, %s: %d '%s' is not declared", cls->name, n, call, errnoval, rc, message);
    if (rc && says_too_little(cls, message))
        fail_msg("%s, call %d of %s, %s: %d '%s' says too little", cls->name, n, call, errnoval, rc, message);
    if (!rc && w->starter.made != LIBXL_DOMID_INVALID)
        assert_int_equal(libxl_domain_destroy(w->starter.ctx, w->starter.made, NULL), 0);
    w->points += hit;
    return hit;
}

/* Runs the operation again and again. In each run another call of one function fails, or the same call fails
 * with another errno. */
static void run_call(struct sweep *w, unsigned operation, int call)
{
    enum { COUNT = sizeof(errnos) / sizeof(*errnos) };
    const bool often = !saving_is(operation); /* a save takes long */
    for (int e = 0; e < COUNT; e++)
        for (int n = 1; n <= MOST_TIMES; n++)
            if (((n == 1 && often) || w->all || (call + n) % COUNT == e) &&
                !run_point(w, operation, w->calls.names[call], errnos[e], n))
                break;
}

static void run_operation(struct sweep *w, unsigned operation)
{
    if (w->starter.guest)
        libxl_domain_destroy(w->starter.ctx, w->starter.guest, NULL);
    w->starter.guest = 0;
    starter_prepare(&w->starter, w->starter.ctx, operation);
    calls_begin();
    starter_run(&w->starter, operation);
    calls_end(&w->calls);
    if (operation == LIBXL__OP_DOMAIN_CREATE_NEW)
        assert_int_equal(libxl_domain_destroy(w->starter.ctx, w->starter.made, NULL), 0);
    /* The count is 0 if the operation uses only xenstored. */
    assert_in_range(w->calls.count, 0, CALLS_MOST - 1);
    for (int call = 0; call < w->calls.count; call++)
        run_call(w, operation, call);
}

static void sweep(bool (*selects)(unsigned operation), bool pvh, unsigned least)
{
    const char *all = getenv("AIOXEN_SWEEP");
    struct sweep w = {.starter.config = pvh ? guest_config_pvh("b") : guest_config("b"),
                      .all = all && strcmp(all, "all") == 0};
    struct fixture before;
    unsigned operations = 0;
    saving_begin();
    fixture_begin(&before);
    assert_int_equal(libxl_ctx_alloc(&w.starter.ctx, LIBXL_VERSION, 0, NULL), 0);
    libxl_ao_set_limit(w.starter.ctx, NULL, STARTER_LIMIT_MS);
    for (unsigned operation = 0; operation < LIBXL__OP_COUNT; operation++)
        if (!starter_is_hidden(operation) && selects(operation) &&
            core_selects(&libxl__operations[operation])) {
            run_operation(&w, operation);
            w.pci |= starter_takes_pci(operation);
            operations++;
        }
    if (w.starter.guest)
        libxl_domain_destroy(w.starter.ctx, w.starter.guest, NULL);
    if (w.pci)
        pci_return(w.starter.ctx);
    libxl_ctx_free(w.starter.ctx);
    libxl_domain_config_dispose(&w.starter.config);
    fixture_clean(&before);
    saving_end();
    printf("errnos: %u operations, %zu errnos, %u points\n", operations, sizeof(errnos) / sizeof(*errnos),
           w.points);
    assert_true(getenv("AIOXEN_SWEEP_ONLY") || w.points > least);
}

static bool makes_a_domain(unsigned operation)
{
    return operation == LIBXL__OP_DOMAIN_CREATE_NEW;
}

static bool is_instant(unsigned operation)
{
    return !libxl__operations[operation].slow;
}

static bool adds_or_removes_a_device(unsigned operation)
{
    return strncmp(libxl__operations[operation].name, "device_", strlen("device_")) == 0;
}

static bool is_another(unsigned operation)
{
    return !makes_a_domain(operation) && !is_instant(operation) && !adds_or_removes_a_device(operation);
}

static void every_error_of_a_pv_creation_is_declared(scene *s)
{
    (void)s;
    sweep(makes_a_domain, false, 150);
}

static void every_error_of_a_pvh_creation_is_declared(scene *s)
{
    (void)s;
    sweep(makes_a_domain, true, 150);
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

static void every_error_of_an_operation_on_devices_is_declared(scene *s)
{
    (void)s;
    sweep(adds_or_removes_a_device, false, 100);
}

static const body bodies[] = {
    BODY(every_error_of_a_pv_creation_is_declared, NO_CONTEXT),
    BODY(every_error_of_a_pvh_creation_is_declared, NO_CONTEXT),
    BODY(every_error_of_an_instant_operation_is_declared, NO_CONTEXT),
    BODY(every_error_of_an_operation_on_devices_is_declared, NO_CONTEXT),
    BODY(every_error_of_other_operations_is_declared, NO_CONTEXT),
};

HARNESS_MAIN(bodies)
