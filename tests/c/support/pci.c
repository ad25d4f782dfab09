/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns: nothing. */
#include "core.h"
#include "pci.h"

void pci_return(libxl_ctx *ctx)
{
    libxl_device_pci devices[] = {pci_of(1, 0), pci_of(1, 1), pci_of(2, 0)};
    /* A killed process may have unbound a driver without binding pciback. So each device is bound to pciback first. */
    for (int i = 0; i < 3; i++) {
        assert_int_equal(libxl_host_pci_assignable_add(ctx, &devices[i], true, NULL), 0);
        assert_int_equal(libxl_host_pci_assignable_remove(ctx, &devices[i], true, NULL), 0);
    }
}
