/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_list_pcis: lists the PCI devices of a domain. The list comes from the backend's directory, so it
 * includes devices that other toolstacks have added.
 *
 * Owns: the list until it is stored. The caller holds the context's lock.
 */
#include "pci_device.h"
#include "xen.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef libxl__pci_tree domain_list_pcis_state;

static int nodes_start(libxl__ao *ao, libxl__pci_tree *tree)
{
    xc_domaininfo_t info;
    const int rc = libxl__hv_info(ao, ao->subject.number, &info);
    return rc ? rc : libxl__pci_tree_start(ao, tree, ao->subject.number);
}

/* Reads the settings, NAME=VALUE separated by commas. Unknown settings are ignored. */
static void read_settings(libxl_device_pci *pci, const char *text)
{
    char name[32], value[32];
    for (int end = 0; *text && sscanf(text, "%31[^=,]=%31[^,]%n", name, value, &end) == 2; end = 0) {
        text += end;
        text += *text == ',';
        if (!strcmp(name, "msitranslate"))
            pci->msitranslate = atoi(value) != 0;
        else if (!strcmp(name, "power_mgmt"))
            pci->power_mgmt = atoi(value) != 0;
        else if (!strcmp(name, "permissive"))
            pci->permissive = atoi(value) != 0;
        else if (!strcmp(name, "rdm_policy"))
            libxl_rdm_reserve_policy_from_string(value, &pci->rdm_policy);
    }
}

static int nodes_poll(libxl__ao *ao, libxl__pci_tree *tree)
{
    const libxl__domain_list_pcis_args *args = libxl__ao_args(ao);
    libxl_pci_list list = {.num_devices = 0};
    const int rc = libxl__pci_tree_poll(ao, tree);
    if (rc)
        return rc;
    list.devices = calloc(tree->count + 1, sizeof(*list.devices));
    if (!list.devices)
        return ERROR_NOMEM;
    for (uint32_t i = 0; i < tree->count; i++) {
        libxl_device_pci *pci = &list.devices[list.num_devices++];
        const char *place = libxl__pci_tree_value(tree, i, LIBXL__PCI_VDEVFN);
        const char *settings = libxl__pci_tree_value(tree, i, LIBXL__PCI_OPTS);
        libxl_device_pci_init(pci);
        libxl__pci_set_address(pci, tree->sbdf[i]);
        if (place)
            pci->vdevfn = (uint32_t)strtoul(place, NULL, 16);
        if (settings)
            read_settings(pci, settings);
    }
    *args->out.list = list;
    return 0;
}

#include "_libxl_phases_domain_list_pcis.h"
