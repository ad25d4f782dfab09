/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The devices that a generator of device events follows. This file declares the structure of a followed device, and
 * that of its domain. A device that may have changed is marked; the generator then reads its nodes and reports
 * changes by events. Call all functions with the context locked.
 */
#ifndef LIBXL__DEVICE_WATCHED_H
#define LIBXL__DEVICE_WATCHED_H

#include "device_operations.h"
#include "generators.h"
#include "relisting.h"

struct libxl__evgen_devices {
    libxl__operation_generator common;
};

struct watched_domain {
    libxl__domain_follower follower;
    libxl__index_link link;
    uint64_t key; /* the key in the index: the domid */
    libxl_uuid uuid;
    struct device_events *events;
    bool gone;
    LIST_HEAD(, watched_device) devices;
};

struct watched_device {
    libxl__device device;
    libxl__index_link link;
    uint64_t key; /* the key in the index: the domid and the devid */
    struct device_events *events;
    struct watched_domain *domain; /* the device's domain; NULL: the device's backend is not known yet */
    libxl__watch *state_watch, *error_watch;
    const libxl__xs_request *path, *state, *online, *backend_error, *frontend_error;
    bool marked, reading;
    /* The next four members belong to device_rest.c. The times are in ns, as from libxl__now. */
    uint64_t paid_until; /* the time at which the device's allowance is full again */
    uint64_t rests_until;
    bool resting;
    TAILQ_ENTRY(watched_device) rest_link;
    bool missing; /* the backend's nodes were missing at the last look, and were there before */
    bool was_online, connected, failed; /* the device's state when its nodes were last read */
    /* The entry in `marked` or `reading` of the struct device_events. */
    TAILQ_ENTRY(watched_device) queue_link;
    LIST_ENTRY(watched_device) domain_link, all_link;
};
TAILQ_HEAD(watched_devices, watched_device);

struct watched_model; /* watched_model.h */
TAILQ_HEAD(watched_models_queue, watched_model);

/* The QEMUs that a generator follows. */
struct watched_models {
    libxl__watch *watch;
    libxl__xs_batch *batch;
    libxl__index index;
    LIST_HEAD(, watched_model) all;
    struct watched_models_queue marked, reading;
};

struct device_events {
    libxl__source source; /* fires when a device is marked; the source's stop function frees all memory */
    libxl__ao *ao;
    libxl__watch *toolstack, *pcis;
    struct watched_models models;
    libxl__index devices, domains;
    uint64_t index_steps;
    LIST_HEAD(, watched_device) all;
    struct watched_devices marked, reading, resting;
    libxl__timer rest;         /* ends the rest of the first device in `resting` */
    libxl__domain_source only; /* follows the domain, if the generator is for one domain */
    libxl__xs_batch *batch;
    libxl__device_sweep sweep; /* lists the devices of one domain */
    /* The memory of `sweep`; freed after each list, because the operation may run for years. */
    libxl__gc sweep_memory;
    uint32_t *domids; /* the domids of the domains whose devices must still be listed; malloc'ed */
    uint32_t domid_count;
    libxl__relisting relisting;
    bool listing;
};

/* Return the key of an entry in each of the two indexes. */
const uint64_t *libxl__watched_key(const libxl__index_link *link);
const uint64_t *libxl__watched_domain_key(const libxl__index_link *link);

/* Makes an event of the generator. Returns NULL if there is no memory. */
libxl_event *libxl__watched_event(struct device_events *s, uint32_t domid, libxl_event_type type);
/* Reports DEVICE_CONNECTED, DEVICE_FAILED or DEVICE_GONE. `words` is the error text of DEVICE_FAILED. */
void libxl__watched_report(struct device_events *s, const struct watched_device *d, libxl_event_type type,
                           const char *words);
/*
 * Reports DEVICE_FAILED. `words` may come from a hostile guest. `who` says which side has written the error.
 */
void libxl__watched_failed(struct device_events *s, struct watched_device *d, const char *who,
                           const char *words);

/* Marks a device, so that its nodes are read. */
void libxl__watched_mark(struct watched_device *d);
/*
 * device_rest.c: starts to watch the backend of a device. The watches fire at once, so the device is read again. If
 * the device has changed too often, watches it only after a rest. Errors: those of libxl__watch_add.
 */
int libxl__watched_watch(struct watched_device *d);
/* Ends the watches of a device, and its rest. */
void libxl__watched_unwatch(struct watched_device *d);
/* Reserves the timer that ends rests. Call this once before a device is watched. Errors: NOMEM. */
int libxl__watched_reserve_rests(struct device_events *s);
/*
 * Adds the watches that report new and removed devices: on the toolstack's tree, and on the directory of the
 * backends of PCI devices. `domid` is the domain, or LIBXL_DOMID_ALL. Errors: those of libxl__watch_add.
 */
int libxl__watched_begin(struct device_events *s, uint32_t domid);
/* Removes the watches of libxl__watched_begin. */
void libxl__watched_end(struct device_events *s);
/*
 * Marks the device with this kind and number. If the device is not followed yet, adds it. Returns 0 or NOMEM.
 */
int libxl__watched_mark_number(struct device_events *s, uint32_t domid, const char *kind, uint32_t devid);
/* Marks all devices that are followed. */
void libxl__watched_mark_all(struct device_events *s);

/*
 * Follows the device's domain and sets d->domain. If the generator still has a structure for a former domain with
 * this domid, only marks the device. Errors: NOTFOUND (the domain is gone), and those of libxl__domain_follow.
 */
int libxl__watched_join(struct device_events *s, struct watched_device *d);
/*
 * Forgets what is known about the device's backend: ends its watches, clears its state, and removes it from its
 * domain.
 */
void libxl__watched_disconnect(struct watched_device *d);
/* Frees a device that is neither marked nor being read. */
void libxl__watched_forget(struct watched_device *d);

/*
 * device_models_watched.c: follows the QEMUs of the domains, and reports DEVICE_MODEL_ENDED. A QEMU that may have
 * started or ended is marked.
 *
 *   open, close   prepare and free the structures. Call `open` before the other functions.
 *   start         begins to watch for QEMUs that start
 *   list          marks the QEMUs of all domains
 *   step          looks at the marked QEMUs. Call it from the phase's poll. It never returns 0, because the operation
 *                 ends only with the generator: it returns LIBXL__AO_WAIT, or an error.
 *
 * Errors: NOMEM, FAIL, and those of libxl__xs_rc.
 */
void libxl__watched_models_open(struct device_events *s);
int libxl__watched_models_start(struct device_events *s);
int libxl__watched_models_list(struct device_events *s);
int libxl__watched_models_step(libxl__ao *ao, struct device_events *s);
void libxl__watched_models_close(struct device_events *s);
/* Returns the key of a QEMU in the index, for libxl__index_open. Needs no lock. */
const uint64_t *libxl__watched_model_key(const libxl__index_link *link);

#endif
