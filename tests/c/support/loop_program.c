/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs an event loop from docs/async.md. The build defines LOOP_FILE and LOOP. LOOP_FILE is the file
 * with the loop's code. LOOP is the function that runs the loop. The program starts operations of three
 * kinds, some before the loop runs and some while the loop runs. The program ends the loop when all
 * operations have completed.
 *
 * Owns: the number of completions of each operation. The numbers are atomic, because any thread may
 * receive a completion.
 */
#include <libxl.h>

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/time.h>
#include <unistd.h>

#ifdef LOOP_NEEDS_GLIB
#include <glib-unix.h>
#endif

enum { EARLY = 30, OPERATIONS = 60, LIMIT_MS = 50, TEST_LIMIT_S = 20 };

static atomic_bool running = true;
static atomic_int completions[OPERATIONS], all_completions, wrong;
static libxl_domid silent; /* The domid of a guest that never stops. */

/* Returns the result that operation `number` must have. Operations of three kinds alternate. The first
 * kind is instant, the second waits for xenstore, and the third ends by its time limit. */
static int expected(uint64_t number)
{
    return number % 3 == 2 ? ERROR_TIMEDOUT : 0;
}

static void note(uint32_t type, uint64_t number, int rc)
{
    if (type != LIBXL_EVENT_TYPE_OPERATION_COMPLETE || number >= OPERATIONS || rc != expected(number))
        wrong++;
    else
        completions[number]++;
    if (++all_completions == OPERATIONS)
        running = false;
}

__attribute__((unused)) static void handle(const libxl_event *event)
{
    note(event->type, event->for_user, event->u.operation_complete.rc);
}

__attribute__((unused)) static void handle_record(const libxl_event_record *record)
{
    note(record->type, record->for_user, record->value);
}

static void start_from(libxl_ctx *ctx, uint64_t first, uint64_t end)
{
    static libxl_physinfo host;
    static libxl_shutdown_reason reason;
    static char *names[OPERATIONS];
    for (uint64_t i = first; i < end; i++) {
        const libxl_asyncop_how how = {.u.for_event = i};
        int rc = i % 3 == 0   ? libxl_host_info(ctx, &host, &how)
                 : i % 3 == 1 ? libxl_domain_get_name(ctx, silent, &names[i], &how)
                              : libxl_domain_wait_shutdown(ctx, silent, &reason, &how);
        if (rc != ERROR_ASYNC_INPROGRESS || (i % 3 == 2 && libxl_ao_set_limit(ctx, &how, LIMIT_MS)))
            wrong++;
    }
}

static void start(libxl_ctx *ctx)
{
    start_from(ctx, 0, EARLY);
}

/* Starts operations while the loop sleeps. Each operation must wake the loop. */
static void *start_late(void *ctx)
{
    usleep(2 * LIMIT_MS * 1000);
    start_from(ctx, EARLY, OPERATIONS);
    return NULL;
}

#include LOOP_FILE

static libxl_domid make_guest(libxl_ctx *ctx)
{
    libxl_domid domid;
    libxl_domain_config config;
    libxl_domain_config_init(&config);
    config.c_info.type = LIBXL_DOMAIN_TYPE_PV;
    config.c_info.name = strdup("loop");
    config.b_info.target_memkb = 4 << 10;
    config.b_info.kernel = strdup(getenv("AIOXEN_TEST_KERNEL"));
    config.b_info.cmdline = strdup("b");
    if (libxl_domain_create_new(ctx, &config, &domid, NULL, NULL))
        exit(2);
    libxl_domain_config_dispose(&config);
    return domid;
}

int main(void)
{
    libxl_ctx *other, *ctx;
    pthread_t late;
    alarm(TEST_LIMIT_S);
    if (libxl_ctx_alloc(&other, LIBXL_VERSION, 0, NULL) || libxl_ctx_alloc(&ctx, LIBXL_VERSION, 0, NULL))
        return 2;
    silent = make_guest(other);
    pthread_create(&late, NULL, start_late, ctx);
#ifndef LOOP_STARTS
    start(ctx);
#endif
    LOOP(ctx);
    pthread_join(late, NULL);
    for (int i = 0; i < OPERATIONS; i++)
        wrong += completions[i] != 1;
    wrong += libxl_domain_destroy(other, silent, NULL) != 0;
    wrong += libxl_ctx_free(ctx) != 0;
    libxl_ctx_free(other);
    printf("%d events, %d wrong\n", all_completions, wrong);
    return wrong != 0;
}
