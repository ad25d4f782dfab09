/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sequences of calls that print one line for each result. sequence_loops.c has the sequences with event
 * loops. The program is compiled against Debian's libxl and against this library, and test_differential.py
 * compares the output. `sequence NAME` runs one sequence. `sequence` prints the names.
 *
 * No sequence depends on the order of independent events, because a sequence awaits each event separately.
 */
#include <libxl.h>

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "domain.h"
#include "sequence.h"

enum { NOBODY = 32000 }; /* A domid that no domain has. */

libxl_ctx *ctx;

libxl_asyncop_how event_how(uint64_t user)
{
    return (libxl_asyncop_how){.u.for_event = user};
}

void say_event(const libxl_event *event, uint32_t domid)
{
    if (event->type == LIBXL_EVENT_TYPE_OPERATION_COMPLETE)
        say("  completed %d, user %llx", event->u.operation_complete.rc, (unsigned long long)event->for_user);
    else if (event->type == LIBXL_EVENT_TYPE_DOMAIN_SHUTDOWN)
        say("  shutdown for %u, user %llx, domain %s", event->u.domain_shutdown.shutdown_reason,
            (unsigned long long)event->for_user, event->domid == domid ? "right" : "wrong");
    else
        say("  event %d, user %llx, domain %s", event->type, (unsigned long long)event->for_user,
            event->domid == domid ? "right" : "wrong");
}

void wait_event(uint64_t mask, uint32_t domid)
{
    libxl_event *event = NULL;
    int rc = libxl_event_wait(ctx, &event, mask, NULL, NULL);
    if (rc)
        say("  wait %d", rc);
    else
        say_event(event, domid);
    if (event)
        libxl_event_free(ctx, event);
}

void check_event(uint64_t mask, libxl_event_predicate *predicate, void *user)
{
    libxl_event *event = NULL;
    int rc = libxl_event_check(ctx, &event, mask, predicate, user);
    say("check %d", rc);
    if (!rc) {
        say_event(event, 0);
        libxl_event_free(ctx, event);
    }
}

/* ---- operations */

static void instant_synchronous(void)
{
    uint32_t domid = domain_new("b");
    say("unpause %d", libxl_domain_unpause(ctx, domid, NULL));
    say("pause %d", libxl_domain_pause(ctx, domid, NULL));
    say("pause again %d", libxl_domain_pause(ctx, domid, NULL));
    say("unpause %d", libxl_domain_unpause(ctx, domid, NULL));
    say("unpause %d", libxl_domain_unpause(ctx, domid, NULL));
    say("unpause a running domain %d", libxl_domain_unpause(ctx, domid, NULL));
}

static int calls;

static void called(libxl_ctx *in, int rc, void *user)
{
    say("  callback %d, user %s, context %s", rc, user == &calls ? "right" : "wrong",
        in == ctx ? "right" : "wrong");
    calls++;
}

static void instant_callback(void)
{
    uint32_t domid = domain_new("b");
    libxl_asyncop_how how = {.callback = called, .u.for_callback = &calls};
    say("pause %d", libxl_domain_pause(ctx, domid, &how));
    say("calls: %d", calls);
    check_event(LIBXL_EVENTMASK_ALL, NULL, NULL);
}

static void instant_event(void)
{
    uint32_t domid = domain_new("b");
    libxl_asyncop_how how = event_how(0x1234567890abcdef);
    say("pause %d", libxl_domain_pause(ctx, domid, &how));
    memset(&how, 0xff, sizeof(how)); /* The library must have copied `how`. */
    check_event(LIBXL_EVENTMASK_ALL, NULL, NULL);
    check_event(LIBXL_EVENTMASK_ALL, NULL, NULL);
}

static int has_user(const libxl_event *event, void *user)
{
    return event->for_user == *(const uint64_t *)user;
}

static void masks_and_predicates(void)
{
    uint32_t domid = domain_new("b");
    uint64_t second = 2;
    for (uint64_t user = 1; user <= 3; user++) {
        libxl_asyncop_how how = event_how(user);
        say("pause %d", libxl_domain_pause(ctx, domid, &how));
    }
    check_event(MASK(DOMAIN_DEATH), NULL, NULL);
    check_event(LIBXL_EVENTMASK_ALL, has_user, &second);
    check_event(LIBXL_EVENTMASK_ALL, has_user, &second);
    check_event(MASK(OPERATION_COMPLETE), NULL, NULL);
    check_event(LIBXL_EVENTMASK_ALL, NULL, NULL);
}

static void again(libxl_ctx *in, int rc, void *user)
{
    uint32_t domid = *(uint32_t *)user;
    say("  callback %d", rc);
    say("  from the callback: pause %d", libxl_domain_pause(in, domid, NULL));
    libxl_asyncop_how how = event_how(7);
    say("  from the callback: unpause %d", libxl_domain_unpause(in, domid, &how));
}

static void call_from_a_callback(void)
{
    uint32_t domid = domain_new("b");
    libxl_asyncop_how how = {.callback = again, .u.for_callback = &domid};
    say("pause %d", libxl_domain_pause(ctx, domid, &how));
    wait_event(LIBXL_EVENTMASK_ALL, domid);
}

static void no_such_domain(void)
{
    libxl_asyncop_how how = event_how(1);
    say("pause %d", libxl_domain_pause(ctx, NOBODY, NULL));
    say("unpause %d", libxl_domain_unpause(ctx, NOBODY, NULL));
    say("shutdown %d", libxl_domain_shutdown(ctx, NOBODY, NULL));
    say("reboot %d", libxl_domain_reboot(ctx, NOBODY, NULL));
    say("destroy %d", libxl_domain_destroy(ctx, NOBODY, NULL));
    say("shutdown, asynchronously %d", libxl_domain_shutdown(ctx, NOBODY, &how));
    check_event(LIBXL_EVENTMASK_ALL, NULL, NULL);
}

static void destroyed_twice(void)
{
    uint32_t domid = domain_new("b");
    libxl_asyncop_how how = event_how(1);
    say("destroy %d", libxl_domain_destroy(ctx, domid, &how));
    wait_event(LIBXL_EVENTMASK_ALL, domid);
    domain_gone(domid); /* libxl's destruction completes while the domain is still dying. */
    say("destroy %d", libxl_domain_destroy(ctx, domid, NULL));
}

/* The destroyed domain keeps dying for half a second. */
static void destroyed_and_gone(void)
{
    uint32_t domid = domain_new("b");
    libxl_dominfo info;
    libxl_dominfo_init(&info);
    domain_dies_slowly(domid);
    say("destroy %d", libxl_domain_destroy(ctx, domid, NULL));
    say("it still exists: %s", libxl_domain_info(ctx, &info, domid) ? "no" : "yes");
    libxl_dominfo_dispose(&info);
}

static void shut_down(void)
{
    uint32_t domid = domain_new("l");
    libxl_evgen_domain_death *evgen;
    libxl_asyncop_how how = event_how(2);
    domain_listens(domid);
    say("enable %d", libxl_evenable_domain_death(ctx, domid, 1, &evgen));
    say("shutdown %d", libxl_domain_shutdown(ctx, domid, &how));
    wait_event(MASK(OPERATION_COMPLETE), domid);
    wait_event(MASK(DOMAIN_SHUTDOWN), domid);
    libxl_evdisable_domain_death(ctx, evgen);
}

static void rebooted(void)
{
    uint32_t domid = domain_new("l");
    libxl_evgen_domain_death *evgen;
    domain_listens(domid);
    say("enable %d", libxl_evenable_domain_death(ctx, domid, 1, &evgen));
    say("reboot %d", libxl_domain_reboot(ctx, domid, NULL));
    wait_event(MASK(DOMAIN_SHUTDOWN), domid);
    say("destroy %d", libxl_domain_destroy(ctx, domid, NULL));
    wait_event(MASK(DOMAIN_DEATH), domid);
    check_event(LIBXL_EVENTMASK_ALL, NULL, NULL);
}

static void aborted(void)
{
    uint32_t domid = domain_new("b");
    libxl_asyncop_how how = event_how(5), other = event_how(6);
    domain_xl("unpause", domid);
    say("abort before the start %d", libxl_ao_abort(ctx, &how));
    say("shutdown %d", libxl_domain_shutdown(ctx, domid, &how));
    check_event(LIBXL_EVENTMASK_ALL, NULL, NULL);
    say("abort of another %d", libxl_ao_abort(ctx, &other));
    say("abort %d", libxl_ao_abort(ctx, &how));
    wait_event(LIBXL_EVENTMASK_ALL, domid);
    say("abort after the end %d", libxl_ao_abort(ctx, &how));
    check_event(LIBXL_EVENTMASK_ALL, NULL, NULL);
}

/* ---- events of domains */

static void lifecycle_of(const char *command_line)
{
    uint32_t domid = domain_new(command_line);
    libxl_evgen_domain_death *evgen;
    say("enable %d", libxl_evenable_domain_death(ctx, domid, 0xabc, &evgen));
    domain_xl("unpause", domid);
    wait_event(LIBXL_EVENTMASK_ALL, domid);
    domain_xl("destroy", domid);
    wait_event(LIBXL_EVENTMASK_ALL, domid);
    libxl_evdisable_domain_death(ctx, evgen);
    check_event(LIBXL_EVENTMASK_ALL, NULL, NULL);
}

static void lifecycle_with_poweroff(void)
{
    lifecycle_of("p");
}

static void lifecycle_with_crash(void)
{
    lifecycle_of("c");
}

static void destroyed_while_running(void)
{
    uint32_t domid = domain_new("b");
    libxl_evgen_domain_death *evgen;
    domain_xl("unpause", domid);
    say("enable %d", libxl_evenable_domain_death(ctx, domid, 1, &evgen));
    domain_xl("destroy", domid);
    wait_event(LIBXL_EVENTMASK_ALL, domid);
}

static void two_generators_for_one_domain(void)
{
    uint32_t domid = domain_new("b");
    libxl_evgen_domain_death *first, *second;
    say("enable %d", libxl_evenable_domain_death(ctx, domid, 1, &first));
    say("enable %d", libxl_evenable_domain_death(ctx, domid, 2, &second));
    libxl_evdisable_domain_death(ctx, first);
    domain_xl("destroy", domid);
    wait_event(LIBXL_EVENTMASK_ALL, domid);
    libxl_evdisable_domain_death(ctx, second);
}

static void enabled_after_the_shutdown(void)
{
    uint32_t domid = domain_new("p");
    libxl_evgen_domain_death *evgen;
    domain_xl("unpause", domid);
    usleep(500000);
    say("enable after the shutdown %d", libxl_evenable_domain_death(ctx, domid, 1, &evgen));
    wait_event(LIBXL_EVENTMASK_ALL, domid);
}

static void eject_without_a_disk(void)
{
    uint32_t domid = domain_new("b");
    libxl_evgen_disk_eject *evgen = NULL;
    say("enable %d", libxl_evenable_disk_eject(ctx, domid, "xvda", 1, &evgen));
    check_event(LIBXL_EVENTMASK_ALL, NULL, NULL);
    libxl_evdisable_disk_eject(ctx, evgen);
}

/* ---- threads, closing */

static volatile bool woken;

static void *wait_on_a_thread(void *user)
{
    libxl_event *event = NULL;
    (void)user;
    int rc = libxl_event_wait(ctx, &event, LIBXL_EVENTMASK_ALL, NULL, NULL);
    woken = !rc;
    return NULL;
}

static void event_of_another_thread(void)
{
    uint32_t domid = domain_new("b");
    libxl_asyncop_how how = event_how(1);
    pthread_t thread;
    pthread_create(&thread, NULL, wait_on_a_thread, NULL);
    usleep(300000);
    say("pause %d", libxl_domain_pause(ctx, domid, &how));
    usleep(700000);
    say("the waiting thread %s", woken ? "wakes" : "does not wake");
    domains_end();
    _exit(0); /* The thread may sleep for ever, so the process does not wait for it. */
}

static void closed_with_an_event_queued(void)
{
    uint32_t domid = domain_new("b");
    libxl_asyncop_how how = event_how(1);
    say("pause %d", libxl_domain_pause(ctx, domid, &how));
    say("close %d", libxl_ctx_free(ctx));
    ctx = NULL;
}

/* ---- */

#define ROW(name)                                                                                            \
    {                                                                                                        \
#name, name, "pv"                                                                                    \
    }
static const struct {
    const char *name;
    void (*run)(void);
    const char *type; /* The type of the sequence's domains. */
} table[] = {
    ROW(instant_synchronous),
    ROW(instant_callback),
    ROW(instant_event),
    ROW(masks_and_predicates),
    ROW(call_from_a_callback),
    ROW(no_such_domain),
    ROW(destroyed_twice),
    ROW(destroyed_and_gone),
    ROW(shut_down),
    ROW(rebooted),
    ROW(aborted),
    ROW(lifecycle_with_poweroff),
    ROW(lifecycle_with_crash),
    ROW(destroyed_while_running),
    ROW(two_generators_for_one_domain),
    ROW(enabled_after_the_shutdown),
    ROW(eject_without_a_disk),
    ROW(poll_loop),
    ROW(event_hook),
    ROW(fd_register_refuses),
    ROW(application_loop),
    ROW(application_loop_and_abort),
    ROW(children),
    ROW(event_of_another_thread),
    ROW(closed_with_an_event_queued),
    {"shut_down@pvh", shut_down, "pvh"},
    {"rebooted@pvh", rebooted, "pvh"},
    {"aborted@pvh", aborted, "pvh"},
    {"destroyed_and_gone@pvh", destroyed_and_gone, "pvh"},
    {"lifecycle_with_poweroff@pvh", lifecycle_with_poweroff, "pvh"},
    {"lifecycle_with_crash@pvh", lifecycle_with_crash, "pvh"},
    {"destroyed_while_running@pvh", destroyed_while_running, "pvh"},
};

int main(int argc, char **argv)
{
    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
        if (argc < 2)
            puts(table[i].name);
        if (argc < 2 || strcmp(argv[1], table[i].name) != 0)
            continue;
        xentoollog_logger *logger =
            (xentoollog_logger *)xtl_createlogger_stdiostream(stderr, XTL_CRITICAL, 0);
        say("open %d", libxl_ctx_alloc(&ctx, LIBXL_VERSION, 0, logger));
        domains_use_type(table[i].type);
        table[i].run();
        if (ctx)
            say("close %d", libxl_ctx_free(ctx));
        xtl_logger_destroy(logger);
        domains_end();
        return 0;
    }
    return argc > 1;
}
