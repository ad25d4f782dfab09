/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The class vdispl: a paravirtual display. A program that the administrator starts serves the device
 * (xen/io/displif.h). The connectors are described in the frontend's tree.
 *
 * Owns: nothing except the operation's state. The caller holds the context's lock.
 */
#include "_libxl_types_internal.h"
#include "device.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The greatest number of connectors. libxl__xs_tree reads no more of them. */
enum { MOST_CONNECTORS = LIBXL__XS_TREE_NUMBERS };

static libxl_device_vdispl *vdispl_of(const libxl__device *device)
{
    return device->config;
}

static int check(libxl__ao *ao, libxl__device *device)
{
    const libxl_device_vdispl *vdispl = vdispl_of(device);
    if (vdispl->num_connectors > MOST_CONNECTORS)
        return libxl__ao_fail(ao, ERROR_INVAL, "connectors: %d are more than %d", vdispl->num_connectors,
                              MOST_CONNECTORS);
    for (int i = 0; i < vdispl->num_connectors; i++)
        if (!vdispl->connectors[i].unique_id)
            return libxl__ao_fail(ao, ERROR_INVAL, "connectors[%d].unique_id: missing", i);
    device->devid = (uint32_t)vdispl->devid;
    strcpy(device->backend_kind, "vdispl");
    return 0;
}

/* Writes a node of the frontend's tree that the guest may read and not write. */
static void write_fixed(const libxl__device_nodes *nodes, const char *value, int connector, const char *key)
{
    libxl__xs_write(nodes->batch, LIBXL__XS_GUEST_READS, value, LIBXL__FRONTEND "/%d/%s",
                    LIBXL__FRONTEND_OF(nodes->device), connector, key);
}

static void write_nodes(const libxl__device_nodes *nodes)
{
    const libxl_device_vdispl *vdispl = vdispl_of(nodes->device);
    libxl__xs_write(nodes->batch, LIBXL__XS_GUEST_READS, vdispl->be_alloc ? "1" : "0",
                    LIBXL__FRONTEND "/be-alloc", LIBXL__FRONTEND_OF(nodes->device));
    for (int i = 0; i < vdispl->num_connectors; i++) {
        const libxl_connector_param *connector = &vdispl->connectors[i];
        char resolution[32];
        snprintf(resolution, sizeof(resolution), "%ux%u", connector->width, connector->height);
        write_fixed(nodes, resolution, i, "resolution");
        write_fixed(nodes, connector->unique_id, i, "unique-id");
    }
}

/* Reads the connectors. A connector without a resolution ends the list. */
static int read_tree(void *config, const libxl__xs_tree *tree)
{
    libxl_device_vdispl *vdispl = config;
    const char *allocates = libxl__xs_tree_value(tree, "be-alloc");
    int rc = 0;
    vdispl->be_alloc = allocates && strcmp(allocates, "1") == 0;
    vdispl->connectors = calloc(MOST_CONNECTORS, sizeof(*vdispl->connectors));
    if (!vdispl->connectors)
        return ERROR_NOMEM;
    for (int i = 0; i < MOST_CONNECTORS && !rc; i++) {
        libxl_connector_param *connector = &vdispl->connectors[i];
        const char *resolution = libxl__xs_tree_value(tree, "%d/resolution", i);
        if (!resolution)
            break;
        vdispl->num_connectors++;
        if (sscanf(resolution, "%9ux%9u", &connector->width, &connector->height) != 2)
            connector->width = connector->height = 0;
        rc = libxl__device_keep_text(&connector->unique_id, libxl__xs_tree_value(tree, "%d/unique-id", i));
    }
    return rc;
}

LIBXL__DEVICE_CONFIG(vdispl)
const libxl__device_class libxl__class_vdispl = {
    LIBXL__DEVICE_ROW(vdispl, vdispls, "vdispl"),
    .waits_for_backend = true,
    .closes_without_frontend = true,
    .check = check,
    .write = write_nodes,
    .tree_depth = 1,
    .read_tree = read_tree,
};
