/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The QEMU of a domain, as a part of other operations. Call all functions with the context locked. */
#ifndef LIBXL__DEVICE_MODEL_H
#define LIBXL__DEVICE_MODEL_H

#include "device.h"
#include "ops.h"

/* A wait until the domain's QEMU runs. Embed it in the parent's state; zero-initialise it. */
typedef struct libxl__device_model {
    libxl__nested starter; /* a device_model of the parent's own */
    libxl__source source;  /* fires when another operation's device_model ends */
    TAILQ_ENTRY(libxl__device_model) link;
    struct device_model *other; /* the device_model that is waited for; NULL: none */
    uint32_t domid;
    libxl_uuid uuid;
    const libxl_domain_config *config;
} libxl__device_model;

/* Returns whether a QEMU of the guest's own serves this device: its domain's, in domain 0. */
bool libxl__device_model_serves(const libxl__device *device);

/*
 * Starts the domain's QEMU unless it runs. As a phase's start and poll. Operations of one context that need the QEMU of the
 * same domain wait for each other. `config` NULL: the domain exists already; else the parent keeps it. Errors, recorded in
 * the parent: DEVICE_MODEL and those of device_model.
 */
int libxl__device_model_start(libxl__ao *parent, libxl__device_model *model, uint32_t domid,
                              const libxl_uuid *uuid, const libxl_domain_config *config);
int libxl__device_model_poll(libxl__ao *parent, libxl__device_model *model);
/* Asks a start that is under way to stop. libxl__device_model_poll still waits for its end. */
void libxl__device_model_stop(libxl__device_model *model);

#endif
