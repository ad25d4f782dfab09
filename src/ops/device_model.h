/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The QEMU of a domain, as a part of other operations. Call all functions with the context locked. */
#ifndef LIBXL__DEVICE_MODEL_H
#define LIBXL__DEVICE_MODEL_H

#include "device.h"
#include "ops.h"

/* A wait until the domain's QEMU runs. Embed it in the parent's state; zero-initialise it. */
typedef struct libxl__device_model {
    libxl__nested starter; /* the parent's nested operation device_model */
    libxl__source source;  /* fires when the device_model of another operation ends */
    TAILQ_ENTRY(libxl__device_model) link;
    struct device_model *other; /* the device_model of another operation whose end is awaited; NULL: none */
    uint32_t domid;
    libxl_uuid uuid;
    const libxl_domain_config *config;
} libxl__device_model;

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
