/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * device_pci_remove and device_pci_destroy: take a PCI device from a domain. The nested operation pci_detach
 * does this. It continues after these operations have ended.
 *
 * Owns: libxl's lock of changes to an HVM domain, until the operations end. The lock keeps other programs, and the
 * undo of an addition, from changing the device model at the same time. A change to a PV domain needs no lock, because
 * its transaction fails if another program has changed the nodes. The caller holds the context's lock.
 */
#include "change_lock.h"
#include "pci_device.h"
#include "xen.h"

typedef struct pci_remove {
    libxl__change_lock lock;
    libxl__pci_search search;
    libxl__nested detach;
} device_pci_remove_state;
typedef struct pci_remove device_pci_destroy_state;

/* ---- lock: no other program changes the device model */

static int lock_start(libxl__ao *ao, struct pci_remove *s)
{
    xc_domaininfo_t info;
    const int rc = libxl__hv_info(ao, ao->subject.number, &info);
    return rc || libxl__hv_type(&info) != LIBXL_DOMAIN_TYPE_HVM ? rc : libxl__change_lock_take(ao, &s->lock);
}

static int lock_poll(libxl__ao *ao, struct pci_remove *s)
{
    return libxl__change_lock_take(ao, &s->lock);
}

/* ---- ask, force: the nested operation takes the device from the domain */

static int start_detach(libxl__ao *ao, struct pci_remove *s, const libxl_device_pci *pci, bool force)
{
    uint32_t sbdf;
    const int rc = libxl__pci_is_named(pci) ? libxl__pci_search_find(ao, &s->search, pci->name, &sbdf)
                                            : libxl__pci_address(ao, pci, &sbdf);
    libxl__ao *child =
        rc ? NULL : libxl__nested_create(ao, &s->detach, &libxl__operations[LIBXL__OP_PCI_DETACH]);
    if (!child)
        return rc ? rc : ERROR_NOMEM;
    libxl__pci_detach_args *args = libxl__ao_args(child);
    s->detach.outlives = true;
    child->subject = ao->subject;
    args->in.domid = ao->subject.number;
    args->in.slot = sbdf & ~7u;
    args->in.mask = pci->vfunc_mask == LIBXL_PCI_FUNC_ALL ? LIBXL_PCI_FUNC_ALL : 1u << (sbdf & 7);
    args->in.force = force;
    args->in.recorded = true;
    libxl__nested_start(&s->detach);
    return s->detach.done ? s->detach.rc : LIBXL__AO_WAIT;
}

static int start(libxl__ao *ao, struct pci_remove *s, const libxl_device_pci *pci, bool force)
{
    return libxl__pci_is_named(pci) ? libxl__pci_search_start(ao, &s->search)
                                    : start_detach(ao, s, pci, force);
}

static int poll_detach(libxl__ao *ao, struct pci_remove *s, const libxl_device_pci *pci, bool force)
{
    if (s->detach.started)
        return s->detach.done ? s->detach.rc : LIBXL__AO_WAIT;
    const int rc = libxl__pci_search_poll(ao, &s->search);
    return rc ? rc : start_detach(ao, s, pci, force);
}

static int ask_start(libxl__ao *ao, struct pci_remove *s)
{
    const libxl__device_pci_remove_args *args = libxl__ao_args(ao);
    return start(ao, s, &args->in.pci, false);
}

static int ask_poll(libxl__ao *ao, struct pci_remove *s)
{
    const libxl__device_pci_remove_args *args = libxl__ao_args(ao);
    return poll_detach(ao, s, &args->in.pci, false);
}

#include "_libxl_phases_device_pci_remove.h"

static int force_start(libxl__ao *ao, struct pci_remove *s)
{
    const libxl__device_pci_destroy_args *args = libxl__ao_args(ao);
    return start(ao, s, &args->in.pci, true);
}

static int force_poll(libxl__ao *ao, struct pci_remove *s)
{
    const libxl__device_pci_destroy_args *args = libxl__ao_args(ao);
    return poll_detach(ao, s, &args->in.pci, true);
}

#include "_libxl_phases_device_pci_destroy.h"
