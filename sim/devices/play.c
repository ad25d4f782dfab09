/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The main loop of aioxen-sim-devices, and the function for one turn of the main loop (play_turn), which
 * aioxen-sim-qemu also calls. Devices are found by watches on the directories of the backends. devices.h describes
 * the lock.
 */
#include "devices.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* The number of components of /local/domain/B/backend/KIND/GUEST/NUMBER. */
#define DEVICE_LEVEL 7

static const char of_backends[] = "";
/* For each domid: the serial of the driver domain whose backends are watched; 0: no backends are watched. */
static uint64_t watched[DOMID_FIRST_RESERVED];

/*
 * Returns the length of the first `level` components of a path. Returns 0 if the path has fewer components.
 */
static size_t prefix_length(const char *path, int level)
{
    const char *at = path;
    for (; level && *at; level--)
        at += 1 + strcspn(at + 1, "/");
    return level ? 0 : (size_t)(at - path);
}

/* Finds the devices at or below a directory. */
static void discover(const char *path)
{
    unsigned int count = 0;
    char below[PATH_SIZE];
    if (prefix_length(path, DEVICE_LEVEL)) {
        device_found(path);
        return;
    }
    char **names = xs_directory(store, XBT_NULL, path, &count);
    for (unsigned int i = 0; i < count; i++)
        if (snprintf(below, sizeof below, "%s/%s", path, names[i]) < PATH_SIZE)
            discover(below);
    free(names);
}

static bool refresh(struct device *d)
{
    device_refresh(d, "state");
    return false;
}

static void look_at_backend(const char *path)
{
    char dir[PATH_SIZE];
    const size_t length = prefix_length(path, DEVICE_LEVEL);
    if (!length) {
        /*
         * The device may be one of several whose directories were removed together, so all devices are read
         * again.
         */
        devices_visit(refresh);
        discover(path);
        return;
    }
    if (length >= sizeof dir)
        return;
    snprintf(dir, sizeof dir, "%.*s", (int)length, path);
    struct device *d = device_find(dir);
    if (!d)
        device_found(dir);
    else
        device_refresh(d, path[length] ? path + length + 1 : "state");
}

static void look_at_frontend(const char *backend)
{
    struct device *d = device_find(backend);
    if (d)
        device_refresh(d, "/frontend");
}

static void take_events(void)
{
    char **event;
    while ((event = xs_check_watch(store))) {
        if (event[XS_WATCH_TOKEN][0])
            look_at_frontend(event[XS_WATCH_TOKEN]);
        else
            look_at_backend(event[XS_WATCH_PATH]);
        free(event);
    }
    if (errno != EAGAIN)
        exit(EXIT_FAILURE); /* the connection is lost, because xenstored has ended */
}

void play_watch(uint32_t domid, bool (*wants)(const struct kind *k), const char *below)
{
    char path[PATH_SIZE];
    for (const struct kind *k = kinds; k->name; k++) {
        if (!wants(k))
            continue;
        snprintf(path, sizeof path, "/local/domain/%u/backend/%s%s", domid, k->name, below);
        xs_watch(store, path, of_backends);
    }
}

void play_turn(device_visitor *step)
{
    take_events();
    waiting = false;
    devices_visit(step);
    devices_forget_gone();
}

static bool any(const struct kind *k)
{
    (void)k;
    return true;
}

/*
 * Returns true for all kinds except consoles. xenconsoled serves the first console of each domain, so
 * consoles in domain 0 are not simulated.
 */
static bool any_but_consoles(const struct kind *k)
{
    return strcmp(k->name, "console") != 0;
}

static void find_driver_domains(void)
{
    bool found[DOMID_FIRST_RESERVED] = {0};
    machine_lock();
    for (uint32_t domid = 1; domid <= machine->top_domid; domid++) {
        const struct domain *d = domain_get(domid);
        if (!d || !d->driver || watched[domid] == d->serial)
            continue;
        found[domid] = true;
        watched[domid] = d->serial;
    }
    machine_unlock();
    for (uint32_t domid = 1; domid < DOMID_FIRST_RESERVED; domid++)
        if (found[domid])
            play_watch(domid, any, "");
}

/*
 * Waits for an event of xenstored or for a signal. If a driver is waiting, waits for at most LOOK_AGAIN_MS.
 */
static bool wait(const sigset_t *mask)
{
    struct pollfd event = {.fd = xs_fileno(store), .events = POLLIN};
    const struct timespec limit = {.tv_nsec = LOOK_AGAIN_MS * 1000000};
    return ppoll(&event, 1, waiting ? &limit : NULL, mask) < 0;
}

/*
 * Makes a step of the device's backend, or of its frontend. This program simulates a backend of QEMU only if it also
 * simulates the hotplug daemon that would start QEMU. Otherwise aioxen-sim-qemu simulates this backend.
 */
static bool step(struct device *d)
{
    return ((!d->kind->qemu || d->with_daemon) && backend_step(d)) || frontend_step(d);
}

static void on_signal(int number)
{
    (void)number; /* the handler does nothing, because the signal itself interrupts ppoll */
}

void play_kernels(void)
{
    sigset_t blocked, open;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    sigprocmask(SIG_BLOCK, &blocked, &open);
    sigdelset(&open, SIGUSR1);
    signal(SIGUSR1, on_signal);
    machine_lock();
    machine->devices = getpid();
    machine_unlock();
    play_watch(0, any_but_consoles, "");
    find_driver_domains();
    for (;;) {
        if (wait(&open))
            find_driver_domains();
        play_turn(step);
    }
}
