/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The scenarios of the sweep in unit/sweep.c. Call all functions from one thread. */
#ifndef SCENARIOS_H
#define SCENARIOS_H

#include <stdbool.h>

#include <libxl.h>

/* The guest that an operation needs. */
enum scenario_guest {
    SCENARIO_NO_GUEST, /* No guest. The operation makes a domain. */
    SCENARIO_ANY_GUEST,
    SCENARIO_PVH,
    SCENARIO_WITH_DISK, /* The guest has the disk xvda and has connected to the disk. */
    SCENARIO_WITH_QEMU, /* A QEMU serves the guest's disk. */
    SCENARIO_WITH_NIC,
    SCENARIO_WITH_CD,  /* An HVM guest with the empty CD drive hdc. */
    SCENARIO_MARKED,   /* The guest has the mark (marks.h) of a creation that was given up. */
    SCENARIO_OBEDIENT, /* A PVH guest that obeys requests. */
    SCENARIO_SUSPENDED,
    SCENARIO_HVM,           /* An HVM guest that obeys requests, with a QEMU. */
    SCENARIO_HVM_SUSPENDED, /* An HVM guest that is suspended. */
    SCENARIO_HVM_TO_RESET,  /* An HVM guest with a disk. The guest has stopped and asks for a soft reset. */
    SCENARIO_HALF_SAVED,    /* A suspended guest with the mark (save_mark.h) of a save that was given up. */
    SCENARIO_SAVED,         /* No guest. The operation restores a saved domain. */
    SCENARIO_WITH_POOL,     /* There is the cpupool SCENARIO_POOL. */
    SCENARIO_WITHOUT_POOL,
    SCENARIO_WITH_DRIVER,     /* The PCI device 02:00.0 has its driver. */
    SCENARIO_WITH_ASSIGNABLE, /* The PCI device 02:00.0 is bound to pciback. */
    SCENARIO_WITH_PCI,        /* The PV guest has the PCI device 01:00.1, and not 01:00.0. */
    SCENARIO_WITH_TWO_PCI,    /* The PV guest has the PCI devices 01:00.0 and 01:00.1. */
    SCENARIO_HVM_FOR_PCI,     /* An HVM guest that can have PCI devices, and has none. */
    SCENARIO_HVM_WITH_PCI,    /* An HVM guest with the PCI device 01:00.0. */
    SCENARIO_WITH_USB,        /* The guest has the USB device 1-2 in port 1 of controller 0. */
};

enum { SCENARIO_POOL = 5 };

/* The guest on which an operation of the sweep works, and the operation's results. */
struct subject {
    libxl_domid guest;
    libxl_uuid uuid; /* The UUID of the guest. */
    struct {
        libxl_domid domid;
        libxl_shutdown_reason reason;
        bool may_suspend;
        char *name;
        libxl_blob value;
        libxl_string_list names;
        libxl_unfinished_list unfinished;
        libxl_disk_list disks;
        libxl_nic_list nics;
        libxl_p9_list p9s;
        libxl_vfb_list vfbs;
        libxl_vkb_list vkbs;
        libxl_vtpm_list vtpms;
        libxl_vdispl_list vdispls;
        libxl_vsnd_list vsnds;
        libxl_pvcallsif_list pvcallsifs;
        libxl_channel_list channels;
        libxl_usbctrl_list usbctrls;
        libxl_usbdev_list usbdevs;
        libxl_device_status_list devices;
        uint64_t kb;
        libxl_domain_config config;
        libxl_domain_counters_list counters;
        libxl_cpupool_list pools;
        libxl_pci_list pcis;
    } results;
};

struct scenario {
    unsigned operation;
    /* The operation that the sweep starts. It is `operation` itself, or the parent operation if
     * `operation` is hidden. */
    unsigned started_by;
    void (*fill)(struct subject *s, void *args); /* Fills in the args. NULL: the only input is a domid. */
    enum scenario_guest guest;
};

/* Call scenarios_begin() before the first scenario, and scenarios_end() after the last. */
void scenarios_begin(void);
void scenarios_end(void);

/* Returns the path of a boot loader that chooses the tiny guest's kernel. */
const char *scenario_loader(void);

/* Returns the scenario in which this phase of the operation waits. Fails the test if there is no scenario
 * for the operation. */
struct scenario scenario_of(unsigned operation, unsigned phase);
bool scenario_is_phase(unsigned operation, unsigned phase, const char *name);
/* Return the device that a scenario adds or removes. The caller disposes of it. */
libxl_device_disk scenario_disk(void);
libxl_device_nic scenario_nic(void);
/* Returns the configuration of an HVM guest with the empty CD drive hdc. The caller disposes of it. */
libxl_domain_config scenario_hvm_config(void);
/* Returns a scenario in which the creation of an HVM guest runs the operation. */
struct scenario scenario_of_hvm(unsigned operation);
/* Returns whether the operation of the scenario makes a domain. */
bool scenario_makes(const struct scenario *scenario);
/* Makes the guest of the scenario. */
void scenario_prepare(libxl_ctx *ctx, const struct scenario *scenario, struct subject *s);
/* Gives the PCI devices of the scenario back to their drivers, after the guest was destroyed. */
void scenario_return_pci(const struct scenario *scenario);
/* Fills in the args of the operation that is started. */
void scenario_fill(const struct scenario *scenario, struct subject *s, void *args);
/* Frees the results. */
void scenario_dispose(struct subject *s);

#endif
