/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The sequences with event loops: poll(2) by the application, the event hook, the application's own loop. The
 * sequence of children is here, too. */
#include "sequence.h"

#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>

#include "domain.h"
#include "loop.h"

static void poll_until(uint64_t mask)
{
    libxl_event *event = NULL;
    while (libxl_event_check(ctx, &event, mask, NULL, NULL)) {
        struct pollfd fds[16];
        struct timeval now;
        int count = 16, timeout = 5000;
        gettimeofday(&now, NULL);
        int rc = libxl_osevent_beforepoll(ctx, &count, fds, &timeout, now);
        if (rc) {
            say("beforepoll %d", rc);
            return;
        }
        if (poll(fds, (nfds_t)count, timeout) < 0)
            return;
        gettimeofday(&now, NULL);
        libxl_osevent_afterpoll(ctx, count, fds, now);
    }
    say_event(event, 0);
    libxl_event_free(ctx, event);
}

void poll_loop(void)
{
    uint32_t domid = domain_new("l");
    libxl_asyncop_how how = event_how(3);
    struct pollfd none[1];
    struct timeval now = {0};
    int count = 0, timeout = -1;
    domain_listens(domid);
    say("shutdown %d", libxl_domain_shutdown(ctx, domid, &how));
    int rc = libxl_osevent_beforepoll(ctx, &count, none, &timeout, now);
    say("beforepoll without room %d, needs some: %d", rc, count > 0);
    poll_until(MASK(OPERATION_COMPLETE));
}

static int hook_user; /* The address of this variable is the argument `user` of the hook. */

static void occurs(void *user, libxl_event *event)
{
    say("  event_occurs, user %s:", user == &hook_user ? "right" : "wrong");
    say_event(event, 0);
    libxl_event_free(ctx, event);
}

void event_hook(void)
{
    static const libxl_event_hooks hooks = {.event_occurs_mask = MASK(OPERATION_COMPLETE),
                                            .event_occurs = occurs};
    uint32_t domid = domain_new("b");
    libxl_evgen_domain_death *evgen;
    libxl_asyncop_how how = event_how(1);
    libxl_event_register_callbacks(ctx, &hooks, &hook_user);
    say("pause %d", libxl_domain_pause(ctx, domid, &how));
    check_event(LIBXL_EVENTMASK_ALL, NULL, NULL);
    say("enable %d", libxl_evenable_domain_death(ctx, domid, 2, &evgen));
    domain_xl("destroy", domid);
    wait_event(LIBXL_EVENTMASK_ALL, domid);
    libxl_event_register_callbacks(ctx, NULL, NULL);
    libxl_evdisable_domain_death(ctx, evgen);
}

void fd_register_refuses(void)
{
    uint32_t domid = domain_new("b");
    libxl_asyncop_how how = event_how(1);
    libxl_osevent_register_hooks(ctx, &loop_hooks, NULL);
    loop_refusal = -77;
    say("shutdown %d", libxl_domain_shutdown(ctx, domid, &how));
    check_event(LIBXL_EVENTMASK_ALL, NULL, NULL);
}

void application_loop(void)
{
    uint32_t domid = domain_new("l");
    libxl_event *event = NULL;
    libxl_asyncop_how how = event_how(4);
    libxl_osevent_register_hooks(ctx, &loop_hooks, NULL);
    domain_listens(domid);
    say("shutdown %d", libxl_domain_shutdown(ctx, domid, &how));
    while (libxl_event_check(ctx, &event, MASK(OPERATION_COMPLETE), NULL, NULL))
        loop_step(ctx);
    say_event(event, domid);
    libxl_event_free(ctx, event);
}

void application_loop_and_abort(void)
{
    uint32_t domid = domain_new("b");
    libxl_event *event = NULL;
    libxl_asyncop_how how = event_how(4);
    libxl_osevent_register_hooks(ctx, &loop_hooks, NULL);
    domain_xl("unpause", domid);
    say("shutdown %d", libxl_domain_shutdown(ctx, domid, &how));
    for (int i = 0; i < 2; i++)
        say("abort %d", libxl_ao_abort(ctx, &how));
    while (libxl_event_check(ctx, &event, MASK(OPERATION_COMPLETE), NULL, NULL))
        loop_step(ctx);
    say_event(event, domid);
    libxl_event_free(ctx, event);
}

void children(void)
{
    static const libxl_childproc_hooks hooks = {.chldowner = libxl_sigchld_owner_mainloop};
    libxl_childproc_setmode(ctx, &hooks, NULL);
    say("reaped an unknown child: %s",
        libxl_childproc_reaped(ctx, 1, 0) == ERROR_UNKNOWN_CHILD ? "unknown" : "?");
    libxl_childproc_sigchld_occurred(ctx);
    say("ERROR_UNKNOWN_CHILD is %d", ERROR_UNKNOWN_CHILD);
}
