/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The parts of domain_soft_reset that domain_create_new does not have. They save the state of the device model, and
 * remove the devices. The hypervisor's part is build_reset.c. Call all functions with the context locked.
 */
#ifndef LIBXL__CREATE_RESET_H
#define LIBXL__CREATE_RESET_H

#include "build.h"
#include "qmp.h"
#include "teardown_devices.h"

/* Embed this in the operation's state; zero-initialise it. */
typedef struct libxl__create_reset {
    bool hvm;
    libxl__source source; /* attached while the two descriptors are open */
    int state, writer;    /* the file with the state of the device model; `writer` can only be written to */
    libxl__qmp stop;      /* the device model stops and writes its state */
    libxl__qmp go_on;     /* the undo; reserved before `stop` is sent */
    bool saving, undoing;
    libxl__teardown_devices devices;
    libxl__xs_batch *batch;
    const libxl__xs_request *read_terminal;
    const char *terminal; /* the name of the terminal that xenconsoled has; NULL: none */
} libxl__create_reset;

/* Returns whether the operation is domain_soft_reset. */
bool libxl__soft_resets(const libxl__ao *ao);

/*
 * Checks that the operation's domain can be reset and is the one that the configuration describes. Sets the members of
 * `build` that identify the domain, and the configuration's UUID if it has none. Stores what the hypervisor knows
 * about the domain in `info`. Errors, recorded in ao: INVAL and those of libxl__hv_info.
 */
int libxl__reset_check(libxl__ao *ao, libxl_domain_config *config, libxl__build *build,
                       xc_domaininfo_t *info);
/* Reserves the resources of the undo and of the list of the devices. Errors: NOMEM, FAIL, recorded in ao. */
int libxl__reset_reserve(libxl__ao *ao, libxl__create_reset *reset, const libxl__build *build);

/*
 * Stop the device model of an HVM domain, and save its state. Call these from a phase's start, poll and undo. After the
 * poll has returned 0, `saved` has the state until the operation ends. The undo lets the device model go on.
 * Errors, recorded in ao: those of libxl__qmp_poll_model, NOMEM, FAIL.
 */
int libxl__reset_save_start(libxl__ao *ao, libxl__create_reset *reset, const libxl__build *build);
int libxl__reset_save_poll(libxl__ao *ao, libxl__create_reset *reset, const libxl__build *build,
                           libxl__qemu_saved *saved);
int libxl__reset_save_undo(libxl__ao *ao, libxl__create_reset *reset, const libxl__build *build);

/* List the devices, and read the name of the terminal. Errors, recorded in ao: those of libxl__xs_result, NOMEM. */
int libxl__reset_list_start(libxl__ao *ao, libxl__create_reset *reset, const libxl__build *build);
int libxl__reset_list_poll(libxl__ao *ao, libxl__create_reset *reset);

/* Remove the devices that were listed, and end the device model. Errors, recorded in ao: DEVICE. */
int libxl__reset_remove_start(libxl__ao *ao, libxl__create_reset *reset);
int libxl__reset_remove_poll(libxl__ao *ao, libxl__create_reset *reset);

/* Adds the node with the name of the terminal, because xenconsoled does not write it again. */
void libxl__reset_terminal(libxl__xs_batch *nodes, const libxl__create_reset *reset,
                           const libxl__build *build);

#endif
