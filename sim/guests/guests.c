/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Simulates all guests. guests.h describes their command lines, the lock and lifetimes. */
#include "guests.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <xen/sched.h>

#define NEVER        UINT64_MAX
#define TENTH_S      100000000ull
#define WRITES_NS    10000000ull
#define NO_GUEST     NULL
#define NANOSECOND_S 1000000000ull

struct guest {
    uint64_t serial;      /* the serial of the guest's domain */
    uint32_t soft_resets; /* the number of soft resets of the domain when the guest began */
    uint64_t deadline;
    uint64_t next_write; /* NEVER: the guest writes into no pages */
    uint32_t writes;
    uint32_t channel;  /* the port of the channel by which the guest is asked to suspend itself; 0: none */
    bool ordered;      /* the channel was notified, so the guest was asked to suspend itself */
    bool mute, floods; /* what the guest does when the channel is notified: see guests.h */
    bool suspended;    /* pv_continue() has to be called when the guest runs again */
    char action;
    struct ring ring;
    struct console console;
};

static struct guest *guests[DOMID_FIRST_RESERVED];
static uint64_t next_deadline = NEVER;
static uint16_t player;
static int events_fd;

/*
 * Finds WORD or WORD=VALUE among the words of a command line. Copies VALUE. Returns whether the word was
 * found.
 */
static bool find_word(const char *line, const char *word, char *value, size_t size)
{
    const size_t length = strlen(word);
    while ((line = strchr(line, ' '))) {
        line++;
        if (strncmp(line, word, length) || !strchr("= ", line[length]))
            continue;
        line += length + (line[length] == '=');
        snprintf(value, size, "%.*s", (int)strcspn(line, " "), line);
        return true;
    }
    return false;
}

/* Sets the behaviours of the guest's drivers that the command line names. */
static void announce(struct domain *d, const char *line)
{
    char domid[8], what[64];
    struct behaviour b;
    snprintf(domid, sizeof domid, "%u", d->domid);
    if (find_word(line, "frontend", what, sizeof what) && !behaviour_parse(FRONTEND, domid, what, &b))
        behaviour_set(&b);
    if (find_word(line, "driver", what, sizeof what))
        d->driver = strcmp(what, "kernel") ? DRIVER_WITH_DAEMON : DRIVER_KERNEL;
    if (d->driver && machine->devices)
        kill(machine->devices, SIGUSR1);
}

/* If the command line has the word dirty, starts to write into pages. */
static void begin_writing(struct guest *g, struct domain *d, const char *line)
{
    char value[16], text[64];
    g->next_write = NEVER;
    if (!find_word(line, "dirty", value, sizeof value))
        return;
    g->writes = (uint32_t)strtoul(value, NULL, 10);
    g->next_write = now_ns();
    if (dirty_check(d, text))
        console_write(&g->console, d, text);
}

/*
 * If the command line has the word suspend-channel, allocates the channel by which the guest is asked to suspend
 * itself.
 */
static void offer_channel(struct guest *g, struct domain *d, const char *line)
{
    char value[sizeof g->ring.channel] = "";
    if (!find_word(line, "suspend-channel", value, sizeof value))
        return;
    g->mute = !strcmp(value, "mute");
    g->floods = !strcmp(value, "flood");
    if (*value && !g->mute && !g->floods) {
        snprintf(g->ring.channel, sizeof g->ring.channel, "%s", value);
        return;
    }
    const int port = channel_alloc(d->domid);
    if (port < 0)
        return;
    *channel_get(d->domid, (uint32_t)port) =
        (struct channel){.state = CHANNEL_UNBOUND, .remote_domid = 0, .listener = player};
    g->channel = (uint32_t)port;
    g->ring.by_channel = true;
    snprintf(g->ring.channel, sizeof g->ring.channel, "%d", port);
}

static struct guest *begin(struct domain *d)
{
    struct boot_info info;
    struct guest *g = calloc(1, sizeof *g);
    if (!g)
        return NO_GUEST;
    bool boots = boot_read(d, &info);
    for (uint32_t i = 0; i < d->soft_resets && info.command_line[0] == 'k'; i++)
        memmove(info.command_line, info.command_line + 1, sizeof info.command_line - 1);
    g->serial = d->serial;
    g->soft_resets = d->soft_resets;
    g->deadline = NEVER;
    g->action = boots ? info.command_line[0] : 'c';
    announce(d, info.command_line);
    g->ring = (struct ring){.port = info.store_port, .store_frame = info.store_frame};
    if (boots)
        offer_channel(g, d, info.command_line);
    if (boots && !domain_is_hvm(d))
        pv_publish_frames(d);
    if (boots)
        console_open(&g->console, d, player, &info);
    begin_writing(g, d, info.command_line);
    if (info.command_line[1] >= '0' && info.command_line[1] <= '9')
        g->deadline = now_ns() + (info.command_line[1] - '0') * TENTH_S;
    return g;
}

static void end(uint32_t domid)
{
    ring_close(&guests[domid]->ring);
    console_close(&guests[domid]->console);
    free(guests[domid]);
    guests[domid] = NO_GUEST;
}

/* Connects the guest to xenstored again. Called after a suspension that the toolstack has not cancelled. */
static void connect_anew(struct guest *g, struct domain *d)
{
    struct boot_info info;
    ring_close(&g->ring);
    if (!boot_read(d, &info))
        return;
    g->ring = (struct ring){.port = info.store_port, .store_frame = info.store_frame};
    offer_channel(g, d, info.command_line);
}

static void listen(struct guest *g, struct domain *d)
{
    if (!g->ring.page && !ring_open(&g->ring, d, player))
        return;
    int order = ring_step(&g->ring, d);
    if (g->ordered && g->floods)
        channel_notify(d->domid, g->channel);
    else if (g->ordered && !g->mute && order == NO_ORDER)
        order = SHUTDOWN_suspend;
    g->ordered = g->ordered && g->floods;
    if (order == SHUTDOWN_suspend && !domain_is_hvm(d)) {
        pv_suspend(d);
        g->suspended = true;
    }
    if (order != NO_ORDER)
        domain_shutdown(d, order);
}

static bool is_over(const struct guest *g)
{
    if (g->deadline < next_deadline)
        next_deadline = g->deadline;
    return g->deadline <= now_ns();
}

static void write_if_due(struct guest *g, struct domain *d)
{
    const uint64_t now = now_ns();
    if (g->next_write <= now) {
        dirty_write(d, g->writes);
        g->next_write = now + WRITES_NS;
    }
    if (g->next_write < next_deadline)
        next_deadline = g->next_write;
}

static void step(struct guest *g, struct domain *d)
{
    if (g->suspended && !pv_continue(d))
        connect_anew(g, d);
    g->suspended = false;
    console_step(&g->console, d);
    write_if_due(g, d);
    switch (g->action) {
    case 'r': domain_shutdown(d, SHUTDOWN_reboot); break;
    case 'c': domain_shutdown(d, SHUTDOWN_crash); break;
    case 'k': domain_shutdown(d, SHUTDOWN_soft_reset); break;
    case 'b': break;
    case 's': domain_run(d, true); break;
    case 'l':
        listen(g, d);
        if (is_over(g))
            domain_shutdown(d, SHUTDOWN_poweroff);
        break;
    case 'd':
        if (g->deadline != NEVER && !is_over(g))
            break;
        /* fall through */
    default: domain_shutdown(d, SHUTDOWN_poweroff);
    }
}

/* Examines a domain that has changed. Starts the guest, makes one step of the guest, or ends the guest. */
static void look_at(uint32_t domid)
{
    struct domain *d = domain_get(domid);
    struct guest *g = guests[domid];
    if (g && (!d || d->serial != g->serial || d->soft_resets != g->soft_resets || d->state != DOMAIN_ALIVE)) {
        end(domid);
        g = NO_GUEST;
    }
    if (!d || !domain_runs(d))
        return;
    if (!g)
        g = guests[domid] = begin(d);
    if (g)
        step(g, d);
}

static void look_at_deadlines(void)
{
    uint64_t now = now_ns();
    if (now < next_deadline)
        return;
    next_deadline = NEVER;
    for (uint32_t domid = 1; domid <= machine->top_domid; domid++)
        if (guests[domid] && (guests[domid]->deadline != NEVER || guests[domid]->next_write != NEVER))
            look_at(domid);
}

bool guests_attach(void)
{
    machine_lock();
    events_fd = listener_open(true, &player);
    machine->player = player;
    machine_unlock();
    return events_fd >= 0;
}

static void wait(void)
{
    struct pollfd event = {.fd = events_fd, .events = POLLIN};
    uint64_t now = now_ns(), left = next_deadline > now ? next_deadline - now : 0;
    struct timespec limit = {.tv_sec = left / NANOSECOND_S, .tv_nsec = left % NANOSECOND_S};
    ppoll(&event, 1, next_deadline == NEVER ? NULL : &limit, NULL);
}

void guests_play(void)
{
    for (;;) {
        uint32_t domid, port;
        wait();
        machine_lock();
        bool found = listener_pop(player, events_fd, &domid, &port);
        if (found) {
            if (port)
                channel_unmask(domid, port);
            if (port && guests[domid] && guests[domid]->channel == port)
                guests[domid]->ordered = true;
            look_at(domid);
        }
        look_at_deadlines();
        machine_unlock();
    }
}
