/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns: nothing. */
#include "library.h"

#include <poll.h>
#include <sys/time.h>
#include <xentoollog.h>

#include "bench.h"

libxl_ctx *library_open(void)
{
    libxl_ctx *ctx;
    /* libxl does not work without a logger; this one is told nothing but errors. */
    xentoollog_logger *logger = (void *)xtl_createlogger_stdiostream(stderr, XTL_ERROR, 0);
    bench_check(!libxl_ctx_alloc(&ctx, LIBXL_VERSION, 0, logger), "libxl_ctx_alloc");
    return ctx;
}

#ifdef LIBXL_HAVE_EVENT_TAKE

enum { BATCH = 256 };

bool library_step(libxl_ctx *ctx, int milliseconds)
{
    struct pollfd fd = {.fd = libxl_ctx_fd(ctx), .events = POLLIN};
    if (poll(&fd, 1, milliseconds) <= 0)
        return false;
    bench_check(!libxl_ctx_process(ctx), "libxl_ctx_process");
    return true;
}

long library_take(libxl_ctx *ctx, void (*seen)(uint64_t for_user))
{
    libxl_event_record records[BATCH];
    long taken = 0;
    for (int n = BATCH; n == BATCH; taken += n) {
        n = libxl_event_take(ctx, records, BATCH);
        bench_check(n >= 0, "libxl_event_take");
        for (int i = 0; i < n; i++) {
            if (records[i].event)
                libxl_event_free(ctx, records[i].event);
            if (seen)
                seen(records[i].for_user);
        }
    }
    return taken;
}

#else

enum { MOST_FDS = 64 };

bool library_step(libxl_ctx *ctx, int milliseconds)
{
    struct pollfd fds[MOST_FDS];
    struct timeval now;
    int count = MOST_FDS, timeout = milliseconds;
    gettimeofday(&now, NULL);
    bench_check(!libxl_osevent_beforepoll(ctx, &count, fds, &timeout, now), "libxl_osevent_beforepoll");
    int ready = poll(fds, (nfds_t)count, timeout);
    gettimeofday(&now, NULL);
    libxl_osevent_afterpoll(ctx, count, fds, now);
    return ready > 0 || timeout < milliseconds;
}

long library_take(libxl_ctx *ctx, void (*seen)(uint64_t for_user))
{
    libxl_event *event;
    long taken = 0;
    for (; !libxl_event_check(ctx, &event, LIBXL_EVENTMASK_ALL, NULL, NULL); taken++) {
        if (seen)
            seen(event->for_user);
        libxl_event_free(ctx, event);
    }
    return taken;
}

#endif

#ifdef LIBXL_HAVE_EVENT_IS_FOR
#define is_for libxl_event_is_for
#else
static int is_for(const libxl_event *event, void *user)
{
    return event->for_user == *(const uint64_t *)user;
}
#endif

void library_take_for(libxl_ctx *ctx, uint64_t user)
{
    libxl_event *event;
    bench_check(!libxl_event_check(ctx, &event, LIBXL_EVENTMASK_ALL, is_for, &user), "libxl_event_check");
    libxl_event_free(ctx, event);
}
