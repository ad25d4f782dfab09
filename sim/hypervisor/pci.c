/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The subcommands of domctl that assign PCI devices. Domain 0 owns each device that is not in
 * machine->pci_owners. Lock: machine->lock.
 */
#include "machine.h"

#include <stdio.h>
#include <unistd.h>
#include <xen/domctl.h>
#include <xen/physdev.h>

/* Returns the entry of a device. Removes the entry if its domain is gone; DOMID_IO then owns the device. */
static struct pci_owner *owner_of(uint32_t sbdf)
{
    for (struct pci_owner *o = machine->pci_owners; o < machine->pci_owners + MAX_PCI; o++)
        if (o->domid && o->sbdf == sbdf)
            return o;
    return NULL;
}

static bool exists(uint32_t sbdf)
{
    char path[sizeof PCI_FOLDER + 64];
    snprintf(path, sizeof path, PCI_FOLDER "/devices/%04x:%02x:%02x.%x", sbdf >> 16, sbdf >> 8 & 0xff,
             sbdf >> 3 & 0x1f, sbdf & 7);
    return !access(path, F_OK);
}

static long assign(uint32_t sbdf, uint32_t domid, uint64_t serial)
{
    struct pci_owner *o = owner_of(sbdf);
    for (struct pci_owner *free = machine->pci_owners; !o && free < machine->pci_owners + MAX_PCI; free++)
        o = free->domid ? NULL : free;
    if (!o)
        return -ENOMEM;
    *o = (struct pci_owner){.sbdf = sbdf, .domid = domid, .serial = serial};
    return 0;
}

/* Takes a device from its owner. A guest's device then belongs to DOMID_IO, and a device of DOMID_IO to domain 0. */
static long deassign(uint32_t sbdf, uint32_t domid)
{
    struct pci_owner *o = owner_of(sbdf);
    if (!o || o->domid != domid)
        return -ENODEV;
    *o = (struct pci_owner){.sbdf = sbdf, .domid = domid == DOMID_IO ? 0 : DOMID_IO};
    return 0;
}

static bool is_taken(uint32_t sbdf)
{
    const struct pci_owner *o = owner_of(sbdf);
    return o && o->domid != DOMID_IO;
}

long do_domctl_pci(const struct xen_domctl *op)
{
    const uint32_t sbdf = op->u.assign_device.u.pci.machine_sbdf;
    const struct domain *d = domain_get(op->domain);
    if (!(machine->capabilities & XEN_SYSCTL_PHYSCAP_directio))
        return -EOPNOTSUPP;
    if (op->domain != DOMID_IO && !d)
        return -ESRCH;
    if (d && !(d->flags & XEN_DOMCTL_CDF_iommu))
        return -EOPNOTSUPP;
    if (op->u.assign_device.dev != XEN_DOMCTL_DEV_PCI)
        return -EINVAL;
    switch (op->cmd) {
    case XEN_DOMCTL_test_assign_device: return is_taken(sbdf) || !exists(sbdf) ? -EINVAL : 0;
    case XEN_DOMCTL_assign_device:
        if (!exists(sbdf))
            return -ENODEV;
        return is_taken(sbdf) ? -EBUSY : assign(sbdf, op->domain, d ? d->serial : 0);
    default: return deassign(sbdf, op->domain);
    }
}

long do_physdev_op(uint64_t cmd, void *arg)
{
    struct physdev_map_pirq *map = arg;
    const struct physdev_unmap_pirq *unmap = arg;
    if (cmd != PHYSDEVOP_map_pirq && cmd != PHYSDEVOP_unmap_pirq)
        return -ENOSYS;
    const struct domain *d = domain_get(cmd == PHYSDEVOP_map_pirq ? map->domid : unmap->domid);
    if (!d)
        return -ESRCH;
    if (cmd == PHYSDEVOP_map_pirq && map->pirq < 0)
        map->pirq = map->index;
    return 0;
}

void pci_release(const struct domain *d)
{
    for (struct pci_owner *o = machine->pci_owners; o < machine->pci_owners + MAX_PCI; o++)
        if (o->domid == d->domid && o->serial == d->serial)
            *o = (struct pci_owner){.sbdf = o->sbdf, .domid = DOMID_IO};
}
