/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The commands that a QEMU gets by QMP after its start. Call all functions with the context locked. */
#ifndef LIBXL__QEMU_CONFIGURE_H
#define LIBXL__QEMU_CONFIGURE_H

#include "qmp.h"
#include "xen.h"

/* The configuration of one QEMU. Embed this in the operation's state; zero-initialise it. */
typedef struct libxl__qemu_configure {
    libxl__qmp qmp;
    uint32_t domid;
    const libxl_uuid *uuid;
    const libxl_domain_config *config;
    bool restores; /* QEMU first reads the state of its devices from a saved domain */
    /* The indexes of the commands that ask for the terminals and for the VNC server; 0: the command is not sent. */
    int chardevs, vnc;
    libxl__xs_batch *batch; /* writes the nodes */
} libxl__qemu_configure;

/*
 * Tells QEMU the VNC server's password. Lets the machine of an HVM domain run, and writes the nodes with its
 * terminals and the address of its VNC server. Call these from a phase's start and poll. The start returns 0
 * if there is nothing to do. `domid`, `uuid` and `config` must be set. Errors: those of libxl__qmp_poll and
 * libxl__xs_run.
 */
int libxl__qemu_configure_start(libxl__ao *ao, libxl__qemu_configure *c);
int libxl__qemu_configure_poll(libxl__ao *ao, libxl__qemu_configure *c);

#endif
