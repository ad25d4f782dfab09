/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Guests for tests: they run the tiny kernel in the least memory that works, and their names are unique. Any
 * thread may call these.
 */
#ifndef GUEST_H
#define GUEST_H

#include <stdbool.h>

#include <libxl.h>

/* The path of the tiny guest's kernel: $AIOXEN_TEST_KERNEL, or build/guest/tiny if that is not set. */
const char *guest_kernel(void);

/*
 * A configuration of a PV guest. The command line says what the guest does: p powers off, r reboots, c crashes,
 * b blocks and ignores requests, s spins, dN powers off after N/10 s, l obeys control/shutdown (in the
 * simulator also control/sysrq, memory/target and cpu/N/availability). The caller disposes of the configuration
 * by libxl_domain_config_dispose().
 */
libxl_domain_config guest_config(const char *command_line);
/* Like guest_config(), but for a PVH guest. */
libxl_domain_config guest_config_pvh(const char *command_line);

/* Creates a guest synchronously, and unpauses it if `run`. Fails the test on an error. */
libxl_domid guest_new(libxl_ctx *ctx, const char *command_line, bool run);
/* Destroys a guest synchronously. Fails the test on an error. */
void guest_destroy(libxl_ctx *ctx, libxl_domid domid);

/* Returns the value of a node below /local/domain/DOMID, which the caller frees. NULL: there is no such node. */
char *guest_node(libxl_domid domid, const char *path);

/* A set with one processor or node. The caller disposes of it. */
libxl_bitmap guest_set_of(int bit);
/* Returns whether the set has all processors of the host. */
bool guest_has_all_cpus(libxl_ctx *ctx, const libxl_bitmap *set);

#endif
