/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The NUMA nodes of the host's PCI devices. Owns nothing. Any thread may call the function, locked or not. It
 * reads one directory of sysfs, and makes one hypercall.
 */
#include "running.h"
#include "xen.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define DEVICES "/sys/bus/pci/devices"

static int fail(libxl__ao *ao, const char *what)
{
    return libxl__ao_fail(ao, libxl__errno_rc(LIBXL__CALL_HOST, errno), "%s: %m", what);
}

static int by_address(const void *left, const void *right)
{
    const libxl_pcitopology *a = left, *b = right;
    const int order = (a->seg > b->seg) - (a->seg < b->seg);
    if (order)
        return order;
    return (a->bus << 8 | a->devfn) - (b->bus << 8 | b->devfn);
}

/* Adds the device with this name, "SSSS:BB:DD.F". Ignores other names. Returns 0 or NOMEM. */
static int add(libxl_pcitopology_list *list, int *room, const char *name)
{
    unsigned seg, bus, dev, function;
    int end = 0;
    if (sscanf(name, "%4x:%2x:%2x.%1x%n", &seg, &bus, &dev, &function, &end) != 4 || name[end] || dev > 31 ||
        function > 7)
        return 0;
    if (list->num_devices == *room) {
        libxl_pcitopology *larger = realloc(list->devices, (size_t)2 * (*room + 16) * sizeof(*larger));
        if (!larger)
            return ERROR_NOMEM;
        list->devices = larger;
        *room = 2 * (*room + 16);
    }
    list->devices[list->num_devices++] = (libxl_pcitopology){.seg = (uint16_t)seg,
                                                             .bus = (uint8_t)bus,
                                                             .devfn = (uint8_t)(dev << 3 | function),
                                                             .node = LIBXL_PCITOPOLOGY_INVALID_ENTRY};
    return 0;
}

/* Lists the devices of sysfs. A host without PCI has no such directory, and no devices. */
static int list_devices(libxl__ao *ao, libxl_pcitopology_list *list)
{
    DIR *folder = opendir(DEVICES);
    if (!folder)
        return errno == ENOENT ? 0 : fail(ao, DEVICES);
    int room = 0, rc = 0;
    for (const struct dirent *entry; !rc && (entry = readdir(folder));)
        rc = add(list, &room, entry->d_name);
    closedir(folder);
    if (rc)
        return libxl__ao_fail(ao, rc, "no memory for %d PCI devices", list->num_devices);
    if (list->num_devices)
        qsort(list->devices, (size_t)list->num_devices, sizeof(*list->devices), by_address);
    return 0;
}

static int ask_for_nodes(libxl__ao *ao, libxl_pcitopology_list *list)
{
    const size_t count = (size_t)list->num_devices;
    physdev_pci_device_t *devices = calloc(count + 1, sizeof(*devices));
    uint32_t *nodes = calloc(count + 1, sizeof(*nodes));
    int rc = devices && nodes ? 0 : ERROR_NOMEM;
    for (size_t i = 0; !rc && i < count; i++) {
        const libxl_pcitopology *device = &list->devices[i];
        devices[i] = (physdev_pci_device_t){.seg = device->seg, .bus = device->bus, .devfn = device->devfn};
    }
    if (rc)
        libxl__ao_fail(ao, rc, "no memory for %zu PCI devices", count);
    else if (xc_pcitopoinfo(libxl__xch(ao->ctx), (unsigned)count, devices, nodes))
        rc = fail(ao, "asking for the nodes of the PCI devices");
    for (size_t i = 0; !rc && i < count; i++)
        if (nodes[i] != XEN_INVALID_DEV && nodes[i] != XEN_INVALID_NODE_ID)
            list->devices[i].node = nodes[i];
    free(devices);
    free(nodes);
    return rc;
}

int libxl__hv_pci_topology(libxl__ao *ao, libxl_pcitopology_list *out)
{
    libxl_pcitopology_list list = {.num_devices = 0};
    int rc = list_devices(ao, &list);
    if (!rc && list.num_devices)
        rc = ask_for_nodes(ao, &list);
    if (rc)
        libxl_pcitopology_list_dispose(&list);
    else
        *out = list;
    return rc;
}
