/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The boot loader of a domain that is being created: a part of domain_create_new. Call the functions with the
 * context locked.
 */
#ifndef LIBXL__CREATE_BOOT_H
#define LIBXL__CREATE_BOOT_H

#include "boot_loader.h"
#include "ops.h"

/*
 * The state of the boot loader, in the operation's memory. If the domain has no boot loader, the operation's
 * pointer to this structure is NULL.
 */
typedef struct libxl__create_boot {
    libxl__source source; /* attached until all resources of the boot loader are released */
    libxl__boot_loader loader;
    libxl__build *build;
    libxl__xs_batch *show; /* writes the nodes by which clients find the boot loader's terminal */
    libxl__xs_batch *hide;
    bool shown;  /* xenstored has answered the batch `show` */
    bool judged; /* the boot loader has succeeded, and its result was read */
    bool cleaning;
} libxl__create_boot;

/*
 * If the configuration has no boot loader, sets *boot_out to NULL. Otherwise makes *boot_out, reserves the
 * resources that the undo needs, and sets build->loader. Returns 0, or NOMEM or FAIL, recorded in ao.
 */
int libxl__create_boot_reserve(libxl__ao *ao, libxl__build *build, libxl__create_boot **boot_out);

/*
 * Starts the boot loader of the domain that the step MAKE of the build has made. Errors: KERNEL, NOMEM, FAIL,
 * NO_XENSTORE.
 */
int libxl__create_boot_start(libxl__ao *ao, libxl__create_boot *boot);

/*
 * Returns LIBXL__AO_WAIT until the boot loader has ended. Then returns 0 if the boot loader has succeeded,
 * otherwise an error. Errors, recorded in ao: KERNEL, and those of libxl__xs_result.
 */
int libxl__create_boot_poll(libxl__ao *ao, libxl__create_boot *boot);

/*
 * Kills the boot loader and removes its files. Returns LIBXL__AO_WAIT until both are done, and then 0. The
 * build must have no running job. `boot` may be NULL.
 */
int libxl__create_boot_undo(libxl__ao *ao, libxl__create_boot *boot);

/* Removes the boot loader's files. Call it when the build has read the kernel. `boot` may be NULL. */
void libxl__create_boot_end(libxl__ao *ao, libxl__create_boot *boot);

#endif
