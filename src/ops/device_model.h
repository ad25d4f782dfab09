/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The QEMU of a domain, as a part of other operations. Call all functions with the context locked. */
#ifndef LIBXL__DEVICE_MODEL_H
#define LIBXL__DEVICE_MODEL_H

#include "device.h"
#include "ops.h"
#include "qemu.h"

/* A wait until the domain's QEMU runs. Embed it in the parent's state; zero-initialise it. */
typedef struct libxl__device_model {
    libxl__nested starter; /* the parent's nested operation device_model */
    libxl__source source;  /* fires when the device_model of another operation ends */
    TAILQ_ENTRY(libxl__device_model) link;
    struct device_model *other; /* the device_model of another operation whose end is awaited; NULL: none */
    uint32_t domid;
    uint32_t server; /* an input: the domain of this process, if it is a driver domain; otherwise 0 */
    libxl_uuid uuid;
    const libxl_domain_config *config;
    /*
     * An input: the state of the QEMU of a saved domain, valid until the start has ended; NULL: the domain was not
     * saved.
     */
    const libxl__qemu_saved *saved;
} libxl__device_model;

/* The QEMU that serves a device. Embed it in the operation's state; zero-initialise it. */
typedef struct libxl__device_model_follower {
    libxl__qemu_search search; /* finds the process */
    libxl__process process;    /* the process, once it was found */
    enum { LIBXL__MODEL_UNKNOWN, LIBXL__MODEL_SOUGHT, LIBXL__MODEL_RUNNING, LIBXL__MODEL_ENDED } state;
} libxl__device_model_follower;

/*
 * Starts to follow a QEMU: a worker finds its process, and a pidfd then shows when the process ends. `pid` is the
 * value of the domain's node device-model-pid. The operation is woken when the worker has found out whether the
 * process is this QEMU, and when the process has ended. If there is no memory or no thread, the QEMU is not followed.
 */
void libxl__device_model_follow(libxl__ao *ao, libxl__device_model_follower *follower, uint32_t domid,
                                pid_t pid);
/* Returns whether the search for the process is still in progress. */
bool libxl__device_model_is_sought(const libxl__device_model_follower *follower);
/*
 * Returns true if it is known that QEMU has ended. Returns false if QEMU runs, if the search for its process is still
 * in progress, or if the process could not be followed.
 */
bool libxl__device_model_has_ended(libxl__ao *ao, libxl__device_model_follower *follower);

/* Returns whether the guest's QEMU in domain 0 serves this device. */
bool libxl__device_model_serves(const libxl__device *device);

/*
 * Start the domain's QEMU unless it runs. Call the first function from a phase's start and the second one
 * from its poll. If another operation of the context is starting the QEMU of this domain, this wait ends when
 * that operation ends. `config` is NULL if the domain exists already. Otherwise it must be valid until the
 * start has ended. Errors, recorded in the parent: DEVICE_MODEL and those of device_model.
 */
int libxl__device_model_start(libxl__ao *parent, libxl__device_model *model, uint32_t domid,
                              const libxl_uuid *uuid, const libxl_domain_config *config);
int libxl__device_model_poll(libxl__ao *parent, libxl__device_model *model);
/* Asks a running start to stop. libxl__device_model_poll still waits until the start has ended. */
void libxl__device_model_stop(libxl__device_model *model);

#endif
