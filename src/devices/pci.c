/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The class of all PCI devices of a domain, which are one device of xenstore. This file takes the devices from
 * the domain after the backend has closed. The operations in pci_add.c and pci_detach.c add and remove single
 * devices.
 *
 * Owns: nothing. The caller holds the context's lock.
 */
#include "device.h"
#include "pci.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 32 }; /* the greatest number of PCI devices of a domain: the number of slots of pciback's bus */

struct pci_host {
    libxl__xs_batch *batch;
    const libxl__xs_request *nodes[MOST];
    libxl__pci_function functions[MOST];
    libxl__pci_job job;
    enum { READING, LOOKING, REVOKING, FORGETTING } step;
};

/* Reads the addresses of the domain's devices. */
static int offline_start(libxl__ao *ao, libxl__device *device)
{
    struct pci_host *host = device->host;
    host->batch = libxl__xs_batch_new(ao, device->domid);
    if (!host->batch)
        return ERROR_NOMEM;
    for (unsigned i = 0; i < MOST; i++)
        host->nodes[i] = libxl__xs_read(host->batch, LIBXL__BACKEND "/dev-%u", LIBXL__BACKEND_OF(device), i);
    int rc = libxl__xs_run(host->batch, LIBXL__XS_ONE_BY_ONE);
    if (!rc)
        rc = libxl__pci_reserve(ao, &host->job);
    return rc ? rc : LIBXL__AO_WAIT;
}

static int start_looking(libxl__ao *ao, struct pci_host *host, uint32_t domid)
{
    host->job.functions = host->functions;
    host->job.domid = domid;
    for (unsigned i = 0; i < MOST; i++) {
        const char *bdf = libxl__xs_value(host->nodes[i]);
        uint32_t sbdf;
        if (bdf && libxl__pci_parse(bdf, &sbdf))
            host->functions[host->job.count++] = (libxl__pci_function){.sbdf = sbdf, .granted = true};
    }
    host->step = LOOKING;
    return host->job.count ? libxl__pci_start(ao, &host->job, LIBXL__PCI_LOOK) : 0;
}

/* Removes the nodes that say which domain has the devices. */
static int start_forgetting(libxl__ao *ao, struct pci_host *host, uint32_t domid)
{
    libxl__xs_batch_free(host->batch);
    host->step = FORGETTING;
    host->batch = libxl__xs_batch_new(ao, domid);
    if (!host->batch)
        return ERROR_NOMEM;
    for (uint32_t i = 0; i < host->job.count; i++) {
        libxl__xs_remove(host->batch, LIBXL__PCI_NODE "/domid", LIBXL__PCI_PARTS(host->functions[i].sbdf));
        libxl__xs_prune(host->batch, 1, LIBXL__PCI_NODE, LIBXL__PCI_PARTS(host->functions[i].sbdf));
    }
    const int rc = libxl__xs_run(host->batch, LIBXL__XS_TRANSACTION);
    return rc ? rc : LIBXL__AO_WAIT;
}

static int offline_poll(libxl__ao *ao, libxl__device *device)
{
    struct pci_host *host = device->host;
    int rc;
    switch (host->step) {
    case READING:
        if (!libxl__xs_done(host->batch))
            return LIBXL__AO_WAIT;
        rc = libxl__xs_result(host->batch);
        return rc ? rc : start_looking(ao, host, device->domid);
    case LOOKING:
        /*
         * The result of the job LOOK is ignored. If it has failed, the next job still takes the device from the
         * domain, but cannot take away the domain's access to the ports and memory of the device.
         */
        if (libxl__pci_busy(&host->job))
            return LIBXL__AO_WAIT;
        host->step = REVOKING;
        return libxl__pci_start(ao, &host->job, LIBXL__PCI_REVOKE);
    case REVOKING:
        rc = libxl__pci_poll(ao, &host->job);
        return rc ? rc : start_forgetting(ao, host, device->domid);
    case FORGETTING: break;
    }
    return libxl__xs_done(host->batch) ? libxl__xs_result(host->batch) : LIBXL__AO_WAIT;
}

const libxl__device_class libxl__class_pci = {
    .name = "pci",
    .array = "pcidevs",
    .kind = "pci",
    .without_tree = true,
    .closes_without_frontend = true,
    .host_size = sizeof(struct pci_host),
    .offline_start = offline_start,
    .offline_poll = offline_poll,
};
