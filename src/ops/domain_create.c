/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_create_new makes a domain from a kernel. The domain is paused afterwards. Only this operation has a phase
 * for the boot loader.
 *
 * Owns: see making.h. The caller holds the context's lock.
 */
#include "making.h"

typedef struct creating {
    libxl__making making;
} domain_create_new_state;

/* ---- bootloader: the boot loader chooses the kernel */

static int bootloader_poll(libxl__ao *ao, struct creating *s)
{
    const int rc = libxl__making_check_domain(ao, &s->making);
    return rc ? rc : libxl__making_reason(ao, &s->making, libxl__create_boot_poll(ao, s->making.boot));
}

static int bootloader_start(libxl__ao *ao, struct creating *s)
{
    if (!s->making.boot)
        return 0;
    const int rc = libxl__create_boot_start(ao, s->making.boot);
    return rc ? rc : LIBXL__AO_WAIT;
}

#include "_libxl_phases_domain_create_new.h"
