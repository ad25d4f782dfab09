/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs eight guests at once, from creation to destruction, with callbacks, with events, or synchronously.
 *
 *     lifecycle callbacks|events|sync [KERNEL]
 *
 * Each guest has a plan, which is a list of steps. Each step is one operation. The three styles are in the
 * last part of this file. They differ only in how the program learns that a step has completed. Some guests
 * stop by themselves and some on request. One guest ignores the request, so the request has a time limit. One
 * creation is aborted.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <libxl.h>

enum { MEMORY_KB = 24 << 10, SHUTDOWN_LIMIT_MS = 1000 };

static libxl_ctx *ctx;
/* The number of plans that are not finished, plus the number of domains that are not gone. */
static atomic_int pending;
static atomic_int errors;
static struct timespec began;

struct guest {
    const char *name;
    libxl_domain_type type;
    const char *cmdline; /* The kernel's command line. It tells the tiny guest what to do. */
    const struct step *const *plan;
    libxl_domid domid;
    libxl_domain_config config;
    libxl_asyncop_how how; /* The way in which the present step completes. */
    libxl_shutdown_reason reason;
    libxl_evgen_domain_lifecycle *events;
    atomic_bool aborting; /* true: the present step must be aborted and has not completed. */
    pthread_t aborter;    /* The thread that aborts the present step. */
};

static void log_line(const struct guest *g, const char *what, const char *more)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    double seconds = (double)(now.tv_sec - began.tv_sec) + (double)(now.tv_nsec - began.tv_nsec) / 1e9;
    printf("%6.2f  %-9s  %s%s\n", seconds, g->name, what, more);
}

/* ---- steps: operations on a guest; `how` says how each completes */

struct step {
    const char *name;
    int (*start)(struct guest *g, const libxl_asyncop_how *how);
    void (*ended)(struct guest *g);
    unsigned limit_ms; /* The time limit of the step, in milliseconds. 0: no limit. */
    bool abort;        /* true: the step is aborted when the hypervisor has made the domain. */
    int expected;      /* The expected result of the operation. */
};

static int create(struct guest *g, const libxl_asyncop_how *how)
{
    return libxl_domain_create_new(ctx, &g->config, &g->domid, how, NULL);
}

static void created(struct guest *g)
{
    /* for_user identifies the guest, because a domid can be reused. */
    if (libxl_evenable_domain_lifecycle(ctx, g->domid, (uintptr_t)g, &g->events) == 0)
        pending++;
}

static int unpause(struct guest *g, const libxl_asyncop_how *how)
{
    return libxl_domain_unpause(ctx, g->domid, how);
}

static int shut_down(struct guest *g, const libxl_asyncop_how *how)
{
    return libxl_domain_shutdown(ctx, g->domid, how);
}

static int reboot(struct guest *g, const libxl_asyncop_how *how)
{
    return libxl_domain_reboot(ctx, g->domid, how);
}

static int await_stop(struct guest *g, const libxl_asyncop_how *how)
{
    return libxl_domain_wait_shutdown(ctx, g->domid, &g->reason, how);
}

static void stopped(struct guest *g)
{
    log_line(g, "the reason is ", libxl_shutdown_reason_to_string(g->reason));
}

static int destroy(struct guest *g, const libxl_asyncop_how *how)
{
    return libxl_domain_destroy(ctx, g->domid, how);
}

static const struct step create_step = {.name = "created", .start = create, .ended = created},
                         unpause_step = {.name = "unpaused", .start = unpause},
                         shutdown_step = {.name = "shut down on request", .start = shut_down},
                         reboot_step = {.name = "rebooted on request", .start = reboot},
                         stop_step = {.name = "has stopped", .start = await_stop, .ended = stopped},
                         destroy_step = {.name = "destroyed", .start = destroy},
                         limited_step = {.name = "asked to stop, with a time limit",
                                         .start = shut_down,
                                         .limit_ms = SHUTDOWN_LIMIT_MS,
                                         .expected = ERROR_TIMEDOUT},
                         aborted_step = {.name = "creation aborted",
                                         .start = create,
                                         .abort = true,
                                         .expected = ERROR_ABORTED};

typedef const struct step *const plan[];
static plan stops_itself = {&create_step, &unpause_step, &stop_step, &destroy_step, NULL};
static plan on_request = {&create_step, &unpause_step, &shutdown_step, &stop_step, &destroy_step, NULL};
static plan restarted = {&create_step, &unpause_step, &reboot_step, &stop_step, &destroy_step, NULL};
static plan limited = {&create_step, &unpause_step, &limited_step, &destroy_step, NULL};
static plan aborted = {&aborted_step, NULL};

static struct guest guests[] = {
    {.name = "poweroff", .type = LIBXL_DOMAIN_TYPE_PV, .cmdline = "p", .plan = stops_itself},
    {.name = "reboot", .type = LIBXL_DOMAIN_TYPE_PVH, .cmdline = "r", .plan = stops_itself},
    {.name = "crash", .type = LIBXL_DOMAIN_TYPE_PV, .cmdline = "c", .plan = stops_itself},
    {.name = "later", .type = LIBXL_DOMAIN_TYPE_PVH, .cmdline = "d5", .plan = stops_itself},
    {.name = "asked", .type = LIBXL_DOMAIN_TYPE_PV, .cmdline = "l", .plan = on_request},
    {.name = "restarted", .type = LIBXL_DOMAIN_TYPE_PVH, .cmdline = "l", .plan = restarted},
    {.name = "ignoring", .type = LIBXL_DOMAIN_TYPE_PV, .cmdline = "b", .plan = limited},
    {.name = "aborted", .type = LIBXL_DOMAIN_TYPE_PV, .cmdline = "b", .plan = aborted},
};
enum { GUESTS = sizeof(guests) / sizeof(*guests) };

/* Handles the end of a step. Returns the next step, or NULL after the last step. After an unexpected
 * result, the next step destroys the guest. */
static const struct step *next_step(struct guest *g, int rc, const char *message)
{
    const struct step *now = *g->plan;
    g->aborting = false;
    if (rc == now->expected)
        log_line(g, now->name, rc ? " (as expected)" : "");
    else
        log_line(g, "unexpected: ", rc ? message : "it should have failed");
    if (rc == 0 && now->ended)
        now->ended(g);
    if (rc == now->expected)
        return *++g->plan;
    errors++;
    static plan cleanup = {&destroy_step, NULL};
    bool nothing_left = now == &destroy_step || g->domid == LIBXL_DOMID_INVALID;
    g->plan = nothing_left ? cleanup + 1 : cleanup;
    return *g->plan;
}

/* ---- events of the domains, in every style */

static void lifecycle_event(const libxl_event *event)
{
    struct guest *g = (struct guest *)(uintptr_t)event->for_user;
    if (event->type == LIBXL_EVENT_TYPE_DOMAIN_SHUTDOWN)
        log_line(
            g, "  event: SHUTDOWN, ",
            libxl_shutdown_reason_to_string((libxl_shutdown_reason)event->u.domain_shutdown.shutdown_reason));
    else
        log_line(g, "  event: ", event->type == LIBXL_EVENT_TYPE_DOMAIN_DYING ? "DYING" : "GONE");
    if (event->type == LIBXL_EVENT_TYPE_DOMAIN_GONE)
        pending--;
}

/* ---- a thread that aborts a creation once the hypervisor has the domain */

static bool exists(const libxl_uuid *uuid)
{
    int count;
    bool found = false;
    libxl_dominfo *list = libxl_list_domain(ctx, &count);
    for (int i = 0; i < count; i++)
        found |= libxl_uuid_compare(&list[i].uuid, uuid) == 0;
    libxl_dominfo_list_free(list, count);
    return found;
}

static void *abort_creation(void *argument)
{
    struct guest *g = argument;
    while (g->aborting && !exists(&g->config.c_info.uuid))
        usleep(100);
    if (libxl_ao_abort(ctx, &g->how))
        log_line(g, "completed before the abort", "");
    return NULL;
}

/* Starts a step. The calls that limit and abort the operation name it by `how`. */
static int start_step(struct guest *g, const struct step *step, const libxl_asyncop_how *how)
{
    g->aborting = step->abort;
    if (step->abort && pthread_create(&g->aborter, NULL, abort_creation, g))
        return ERROR_FAIL;
    int rc = step->start(g, how);
    if (rc == ERROR_ASYNC_INPROGRESS && step->limit_ms)
        libxl_ao_set_limit(ctx, how, step->limit_ms);
    return rc;
}

/* Starts steps until a step is in progress. */
static void run_steps(struct guest *g)
{
    for (const struct step *step = *g->plan; step;) {
        int rc = start_step(g, step, &g->how);
        if (rc == ERROR_ASYNC_INPROGRESS)
            return;
        step = next_step(g, rc, libxl_error_message());
    }
    pending--;
}

/* ---- style 1: callbacks; works in any event loop that can watch a descriptor */

static void step_ended(libxl_ctx *where, int rc, void *guest)
{
    (void)where;
    if (next_step(guest, rc, libxl_error_message()))
        run_steps(guest);
    else
        pending--;
}

static void event_occurs(void *user, libxl_event *event)
{
    (void)user;
    lifecycle_event(event);
    libxl_event_free(ctx, event);
}

static void by_callbacks(void)
{
    static const libxl_event_hooks hooks = {.event_occurs_mask = LIBXL_EVENTMASK_ALL,
                                            .event_occurs = event_occurs};
    libxl_event_register_callbacks(ctx, &hooks, NULL);
    for (int i = 0; i < GUESTS; i++) {
        guests[i].how = (libxl_asyncop_how){.callback = step_ended, .u.for_callback = &guests[i]};
        run_steps(&guests[i]);
    }
    struct pollfd ready = {.fd = libxl_ctx_fd(ctx), .events = POLLIN};
    /* poll needs a timeout, because the last step may complete on the aborting thread. */
    while (pending && (poll(&ready, 1, 100) >= 0 || errno == EINTR))
        libxl_ctx_process(ctx);
}

/* ---- style 2: events; one queue for completions and for the domains' events */

static void by_events(void)
{
    libxl_event *event;
    for (int i = 0; i < GUESTS; i++) {
        guests[i].how = (libxl_asyncop_how){.u.for_event = (uintptr_t)&guests[i]};
        run_steps(&guests[i]);
    }
    while (pending && libxl_event_wait(ctx, &event, LIBXL_EVENTMASK_ALL, NULL, NULL) == 0) {
        struct guest *g = (struct guest *)(uintptr_t)event->for_user;
        if (event->type != LIBXL_EVENT_TYPE_OPERATION_COMPLETE)
            lifecycle_event(event);
        else if (next_step(g, event->u.operation_complete.rc, event->u.operation_complete.message))
            run_steps(g);
        else
            pending--;
        libxl_event_free(ctx, event);
    }
}

/* ---- style 3: synchronous, with a thread per guest; the main thread waits for the domains' events */

static int is_end_of_step(const libxl_event *event, void *guest)
{
    return event->type == LIBXL_EVENT_TYPE_OPERATION_COMPLETE && event->for_user == (uintptr_t)guest;
}

static int is_lifecycle(const libxl_event *event, void *unused)
{
    (void)unused;
    return event->type != LIBXL_EVENT_TYPE_OPERATION_COMPLETE;
}

/*
 * Runs a step to its end. A synchronous call has no `how`, so it can have no time limit and no abort. For a
 * step with a time limit or an abort, this function starts an operation that completes by an event, and waits
 * for the event.
 */
static int run_step(struct guest *g, const struct step *step)
{
    libxl_event *event;
    int rc = start_step(g, step, step->limit_ms || step->abort ? &g->how : NULL);
    if (rc != ERROR_ASYNC_INPROGRESS)
        return rc;
    rc = libxl_event_wait(ctx, &event, LIBXL_EVENTMASK_ALL, is_end_of_step, g);
    if (rc == 0)
        rc = event->u.operation_complete.rc;
    libxl_event_free(ctx, event);
    return rc;
}

static void *run_synchronously(void *argument)
{
    struct guest *g = argument;
    for (const struct step *step = *g->plan; step;) {
        int rc = run_step(g, step);
        step = next_step(g, rc, libxl_error_message());
    }
    pending--;
    return NULL;
}

static void by_sync(void)
{
    libxl_event *event;
    pthread_t threads[GUESTS];
    for (int i = 0; i < GUESTS; i++) {
        guests[i].how = (libxl_asyncop_how){.u.for_event = (uintptr_t)&guests[i]};
        pthread_create(&threads[i], NULL, run_synchronously, &guests[i]);
    }
    while (pending) {
        if (libxl_event_wait_limit(ctx, &event, LIBXL_EVENTMASK_ALL, is_lifecycle, NULL, 100))
            continue;
        lifecycle_event(event);
        libxl_event_free(ctx, event);
    }
    for (int i = 0; i < GUESTS; i++)
        pthread_join(threads[i], NULL);
}

/* ---- set-up, report, main */

static void prepare(const char *kernel)
{
    libxl_physinfo host;
    libxl_get_physinfo(ctx, &host);
    for (int i = 0; i < GUESTS; i++) {
        struct guest *g = &guests[i];
        libxl_domain_config_init(&g->config);
        g->domid = LIBXL_DOMID_INVALID;
        g->config.c_info.type = host.cap_hvm ? g->type : LIBXL_DOMAIN_TYPE_PV;
        libxl_uuid_generate(&g->config.c_info.uuid);
        if (asprintf(&g->config.c_info.name, "%s-%d", g->name, (int)getpid()) < 0)
            exit(EXIT_FAILURE);
        g->config.b_info.target_memkb = MEMORY_KB;
        g->config.b_info.kernel = strdup(kernel);
        g->config.b_info.cmdline = strdup(g->cmdline);
    }
    pending = GUESTS;
    clock_gettime(CLOCK_MONOTONIC, &began);
}

static int count_domains(void)
{
    int count;
    libxl_dominfo *list = libxl_list_domain(ctx, &count);
    libxl_dominfo_list_free(list, count);
    return count;
}

/* Prints the counts. Returns true if all results were as expected and nothing is left. */
static bool report(int domains_before)
{
    libxl_counters count;
    for (int i = 0; i < GUESTS; i++) {
        if (guests[i].aborter)
            pthread_join(guests[i].aborter, NULL);
        libxl_evdisable_domain_lifecycle(ctx, guests[i].events);
        libxl_domain_config_dispose(&guests[i].config);
    }
    const int left = count_domains() - domains_before;
    libxl_ctx_counters(ctx, &count);
    printf("operations: %llu started, %llu completed, %llu aborted, %u live; domains left: %d\n",
           (unsigned long long)count.operations_started, (unsigned long long)count.operations_completed,
           (unsigned long long)count.operations_aborted, count.operations, left);
    return !errors && !left && !count.operations;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } styles[] = {{"callbacks", by_callbacks}, {"events", by_events}, {"sync", by_sync}};
    void (*run)(void) = NULL;
    for (size_t i = 0; argc > 1 && i < sizeof(styles) / sizeof(*styles); i++)
        if (strcmp(argv[1], styles[i].name) == 0)
            run = styles[i].run;
    if (!run || argc > 3) {
        fprintf(stderr, "usage: %s callbacks|events|sync [KERNEL]\n", argv[0]);
        return 2;
    }
    int rc = libxl_ctx_alloc(&ctx, LIBXL_VERSION, 0, NULL);
    if (rc) {
        fprintf(stderr, "%s: %s\n", argv[0], libxl_error_message());
        return EXIT_FAILURE;
    }
    const int before = count_domains();
    prepare(argc > 2 ? argv[2] : "build/guest/tiny");
    run();
    bool good = report(before);
    libxl_ctx_free(ctx);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
