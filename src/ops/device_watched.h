/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The devices that a generator of device events follows: their records, the marks of those that may have changed, and the
 * reports. Call all functions with the context locked.
 */
#ifndef LIBXL__DEVICE_WATCHED_H
#define LIBXL__DEVICE_WATCHED_H

#include "device_operations.h"
#include "generators.h"

struct libxl__evgen_devices {
    libxl__generator generator;
    libxl__ao *ao; /* NULL once it has ended */
    libxl_ev_user user;
};

struct watched_domain {
    libxl__domain_follower follower;
    libxl__index_link link;
    uint64_t key; /* the domid */
    libxl_uuid uuid;
    struct device_events *events;
    bool gone;
    LIST_HEAD(, watched_device) devices;
};

struct watched_device {
    libxl__device device;
    libxl__index_link link;
    uint64_t key; /* domid and devid */
    struct device_events *events;
    struct watched_domain *domain; /* NULL: the backend is not known yet */
    libxl__watch *state_watch, *error_watch;
    const libxl__xs_request *path, *state, *online, *backend_error, *frontend_error;
    bool marked, reading;
    bool was_online, connected, failed;     /* at the last look */
    TAILQ_ENTRY(watched_device) queue_link; /* if it is marked or is being read */
    LIST_ENTRY(watched_device) domain_link, all_link;
};
TAILQ_HEAD(watched_devices, watched_device);

struct device_events {
    libxl__source source; /* fires when a device is marked; its stop function frees everything */
    libxl__ao *ao;
    libxl__xs_observer observer;
    libxl__watch *toolstack;
    libxl__index devices, domains;
    uint64_t index_steps;
    LIST_HEAD(, watched_device) all;
    struct watched_devices marked, reading;
    libxl__domain_source only; /* the domain of a generator for one domain */
    libxl__xs_batch *batch;
    libxl__device_sweep sweep; /* lists the devices of a domain */
    uint32_t *domids;          /* the domains that are yet to be listed; malloc'ed */
    uint32_t domid_count;
    bool listing, list_again, down;
};

/* The keys of the two indexes. */
const uint64_t *libxl__watched_key(const libxl__index_link *link);
const uint64_t *libxl__watched_domain_key(const libxl__index_link *link);

/* Makes an event of the generator. NULL: out of memory. */
libxl_event *libxl__watched_event(struct device_events *s, uint32_t domid, libxl_event_type type);
/* Reports one of the three events. `words` is for DEVICE_FAILED. */
void libxl__watched_report(struct device_events *s, const struct watched_device *d, libxl_event_type type,
                           const char *words);
/* Reports DEVICE_FAILED. `words` may be hostile. */
void libxl__watched_failed(struct device_events *s, struct watched_device *d, const char *who,
                           const char *words);

/* The callback of the two watches of a device, which is `user`. */
libxl__watch_callback libxl__watched_changed;
/* The callback of the watch on the toolstack's tree; `user` is the struct device_events. */
libxl__watch_callback libxl__watched_tree_changed;
/* Marks a device, which may be a new one. Errors: NOMEM. */
int libxl__watched_mark_number(struct device_events *s, uint32_t domid, const char *kind, uint32_t devid);
void libxl__watched_mark_all(struct device_events *s);

/* Follows the device's domain. Errors: NOTFOUND (the domain is gone), and those of libxl__domain_follow. */
int libxl__watched_join(struct device_events *s, struct watched_device *d);
/* Detaches the device from its backend and its domain. */
void libxl__watched_disconnect(struct watched_device *d);
/* Frees a device that is in no queue. */
void libxl__watched_forget(struct watched_device *d);

#endif
