/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The fault sweep runs each operation over both transports, each time with one fault. A fault is the failure
 * of the n-th hypercall, of the n-th allocation, of all allocations from the n-th on, of the n-th new
 * descriptor, or of the n-th new thread. The sweep of an operation ends when the operation does not make n
 * calls, allocations, descriptors or threads. No operation hangs, and no operation leaves a domain, a node, a
 * descriptor or a thread.
 *
 * The operations are those of the generated table; support/starter.c starts them. The sweep also opens contexts
 * and watches for ejected media. By default the sweep tries every fifth n, and every twentieth n for the
 * operations that suspend, save, resume or restore a domain, over the wire only. With AIOXEN_SWEEP=all it tries every
 * n.
 *
 * A further test fails a creation at each phase, and refuses all memory and all threads from this moment on. So the
 * creation is undone by what it has reserved.
 */
#include "starter.h"

#include "allocation.h"
#include "saving.h"
#include "simulation.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

enum {
    MOST = 1 << 20,
    DENSE = 100,
    STRIDE = 5,
    LONG_STRIDE = 4,
    MOST_TRIES = 20,
    OPEN = LIBXL__OP_COUNT,
    EJECT,
    RUNS
};
enum kind { HYPERCALL, ALLOCATION, ALLOCATIONS, FEW_DESCRIPTORS, NO_THREAD, KINDS };

static const char *const kinds[KINDS] = {"hypercalls", "allocations", "series of allocations", "descriptors",
                                         "threads"};

struct sweep {
    struct starter starter;
    unsigned flags; /* The flags of libxl_ctx_alloc() for the contexts under test. */
    struct fixture before;
    struct calls calls;
    int usual; /* The result that the operation has without a fault. */
    int rule;
    unsigned step, points[KINDS];
};

/* ---- faults */

/* The libraries under test call the pthread_create() below instead of the C library's. A library that is
 * linked statically uses this definition, because it is the program's. For any other library, the dynamic
 * linker finds this definition first. */
static atomic_uint threads_made, failing_thread;
static atomic_bool no_more_threads;

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*work)(void *), void *argument)
{
    typedef int create(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    static create *real;
    if (!real)
        real = (create *)(uintptr_t)dlsym(RTLD_NEXT, "pthread_create");
    const unsigned n = atomic_load(&failing_thread);
    if (atomic_load(&no_more_threads))
        return EAGAIN;
    if (n && atomic_fetch_add(&threads_made, 1) + 1 == n)
        return EAGAIN;
    return real(thread, attributes, work, argument);
}

static void limit_descriptors(rlim_t count)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = count && count < limit.rlim_max ? count : limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static void begin_fault(struct sweep *w, enum kind kind, const char *call, unsigned n)
{
    switch (kind) {
    case HYPERCALL: w->rule = fault_add("%s:%u:EIO", call, n); break;
    case ALLOCATION: allocation_fail(n); break;
    case ALLOCATIONS: allocation_fail_from(n); break;
    case FEW_DESCRIPTORS: limit_descriptors((rlim_t)fixture_entries("/proc/self/fd") - 3 + n - 1); break;
    default: atomic_store(&threads_made, 0); atomic_store(&failing_thread, n);
    }
}

/* Ends the fault. Returns whether the fault has occurred. */
static bool end_fault(const struct sweep *w, enum kind kind, unsigned n, int rc)
{
    bool hit;
    switch (kind) {
    case HYPERCALL:
        hit = fault_hits(w->rule);
        faults_clear();
        return hit;
    case ALLOCATION:
    case ALLOCATIONS:
        hit = allocations() >= n;
        allocation_fail(0);
        return hit;
    case FEW_DESCRIPTORS: limit_descriptors(0); return rc != w->usual;
    default: atomic_store(&failing_thread, 0); return atomic_load(&threads_made) >= n;
    }
}

/* ---- points */

/* Opens a context that makes and destroys guests without a fault. The threads of the context end when the
 * context is freed. */
static libxl_ctx *open_helper(void)
{
    libxl_ctx *ctx;
    assert_int_equal(libxl_ctx_alloc(&ctx, LIBXL_VERSION, 0, NULL), 0);
    return ctx;
}

static void destroy_guest(libxl_domid domid)
{
    libxl_ctx *helper = open_helper();
    libxl_domain_destroy(helper, domid, NULL);
    assert_int_equal(libxl_ctx_free(helper), 0);
}

static int open_tested(struct sweep *w)
{
    const int rc = libxl_ctx_alloc(&w->starter.ctx, LIBXL_VERSION, w->flags, NULL);
    if (!rc)
        libxl_ao_set_limit(w->starter.ctx, NULL, STARTER_LIMIT_MS);
    return rc;
}

static void close_tested(struct sweep *w)
{
    if (w->starter.ctx)
        assert_int_equal(libxl_ctx_free(w->starter.ctx), 0);
    w->starter.ctx = NULL;
}

static int watch_ejections(libxl_ctx *ctx, libxl_domid domid)
{
    libxl_evgen_disk_eject *evgen;
    const int rc = libxl_evenable_disk_eject(ctx, domid, "xvda", 1, &evgen);
    libxl_evdisable_disk_eject(ctx, evgen);
    return rc;
}

static int run(struct sweep *w, unsigned operation)
{
    switch (operation) {
    case OPEN: return open_tested(w);
    case EJECT: return watch_ejections(w->starter.ctx, w->starter.guest);
    default: return starter_run(&w->starter, operation);
    }
}

static void prepare(struct sweep *w, unsigned operation)
{
    if (operation == OPEN)
        return;
    if (operation != LIBXL__OP_DOMAIN_CREATE_NEW) {
        libxl_ctx *helper = open_helper();
        starter_prepare(&w->starter, helper, operation);
        assert_int_equal(libxl_ctx_free(helper), 0);
    }
    assert_int_equal(open_tested(w), 0);
}

/* Destroys the domain that a creation has made. */
static void clean(struct sweep *w, int rc)
{
    if (!rc && w->starter.made != LIBXL_DOMID_INVALID)
        destroy_guest(w->starter.made);
    w->starter.made = LIBXL_DOMID_INVALID;
}

static void remove_guest(struct sweep *w)
{
    if (w->starter.guest)
        destroy_guest(w->starter.guest);
    w->starter.guest = 0;
}

static const char *name_of(unsigned operation)
{
    if (operation >= OPEN)
        return operation == OPEN ? "libxl_ctx_alloc" : "libxl_evenable_disk_eject";
    return libxl__operations[operation].name;
}

/* Makes the n-th call, allocation, descriptor or thread fail. Returns whether the operation has made the
 * n-th. */
static bool run_point(struct sweep *w, unsigned operation, enum kind kind, const char *call, unsigned n)
{
    harness_begin_limit();
    prepare(w, operation);
    begin_fault(w, kind, call, n);
    const int rc = run(w, operation);
    const bool hit = end_fault(w, kind, n, rc);
    if (rc == ERROR_ASYNC_INPROGRESS || rc > 0)
        fail_msg("%s, %s, %u: %d", name_of(operation), kinds[kind], n, rc);
    clean(w, rc);
    close_tested(w);
    w->points[kind] += hit;
    if (!w->starter.guest)
        fixture_check(&w->before);
    return hit;
}

/* Returns the distance to the next point. An operation that calls the same function for each page of a guest
 * has thousands of equal points, so the distances grow after the first points. */
static unsigned stride(const struct sweep *w, unsigned operation, enum kind kind, unsigned n)
{
    const unsigned step = saving_is(operation) && w->step > 1 ? LONG_STRIDE : 1;
    const unsigned least = kind == ALLOCATION || kind == ALLOCATIONS ? w->step * step : 1;
    return n > DENSE && n / 4 > least ? n / 4 : least;
}

static void run_kind(struct sweep *w, unsigned operation, enum kind kind, const char *call)
{
    unsigned n = 1;
    while (n < MOST && run_point(w, operation, kind, call, n))
        n += stride(w, operation, kind, n);
    if (n >= MOST)
        fail_msg("%s, %s%s%s: a fault still occurs at %u; without a fault the result was %d",
                 name_of(operation), kinds[kind], call ? " of " : "", call ? call : "", n, w->usual);
    remove_guest(w);
    fixture_check(&w->before);
}

static void learn_once(struct sweep *w, unsigned operation)
{
    prepare(w, operation);
    calls_begin();
    w->usual = run(w, operation);
    calls_end(&w->calls);
    clean(w, w->usual);
    close_tested(w);
}

/*
 * Runs the operation without a fault. Stores the operation's result and the names of its hypercalls in `w`. The
 * removal of a device that was added a moment ago gives GUEST_CANNOT_ANSWER if the guest's driver does not take the
 * device within a second. On a busy machine this is not the usual result, so the operation is run again.
 */
static void learn(struct sweep *w, unsigned operation)
{
    unsigned tries = 0;
    do
        learn_once(w, operation);
    while (w->usual == ERROR_GUEST_CANNOT_ANSWER && ++tries < MOST_TRIES);
}

static void run_operation(struct sweep *w, unsigned operation)
{
    learn(w, operation);
    for (int i = 0; i < w->calls.count; i++)
        run_kind(w, operation, HYPERCALL, w->calls.names[i]);
    for (enum kind kind = ALLOCATION; kind < KINDS; kind++)
        run_kind(w, operation, kind, NULL);
}

/* Returns whether the sweep includes the operation. A save takes long, so by default it runs over the wire only. */
static bool is_included(const struct sweep *w, unsigned operation)
{
    if (operation >= OPEN)
        return true;
    return !starter_is_hidden(operation) && core_selects(&libxl__operations[operation]) &&
           (!saving_is(operation) || w->step == 1 || !w->flags);
}

static bool is_of_devices(unsigned operation)
{
    return operation < OPEN && strncmp(name_of(operation), "device_", strlen("device_")) == 0;
}

static void sweep_all(unsigned flags, bool of_devices, const char *what)
{
    struct sweep w = {
        .flags = flags, .starter.config = guest_config("b"), .starter.made = LIBXL_DOMID_INVALID};
    const char *all = getenv("AIOXEN_SWEEP");
    unsigned operations = 0;
    w.step = all && strcmp(all, "all") == 0 ? 1 : STRIDE;
    saving_begin();
    fixture_begin(&w.before);
    for (unsigned operation = 0; operation < RUNS; operation++)
        if (is_of_devices(operation) == of_devices && is_included(&w, operation)) {
            run_operation(&w, operation);
            operations++;
        }
    libxl_domain_config_dispose(&w.starter.config);
    saving_end();
    printf("fault sweep, %s: %u operations", what, operations);
    for (enum kind kind = 0; kind < KINDS; kind++)
        printf(", %u %s", w.points[kind], kinds[kind]);
    printf("\n");
    assert_true(getenv("AIOXEN_SWEEP_ONLY") ||
                (w.points[HYPERCALL] > operations && w.points[ALLOCATION] > operations));
}

static void nothing_is_left_by_the_wire(scene *s)
{
    (void)s;
    sweep_all(0, false, "the wire");
}

static void nothing_is_left_by_libxenstore(scene *s)
{
    (void)s;
    sweep_all(LIBXL_CTX_LIBXENSTORE, false, "libxenstore");
}

static void no_device_is_left_by_the_wire(scene *s)
{
    (void)s;
    sweep_all(0, true, "devices, the wire");
}

static void no_device_is_left_by_libxenstore(scene *s)
{
    (void)s;
    sweep_all(LIBXL_CTX_LIBXENSTORE, true, "devices, libxenstore");
}

/* ---- a creation that fails when there is no memory and no thread for its undo */

struct failure {
    const char *phase;
    bool reached;
};

static int fail_in_phase(libxl__ao *ao, libxl__phase_moment moment, void *user)
{
    struct failure *f = user;
    /* The teardown is another operation, which has phases of the same names. */
    if (ao->cls != &libxl__operations[LIBXL__OP_DOMAIN_CREATE_NEW] || moment != LIBXL__PHASE_BEFORE_START ||
        strcmp(libxl__phase_of(ao)->name, f->phase) != 0)
        return 0;
    f->reached = true;
    atomic_store(&no_more_threads, true);
    allocation_fail_from(1);
    return ERROR_FAIL;
}

static void fail_creation(const char *phase, unsigned flags)
{
    struct failure f = {.phase = phase};
    struct fixture before;
    libxl_ctx *ctx;
    libxl_domid domid;
    libxl_domain_config config = guest_config("b");
    fixture_begin(&before);
    assert_int_equal(libxl_ctx_alloc(&ctx, LIBXL_VERSION, flags, NULL), 0);
    libxl__ctx_set_phase_hook(ctx, fail_in_phase, &f);
    const int rc = libxl_domain_create_new(ctx, &config, &domid, NULL, NULL);
    allocation_fail(0);
    atomic_store(&no_more_threads, false);
    if (!f.reached || rc != ERROR_FAIL)
        fail_msg("phase %s: reached: %d, result: %d", phase, f.reached, rc);
    libxl_domain_config_dispose(&config);
    assert_int_equal(libxl_ctx_free(ctx), 0);
    fixture_check(&before);
}

static void a_creation_is_undone_without_memory_and_threads(scene *s)
{
    const libxl__phases *phases = libxl__operations[LIBXL__OP_DOMAIN_CREATE_NEW].phases;
    for (unsigned i = 0; i < phases->count; i++) {
        fail_creation(phases->list[i].name, 0);
        fail_creation(phases->list[i].name, LIBXL_CTX_LIBXENSTORE);
    }
    (void)s;
}

static const body bodies[] = {
    BODY(a_creation_is_undone_without_memory_and_threads, NO_CONTEXT),
    BODY(nothing_is_left_by_the_wire, NO_CONTEXT),
    BODY(nothing_is_left_by_libxenstore, NO_CONTEXT),
    BODY(no_device_is_left_by_the_wire, NO_CONTEXT),
    BODY(no_device_is_left_by_libxenstore, NO_CONTEXT),
};

HARNESS_MAIN(bodies)
