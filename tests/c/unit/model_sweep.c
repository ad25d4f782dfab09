/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * In each phase of the operations that use an HVM guest's device model, the device model is killed, is stopped,
 * answers late, lies, ends with a hostile log, or has a child process. The operation completes once. It leaves no
 * process, descriptor, node or file behind.
 *
 * One run takes one conduct for each phase, and none with which the test aborts the operation, because the phase that the
 * abort meets depends on the time. With AIOXEN_SWEEP=all (`make sweep`) it takes all of them. AIOXEN_SWEEP_ONLY
 * selects operations, as in sweep.c.
 */
#include "core.h"

#include "operations.h"
#include "saving.h"
#include "scenarios.h"
#include "simulation.h"

#include "_libxl_operations_internal.h"

#include <libxl_utils.h>

#include <ctype.h>
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DEADLINE_MS = 30000, STOPPED_MS = 100, PROCESSES_MS = 15000, PIDS = 8 };

enum conduct { KILLED, LATE, LYING, NOISY, STOPPED, FORKING, CONDUCTS };
static const char *const conducts[CONDUCTS] = {"killed", "late", "lying", "noisy", "stopped", "forking"};

/* What the device model does in place of its answers (sim/README.md). */
static const char *const lies[] = {"garbage", "flood", "nested", "types", "silent"};
/* The test aborts the operation with each conduct from STOPPED on, and with the last lie. */
enum { LIES = sizeof(lies) / sizeof(*lies), NOT_ABORTED = STOPPED };

/* An operation, and the phase whose row (support/operations) has an HVM guest. The phase NULL: all phases. */
static const struct {
    const char *row;
    unsigned operation;
    bool creates; /* The operation is part of a creation. */
} swept[] = {
    {NULL, LIBXL__OP_DOMAIN_CREATE_NEW, true},  {NULL, LIBXL__OP_DEVICE_MODEL, true},
    {NULL, LIBXL__OP_CDROM_INSERT, false},      {NULL, LIBXL__OP_CDROM_EJECT, false},
    {"model", LIBXL__OP_DEVICE_PCI_ADD, false}, {"unplug", LIBXL__OP_PCI_DETACH, false},
    {NULL, LIBXL__OP_DEVICE_USBDEV_ADD, false}, {NULL, LIBXL__OP_DOMAIN_QMP, false},
    {NULL, LIBXL__OP_DOMAIN_SAVE, false},       {NULL, LIBXL__OP_DOMAIN_RESUME, false},
    {NULL, LIBXL__OP_DOMAIN_SOFT_RESET, false}, {NULL, LIBXL__OP_DOMAIN_DESTROY, false},
};
enum { SWEPT_OPERATIONS = sizeof(swept) / sizeof(*swept) };

struct run {
    libxl_ctx *ctx;
    const libxl__ao_class *cls; /* the class of the operation in whose phase the device model misbehaves */
    unsigned phase;
    enum conduct conduct;
    const char *lie;
    struct subject subject;
    int reached, completions, rc;
    bool had_model; /* there was a device model when the phase began */
    char message[512];
};

/* ---- the device models: the processes of this world that have the name of Debian's QEMU */

static int find_models(pid_t pids[PIDS])
{
    int found = 0;
    DIR *processes = opendir("/proc");
    assert_non_null(processes);
    for (const struct dirent *entry; (entry = readdir(processes)) && found < PIDS;) {
        char path[300], text[64] = "", state = 0;
        snprintf(path, sizeof(path), "/proc/%s/stat", entry->d_name);
        FILE *file = isdigit((unsigned char)*entry->d_name) ? fopen(path, "re") : NULL;
        if (file && fscanf(file, "%*d (%63[^)]) %c", text, &state) == 2 && !strcmp(text, "xen-qemu-system") &&
            state != 'Z' && state != 'X')
            pids[found++] = (pid_t)atoi(entry->d_name);
        if (file)
            fclose(file);
    }
    closedir(processes);
    return found;
}

/* Sends a signal to all device models. Returns their number. */
static int signal_models(int number)
{
    pid_t pids[PIDS];
    const int found = find_models(pids);
    for (int i = 0; i < found; i++)
        kill(pids[i], number);
    return found;
}

static void fail_point(const struct run *r, const char *what)
{
    fail_msg("%s, phase %s, %s %s: %s; %d '%s'", r->cls->name, r->cls->phases->list[r->phase].name,
             conducts[r->conduct], r->lie, what, r->rc, r->message);
}

static void check_no_model(const struct run *r)
{
    pid_t pids[PIDS];
    for (const uint64_t end = now_ms() + PROCESSES_MS; find_models(pids);) {
        if (now_ms() > end)
            fail_point(r, "a device model is left");
        usleep(2000);
    }
}

/* ---- one point */

static int on_moment(libxl__ao *ao, libxl__phase_moment moment, void *user)
{
    struct run *r = user;
    if (ao->cls != r->cls || ao->phase.index != r->phase || moment != LIBXL__PHASE_BEFORE_START ||
        r->reached++)
        return 0;
    pid_t pids[PIDS];
    r->had_model = find_models(pids) != 0;
    switch (r->conduct) {
    case KILLED:
    case NOISY: signal_models(SIGKILL); break;
    case STOPPED:
    case LATE: signal_models(SIGSTOP); break;
    case LYING: simulate("qemu all lies=%s", r->lie); break;
    default: break;
    }
    return 0;
}

static void on_completion(libxl_ctx *ctx, int rc, void *user)
{
    struct run *r = user;
    (void)ctx;
    r->completions++;
    r->rc = rc;
    snprintf(r->message, sizeof(r->message), "%s", rc ? libxl_error_message() : "");
}

static struct scenario scenario_for(size_t i)
{
    const unsigned operation = swept[i].operation;
    if (swept[i].creates)
        return scenario_of_hvm(operation);
    const struct operation_row *row = operations_row(operation, swept[i].row);
    struct scenario scenario = {operation, operation, NULL, SCENARIO_HVM};
    if (row)
        scenario = (struct scenario){operation, row->started_by, row->fill, row->guest};
    /* The rows of these operations have a guest that is not HVM. */
    if (operation == LIBXL__OP_DEVICE_USBDEV_ADD || operation == LIBXL__OP_DOMAIN_QMP)
        scenario.guest = SCENARIO_HVM;
    return scenario;
}

/* Runs the operation. A device model that does not answer gets no more time than it needs to be noticed: the
 * operation is aborted, and the device model continues. */
static void run_operation(struct run *r, const struct scenario *scenario)
{
    const libxl__ao_class *cls = &libxl__operations[scenario->started_by];
    const libxl_asyncop_how how = {.callback = on_completion, .u.for_callback = r};
    const bool ends = r->conduct == STOPPED || r->conduct == FORKING || !strcmp(r->lie, "silent");
    const uint64_t end = now_ms() + DEADLINE_MS;
    uint64_t acts_at = 0;
    libxl__ao *ao;
    libxl_event *event;
    assert_int_equal(libxl_ctx_alloc(&r->ctx, LIBXL_VERSION, 0, NULL), 0);
    libxl__ctx_set_phase_hook(r->ctx, on_moment, r);
    const libxl_domid domid = scenario_makes(scenario) ? LIBXL_DOMID_INVALID : r->subject.guest;
    assert_int_equal(libxl__ao_create(r->ctx, cls, domid, &how, &ao), 0);
    scenario_fill(scenario, &r->subject, libxl__ao_args(ao));
    const int started = libxl__ao_start(ao);
    assert_int_equal(started, ERROR_ASYNC_INPROGRESS);
    while (!r->completions && now_ms() < end) {
        libxl_event_wait_limit(r->ctx, &event, 0, NULL, NULL, 10);
        if (r->reached && !acts_at)
            acts_at = now_ms() + STOPPED_MS;
        if (r->completions || !acts_at || now_ms() < acts_at)
            continue;
        acts_at = UINT64_MAX;
        if (ends)
            libxl_ao_abort(r->ctx, &how);
        if (r->conduct == STOPPED || r->conduct == LATE)
            signal_models(SIGCONT);
    }
    signal_models(SIGCONT);
    if (r->completions != 1)
        fail_point(r, "it does not complete");
    libxl__ctx_set_phase_hook(r->ctx, NULL, NULL);
    assert_int_equal(libxl_ctx_free(r->ctx), 0);
}

static void check_result(const struct run *r)
{
    if (r->conduct == LATE && r->rc)
        fail_point(r, "it fails");
    if (r->rc && !*r->message)
        fail_point(r, "there is no message");
    for (const char *at = r->message; *at; at++)
        if (iscntrl((unsigned char)*at))
            fail_point(r, "the message has control characters");
}

/* Returns whether there was a device model in the phase. */
static bool run_point(size_t i, unsigned phase, enum conduct conduct, const char *lie)
{
    const struct scenario scenario = scenario_for(i);
    struct run r = {.cls = &libxl__operations[swept[i].operation],
                    .phase = phase,
                    .conduct = conduct,
                    .lie = lie,
                    .subject.results.domid = LIBXL_DOMID_INVALID};
    struct fixture before;
    libxl_ctx *ctx;
    harness_begin_limit();
    fixture_begin(&before);
    if (conduct == NOISY)
        simulate("qemu all nonsense=300");
    if (conduct == FORKING)
        simulate("qemu all forks");
    assert_int_equal(libxl_ctx_alloc(&ctx, LIBXL_VERSION, 0, NULL), 0);
    scenario_prepare(ctx, &scenario, &r.subject);
    assert_int_equal(libxl_ctx_free(ctx), 0);
    run_operation(&r, &scenario);
    simulate("behaviours clear");
    if (saving_is(scenario.operation))
        saving_settle();
    check_result(&r);
    scenario_dispose(&r.subject);
    fixture_clean(&before);
    scenario_return_pci(&scenario);
    check_no_model(&r);
    fixture_check(&before);
    return r.reached && r.had_model;
}

static void no_conduct_of_a_model_leaves_anything(scene *s)
{
    const char *word = getenv("AIOXEN_SWEEP");
    const bool all = word && !strcmp(word, "all");
    unsigned points[CONDUCTS] = {0}, count = 0;
    (void)s;
    scenarios_begin();
    for (size_t i = 0; i < SWEPT_OPERATIONS; i++) {
        const libxl__ao_class *cls = &libxl__operations[swept[i].operation];
        for (unsigned p = 0; core_selects(cls) && p < cls->phases->count; p++)
            for (unsigned c = 0; c < CONDUCTS; c++, count++)
                if (all || (i + p) % NOT_ABORTED == c)
                    points[c] += run_point(i, p, c, c == LYING ? lies[count % (all ? LIES : LIES - 1)] : "");
    }
    scenarios_end();
    printf("the device model was");
    for (unsigned c = 0; c < CONDUCTS; c++) {
        printf("%s %s in %u phases", c ? "," : "", conducts[c], points[c]);
        assert_true(points[c] || getenv("AIOXEN_SWEEP_ONLY") || (!all && c >= NOT_ABORTED));
    }
    printf("\n");
}

static const body bodies[] = {
    BODY(no_conduct_of_a_model_leaves_anything, NO_CONTEXT),
};

HARNESS_MAIN(bodies)
