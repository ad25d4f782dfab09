/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The sweep causes each fault of `enum fault` in each phase of each operation. Faults are an abort, the end
 * of a time limit, a failure, a failing undo, the closing of the context, and the end of the process. After
 * each fault the operation completes once, has the right result, and leaves nothing behind.
 *
 * The operations and phases come from the generated table of operations. An operation whose only input is a
 * domid needs no scenario. Any other operation needs a scenario in support/operations. If the scenario is
 * missing, the test fails and names the operation. The environment variable AIOXEN_SWEEP_ONLY, a list of names,
 * selects operations; errnos.c and exhaustion.c obey it, too.
 */
#include "core.h"

#include "allocation.h"
#include "leftovers.h"
#include "saving.h"
#include "operations.h"
#include "scenarios.h"
#include "simulation.h"

#include "_libxl_operations_internal.h"
#include "xen.h"

#include <libxl_utils.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DEADLINE_MS = 20000 };

enum fault {
    ABORT,
    LIMIT,
    PHASE_LIMIT,
    FAIL_AT_START,
    FAIL_WHILE_WAITING,
    FAIL_TO_UNDO,
    UNDO_WITHOUT_MEMORY,
    CLOSE,
    KILL,
    FAULTS
};
static const char *const fault_names[FAULTS] = {
    "abort",
    "limit",
    "phase limit",
    "failure at its start",
    "failure while it waits",
    "failing undo",
    "abort, and no memory for the undo",
    "close",
    "kill -9",
};

struct run {
    libxl_ctx *ctx;
    unsigned flags;             /* The flags of the context. They choose the transport. */
    const libxl__ao_class *cls; /* The class of the operation in which the fault occurs. */
    unsigned phase;
    enum fault fault;
    struct subject subject;
    int reached, completions, rc;
    bool acknowledged; /* The test has acknowledged the request in place of the guest. */
    char message[256];
};

/* ---- faults */

/* Removes the node of a request that an operation waits for, as a guest may do. */
static void remove_request(libxl_domid domid)
{
    static const char *const nodes[] = {"shutdown", "sysrq"};
    char path[64];
    for (size_t i = 0; i < sizeof(nodes) / sizeof(*nodes); i++) {
        snprintf(path, sizeof(path), "/local/domain/%u/control/%s", domid, nodes[i]);
        fixture_write(path, NULL);
    }
}

/* true: the sweep tests the creation of HVM guests. */
static bool of_hvm;

static int inject(struct run *r, libxl__ao *ao)
{
    r->reached++;
    switch (r->fault) {
    case UNDO_WITHOUT_MEMORY:
    case ABORT: libxl__ao_request_stop(ao, ERROR_ABORTED); return 0;
    case LIMIT: libxl__ao_request_stop(ao, ERROR_TIMEDOUT); return 0;
    /* The test calls the timer's callback, because a timer could fire after the worker is already done. */
    case PHASE_LIMIT: ao->phase.timer.callback(ao->ctx, &ao->phase.timer); return 0;
    case FAIL_AT_START:
    case FAIL_WHILE_WAITING:
    case FAIL_TO_UNDO: return ERROR_FAIL;
    case CLOSE: /* CLOSE does what libxl_ctx_free() does first. */
        ao->ctx->closing = true;
        libxl__aos_abort_all(ao->ctx);
        /* libxl__aos_abort_all does not find the operation if its initiator has not returned yet. */
        libxl__ao_request_stop(ao, ERROR_ABORTED);
        return 0;
    case KILL: kill(getpid(), SIGKILL); return 0;
    default: return 0;
    }
}

/* Returns whether the phase waits in this sweep. */
static bool waits(const libxl__phase *phase)
{
    return operations_phase_waits(phase, of_hvm);
}

/* Returns whether the operation asks a guest to suspend itself. */
static bool suspends(const libxl__ao_class *cls)
{
    return cls == &libxl__operations[LIBXL__OP_DOMAIN_SUSPEND_ONLY] ||
           cls == &libxl__operations[LIBXL__OP_DOMAIN_SUSPEND_GUEST];
}

static int on_moment(libxl__ao *ao, libxl__phase_moment moment, void *user)
{
    struct run *r = user;
    const libxl__phase *phase = libxl__phase_of(ao);
    if (ao->cls != r->cls)
        return 0;
    if (moment == LIBXL__PHASE_BEFORE_UNDO && r->acknowledged && suspends(r->cls))
        /* A guest that has acknowledged the suspend request suspends itself. */
        saving_suspend(r->subject.guest);
    if (moment == LIBXL__PHASE_BEFORE_UNDO && r->fault == UNDO_WITHOUT_MEMORY)
        allocation_fail_from(1); /* From here on all allocations fail until the operation completes. */
    /*
     * Only the first undo of the phase fails. A device may start a second operation of the same class. The
     * undo of the second one must close the descriptor that a worker may have opened.
     */
    if (moment == LIBXL__PHASE_BEFORE_UNDO)
        return r->fault == FAIL_TO_UNDO && !r->reached && ao->phase.index == r->phase ? inject(r, ao) : 0;
    /* A phase is undone when a later phase fails, so the next phase fails. If the phase is the last one, it
     * must fail itself. */
    const unsigned last = ao->cls->phases->count - 1u;
    const unsigned target = r->fault == FAIL_TO_UNDO && r->phase < last ? r->phase + 1 : r->phase;
    if (moment == LIBXL__PHASE_WAITING && ao->phase.index < target &&
        strcmp(phase->name, "acknowledge") == 0) {
        remove_request(r->subject.guest);
        r->acknowledged = true;
    }
    if (ao->phase.index != target)
        return 0;
    if (r->fault == FAIL_TO_UNDO)
        return moment == LIBXL__PHASE_BEFORE_START && r->phase < last ? ERROR_FAIL : 0;
    const bool while_waiting = waits(phase) && r->fault != FAIL_AT_START;
    return moment == (while_waiting ? LIBXL__PHASE_WAITING : LIBXL__PHASE_BEFORE_START) ? inject(r, ao) : 0;
}

/* Returns whether the operation has something to undo if it is stopped in this phase. */
static bool has_undo(const libxl__ao_class *cls, unsigned index)
{
    bool undo = false;
    for (unsigned i = 0; i <= index; i++)
        undo = (undo || cls->phases->list[i].undo) && !cls->phases->list[i].commits;
    return undo;
}

/* Returns whether this fault can occur in this phase. */
static bool is_point(const libxl__ao_class *cls, unsigned index, enum fault fault)
{
    const libxl__phase *phase = &cls->phases->list[index];
    /* The phase `clear` of domain_receive ignores every failure, because the guest runs already. */
    const bool cannot_fail = phase->commits && phase->limit_ms && !phase->limit_rc;
    if (cannot_fail && (fault == FAIL_AT_START || fault == FAIL_WHILE_WAITING))
        return false;
    switch (fault) {
    case PHASE_LIMIT: return phase->limit_ms && waits(phase);
    /* A phase with a stop function is left out. Such a phase fails by itself, when the thing that it waits
     * for has ended. */
    case FAIL_WHILE_WAITING: return waits(phase) && !phase->stop;
    case FAIL_TO_UNDO: return phase->undo && index + 1u < cls->phases->count && !phase[1].commits;
    case UNDO_WITHOUT_MEMORY: return has_undo(cls, index);
    default: return true;
    }
}

/* ---- running a point */

static void on_completion(libxl_ctx *ctx, int rc, void *user)
{
    struct run *r = user;
    (void)ctx;
    allocation_fail(0);
    r->completions++;
    r->rc = rc;
    snprintf(r->message, sizeof(r->message), "%s", rc ? libxl_error_message() : "");
}

/* Starts the operation as its generated initiator does. */
static int start(struct run *r, const struct scenario *scenario)
{
    const libxl__ao_class *cls = &libxl__operations[scenario->started_by];
    const libxl_asyncop_how how = {.callback = on_completion, .u.for_callback = r};
    libxl__ao *ao;
    int rc = libxl__ao_create(r->ctx, cls, scenario_makes(scenario) ? LIBXL_DOMID_INVALID : r->subject.guest,
                              &how, &ao);
    if (rc)
        return rc;
    scenario_fill(scenario, &r->subject, libxl__ao_args(ao));
    return libxl__ao_start(ao);
}

static bool may_succeed(const struct run *r)
{
    const libxl__phases *phases = r->cls->phases;
    bool committed = false;
    for (unsigned i = 0; i <= r->phase; i++)
        committed |= phases->list[i].commits;
    return committed || r->phase + 1u == phases->count;
}

static void check_result(const struct run *r)
{
    const libxl__phase *phase = &r->cls->phases->list[r->phase];
    int wanted = ERROR_FAIL;
    if (r->fault == ABORT || r->fault == UNDO_WITHOUT_MEMORY || r->fault == CLOSE)
        wanted = ERROR_ABORTED;
    if (r->fault == LIMIT)
        wanted = ERROR_TIMEDOUT;
    if (r->fault == PHASE_LIMIT)
        wanted = phase->limit_rc;
    const bool stopped = wanted == ERROR_ABORTED || wanted == ERROR_TIMEDOUT;
    /* If `acknowledged` is set, the guest has acknowledged the request. So the undo finds that the
     * request was carried out. */
    const bool carried_out = r->acknowledged;
    /* A creation adds its devices while the device model starts. Without memory, the addition of a device may
     * fail first, and NOMEM is then the result. */
    if (r->fault == UNDO_WITHOUT_MEMORY && r->rc == ERROR_NOMEM &&
        r->cls == &libxl__operations[LIBXL__OP_DEVICE_MODEL])
        return;
    if (r->rc != wanted && !(!r->rc && (carried_out || (stopped && may_succeed(r)))))
        fail_msg("%s, phase %s, %s: %d '%s', and not %d", r->cls->name, phase->name, fault_names[r->fault],
                 r->rc, r->message, wanted);
    if (r->rc && !*r->message)
        fail_msg("%s, phase %s, %s: there is no message", r->cls->name, phase->name, fault_names[r->fault]);
    if (r->rc && (r->subject.results.name || r->subject.results.value.data || r->subject.results.names ||
                  r->subject.results.unfinished.domains || r->subject.results.config.c_info.name ||
                  r->subject.results.domid != LIBXL_DOMID_INVALID))
        fail_msg("%s, phase %s, %s: a result was stored", r->cls->name, phase->name, fault_names[r->fault]);
}

static libxl_ctx *open_hooked(struct run *r)
{
    assert_int_equal(libxl_ctx_alloc(&r->ctx, LIBXL_VERSION, r->flags, NULL), 0);
    libxl__ctx_set_phase_hook(r->ctx, on_moment, r);
    return r->ctx;
}

static void run_operation(struct run *r, const struct scenario *scenario)
{
    libxl_event *event;
    const uint64_t end = now_ms() + DEADLINE_MS;
    open_hooked(r);
    const int started = start(r, scenario);
    if (started != ERROR_ASYNC_INPROGRESS) {
        allocation_fail(0);
        r->rc = started;
        snprintf(r->message, sizeof(r->message), "%s", libxl_error_message());
        /* The initiator has refused the operation. The return of the initiator counts as the completion. */
        r->completions = 1;
    }
    while (!r->completions && now_ms() < end)
        libxl_event_wait_limit(r->ctx, &event, 0, NULL, NULL, 10);
    if (r->completions != 1)
        fail_msg("%s, phase %s, %s: %d completions", r->cls->name, r->cls->phases->list[r->phase].name,
                 fault_names[r->fault], r->completions);
    libxl__ctx_set_phase_hook(r->ctx, NULL, NULL);
    assert_int_equal(libxl_ctx_free(r->ctx), 0);
    assert_int_equal(r->completions, 1);
}

static void run_and_kill(struct run *r, const struct scenario *scenario)
{
    int status;
    const pid_t child = fork();
    assert_true(child >= 0);
    if (!child) {
        run_operation(r, scenario);
        _exit(r->reached ? 1 : 2);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
        fail_msg("%s, phase %s, kill -9: status %#x", r->cls->name, r->cls->phases->list[r->phase].name,
                 (unsigned)status);
    leftovers_settle();
    r->reached = 1;
}

/* If a request has failed, its node must be empty, unless the failure of its withdrawal is the fault. */
static void check_guest(const struct run *r)
{
    static const char *const nodes[] = {"control/shutdown", "control/sysrq"};
    for (size_t i = 0; r->subject.guest && i < sizeof(nodes) / sizeof(*nodes); i++) {
        char *request = guest_node(r->subject.guest, nodes[i]);
        if (request && *request && r->rc && r->fault != FAIL_TO_UNDO)
            fail_msg("%s, phase %s, %s: '%s' is left with the guest", r->cls->name,
                     r->cls->phases->list[r->phase].name, fault_names[r->fault], request);
        free(request);
    }
}

/*
 * Lists and ends the unfinished creations and saves of a killed process, from another process. Returns their number.
 */
static int end_unfinished(void)
{
    libxl_ctx *ctx;
    libxl_unfinished_list list;
    assert_int_equal(libxl_ctx_alloc(&ctx, LIBXL_VERSION, 0, NULL), 0);
    assert_int_equal(libxl_domain_list_unfinished(ctx, &list, NULL), 0);
    const int count = list.num_domains;
    for (int i = 0; i < count; i++)
        if (list.domains[i].work == LIBXL_UNFINISHED_WORK_SAVE ||
            list.domains[i].work == LIBXL_UNFINISHED_WORK_MIGRATION)
            assert_int_equal(libxl_domain_resume_unfinished(ctx, &list.domains[i].uuid, NULL), 0);
        else
            assert_int_equal(libxl_domain_remove_unfinished(ctx, &list.domains[i].uuid, NULL), 0);
    libxl_unfinished_list_dispose(&list);
    assert_int_equal(libxl_ctx_free(ctx), 0);
    return count;
}

/*
 * Returns whether the guest of domain_migrate stays suspended. It does if the operation fails after it has
 * given the guest to the receiver, or if the undo that resumes the guest fails.
 */
static bool is_given_away(const struct run *r)
{
    if (r->cls != &libxl__operations[LIBXL__OP_DOMAIN_MIGRATE])
        return false;
    bool committed = r->fault == FAIL_TO_UNDO;
    for (unsigned i = 0; i <= r->phase; i++)
        committed |= r->cls->phases->list[i].commits;
    return committed;
}

/* The first phase of a creation writes a mark (src/xen/marks.h), and the last phase removes the mark. So the
 * mark stays if the process is killed between these phases. */
static void check_unfinished(const struct run *r, const struct scenario *scenario, int domains)
{
    if (suspends(r->cls))
        /* A guest that has acknowledged the suspend request suspends itself. */
        saving_suspend(r->subject.guest);
    const int removed = end_unfinished();
    /* The index of the phase `name`, or of the phase `restore` for a saved domain. */
    const unsigned named = saving_is(scenario->operation) ? 1 : 0;
    if (!scenario_makes(scenario) || scenario->operation != scenario->started_by ||
        r->phase + 1u == r->cls->phases->count || strcmp(r->cls->phases->list[r->phase].name, "unmark") == 0)
        return;
    if (r->phase > named && removed != 1)
        fail_msg("%s, phase %s, kill -9: nothing is unfinished", r->cls->name,
                 r->cls->phases->list[r->phase].name);
    assert_int_equal(leftovers_domains(), domains);
}

/*
 * A soft reset that fails leaves the guest as it was, or destroys it once it has begun to remove the devices. If the
 * process is killed, the guest was destroyed as unfinished. A process that is killed in the first phase may or may not
 * have written the mark. `domains` is the number of domains before the operation.
 */
static void check_reset(const struct run *r, int domains)
{
    if (r->cls != &libxl__operations[LIBXL__OP_DOMAIN_SOFT_RESET] || r->fault == FAIL_TO_UNDO)
        return;
    const char *name = r->cls->phases->list[r->phase].name;
    bool released = false;
    for (unsigned i = 0; i <= r->phase; i++)
        released |= strcmp(r->cls->phases->list[i].name, "release") == 0 &&
                    (i < r->phase || r->fault != FAIL_AT_START);
    const bool ended = r->phase + 1u == r->cls->phases->count;
    const int wanted = domains - (r->fault == KILL ? r->phase > 0 && !ended : r->rc && released);
    const bool marked = r->fault == KILL && r->phase == 0 && leftovers_domains() == domains - 1;
    if (leftovers_domains() != wanted && !marked && !(r->fault == KILL && ended))
        fail_msg("%s, phase %s, %s: %d domains, and not %d", r->cls->name, name, fault_names[r->fault],
                 leftovers_domains(), wanted);
}

static void run_point(unsigned flags, unsigned operation, unsigned phase, enum fault fault)
{
    const struct scenario scenario = of_hvm ? scenario_of_hvm(operation) : scenario_of(operation, phase);
    struct run r = {.flags = flags,
                    .cls = &libxl__operations[operation],
                    .phase = phase,
                    .fault = fault,
                    .subject.results.domid = LIBXL_DOMID_INVALID};
    struct fixture before;
    libxl_ctx *ctx;
    harness_begin_limit();
    fixture_begin(&before);
    assert_int_equal(libxl_ctx_alloc(&ctx, LIBXL_VERSION, 0, NULL), 0);
    scenario_prepare(ctx, &scenario, &r.subject);
    assert_int_equal(libxl_ctx_free(ctx), 0);
    const int domains = leftovers_domains();
    if (scenario_is_phase(operation, phase, "gone"))
        /* A destroyed domain keeps dying for 50 ms. So the phase `gone` always has something to wait for. */
        fault_add("dying=50");
    if (fault == KILL)
        run_and_kill(&r, &scenario);
    else
        run_operation(&r, &scenario);
    faults_clear();
    if (saving_is(operation))
        saving_settle();
    if (!r.reached)
        fail_msg("%s, phase %s, %s: it was not reached; %d '%s'", r.cls->name,
                 r.cls->phases->list[phase].name, fault_names[fault], r.rc, r.message);
    if (fault != KILL) {
        check_result(&r);
        check_guest(&r);
    }
    /* A failed creation must leave no domain, unless the fault is in the undo that destroys the domain. */
    if (scenario_makes(&scenario) && fault != KILL && fault != FAIL_TO_UNDO)
        if (leftovers_domains() != domains + !r.rc)
            fail_msg("%s, phase %s, %s: %d domains, and not %d; %d %s", r.cls->name,
                     r.cls->phases->list[phase].name, fault_names[fault], leftovers_domains(),
                     domains + !r.rc, r.rc, r.message);
    if (fault == KILL)
        check_unfinished(&r, &scenario, domains);
    check_reset(&r, domains);
    if (scenario.guest == SCENARIO_OBEDIENT && (r.rc || fault == KILL) && !is_given_away(&r))
        saving_check_runs(r.subject.guest, fault_names[fault]);
    scenario_dispose(&r.subject);
    fixture_clean(&before);
    scenario_return_pci(&scenario);
    if (fault == FAIL_TO_UNDO)
        leftovers_remove(&before);
    fixture_check(&before);
}

/* Returns whether an operation shares its phases with an earlier operation. */
static bool shares_phases(unsigned operation)
{
    for (unsigned o = 0; o < operation; o++)
        if (libxl__operations[o].phases == libxl__operations[operation].phases)
            return true;
    return false;
}

/*
 * Returns whether the operation moves a guest. The sweep runs such an operation over one transport only,
 * because its nested operations are swept over both.
 */
static bool moves(unsigned operation)
{
    return operation == LIBXL__OP_DOMAIN_MIGRATE || operation == LIBXL__OP_DOMAIN_RECEIVE;
}

static void sweep_all(unsigned flags, const char *transport)
{
    unsigned operations = 0, phases = 0, points = 0;
    scenarios_begin();
    for (unsigned o = 0; o < LIBXL__OP_COUNT; o++) {
        const libxl__ao_class *cls = &libxl__operations[o];
        if (!cls->phases || shares_phases(o) || !core_selects(cls) || (flags && moves(o)))
            continue;
        operations++;
        for (unsigned p = 0; p < cls->phases->count; p++, phases++)
            for (enum fault f = 0; f < FAULTS; f++)
                if (is_point(cls, p, f)) {
                    run_point(flags, o, p, f);
                    points++;
                }
    }
    scenarios_end();
    printf("sweep, %s: %u operations, %u phases, %u points\n", transport, operations, phases, points);
    assert_true(getenv("AIOXEN_SWEEP_ONLY") || points > phases);
}

static void every_phase_survives_every_fault(scene *s)
{
    (void)s;
    sweep_all(0, "the wire");
}

static void every_phase_survives_every_fault_with_libxenstore(scene *s)
{
    (void)s;
    sweep_all(LIBXL_CTX_LIBXENSTORE, "libxenstore");
}

/* The creation runs the operation device_model, so the sweep includes the phases of device_model. */
static void every_phase_of_an_hvm_creation_survives_every_fault(scene *s)
{
    static const unsigned operations[] = {LIBXL__OP_DOMAIN_CREATE_NEW, LIBXL__OP_DEVICE_MODEL};
    unsigned points = 0;
    (void)s;
    of_hvm = true;
    scenarios_begin();
    for (size_t i = 0; i < sizeof(operations) / sizeof(*operations); i++) {
        const libxl__ao_class *cls = &libxl__operations[operations[i]];
        if (!core_selects(cls))
            continue;
        for (unsigned p = 0; p < cls->phases->count; p++)
            for (enum fault f = 0; f < FAULTS; f++)
                if (is_point(cls, p, f)) {
                    run_point(0, operations[i], p, f);
                    points++;
                }
    }
    scenarios_end();
    printf("sweep, HVM: %u points\n", points);
}

static const body bodies[] = {
    BODY(every_phase_survives_every_fault, NO_CONTEXT),
    BODY(every_phase_survives_every_fault_with_libxenstore, NO_CONTEXT),
    BODY(every_phase_of_an_hvm_creation_survives_every_fault, NO_CONTEXT),
};

HARNESS_MAIN(bodies)
