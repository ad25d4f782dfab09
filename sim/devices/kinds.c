/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kinds of devices, and functions that backend.c and frontend.c share. devices.h describes the lock. */
#include "devices.h"

#include <stdio.h>
#include <string.h>

#define MS_NS 1000000ull

bool waiting;

static const struct offer of_disk[] = {
    {"ring-ref", "8"}, {"event-channel", "5"}, {"protocol", "x86_64-abi"}, {0}};
static const struct offer of_nic[] = {{"tx-ring-ref", "9"},
                                      {"rx-ring-ref", "10"},
                                      {"event-channel", "6"},
                                      {"request-rx-copy", "1"},
                                      {"feature-rx-notify", "1"},
                                      {"feature-sg", "1"},
                                      {0}};
static const struct offer of_screen[] = {
    {"page-ref", "11"}, {"page-gref", "11"}, {"event-channel", "7"}, {0}};
static const struct offer of_9pfs[] = {
    {"version", "1"}, {"num-rings", "1"}, {"ring-ref0", "12"}, {"event-channel-0", "8"}, {0}};
static const struct offer of_console[] = {{"ring-ref", "13"}, {"port", "9"}, {0}};
static const struct offer of_display[] = {{"0/req-ring-ref", "15"},
                                          {"0/req-event-channel", "11"},
                                          {"0/evt-ring-ref", "16"},
                                          {"0/evt-event-channel", "12"},
                                          {0}};
static const struct offer of_sound[] = {{"0/0/ring-ref", "17"},
                                        {"0/0/event-channel", "13"},
                                        {"0/0/evt-ring-ref", "18"},
                                        {"0/0/evt-event-channel", "14"},
                                        {0}};
static const struct offer of_usb[] = {
    {"urb-ring-ref", "19"}, {"conn-ring-ref", "20"}, {"event-channel", "15"}, {0}};
static const struct offer of_pci[] = {{"pci-op-ref", "15"}, {"event-channel", "11"}, {"magic", "7"}, {0}};
static const struct offer of_any[] = {{"ring-ref", "14"}, {"event-channel", "10"}, {0}};
static const struct offer disk_features[] = {{"feature-flush-cache", "1"}, {"feature-persistent", "1"}, {0}};
static const struct offer disk_size[] = {
    {"sectors", "2048"}, {"info", "0"}, {"sector-size", "512"}, {"physical-sector-size", "512"}, {0}};
static const struct offer nic_features[] = {{"feature-sg", "1"}, {"feature-rx-copy", "1"}, {0}};

const struct kind kinds[] = {
    {.name = "vbd",
     .physical = true,
     .rings = XenbusStateInitialised,
     .fatal = "2 creating vbd structure",
     .offers = of_disk,
     .features = disk_features,
     .details = disk_size},
    {.name = "vif",
     .hotplug = true,
     .stays_closing = true,
     .rings = XenbusStateConnected,
     .fatal = "12 creating interface",
     .offers = of_nic,
     .features = nic_features},
    {.name = "vtpm", .rings = XenbusStateInitialised, .fatal = "12 connecting the device", .offers = of_any},
    {.name = "vdispl", .rings = XenbusStateInitialised, .fatal = "19 no screen", .offers = of_display},
    {.name = "vsnd", .rings = XenbusStateInitialised, .fatal = "19 no sound card", .offers = of_sound},
    {.name = "pvcalls", .rings = XenbusStateInitialised, .fatal = "12 connecting", .offers = of_any},
    {.name = "vusb", .rings = XenbusStateInitialised, .fatal = "12 adding the controller", .offers = of_usb},
    {.name = "qusb",
     .qemu = true,
     .rings = XenbusStateInitialised,
     .fatal = "22 no controller",
     .offers = of_usb},
    {.name = "pci",
     .reconfigures = true,
     .rings = XenbusStateInitialised,
     .fatal = "22 registering a PCI device",
     .offers = of_pci},
    {.name = "qdisk",
     .qemu = true,
     .rings = XenbusStateInitialised,
     .fatal = "2 no such image",
     .offers = of_disk,
     .details = disk_size},
    {.name = "9pfs",
     .qemu = true,
     .rings = XenbusStateInitialised,
     .fatal = "2 no such folder",
     .offers = of_9pfs},
    {.name = "vkbd",
     .qemu = true,
     .rings = XenbusStateInitialised,
     .fatal = "22 no input",
     .offers = of_screen},
    {.name = "vkb",
     .qemu = true,
     .rings = XenbusStateInitialised,
     .fatal = "22 no input",
     .offers = of_screen},
    {.name = "vfb",
     .qemu = true,
     .rings = XenbusStateInitialised,
     .fatal = "22 no screen",
     .offers = of_screen},
    {.name = "console",
     .qemu = true,
     .rings = XenbusStateInitialised,
     .fatal = "22 no pty",
     .offers = of_console},
    {0},
};

const struct kind *kind_find(const char *name)
{
    for (const struct kind *k = kinds; k->name; k++)
        if (!strcmp(k->name, name))
            return k;
    return NULL;
}

bool device_delay(struct device *d, enum side side, uint32_t ms)
{
    const uint64_t now = now_ns();
    if (!d->due_ns[side])
        d->due_ns[side] = now + ms * MS_NS;
    return now < d->due_ns[side];
}

bool device_may_step(struct device *d, enum side side, struct behaviour *b)
{
    const uint32_t domid = side == BACKEND ? d->backend_domid : d->guest;
    machine_lock();
    const struct domain *domain = domain_get(domid);
    const bool runs = !domid || (domain && domain_runs(domain));
    *b = behaviour_of(side, d->guest, d->kind->name, d->number);
    machine_unlock();
    if (runs && b->conduct != MUTE && (b->conduct != SLOW || !device_delay(d, side, b->amount)))
        return true;
    waiting = true;
    return false;
}

bool device_fail(struct device *d, enum side side, const char *words)
{
    const bool backend = side == BACKEND;
    d->due_ns[side] = 0;
    const bool written = store_fail(backend ? d->backend_domid : d->guest, backend ? d->backend : d->frontend,
                                    d->states[side], words);
    d->states[side] = written ? XenbusStateClosing : 0;
    return written;
}

bool device_switch(struct device *d, enum side side, int state, const struct offer *offers)
{
    char value[2] = {(char)('0' + state), 0};
    d->due_ns[side] = 0;
    const bool written =
        store_write_all(side == BACKEND ? d->backend : d->frontend, d->states[side], offers, value);
    d->states[side] = written ? state : 0;
    if (!written)
        return false;
    if (side == BACKEND && state == XenbusStateConnected)
        counters_make(d);
    else if (side == BACKEND && state == XenbusStateClosed)
        counters_remove(d);
    return true;
}
