/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libxl's synchronous functions for PCI devices. Each runs an operation of this library. Owns: nothing. Any
 * thread may call these functions, without the context's lock.
 */
#include "ops.h"

#include <stdlib.h>

/* Gives the devices of a list to the caller. Returns NULL if there are none. */
static libxl_device_pci *take(libxl_pci_list *list, int *num)
{
    *num = list->num_devices;
    if (list->num_devices)
        return list->devices;
    libxl_pci_list_dispose(list);
    return NULL;
}

int libxl_device_pci_assignable_add(libxl_ctx *ctx, libxl_device_pci *pci, int rebind)
{
    return libxl_host_pci_assignable_add(ctx, pci, rebind != 0, NULL);
}

int libxl_device_pci_assignable_remove(libxl_ctx *ctx, libxl_device_pci *pci, int rebind)
{
    return libxl_host_pci_assignable_remove(ctx, pci, rebind != 0, NULL);
}

libxl_device_pci *libxl_device_pci_assignable_list(libxl_ctx *ctx, int *num)
{
    libxl_pci_list list;
    *num = 0;
    return libxl_host_pci_assignable(ctx, &list, NULL) ? NULL : take(&list, num);
}

void libxl_device_pci_assignable_list_free(libxl_device_pci *list, int num)
{
    libxl_pci_list_dispose(&(libxl_pci_list){.devices = list, .num_devices = num});
}

libxl_device_pci *libxl_device_pci_list(libxl_ctx *ctx, uint32_t domid, int *num)
{
    libxl_pci_list list;
    *num = 0;
    return libxl_domain_list_pcis(ctx, domid, &list, NULL) ? NULL : take(&list, num);
}

void libxl_device_pci_list_free(libxl_device_pci *list, int num)
{
    libxl_device_pci_assignable_list_free(list, num);
}
