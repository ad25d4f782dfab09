/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Simulates the drivers of backends: Linux's drivers in domain 0 and in driver domains, the hotplug daemon of
 * a driver domain, and QEMU. devices.h describes the lock.
 */
#include "devices.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * The time that a hotplug script of a driver domain takes, in ms. The time must be so long that libxl finds
 * the backend in state 2. If libxl does not find this state, it gives up.
 */
#define SCRIPT_MS 100

static bool is_connectable(const struct device *d)
{
    const int front = d->states[FRONTEND];
    return (front == d->kind->rings || front == XenbusStateConnected) &&
           (!d->kind->physical || d->physical[0]) && (!d->kind->hotplug || d->plugged);
}

/*
 * Returns the backend's next state, which depends on the frontend's state. Returns 0 if the backend's state
 * does not change.
 */
static int wanted_state(const struct device *d)
{
    const int front = d->states[FRONTEND];
    const bool closed = front == XenbusStateClosed, gone = !front;
    const bool stays = gone && d->kind->stays_closing && !d->served;
    switch (d->states[BACKEND]) {
    case XenbusStateInitialising: return d->kind->reconfigures ? XenbusStateInitialised : XenbusStateInitWait;
    case XenbusStateReconfiguring:
        if (front == XenbusStateReconfiguring)
            return XenbusStateReconfigured;
        return front == XenbusStateClosing || closed || gone ? XenbusStateClosed : 0;
    case XenbusStateReconfigured:
        return front == XenbusStateConnected ? XenbusStateConnected : closed || gone ? XenbusStateClosed : 0;
    case XenbusStateInitialised:
    case XenbusStateInitWait:
        if (is_connectable(d))
            return XenbusStateConnected;
        /* fall through */
    case XenbusStateConnected:
        if (front == XenbusStateClosing || stays)
            return XenbusStateClosing;
        return closed || gone ? XenbusStateClosed : 0;
    case XenbusStateClosing: return closed || (gone && !stays) ? XenbusStateClosed : 0;
    case XenbusStateClosed: return d->online && front == XenbusStateInitialising ? XenbusStateInitWait : 0;
    default: return 0;
    }
}

static bool is_number(const char *physical)
{
    unsigned int major, minor;
    int end = 0;
    return sscanf(physical, "%x:%x%n", &major, &minor, &end) == 2 && !physical[end] && major;
}

/* If the driver cannot serve the device, returns the error message that the driver writes. Otherwise returns NULL. */
static const char *trouble(const struct device *d, const struct behaviour *b)
{
    const bool looks = d->kind->physical ? d->states[BACKEND] == XenbusStateInitWait && d->physical[0]
                                         : d->states[BACKEND] == XenbusStateInitialising ||
                                               d->states[BACKEND] == XenbusStateReconfiguring;
    if (!looks)
        return NULL;
    if (b->conduct == FAILS)
        return b->text[0] ? b->text : d->kind->fatal;
    return d->kind->physical && !is_number(d->physical) ? d->kind->fatal : NULL;
}

/* Simulates that domain 0's kernel opens the block device of a disk. */
static void open_disk(struct device *d)
{
    if (d->opened || d->with_daemon || !d->kind->physical)
        return;
    d->loop_fd = host_disk_opened(d->guest, d->number, d->physical);
    d->opened = true;
}

static void make_link(struct device *d)
{
    char name[LINK_NAME];
    if (d->link || d->with_daemon || !d->kind->hotplug)
        return;
    snprintf(name, sizeof name, "vif%u.%u", d->guest, d->number);
    machine_lock();
    if (!host_link_add(name, "vif"))
        d->link = host_link_find(name)->index;
    machine_unlock();
}

static void remove_link(struct device *d)
{
    machine_lock();
    struct link *link = host_link_by_index(d->link);
    if (link)
        host_link_delete(link);
    machine_unlock();
    d->link = 0;
}

void backend_release(struct device *d)
{
    if (d->opened)
        host_disk_closed(d->guest, d->number, d->loop_fd);
    d->opened = false;
    remove_link(d);
}

static bool takes_time(struct device *d)
{
    const bool takes = device_delay(d, BACKEND, SCRIPT_MS);
    waiting |= takes;
    return takes;
}

/* Simulates the hotplug daemon of a driver domain when a backend waits for a script. */
static bool run_script(struct device *d)
{
    char path[PATH_SIZE + 32];
    if (takes_time(d))
        return false;
    d->due_ns[BACKEND] = 0;
    d->scripted = true;
    if (d->kind->physical) {
        snprintf(path, sizeof path, "%s/physical-device", d->backend);
        store_write(d->backend, path, "7:0", 3);
    }
    snprintf(path, sizeof path, "%s/hotplug-status", d->backend);
    store_write(d->backend, path, "connected", 9);
    device_refresh(d, NULL);
    return true;
}

/*
 * Simulates the hotplug daemon of a driver domain when a backend has closed and will not open again. The
 * daemon runs a script and removes the backend's directory.
 */
static bool remove_directory(struct device *d)
{
    if (takes_time(d))
        return false;
    store_remove(d->backend);
    d->gone = true;
    return true;
}

/* Simulates that pciback takes over the PCI functions whose state node has the value Initialising. */
static void take_functions(const struct device *d)
{
    char path[PATH_SIZE + 32], value[32];
    snprintf(path, sizeof path, "%s/num_devs", d->backend);
    const int count = atoi(store_read(path, value, sizeof value));
    for (int i = 0; i < count && i < MAX_PCI; i++) {
        snprintf(path, sizeof path, "%s/state-%d", d->backend, i);
        if (strcmp(store_read(path, value, sizeof value), "1") != 0)
            continue;
        store_write(d->backend, path, "3", 1);
        snprintf(path, sizeof path, "%s/vdev-%d", d->backend, i);
        snprintf(value, sizeof value, "0000:00:%02x.0", i);
        store_write(d->backend, path, value, strlen(value));
    }
}

static bool carry_out(struct device *d, int wanted)
{
    char path[PATH_SIZE + 32];
    if (wanted == XenbusStateClosed && d->kind->hotplug) {
        snprintf(path, sizeof path, "%s/hotplug-status", d->backend);
        store_remove(path);
        d->plugged = false;
    }
    if (wanted == XenbusStateInitWait)
        make_link(d);
    if (wanted == XenbusStateInitialised || wanted == XenbusStateReconfigured)
        take_functions(d);
    if (wanted == XenbusStateClosed)
        backend_release(d);
    d->served = wanted == XenbusStateConnected || (d->served && wanted == XenbusStateClosing);
    return device_switch(d, BACKEND, wanted,
                         wanted == XenbusStateInitWait    ? d->kind->features
                         : wanted == XenbusStateConnected ? d->kind->details
                                                          : NULL);
}

bool backend_step(struct device *d)
{
    struct behaviour b;
    const int wanted = wanted_state(d);
    const bool script = d->with_daemon && !d->scripted && d->states[BACKEND] == XenbusStateInitWait &&
                        (d->kind->physical || d->kind->hotplug);
    const bool removal = d->with_daemon && !d->online && d->states[BACKEND] == XenbusStateClosed;
    const bool looks = d->states[BACKEND] == XenbusStateInitWait && d->physical[0];
    if (!(wanted || script || removal || looks) || !device_may_step(d, BACKEND, &b))
        return false;
    const char *words = trouble(d, &b);
    if (words)
        return device_fail(d, BACKEND, words);
    if (looks)
        open_disk(d);
    if (removal)
        return remove_directory(d);
    if (script)
        return run_script(d);
    return wanted && carry_out(d, wanted);
}
