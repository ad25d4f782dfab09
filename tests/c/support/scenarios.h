/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The scenarios of the sweep (unit/sweep.c). Call all functions from one thread. */
#ifndef SCENARIOS_H
#define SCENARIOS_H

#include <stdbool.h>

#include <libxl.h>

/* The guest that an operation needs. */
enum scenario_guest {
    SCENARIO_NO_GUEST, /* the operation makes a domain */
    SCENARIO_ANY_GUEST,
    SCENARIO_PVH,
    SCENARIO_WITH_DISK, /* xvda, which the guest has connected to */
    SCENARIO_WITH_NIC,
    SCENARIO_MARKED, /* as one whose creation has been given up */
};

/* What an operation of the sweep works on, and its results. */
struct subject {
    libxl_domid guest;
    libxl_uuid uuid; /* of the guest */
    struct {
        libxl_domid domid;
        libxl_shutdown_reason reason;
        char *name;
        libxl_unfinished_list unfinished;
        libxl_disk_list disks;
        libxl_nic_list nics;
        libxl_p9_list p9s;
        libxl_vfb_list vfbs;
        libxl_vkb_list vkbs;
        libxl_vtpm_list vtpms;
        libxl_device_status_list devices;
        uint64_t kb;
        libxl_domain_config config;
        libxl_domain_counters_list counters;
    } results;
};

struct scenario {
    unsigned operation;
    unsigned started_by; /* the operation that runs it: itself, or the parent of a hidden one */
    void (*fill)(struct subject *s, void *args); /* NULL: the only input is a domid */
    enum scenario_guest guest;
};

/* Call these before the first and after the last scenario. */
void scenarios_begin(void);
void scenarios_end(void);

/* Returns how an operation is started so that this phase waits. Fails the test if there is no scenario for the operation. */
struct scenario scenario_of(unsigned operation, unsigned phase);
bool scenario_is_phase(unsigned operation, unsigned phase, const char *name);
/* Makes the guest. */
void scenario_prepare(libxl_ctx *ctx, const struct scenario *scenario, struct subject *s);
/* Fills in the args of the operation that is started. */
void scenario_fill(const struct scenario *scenario, struct subject *s, void *args);
/* Frees the results. */
void scenario_dispose(struct subject *s);

#endif
