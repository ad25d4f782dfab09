/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Jobs that pass PCI devices to domains: they write into sysfs, and make the hypercalls.
 * The jobs have a separate lane, because a driver or a reset may take seconds.
 *
 * Call all functions with the context locked. A job is embedded in the operation's state. The operation does
 * not complete before its job has ended. While a job runs, only the job uses `functions`.
 */
#ifndef LIBXL__PCI_H
#define LIBXL__PCI_H

#include "ao.h"
#include "host_pci.h"
#include "reserved_worker.h"

/*
 * The nodes of xenstore about one device of this host; libxl has the same. Its children are driver_path, name and
 * domid. The directory /libxl/pci stays when it is empty, as with libxl.
 */
#define LIBXL__PCI_NODE "/libxl/pci/%04x-%02x-%02x-%x"

/* A function of a device. */
typedef struct libxl__pci_function {
    uint32_t sbdf;
    uint32_t vdevfn;        /* the device and function number that the guest sees; 0: the next free number */
    bool permissive;        /* an input of GRANT: the guest may write all of the configuration space */
    bool relaxed;           /* an input of GRANT: reserved memory may overlap with the guest's memory */
    bool seize;             /* an input of LOOK: a function that is not bound to pciback is accepted */
    bool taken;             /* TAKE has begun, so GIVE_BACK must follow */
    bool granted;           /* GRANT has assigned the function, so REVOKE must follow */
    libxl__pci_facts facts; /* the result of LOOK */
} libxl__pci_function;

typedef enum libxl__pci_verb {
    /* Stores what sysfs says about each function in `facts`. Errors: PERMISSION, FAIL. */
    LIBXL__PCI_LOOK,
    /* Stores the devices that are bound to pciback in `list`. */
    LIBXL__PCI_LIST,
    /*
     * Binds each function to pciback, unless it is bound already, and assigns it to DOMID_IO. Errors: those of
     * libxl__pci_take, NO_IOMMU, and those of libxl__errno_rc for LIBXL__CALL_HOST.
     */
    LIBXL__PCI_TAKE,
    /*
     * Takes each function that is `taken` from DOMID_IO and from pciback, and binds it to the driver whose path
     * is in facts.driver.
     */
    LIBXL__PCI_GIVE_BACK,
    /*
     * Checks that no domain has a function, and resets each one. Errors: those of libxl__pci_reset, NO_IOMMU, BUSY, and
     * those of libxl__errno_rc for LIBXL__CALL_DOMAIN.
     */
    LIBXL__PCI_RESET,
    /*
     * Gives the domain access to each function. Errors: NO_IOMMU, BUSY, and those of libxl__errno_rc for
     * LIBXL__CALL_DOMAIN.
     */
    LIBXL__PCI_GRANT,
    /* Takes the access to each function that is `granted` from the domain, and resets the function. */
    LIBXL__PCI_REVOKE,
} libxl__pci_verb;

/* A job. Embed this in the operation's state; zero-initialise it. Then set the members above the empty line. */
typedef struct libxl__pci_job {
    uint32_t domid;
    libxl__pci_function *functions; /* in the operation's memory */
    uint32_t count;

    libxl__reserved_worker worker;
    libxl__job job;
    libxl__pci_verb verb;
    uint32_t *list; /* the result of LIST: malloc'ed, list_count elements; the caller takes it */
    uint32_t list_count;
    int rc;
    char why[LIBXL__SYSFS_WHY];
} libxl__pci_job;

/* Opens the lane of these jobs. Called once, while the context is made. */
void libxl__pci_open(libxl_ctx *ctx);
/*
 * Reserves a worker until the operation ends, so that libxl__pci_start cannot fail. Errors: FAIL, recorded in
 * ao. A second call does nothing.
 */
int libxl__pci_reserve(libxl__ao *ao, libxl__pci_job *job);
/* Starts the job. Returns LIBXL__AO_WAIT or an error. Errors: FAIL (no worker), recorded in ao. */
int libxl__pci_start(libxl__ao *ao, libxl__pci_job *job, libxl__pci_verb verb);
/* Returns whether a job is queued or runs. */
bool libxl__pci_busy(const libxl__pci_job *job);
/*
 * Returns LIBXL__AO_WAIT until the job has ended. Then returns its result. Errors are recorded in ao.
 */
int libxl__pci_poll(libxl__ao *ao, const libxl__pci_job *job);
/*
 * Call this from the undo of a phase that has started a job with the verb `done`. Waits until this job has ended.
 * Then runs a job with the verb `undo`, and waits until that job has ended. Does nothing if no such job was started.
 * Call it after libxl__pci_reserve. Returns LIBXL__AO_WAIT or the result.
 */
int libxl__pci_undo(libxl__ao *ao, libxl__pci_job *job, libxl__pci_verb done, libxl__pci_verb undo);

#endif
