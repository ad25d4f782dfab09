/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Simulates the drivers of frontends, in all running guests. devices.h describes the lock. */
#include "devices.h"

#include <stdio.h>
#include <string.h>

#define MS_NS      1000000ull
#define NR_HOSTILE 500

/*
 * Returns the frontend's next state, which depends on the backend's state. Returns 0 if the frontend's state
 * does not change.
 */
static int wanted_state(const struct device *d)
{
    const int front = d->states[FRONTEND];
    if (!front || front == XenbusStateClosed)
        return 0;
    switch (d->states[BACKEND]) {
    case XenbusStateInitialised:
    case XenbusStateInitWait: return front == XenbusStateInitialising ? d->kind->rings : 0;
    case XenbusStateConnected: return front == XenbusStateInitialised ? XenbusStateConnected : 0;
    case XenbusStateReconfiguring: return front == XenbusStateConnected ? XenbusStateReconfiguring : 0;
    case XenbusStateReconfigured: return front == XenbusStateReconfiguring ? XenbusStateConnected : 0;
    case XenbusStateClosing:
    case XenbusStateClosed: return XenbusStateClosed;
    default: return 0;
    }
}

/* Writes hostile values into the frontend's state node, and then the real state. */
static bool write_nonsense(struct device *d, uint32_t count)
{
    char path[PATH_SIZE + 32], value[HOSTILE_SIZE];
    d->reported[FRONTEND] = d->states[BACKEND];
    snprintf(path, sizeof path, "%s/state", d->frontend);
    for (uint32_t i = 0; i < count; i++) {
        const size_t size = hostile_value(i, value);
        if (!store_write(path, path, value, size))
            return false;
    }
    return device_switch(d, FRONTEND, d->states[FRONTEND], NULL);
}

/*
 * Simulates a guest that refuses to release the device for `ms` milliseconds; 0: for ever. Returns whether
 * the guest still refuses.
 */
static bool refuse(struct device *d, uint32_t ms)
{
    if (d->reported[FRONTEND] != XenbusStateClosing) {
        d->reported[FRONTEND] = XenbusStateClosing;
        device_fail(d, FRONTEND, "16 Device in use; refusing to close");
        d->due_ns[FRONTEND] = ms ? now_ns() + ms * MS_NS : UINT64_MAX;
    }
    return now_ns() < d->due_ns[FRONTEND];
}

static bool remove_directory(struct device *d)
{
    store_remove(d->frontend);
    d->states[FRONTEND] = 0;
    return true;
}

/* Returns whether the guest has a driver for devices of this kind. */
static bool has_driver(const struct device *d)
{
    if (!d->kind->reconfigures)
        return true;
    machine_lock();
    const struct domain *guest = domain_get(d->guest);
    const bool pv = guest && !domain_is_hvm(guest);
    machine_unlock();
    return pv;
}

bool frontend_step(struct device *d)
{
    struct behaviour b;
    const int wanted = has_driver(d) ? wanted_state(d) : 0, back = d->states[BACKEND];
    if (!wanted || !device_may_step(d, FRONTEND, &b))
        return false;
    const bool starts = back == XenbusStateInitWait || back == XenbusStateInitialised,
               ends = back == XenbusStateClosing;
    if (b.conduct == NONSENSE && d->reported[FRONTEND] != back)
        return write_nonsense(d, b.amount ? b.amount : NR_HOSTILE);
    if ((b.conduct == DELETES && ends) || (b.conduct == DELETES_EARLY && starts))
        return remove_directory(d);
    if (b.conduct == FAILS && starts)
        return device_fail(d, FRONTEND, b.text[0] ? b.text : "12 allocating the rings");
    if (b.conduct == REFUSES && ends && refuse(d, b.amount)) {
        waiting = true;
        return false;
    }
    return device_switch(d, FRONTEND, wanted, starts ? d->kind->offers : NULL);
}
