/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Eight guests at once, from their creation until nothing is left of them: in C, by callbacks, by events or
 * synchronously.
 *
 *     lifecycle callbacks|events|sync [KERNEL]
 *
 * A guest's life is a plan: a list of steps, each one operation. The three styles differ only in how they
 * learn that a step has ended, in the last part of this file. Some guests stop by themselves, some are asked
 * to, one is deaf and gets a time limit, and one creation is aborted half-way.
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

enum { MEMORY_KB = 24 << 10, DEAF_LIMIT_MS = 1000 };

static libxl_ctx *ctx;
static atomic_int busy; /* lives that go on, and domains that are not gone */
static atomic_int wrong;
static struct timespec began;

struct guest {
    const char *name;
    libxl_domain_type type;
    const char *orders; /* the kernel's command line: what the tiny guest is to do */
    const struct step *const *plan;
    libxl_domid domid;
    libxl_domain_config config;
    libxl_asyncop_how how; /* of the step under way */
    libxl_shutdown_reason reason;
    libxl_evgen_domain_lifecycle *events;
    atomic_bool half_done; /* an operation that is to be abandoned is under way */
    pthread_t abandoner;   /* the thread that does it */
};

static void say(const struct guest *g, const char *what, const char *more)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    double seconds = (double)(now.tv_sec - began.tv_sec) + (double)(now.tv_nsec - began.tv_nsec) / 1e9;
    printf("%6.2f  %-9s  %s%s\n", seconds, g->name, what, more);
}

/* ---- steps: what is done to a guest; `how` decides how the end is told */

struct step {
    const char *name;
    int (*start)(struct guest *g, const libxl_asyncop_how *how);
    void (*ended)(struct guest *g);
    unsigned limit_ms; /* 0: none */
    bool abandon;      /* is aborted when it is half done */
    int expected;      /* its result */
};

static int create(struct guest *g, const libxl_asyncop_how *how)
{
    return libxl_domain_create_new(ctx, &g->config, &g->domid, how, NULL);
}

static void created(struct guest *g)
{
    /* Events name the guest, not only a domid, which is used again one day. */
    if (libxl_evenable_domain_lifecycle(ctx, g->domid, (uintptr_t)g, &g->events) == 0)
        busy++;
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
    say(g, "the reason is ", libxl_shutdown_reason_to_string(g->reason));
}

static int destroy(struct guest *g, const libxl_asyncop_how *how)
{
    return libxl_domain_destroy(ctx, g->domid, how);
}

static const struct step create_step = {.name = "created", .start = create, .ended = created},
                         unpause_step = {.name = "unpaused", .start = unpause},
                         shutdown_step = {.name = "asked to switch off, and did", .start = shut_down},
                         reboot_step = {.name = "asked to reboot, and did", .start = reboot},
                         stop_step = {.name = "has stopped", .start = await_stop, .ended = stopped},
                         destroy_step = {.name = "destroyed", .start = destroy},
                         deaf_step = {.name = "asked, with a time limit",
                                      .start = shut_down,
                                      .limit_ms = DEAF_LIMIT_MS,
                                      .expected = ERROR_TIMEDOUT},
                         abandoned_step = {.name = "half made, then aborted",
                                           .start = create,
                                           .abandon = true,
                                           .expected = ERROR_ABORTED};

typedef const struct step *const plan[];
static plan by_itself = {&create_step, &unpause_step, &stop_step, &destroy_step, NULL};
static plan asked = {&create_step, &unpause_step, &shutdown_step, &stop_step, &destroy_step, NULL};
static plan restarted = {&create_step, &unpause_step, &reboot_step, &stop_step, &destroy_step, NULL};
static plan deaf = {&create_step, &unpause_step, &deaf_step, &destroy_step, NULL};
static plan unborn = {&abandoned_step, NULL};

static struct guest guests[] = {
    {.name = "poweroff", .type = LIBXL_DOMAIN_TYPE_PV, .orders = "p", .plan = by_itself},
    {.name = "reboot", .type = LIBXL_DOMAIN_TYPE_PVH, .orders = "r", .plan = by_itself},
    {.name = "crash", .type = LIBXL_DOMAIN_TYPE_PV, .orders = "c", .plan = by_itself},
    {.name = "later", .type = LIBXL_DOMAIN_TYPE_PVH, .orders = "d5", .plan = by_itself},
    {.name = "asked", .type = LIBXL_DOMAIN_TYPE_PV, .orders = "l", .plan = asked},
    {.name = "restarted", .type = LIBXL_DOMAIN_TYPE_PVH, .orders = "l", .plan = restarted},
    {.name = "deaf", .type = LIBXL_DOMAIN_TYPE_PV, .orders = "b", .plan = deaf},
    {.name = "unborn", .type = LIBXL_DOMAIN_TYPE_PV, .orders = "b", .plan = unborn},
};
enum { GUESTS = sizeof(guests) / sizeof(*guests) };

/* A step has ended; what comes next, or NULL. After a surprise the guest is destroyed, if there is one. */
static const struct step *next_step(struct guest *g, int rc, const char *message)
{
    const struct step *now = *g->plan;
    g->half_done = false;
    if (rc == now->expected)
        say(g, now->name, rc ? " (as expected)" : "");
    else
        say(g, "wrong: ", rc ? message : "it was to be stopped");
    if (rc == 0 && now->ended)
        now->ended(g);
    if (rc == now->expected)
        return *++g->plan;
    wrong++;
    static plan cleaning = {&destroy_step, NULL};
    bool hopeless = now == &destroy_step || g->domid == LIBXL_DOMID_INVALID;
    g->plan = hopeless ? cleaning + 1 : cleaning;
    return *g->plan;
}

/* ---- the domains' own events, in every style */

static void lifecycle_event(const libxl_event *event)
{
    struct guest *g = (struct guest *)(uintptr_t)event->for_user;
    if (event->type == LIBXL_EVENT_TYPE_DOMAIN_SHUTDOWN)
        say(g, "  event: SHUTDOWN, ",
            libxl_shutdown_reason_to_string((libxl_shutdown_reason)event->u.domain_shutdown.shutdown_reason));
    else
        say(g, "  event: ", event->type == LIBXL_EVENT_TYPE_DOMAIN_DYING ? "DYING" : "GONE");
    if (event->type == LIBXL_EVENT_TYPE_DOMAIN_GONE)
        busy--;
}

/* ---- one thread that aborts a creation when the hypervisor has the domain already */

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

static void *abandon(void *argument)
{
    struct guest *g = argument;
    while (g->half_done && !exists(&g->config.c_info.uuid))
        usleep(100);
    if (libxl_ao_abort(ctx, &g->how))
        say(g, "was faster than the abort", "");
    return NULL;
}

/* Starts the step. What is to be limited or abandoned is found by its `how`. */
static int start_step(struct guest *g, const struct step *step, const libxl_asyncop_how *how)
{
    g->half_done = step->abandon;
    if (step->abandon && pthread_create(&g->abandoner, NULL, abandon, g))
        return ERROR_FAIL;
    int rc = step->start(g, how);
    if (rc == ERROR_ASYNC_INPROGRESS && step->limit_ms)
        libxl_ao_set_limit(ctx, how, step->limit_ms);
    return rc;
}

/* Starts steps until one has something to wait for. */
static void live(struct guest *g)
{
    for (const struct step *step = *g->plan; step;) {
        int rc = start_step(g, step, &g->how);
        if (rc == ERROR_ASYNC_INPROGRESS)
            return;
        step = next_step(g, rc, libxl_error_message());
    }
    busy--;
}

/* ---- style 1: callbacks; any event loop that can watch a descriptor will do */

static void step_ended(libxl_ctx *where, int rc, void *guest)
{
    (void)where;
    if (next_step(guest, rc, libxl_error_message()))
        live(guest);
    else
        busy--;
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
        live(&guests[i]);
    }
    struct pollfd ready = {.fd = libxl_ctx_fd(ctx), .events = POLLIN};
    while (busy &&
           (poll(&ready, 1, 100) >= 0 || errno == EINTR)) /* the last step may end on the abandoning thread */
        libxl_ctx_process(ctx);
}

/* ---- style 2: events; one queue for what was started and for what happens by itself */

static void by_events(void)
{
    libxl_event *event;
    for (int i = 0; i < GUESTS; i++) {
        guests[i].how = (libxl_asyncop_how){.u.for_event = (uintptr_t)&guests[i]};
        live(&guests[i]);
    }
    while (busy && libxl_event_wait(ctx, &event, LIBXL_EVENTMASK_ALL, NULL, NULL) == 0) {
        struct guest *g = (struct guest *)(uintptr_t)event->for_user;
        if (event->type != LIBXL_EVENT_TYPE_OPERATION_COMPLETE)
            lifecycle_event(event);
        else if (next_step(g, event->u.operation_complete.rc, event->u.operation_complete.message))
            live(g);
        else
            busy--;
        libxl_event_free(ctx, event);
    }
}

/* ---- style 3: synchronously, a thread per guest; this one waits for the domains' own events */

static int is_end_of_step(const libxl_event *event, void *guest)
{
    return event->type == LIBXL_EVENT_TYPE_OPERATION_COMPLETE && event->for_user == (uintptr_t)guest;
}

static int is_lifecycle(const libxl_event *event, void *unused)
{
    (void)unused;
    return event->type != LIBXL_EVENT_TYPE_OPERATION_COMPLETE;
}

/* A synchronous call has no name: what is to be limited or aborted is started with an event, and that
 * awaited. */
static int run_step(struct guest *g, const struct step *step)
{
    libxl_event *event;
    int rc = start_step(g, step, step->limit_ms || step->abandon ? &g->how : NULL);
    if (rc != ERROR_ASYNC_INPROGRESS)
        return rc;
    rc = libxl_event_wait(ctx, &event, LIBXL_EVENTMASK_ALL, is_end_of_step, g);
    if (rc == 0)
        rc = event->u.operation_complete.rc;
    libxl_event_free(ctx, event);
    return rc;
}

static void *live_synchronously(void *argument)
{
    struct guest *g = argument;
    for (const struct step *step = *g->plan; step;) {
        int rc = run_step(g, step);
        step = next_step(g, rc, libxl_error_message());
    }
    busy--;
    return NULL;
}

static void by_sync(void)
{
    libxl_event *event;
    pthread_t threads[GUESTS];
    for (int i = 0; i < GUESTS; i++) {
        guests[i].how = (libxl_asyncop_how){.u.for_event = (uintptr_t)&guests[i]};
        pthread_create(&threads[i], NULL, live_synchronously, &guests[i]);
    }
    while (busy) {
        if (libxl_event_wait_limit(ctx, &event, LIBXL_EVENTMASK_ALL, is_lifecycle, NULL, 100))
            continue;
        lifecycle_event(event);
        libxl_event_free(ctx, event);
    }
    for (int i = 0; i < GUESTS; i++)
        pthread_join(threads[i], NULL);
}

/* ---- the beginning and the end */

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
        g->config.b_info.cmdline = strdup(g->orders);
    }
    busy = GUESTS;
    clock_gettime(CLOCK_MONOTONIC, &began);
}

/* Whether it went as it should. */
static bool report(int domains_before)
{
    libxl_counters count;
    int left;
    for (int i = 0; i < GUESTS; i++) {
        if (guests[i].abandoner)
            pthread_join(guests[i].abandoner, NULL);
        libxl_evdisable_domain_lifecycle(ctx, guests[i].events);
        libxl_domain_config_dispose(&guests[i].config);
    }
    libxl_dominfo_list_free(libxl_list_domain(ctx, &left), left);
    left -= domains_before;
    libxl_ctx_counters(ctx, &count);
    printf("operations: %llu started, %llu completed, %llu aborted, %u live; domains left: %d\n",
           (unsigned long long)count.operations_started, (unsigned long long)count.operations_completed,
           (unsigned long long)count.operations_aborted, count.operations, left);
    return !wrong && !left && !count.operations;
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
    int before;
    libxl_dominfo_list_free(libxl_list_domain(ctx, &before), before);
    prepare(argc > 2 ? argv[2] : "build/guest/tiny");
    run();
    bool good = report(before);
    libxl_ctx_free(ctx);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
