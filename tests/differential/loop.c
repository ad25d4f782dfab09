/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns: the slots, one for each registration. A free slot has no for_libxl. The for_app value of a
 * registration is the address of its slot. Only one thread uses the slots. */
#include "loop.h"

#include <poll.h>
#include <sys/time.h>

enum { SLOTS = 16 };

static struct descriptor {
    struct pollfd poll;
    void *for_libxl;
} descriptors[SLOTS];

static struct timeout {
    struct timeval at;
    void *for_libxl;
} timeouts[SLOTS];

int loop_refusal;

static int fd_register(void *user, int fd, void **for_app, short events, void *for_libxl)
{
    (void)user;
    if (loop_refusal)
        return loop_refusal;
    for (struct descriptor *d = descriptors; d < descriptors + SLOTS; d++)
        if (!d->for_libxl) {
            *d = (struct descriptor){.poll = {.fd = fd, .events = events}, .for_libxl = for_libxl};
            *for_app = d;
            return 0;
        }
    return ERROR_FAIL;
}

static int fd_modify(void *user, int fd, void **for_app, short events)
{
    (void)user, (void)fd;
    ((struct descriptor *)*for_app)->poll.events = events;
    return 0;
}

static void fd_deregister(void *user, int fd, void *for_app)
{
    (void)user, (void)fd;
    ((struct descriptor *)for_app)->for_libxl = NULL;
}

static int timeout_register(void *user, void **for_app, struct timeval at, void *for_libxl)
{
    (void)user;
    for (struct timeout *t = timeouts; t < timeouts + SLOTS; t++)
        if (!t->for_libxl) {
            *t = (struct timeout){.at = at, .for_libxl = for_libxl};
            *for_app = t;
            return 0;
        }
    return ERROR_FAIL;
}

static int timeout_modify(void *user, void **for_app, struct timeval at)
{
    (void)user;
    ((struct timeout *)*for_app)->at = at;
    return 0;
}

static void timeout_deregister(void *user, void *for_app)
{
    (void)user;
    ((struct timeout *)for_app)->for_libxl = NULL;
}

const libxl_osevent_hooks loop_hooks = {
    .fd_register = fd_register,
    .fd_modify = fd_modify,
    .fd_deregister = fd_deregister,
    .timeout_register = timeout_register,
    .timeout_modify = timeout_modify,
    .timeout_deregister = timeout_deregister,
};

void loop_step(libxl_ctx *ctx)
{
    struct pollfd polled[SLOTS];
    struct timeval now, left;
    int wait = 5000;
    gettimeofday(&now, NULL);
    for (int i = 0; i < SLOTS; i++) {
        polled[i] = descriptors[i].poll;
        if (!descriptors[i].for_libxl)
            polled[i].fd = -1;
        if (!timeouts[i].for_libxl)
            continue;
        timersub(&timeouts[i].at, &now, &left);
        int ms = left.tv_sec < 0   ? 0
                 : left.tv_sec > 5 ? 5000
                                   : (int)(left.tv_sec * 1000 + left.tv_usec / 1000 + 1);
        wait = ms < wait ? ms : wait;
    }
    if (poll(polled, SLOTS, wait) < 0)
        return;
    for (int i = 0; i < SLOTS; i++)
        if (polled[i].fd >= 0 && polled[i].revents && descriptors[i].for_libxl)
            libxl_osevent_occurred_fd(ctx, descriptors[i].for_libxl, polled[i].fd, polled[i].events,
                                      polled[i].revents);
    gettimeofday(&now, NULL);
    for (int i = 0; i < SLOTS; i++)
        if (timeouts[i].for_libxl && timercmp(&timeouts[i].at, &now, <=)) {
            void *for_libxl = timeouts[i].for_libxl;
            timeouts[i].for_libxl = NULL; /* A timeout occurs once. */
            libxl_osevent_occurred_timeout(ctx, for_libxl);
        }
}
