/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The rows of the operations on PCI devices (idl/pci_operations.idl). Owns: nothing. */
#include "operations.h"

#include "pci.h"

/* ---- the devices that guests can have */

STARTS(pci_assignable, pci_list, libxl_host_pci_assignable(s->ctx, &out, NULL))
FILLS(assignable, host_pci_assignable, args->out.list = &s->results.pcis)

static int start_assignable_add(struct starter *s)
{
    libxl_device_pci pci = pci_of(2, 0);
    const int rc = libxl_host_pci_assignable_add(s->ctx, &pci, true, NULL);
    if (!rc)
        libxl_host_pci_assignable_remove(s->ctx, &pci, true, NULL);
    return rc;
}
FILLS(assignable_add, host_pci_assignable_add, args->in.pci = pci_of(2, 0),
      args->in.pci.name = strdup("disk"), args->in.rebind = true)

static int start_assignable_remove(struct starter *s)
{
    libxl_device_pci pci = pci_of(2, 0);
    libxl_host_pci_assignable_add(s->ctx, &pci, true, NULL);
    return libxl_host_pci_assignable_remove(s->ctx, &pci, true, NULL);
}
FILLS(assignable_remove, host_pci_assignable_remove, args->in.pci = pci_of(2, 0), args->in.rebind = true)

/* ---- the devices of a guest */

/* Returns a device that is bound to a driver of the host. Its member `seize` is set. */
static libxl_device_pci seized(void)
{
    libxl_device_pci pci = pci_of(1, 0);
    pci.seize = true;
    return pci;
}

/* Gives the device back to the host's driver if the operation has succeeded. */
static int give_back(struct starter *s, libxl_device_pci *pci, int rc)
{
    if (!rc)
        libxl_host_pci_assignable_remove(s->ctx, pci, true, NULL);
    return rc;
}

static int start_pci_add(struct starter *s)
{
    libxl_device_pci pci = seized();
    const int rc = libxl_device_pci_add(s->ctx, s->guest, &pci, NULL);
    if (!rc)
        libxl_device_pci_destroy(s->ctx, s->guest, &pci, NULL);
    return give_back(s, &pci, rc);
}
FILLS_GUEST(pci_add, device_pci_add, args->in.pci = seized())

static int start_pci_remove(struct starter *s)
{
    libxl_device_pci pci = seized();
    libxl_device_pci_add(s->ctx, s->guest, &pci, NULL);
    return give_back(s, &pci, libxl_device_pci_remove(s->ctx, s->guest, &pci, NULL));
}
FILLS_GUEST(pci_remove, device_pci_remove, args->in.pci = pci_of(1, 0))

static int start_pci_destroy(struct starter *s)
{
    libxl_device_pci pci = seized();
    libxl_device_pci_add(s->ctx, s->guest, &pci, NULL);
    return give_back(s, &pci, libxl_device_pci_destroy(s->ctx, s->guest, &pci, NULL));
}
FILLS_GUEST(pci_destroy, device_pci_destroy, args->in.pci = pci_of(1, 0))

STARTS(pci_list, pci_list, libxl_domain_list_pcis(s->ctx, s->guest, &out, NULL))
FILLS_GUEST(list_pcis, domain_list_pcis, args->out.list = &s->results.pcis)

/* Fills in a creation with a PCI device that the creation takes from its driver. */
static void fill_create_pci(struct subject *s, void *p)
{
    libxl__domain_create_new_args *args = p;
    operations_fill_create(s, p);
    libxl_device_pci *pci = args->in.d_config.pcidevs = malloc(sizeof(*pci));
    *pci = seized();
    args->in.d_config.num_pcidevs = 1;
}

FILLS_GUEST(pcis_check, device_pcis_check, args->in.replaces = true,
            args->in.pcis.devices = malloc(sizeof(libxl_device_pci)), *args->in.pcis.devices = seized(),
            args->in.pcis.num_devices = 1)

static const struct operation_row rows[] = {
    /* A creation stores the whole configuration itself, so the phases `lock` and `record` do not wait in
     * it. */
    {IDLE(DEVICE_PCIS_ADD, "lock")},
    {IDLE(DEVICE_PCIS_ADD, "record")},
    {SWEPT(HOST_PCI_ASSIGNABLE, pci_assignable, fill_assignable, ANY_GUEST)},
    {SWEPT(HOST_PCI_ASSIGNABLE_ADD, assignable_add, fill_assignable_add, WITH_DRIVER), .takes_pci = true},
    {SWEPT(HOST_PCI_ASSIGNABLE_REMOVE, assignable_remove, fill_assignable_remove, WITH_ASSIGNABLE),
     .takes_pci = true},
    {SWEPT(DEVICE_PCI_ADD, pci_add, fill_pci_add, WITH_PCI), .takes_pci = true},
    {PHASE_IN(DEVICE_PCI_ADD, "model", DEVICE_PCI_ADD, fill_pci_add, HVM_FOR_PCI)},
    {HIDDEN_IN(DEVICE_PCIS_ADD, DOMAIN_CREATE_NEW, fill_create_pci, NO_GUEST)},
    {HIDDEN_IN(DEVICE_PCIS_CHECK, DEVICE_PCIS_CHECK, fill_pcis_check, WITH_PCI)},
    {SWEPT(DEVICE_PCI_REMOVE, pci_remove, fill_pci_remove, WITH_TWO_PCI), .takes_pci = true},
    {SWEPT(DEVICE_PCI_DESTROY, pci_destroy, fill_pci_destroy, WITH_TWO_PCI), .takes_pci = true},
    {HIDDEN_IN(PCI_DETACH, DEVICE_PCI_REMOVE, fill_pci_remove, WITH_TWO_PCI)},
    {PHASE_IN(PCI_DETACH, "unplug", DEVICE_PCI_REMOVE, fill_pci_remove, HVM_WITH_PCI)},
    {PHASE_IN(PCI_DETACH, "released", DEVICE_PCI_DESTROY, fill_pci_destroy, WITH_TWO_PCI)},
    {PHASE_IN(DEVICE_PCI_REMOVE, "lock", DEVICE_PCI_REMOVE, fill_pci_remove, HVM_WITH_PCI)},
    {PHASE_IN(DEVICE_PCI_DESTROY, "lock", DEVICE_PCI_DESTROY, fill_pci_destroy, HVM_WITH_PCI)},
    {SWEPT(DOMAIN_LIST_PCIS, pci_list, fill_list_pcis, WITH_PCI)},
};
OPERATION_FAMILY(pci_operations);
