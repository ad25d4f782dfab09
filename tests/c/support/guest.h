/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Guests for tests: the tiny kernel, as little memory as works, names that are never used twice. Any thread.
 */
#ifndef GUEST_H
#define GUEST_H

#include <libxl.h>

/* The tiny guest's kernel: $AIOXEN_TEST_KERNEL, else build/guest/tiny. */
const char *guest_kernel(void);

/*
 * A configuration for a PV guest that does what the command line says: p powers off, r reboots, c crashes, b
 * never answers, s spins, dN powers off after N/10 s, l obeys control/shutdown. libxl_domain_config_dispose
 * frees it.
 */
libxl_domain_config guest_config(const char *command_line);
libxl_domain_config guest_config_pvh(const char *command_line);

/* Creates one synchronously, and unpauses it if `run`. Or fails the test. */
libxl_domid guest_new(libxl_ctx *ctx, const char *command_line, bool run);
/* Destroys it synchronously. */
void guest_destroy(libxl_ctx *ctx, libxl_domid domid);

/* A node below /local/domain/DOMID, freed by the caller; NULL: there is none. */
char *guest_node(libxl_domid domid, const char *path);
#endif
