/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns: nothing. The tests own the contexts. */
#include "core.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TIME_LIMIT_MS = 50000 };

libxl_ctx *core_open(void)
{
    libxl_ctx *ctx;
    assert_int_equal(libxl__ctx_create(&ctx, NULL), 0);
    return ctx;
}

void core_close(libxl_ctx *ctx)
{
    assert_int_equal(libxl__ctx_drain(ctx), 0);
    assert_int_equal(ctx->timers.count, 0);
    assert_int_equal(ctx->loop.descriptors, 0);
    libxl__ctx_destroy(ctx);
}

static void wait_once(libxl_ctx *ctx, uint64_t end)
{
    libxl__waiter waiter = {.predicate = NULL};
    libxl__waiter_begin(ctx, &waiter);
    assert_int_equal(libxl__waiter_wait(ctx, &waiter, LIBXL__MILLISECONDS(end)), 0);
    libxl__waiter_end(ctx, &waiter);
}

void core_run(libxl_ctx *ctx, const int *done)
{
    for (uint64_t end = now_ms() + scaled_ms(TIME_LIMIT_MS); !*done; wait_once(ctx, end))
        if (now_ms() >= end)
            fail_msg("the condition did not become true in time");
}

void core_run_for(libxl_ctx *ctx, unsigned milliseconds)
{
    const uint64_t end = now_ms() + milliseconds;
    while (now_ms() < end)
        wait_once(ctx, end);
    /* If the process did not run until `end`, the loop has not read anything yet. */
    wait_once(ctx, now_ms());
}

int core_begin(libxl_ctx *ctx, const libxl__ao_class *cls, void *user, const libxl_asyncop_how *how)
{
    libxl__ao *ao;
    int rc = libxl__ao_create(ctx, cls, 0, how, &ao);
    if (rc)
        return rc;
    *(void **)libxl__ao_args(ao) = user;
    return libxl__ao_start(ao);
}

int core_start(libxl_ctx *ctx, const libxl__ao_class *cls, uint64_t for_event, void *user)
{
    const libxl_asyncop_how how = {.u.for_event = for_event};
    return core_begin(ctx, cls, user, &how);
}

void *core_user(libxl__ao *ao)
{
    return *(void **)libxl__ao_args(ao);
}

int core_result(libxl_ctx *ctx, uint64_t *for_event)
{
    libxl_event *event;
    assert_int_equal(libxl_event_wait_limit(ctx, &event, LIBXL_EVENTMASK_ALL, NULL, NULL,
                                            (int64_t)scaled_ms(TIME_LIMIT_MS)),
                     0);
    assert_int_equal(event->type, LIBXL_EVENT_TYPE_OPERATION_COMPLETE);
    int rc = event->u.operation_complete.rc;
    if (for_event)
        *for_event = event->for_user;
    libxl_event_free(ctx, event);
    return rc;
}

bool core_continue(libxl_ctx *ctx)
{
    struct pollfd fd = {.fd = libxl_ctx_fd(ctx), .events = POLLIN};
    if (poll(&fd, 1, 0) != 1)
        return false;
    assert_int_equal(libxl_ctx_process(ctx), 0);
    return true;
}

int core_left_after_fork(libxl_ctx *ctx)
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        libxl__ctx_postfork(ctx);
        _exit(fixture_entries("/proc/self/fd"));
    }
    waitpid(child, &status, 0);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

bool core_selects(const libxl__ao_class *cls)
{
    const char *only = getenv("AIOXEN_SWEEP_ONLY");
    char word[64], list[512];
    if (!only)
        return true;
    snprintf(word, sizeof(word), " %s ", cls->name);
    snprintf(list, sizeof(list), " %s ", only);
    return strstr(list, word);
}
