/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The backends of a driver domain: what device_events_handler and the operations that it runs for single backends
 * share. Call all functions with the context locked.
 */
#ifndef LIBXL__BACKEND_H
#define LIBXL__BACKEND_H

#include "device.h"
#include "ops.h"

/*
 * The values of the nodes that the class's offline_keys name, malloc'ed. They are needed to release the resource of a
 * backend whose nodes are gone. NULL: the node was missing.
 */
typedef struct libxl__backend_kept {
    char *values[LIBXL__DEVICE_VALUES];
} libxl__backend_kept;

/*
 * Returns the class of the backends of this kind. NULL: this library does not connect such backends, and only
 * removes their nodes.
 */
const libxl__device_class *libxl__backend_class(const char *backend_kind);
/* Returns whether a QEMU serves the backends of this kind. */
bool libxl__backend_is_of_qemu(const char *backend_kind);
/*
 * Fills in a device of this process's domain. `kind` is the kind in the backend's path. Allocates the class's state.
 * Errors: NI (the kind is not known), NOMEM.
 */
int libxl__backend_device(libxl__ao *ao, libxl__device *device, uint32_t server, const char *kind,
                          uint32_t domid, uint32_t devid);
void libxl__backend_forget_kept(libxl__backend_kept *kept);
/* Returns whether any value is stored. */
bool libxl__backend_keeps(const libxl__backend_kept *kept);

/*
 * backend_connect.c, backend_release.c: pass `kept` to a nested operation before its start. backend_connect stores
 * values in *kept, and backend_release reads them. `kept` must live until the nested operation has ended.
 */
void libxl__backend_connect_keeps(libxl__ao *connect, libxl__backend_kept *kept);
int libxl__backend_release_uses(libxl__ao *release, const libxl__backend_kept *kept);

#endif
