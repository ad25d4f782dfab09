/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A stress test. Many threads run all kinds of operations, and open and close contexts. The program checks
 * that each operation completes exactly once and that memory use does not grow.
 *
 *     stress [OPERATIONS [SECONDS [THREADS]]]
 *
 * The program ends when it reaches the limit of operations or of seconds. It prints the counts, and exits
 * with 0 if there was no fault.
 *
 * Owns: the slots, one for each operation that may be in flight. The number of an operation combines the slot
 * and the slot's use count. A completion is a fault if its number is not the present number of the slot. Such
 * an operation has completed before, or was never started. The numbers are atomic, because any thread may
 * receive a completion and free the slot.
 */
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <libxl.h>

#include "guest.h"

enum { CONTEXTS = 2, SLOTS = 64, MOST_THREADS = 64, FLAT_BYTES = 1 << 20, LAST_SECONDS = 30 };

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
/* 0: memory cannot be measured. The sanitizer's allocator has no mallinfo2 and delays frees. */
enum { CAN_MEASURE = 0 };
#else
enum { CAN_MEASURE = 1 };
#endif

static libxl_ctx *contexts[CONTEXTS];
static libxl_domid silent; /* The domid of a guest that never stops. */
static atomic_ullong started, completed, faults, opened;
static unsigned long long most_operations;
static double end_time;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void fault(const char *what, long long value)
{
    fprintf(stderr, "stress: %s: %lld\n", what, value);
    atomic_fetch_add(&faults, 1);
}

/* ---- operations in flight */

/* The memory for the result of the operation in a slot. */
union result {
    char *name;
    libxl_domid domid;
    libxl_physinfo host;
    libxl_dominfo info;
    libxl_dominfo_list list;
    libxl_shutdown_reason reason;
};

struct slot {
    atomic_uint number; /* The use count of the slot. It is odd while an operation is in flight. */
    int kind;
    union result result;
};

static struct slot slots[MOST_THREADS][SLOTS];

static uint64_t name_of(int thread, int slot, unsigned number)
{
    /* The number is never 0, because its lowest bit is set. */
    return (uint64_t)number << 32 | (uint64_t)(thread * SLOTS + slot) << 1 | 1;
}

enum { INSTANT, INFO, LIST, NAME, FIND, PAUSE, TIMED, ABORTED, KINDS };

static void dispose(struct slot *s, int rc)
{
    if (rc == 0 && s->kind == NAME)
        free(s->result.name);
    if (rc == 0 && s->kind == LIST)
        libxl_dominfo_list_dispose(&s->result.list);
}

static bool expected(int kind, int rc)
{
    static const int results[KINDS][2] = {
        [FIND] = {ERROR_NOTFOUND, ERROR_NOTFOUND},
        [TIMED] = {ERROR_TIMEDOUT, ERROR_TIMEDOUT},
        [ABORTED] = {ERROR_ABORTED, ERROR_ABORTED},
    };
    return rc == results[kind][0] || rc == results[kind][1];
}

static void complete(uint64_t name, int rc)
{
    unsigned number = (unsigned)(name >> 32), index = (unsigned)(uint32_t)name >> 1;
    struct slot *s = &slots[index / SLOTS][index % SLOTS];
    if (atomic_load(&s->number) != number) {
        fault("a completion came twice, or was not expected", (long long)name);
        return;
    }
    if (!expected(s->kind, rc))
        fault("unexpected result: 1000 * kind + rc is", s->kind * 1000 + rc);
    dispose(s, rc);
    atomic_fetch_add(&completed, 1);
    atomic_store(&s->number, number + 1); /* The slot is free again. */
}

static void called(libxl_ctx *ctx, int rc, void *name)
{
    (void)ctx;
    complete((uintptr_t)name, rc);
}

/* ---- a thread */

struct player {
    int thread;
    unsigned random;
    pthread_t id;
};

static unsigned dice(struct player *p, unsigned sides)
{
    return (unsigned)rand_r(&p->random) % sides;
}

static int start(libxl_ctx *ctx, struct slot *s, const libxl_asyncop_how *how)
{
    switch (s->kind) {
    case INSTANT: return libxl_host_info(ctx, &s->result.host, how);
    case INFO: return libxl_domain_get_info(ctx, silent, &s->result.info, how);
    case LIST: return libxl_domain_list(ctx, &s->result.list, how);
    case NAME: return libxl_domain_get_name(ctx, silent, &s->result.name, how);
    case FIND: return libxl_domain_find(ctx, "nobody", &s->result.domid, how);
    case PAUSE: return libxl_domain_pause(ctx, silent, how);
    default: return libxl_domain_wait_shutdown(ctx, silent, &s->result.reason, how);
    }
}

static void start_one(struct player *p, libxl_ctx *ctx, int slot)
{
    struct slot *s = &slots[p->thread][slot];
    int kind = (int)dice(p, KINDS);
    unsigned number = atomic_load(&s->number) + 1;
    uint64_t name = name_of(p->thread, slot, number);
    libxl_asyncop_how how = {.u.for_event = name};
    if (dice(p, 2))
        how = (libxl_asyncop_how){.callback = called, .u.for_callback = (void *)(uintptr_t)name};
    bool synchronous = kind != TIMED && kind != ABORTED && dice(p, 4) == 0;
    s->kind = kind;
    atomic_store(&s->number, number);
    atomic_fetch_add(&started, 1);
    int rc = start(ctx, s, synchronous ? NULL : &how);
    if (rc != ERROR_ASYNC_INPROGRESS) {
        if (!synchronous)
            fault("an operation was refused", rc);
        complete(name, rc);
    } else if (kind == TIMED) {
        libxl_ao_set_limit(ctx, &how, 1 + dice(p, 5));
    } else if (kind == ABORTED && (rc = libxl_ao_abort(ctx, &how)) != 0) {
        fault("abort", rc);
    }
    if (kind == PAUSE)
        libxl_domain_unpause(ctx, silent, NULL);
}

/* Processes or waits for the context's events, in a randomly chosen way. */
static void wait_somehow(struct player *p, libxl_ctx *ctx)
{
    libxl_event *event;
    libxl_event_record records[16];
    int taken;
    switch (dice(p, 3)) {
    case 0:
        if (libxl_event_wait_limit(ctx, &event, LIBXL_EVENTMASK_ALL, NULL, NULL, (int)dice(p, 2)) == 0) {
            complete(event->for_user, event->u.operation_complete.rc);
            libxl_event_free(ctx, event);
        }
        break;
    case 1:
        taken = libxl_event_take(ctx, records, 16);
        for (int i = 0; i < taken; i++) {
            complete(records[i].for_user, records[i].value);
            libxl_event_free(ctx, records[i].event);
        }
        break;
    default: libxl_ctx_process(ctx); break;
    }
}

static bool all_free(const struct player *p)
{
    for (int i = 0; i < SLOTS; i++)
        if (atomic_load(&slots[p->thread][i].number) % 2)
            return false;
    return true;
}

static bool over(void)
{
    return atomic_load(&started) >= most_operations || now() >= end_time;
}

static void *play(void *argument)
{
    struct player *p = argument;
    while (!over()) {
        int slot = (int)dice(p, SLOTS);
        libxl_ctx *ctx = contexts[dice(p, CONTEXTS)];
        if (atomic_load(&slots[p->thread][slot].number) % 2)
            wait_somehow(p, ctx);
        else
            start_one(p, ctx, slot);
    }
    for (double last = now() + LAST_SECONDS; !all_free(p);) {
        for (int i = 0; i < CONTEXTS; i++)
            wait_somehow(p, contexts[i]);
        if (now() > last) {
            fault("completions were lost by thread", p->thread);
            break;
        }
    }
    return NULL;
}

/* ---- contexts are opened and closed with operations in flight */

static void count_call(libxl_ctx *ctx, int rc, void *count)
{
    (void)ctx, (void)rc;
    ++*(int *)count;
}

static void *open_and_close(void *argument)
{
    struct player *p = argument;
    while (!over()) {
        enum { OPERATIONS = 20 };
        libxl_ctx *ctx;
        libxl_shutdown_reason reasons[OPERATIONS];
        int calls = 0, begun = 0;
        const libxl_asyncop_how how = {.callback = count_call, .u.for_callback = &calls};
        int rc = libxl_ctx_alloc(&ctx, LIBXL_VERSION, 0, NULL);
        if (rc) {
            fault("opening a context", rc);
            break;
        }
        for (unsigned i = dice(p, OPERATIONS); i > 0; i--)
            begun += libxl_domain_wait_shutdown(ctx, silent, &reasons[i], &how) == ERROR_ASYNC_INPROGRESS;
        if (dice(p, 2))
            libxl_ctx_process(ctx);
        libxl_ctx_free(ctx);
        if (calls != begun)
            fault("surplus completions when closing a context", calls - begun);
        atomic_fetch_add(&opened, 1);
        usleep(1000);
    }
    return NULL;
}

/* ---- the program */

static size_t memory_in_use(void)
{
    return CAN_MEASURE ? mallinfo2().uordblks : 0;
}

static bool open_all(void)
{
    libxl_domain_config config = guest_config("b");
    for (int i = 0; i < CONTEXTS; i++)
        if (libxl_ctx_alloc(&contexts[i], LIBXL_VERSION, 0, NULL)) {
            fprintf(stderr, "stress: %s\n", libxl_error_message());
            return false;
        }
    int rc = libxl_domain_create_new(contexts[0], &config, &silent, NULL, NULL);
    libxl_domain_config_dispose(&config);
    if (rc)
        fprintf(stderr, "stress: %s\n", libxl_error_message());
    return rc == 0;
}

static void run(int threads, unsigned long long operations, double seconds)
{
    struct player players[MOST_THREADS + 1];
    most_operations = operations;
    end_time = now() + seconds;
    for (int i = 0; i <= threads; i++) {
        players[i] = (struct player){.thread = i, .random = (unsigned)i + 1};
        pthread_create(&players[i].id, NULL, i == threads ? open_and_close : play, &players[i]);
    }
    for (int i = 0; i <= threads; i++)
        pthread_join(players[i].id, NULL);
}

static void check_counters(void)
{
    for (int i = 0; i < CONTEXTS; i++) {
        libxl_counters c;
        libxl_ctx_counters(contexts[i], &c);
        if (c.operations || c.events || c.watches || c.operations_started != c.operations_completed)
            fault("operations, events or watches left at the end", c.operations + c.events + c.watches);
    }
}

int main(int argc, char **argv)
{
    unsigned long long operations = argc > 1 ? strtoull(argv[1], NULL, 10) : 100000;
    double seconds = argc > 2 ? strtod(argv[2], NULL) : 10;
    int threads = argc > 3 ? atoi(argv[3]) : 8;
    if (argc > 4 || !operations || seconds <= 0 || threads < 1 || threads > MOST_THREADS) {
        fprintf(stderr, "usage: %s [OPERATIONS [SECONDS [THREADS (1-%d)]]]\n", argv[0], MOST_THREADS);
        return 2;
    }
    if (!open_all())
        return EXIT_FAILURE;
    /* This is the warm-up. Buffers and free lists reach their usual size. */
    run(threads, operations / 10 + 1, seconds / 5);
    size_t before = memory_in_use();
    double began = now();
    run(threads, operations, seconds);
    double took = now() - began;
    size_t after = memory_in_use();
    check_counters();
    libxl_domain_destroy(contexts[0], silent, NULL);
    for (int i = 0; i < CONTEXTS; i++)
        libxl_ctx_free(contexts[i]);
    if (after > before + FLAT_BYTES)
        fault("memory has grown by", (long long)(after - before));
    if (started != completed)
        fault("lost completions", (long long)(started - completed));
    printf("%llu operations, %llu completions, %llu contexts opened and closed, %d threads, %.1f s, %+lld "
           "octets in use, "
           "%llu faults\n",
           started, completed, opened, threads, took, (long long)after - (long long)before, faults);
    return faults ? EXIT_FAILURE : EXIT_SUCCESS;
}
