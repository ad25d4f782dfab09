/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The devices of a domain that is taken down. The teardown lists and removes them before it destroys the
 * domain. If they could not be listed then, it lists and removes them when the domain is gone. The nodes that
 * name the devices stay until then. An error does not end the teardown. The first error is stored, and the
 * teardown ends with it.
 *
 * Call all functions with the context locked.
 */
#ifndef LIBXL__TEARDOWN_DEVICES_H
#define LIBXL__TEARDOWN_DEVICES_H

#include "device_operations.h"
#include "teardown_nodes.h"

/* Embed this in the operation's state; zero-initialise it. Reserve `sweep` with libxl__device_sweep_reserve. */
typedef struct libxl__teardown_devices {
    libxl__device_sweep sweep;
    int rc;              /* the first error; 0: none */
    const char *message; /* the message of `rc`; NULL: there was no memory for it */
    bool unlisted;       /* the last attempt to list the devices has failed */
    bool removing_late;  /* the devices are removed, and the domain is gone */
} libxl__teardown_devices;

/*
 * List the devices of a domain that exists, and remove them. Call the functions from a phase's start and
 * poll. They return 0 or LIBXL__AO_WAIT. They store errors in `rc` and `message`.
 */
int libxl__teardown_devices_list(libxl__ao *ao, libxl__teardown_devices *devices, uint32_t domid,
                                 const libxl_uuid *uuid);
/* Starts to list the devices again, after libxl__teardown_devices_list. */
int libxl__teardown_devices_list_again(libxl__ao *ao, libxl__teardown_devices *devices);
int libxl__teardown_devices_list_poll(libxl__ao *ao, libxl__teardown_devices *devices);
int libxl__teardown_devices_remove(libxl__ao *ao, libxl__teardown_devices *devices);
int libxl__teardown_devices_remove_poll(libxl__ao *ao, libxl__teardown_devices *devices);

/*
 * Lists and removes the devices when the domain is gone. Call this from a phase's start and poll while
 * nodes->keeps_tree is set. `alarm` has been set before. It is set again for the time limit of the removal.
 *
 * Returns 0 or LIBXL__AO_WAIT. After 0 the other nodes may be removed. If the devices have been listed,
 * nodes->keeps_tree is reset. It is also reset if another domain has got the domid in the meantime. Then the
 * nodes belong to that domain, and nothing is removed.
 *
 * If the devices cannot be listed, returns an error, recorded in ao. The next call lists them again. If `last`
 * is set, no other attempt is made: the error is stored, 0 is returned, and the devices and their nodes stay.
 */
int libxl__teardown_devices_late(libxl__ao *ao, libxl__teardown_devices *devices,
                                 libxl__teardown_nodes *nodes, libxl__alarm *alarm, bool last);

#endif
