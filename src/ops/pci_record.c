/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Adds PCI devices to the stored configuration of a domain, and removes them (userdata.h).
 *
 * Owns: nothing; a job owns its `change`. Locks: exchange() runs on a worker, unlocked. libxl__pci_record is
 * called with the context locked.
 */
#include "_libxl_types_internal.h"
#include "pci_device.h"

#include <stdlib.h>
#include <string.h>

typedef struct change {
    /* the device; if `held` is set, an entry that was taken out of the configuration */
    libxl_device_pci entry;
    bool held;
    bool idle; /* the first exchange has found nothing to do */
} change;

static void dispose(void *user)
{
    change *c = user;
    libxl_device_pci_dispose(&c->entry);
    free(c);
}

static bool is_same(const libxl_device_pci *a, const libxl_device_pci *b)
{
    const bool all = a->vfunc_mask == LIBXL_PCI_FUNC_ALL;
    return a->domain == b->domain && a->bus == b->bus && a->dev == b->dev &&
           all == (b->vfunc_mask == LIBXL_PCI_FUNC_ALL) && (all || a->func == b->func);
}

static int append(libxl_domain_config *config, change *c)
{
    const size_t count = (size_t)config->num_pcidevs;
    libxl_device_pci *larger = realloc(config->pcidevs, (count + 1) * sizeof(*larger));
    if (!larger)
        return ERROR_NOMEM;
    const libxl_device_pci *added = &larger[count];
    larger[count] = c->entry;
    libxl_device_pci_init(&c->entry); /* only the address stays, by which a second call finds the entry */
    c->entry.domain = added->domain;
    c->entry.bus = added->bus;
    c->entry.dev = added->dev;
    c->entry.func = added->func;
    c->entry.vfunc_mask = added->vfunc_mask;
    config->pcidevs = larger;
    config->num_pcidevs++;
    c->held = false;
    return 0;
}

/*
 * Moves the device's entry from `c` into the configuration if `c` holds it, otherwise from the configuration into
 * `c`. So a second call moves the entry back.
 */
static int exchange(libxl_domain_config *config, void *user)
{
    change *c = user;
    int at = 0;
    if (c->idle)
        return 0;
    if (c->held)
        return append(config, c);
    while (at < config->num_pcidevs && !is_same(&config->pcidevs[at], &c->entry))
        at++;
    c->idle = at >= config->num_pcidevs;
    if (c->idle)
        return 0;
    libxl_device_pci_dispose(&c->entry);
    c->entry = config->pcidevs[at];
    c->held = true;
    memmove(&config->pcidevs[at], &config->pcidevs[at + 1],
            (size_t)(--config->num_pcidevs - at) * sizeof(*config->pcidevs));
    return 0;
}

int libxl__pci_record(libxl__ao *ao, libxl__userdata *userdata, uint32_t domid, const libxl_device_pci *pci,
                      bool add)
{
    change *c = calloc(1, sizeof(*c));
    if (!c)
        return ERROR_NOMEM;
    libxl_device_pci_init(&c->entry);
    if (libxl__device_pci_copy(ao->ctx, &c->entry, pci)) {
        dispose(c);
        return ERROR_NOMEM;
    }
    if (!c->entry.vfunc_mask)
        c->entry.vfunc_mask = 1;
    c->held = add;
    return libxl__userdata_update(ao, userdata, domid, &ao->subject.uuid, exchange, c, dispose);
}
