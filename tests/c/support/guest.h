/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Makes guests for tests. A guest runs the tiny kernel in the least memory that works, and has a unique name.
 * Any thread may call these functions.
 */
#ifndef GUEST_H
#define GUEST_H

#include <stdbool.h>

#include <libxl.h>

/* Returns the path of the tiny guest's kernel. The path is $AIOXEN_TEST_KERNEL, or build/guest/tiny if the
 * variable is not set. */
const char *guest_kernel(void);

/*
 * Returns a configuration of a PV guest. The caller disposes of the configuration by
 * libxl_domain_config_dispose(). The command line is a letter, and the letter says what the guest does. A
 * guest with `p` powers off, `r` reboots, `c` crashes, and `s` spins. A guest with `b` blocks and ignores
 * requests. A guest with `dN` powers off after N/10 s. A guest with `l` obeys control/shutdown. In the
 * simulator, `l` also obeys control/sysrq, memory/target and cpu/N/availability.
 */
libxl_domain_config guest_config(const char *command_line);
/* Returns a configuration like that of guest_config(), but for a PVH guest. */
libxl_domain_config guest_config_pvh(const char *command_line);

/* Creates a guest synchronously, and returns its domid. Unpauses the guest if `run` is true. Fails the
 * test on an error. */
libxl_domid guest_new(libxl_ctx *ctx, const char *command_line, bool run);
/* Destroys a guest synchronously. Fails the test on an error. */
void guest_destroy(libxl_ctx *ctx, libxl_domid domid);

/* Returns the value of a node below /local/domain/DOMID, or NULL if there is no such node. The caller
 * frees the value. */
char *guest_node(libxl_domid domid, const char *path);

/* Returns a set that has only the processor or the NUMA node `bit`. The caller disposes of the set. */
libxl_bitmap guest_set_of(int bit);
/* Returns whether `set` has all processors of the host. */
bool guest_has_all_cpus(libxl_ctx *ctx, const libxl_bitmap *set);

#endif
