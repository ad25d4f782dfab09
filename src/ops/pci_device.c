/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns: nothing. The caller holds the context's lock. */
#include "pci_device.h"
#include "xen.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST_NAME = 255 };

int libxl__pci_address(libxl__ao *ao, const libxl_device_pci *pci, uint32_t *sbdf)
{
    if (pci->domain < 0 || pci->domain > 0xffff)
        return libxl__ao_fail(ao, ERROR_INVAL, "pci.domain: %d is not between 0 and 0xffff", pci->domain);
    if (pci->dev > 0x1f)
        return libxl__ao_fail(ao, ERROR_INVAL, "pci.dev: %u is greater than 0x1f", pci->dev);
    if (pci->func > 7)
        return libxl__ao_fail(ao, ERROR_INVAL, "pci.func: %u is greater than 7", pci->func);
    *sbdf = (uint32_t)pci->domain << 16 | (uint32_t)pci->bus << 8 | (uint32_t)pci->dev << 3 | pci->func;
    return 0;
}

void libxl__pci_set_address(libxl_device_pci *pci, uint32_t sbdf)
{
    pci->domain = (int)(sbdf >> 16);
    pci->bus = (uint8_t)(sbdf >> 8);
    pci->dev = sbdf >> 3 & 0x1f;
    pci->func = sbdf & 7;
    pci->vfunc_mask = 1;
}

int libxl__pci_check_name(libxl__ao *ao, const char *name)
{
    if (!name)
        return 0;
    if (!*name || strlen(name) > LONGEST_NAME)
        return libxl__ao_fail(ao, ERROR_INVAL, "pci.name: must have 1 to %d octets", LONGEST_NAME);
    for (const char *c = name; *c; c++)
        if (iscntrl((unsigned char)*c))
            return libxl__ao_fail(ao, ERROR_INVAL, "pci.name: has a control character");
    return 0;
}

int libxl__pci_check_owner(libxl__ao *ao, uint32_t sbdf, const char *owner)
{
    xc_domaininfo_t info;
    char *end;
    const unsigned long domid = owner ? strtoul(owner, &end, 10) : 0;
    if (!owner || !*owner || *end || domid >= LIBXL__DOMID_FIRST_RESERVED)
        return 0;
    const int rc = libxl__hv_look(ao, (uint32_t)domid, &info);
    if (rc)
        return rc == ERROR_DOMAIN_NOTFOUND ? 0 : rc;
    return libxl__ao_fail(ao, ERROR_BUSY, "pci: domain %lu has the device " LIBXL__PCI_FORMAT, domid,
                          LIBXL__PCI_PARTS(sbdf));
}

int libxl__pci_not_assignable(libxl__ao *ao, uint32_t sbdf, bool all)
{
    if (all)
        return libxl__ao_fail(ao, ERROR_NOT_ASSIGNABLE,
                              "pci: the function %u of the multi-function device " LIBXL__PCI_FORMAT
                              " is not bound to pciback",
                              sbdf & 7, LIBXL__PCI_PARTS(sbdf));
    return libxl__ao_fail(ao, ERROR_NOT_ASSIGNABLE,
                          "pci: the device " LIBXL__PCI_FORMAT " is not bound to pciback",
                          LIBXL__PCI_PARTS(sbdf));
}

/* ---- the nodes of a device */

void libxl__pci_nodes_read(libxl__xs_batch *batch, uint32_t sbdf, libxl__pci_nodes *nodes)
{
    nodes->driver = libxl__xs_read(batch, LIBXL__PCI_NODE "/driver_path", LIBXL__PCI_PARTS(sbdf));
    nodes->name = libxl__xs_read(batch, LIBXL__PCI_NODE "/name", LIBXL__PCI_PARTS(sbdf));
    nodes->owner = libxl__xs_read(batch, LIBXL__PCI_NODE "/domid", LIBXL__PCI_PARTS(sbdf));
}

void libxl__pci_nodes_write(libxl__xs_batch *batch, uint32_t sbdf, const char *key, const char *value)
{
    if (value)
        libxl__xs_write(batch, LIBXL__XS_INHERITS, value, LIBXL__PCI_NODE "/%s", LIBXL__PCI_PARTS(sbdf), key);
    else
        libxl__xs_remove(batch, LIBXL__PCI_NODE "/%s", LIBXL__PCI_PARTS(sbdf), key);
}

size_t libxl__pci_nodes_octets(const libxl__pci_nodes *nodes)
{
    enum { PATH_OCTETS = sizeof("/libxl/pci/ffff-ff-1f-7/driver_path") };
    const char *driver = libxl__xs_value(nodes->driver), *name = libxl__xs_value(nodes->name);
    return LIBXL__PCI_RESTORING * (size_t)(PATH_OCTETS + 1) + (driver ? strlen(driver) : 0) +
           (name ? strlen(name) : 0);
}

void libxl__pci_nodes_restore(libxl__xs_batch *batch, uint32_t sbdf, const libxl__pci_nodes *nodes)
{
    const char *driver = libxl__xs_value(nodes->driver), *name = libxl__xs_value(nodes->name);
    if (!driver && !name && !libxl__xs_value(nodes->owner)) {
        libxl__xs_remove(batch, LIBXL__PCI_NODE, LIBXL__PCI_PARTS(sbdf));
        return;
    }
    libxl__pci_nodes_write(batch, sbdf, "driver_path", driver);
    libxl__pci_nodes_write(batch, sbdf, "name", name);
}

/* ---- the backend's directory */

const char *const libxl__pci_keys[LIBXL__PCI_KEYS] = {"dev", "key", "vdevfn", "opts", "state", "vdev"};

static int run(libxl__xs_batch *batch)
{
    const int rc = libxl__xs_run(batch, LIBXL__XS_ONE_BY_ONE);
    return rc ? rc : LIBXL__AO_WAIT;
}

int libxl__pci_tree_start(libxl__ao *ao, libxl__pci_tree *tree, uint32_t domid)
{
    libxl__xs_batch_free(tree->first);
    libxl__xs_batch_free(tree->batch);
    *tree = (libxl__pci_tree){.domid = domid, .first = libxl__xs_batch_new(ao, domid)};
    if (!tree->first)
        return ERROR_NOMEM;
    tree->count_node = libxl__xs_read(tree->first, LIBXL__PCI_BACKEND "/num_devs", domid);
    tree->state = libxl__xs_read(tree->first, LIBXL__PCI_BACKEND "/state", domid);
    tree->name = libxl__xs_read(tree->first, "/local/domain/%u/name", domid);
    return run(tree->first);
}

static int read_functions(libxl__ao *ao, libxl__pci_tree *tree)
{
    const char *text = libxl__xs_value(tree->count_node);
    char *end;
    tree->exists = text != NULL;
    const unsigned long count = text ? strtoul(text, &end, 10) : 0;
    if (text && (!*text || *end || count > LIBXL__PCI_MOST))
        return libxl__ao_fail(ao, ERROR_DEVICE, LIBXL__PCI_BACKEND "/num_devs: '%s' is not between 0 and %d",
                              tree->domid, text, LIBXL__PCI_MOST);
    tree->count = (uint32_t)count;
    if (!count)
        return 0;
    tree->batch = libxl__xs_batch_new(ao, tree->domid);
    if (!tree->batch)
        return ERROR_NOMEM;
    for (uint32_t i = 0; i < tree->count; i++)
        for (unsigned key = 0; key < LIBXL__PCI_KEYS; key++)
            tree->keys[i][key] = libxl__xs_read(tree->batch, LIBXL__PCI_BACKEND "/%s-%u", tree->domid,
                                                libxl__pci_keys[key], i);
    return run(tree->batch);
}

int libxl__pci_tree_poll(libxl__ao *ao, libxl__pci_tree *tree)
{
    if (!libxl__xs_done(tree->first) || (tree->batch && !libxl__xs_done(tree->batch)))
        return LIBXL__AO_WAIT;
    int rc = libxl__xs_result(tree->first);
    if (rc)
        return rc;
    if (!tree->batch)
        return read_functions(ao, tree);
    rc = libxl__xs_result(tree->batch);
    for (uint32_t i = 0; i < tree->count && !rc; i++) {
        const char *bdf = libxl__pci_tree_value(tree, i, LIBXL__PCI_DEV);
        if (!bdf || !libxl__pci_parse(bdf, &tree->sbdf[i]))
            rc = libxl__ao_fail(ao, ERROR_DEVICE, LIBXL__PCI_BACKEND "/dev-%u: not the address of a device",
                                tree->domid, i);
    }
    return rc;
}

int libxl__pci_tree_find(const libxl__pci_tree *tree, uint32_t sbdf)
{
    for (uint32_t i = 0; i < tree->count; i++)
        if (tree->sbdf[i] == sbdf)
            return (int)i;
    return -1;
}

const char *libxl__pci_tree_value(const libxl__pci_tree *tree, uint32_t index, libxl__pci_key key)
{
    return libxl__xs_value(tree->keys[index][key]);
}

/* ---- finding an assignable device by its name */

bool libxl__pci_is_named(const libxl_device_pci *pci)
{
    return pci->name && !pci->domain && !pci->bus && !pci->dev && !pci->func && !pci->vfunc_mask;
}

int libxl__pci_search_start(libxl__ao *ao, libxl__pci_search *search)
{
    return libxl__xs_directory_start(ao, &search->nodes, "/libxl/pci");
}

static int read_names(libxl__ao *ao, libxl__pci_search *search)
{
    search->batch = libxl__xs_batch_new(ao, 0);
    search->names = libxl__gc_alloc(&ao->gc, (search->nodes.count + (size_t)1) * sizeof(libxl__xs_request *));
    if (!search->batch || !search->names)
        return ERROR_NOMEM;
    for (uint32_t i = 0; i < search->nodes.count; i++)
        search->names[i] = libxl__xs_read(search->batch, "/libxl/pci/%s/name", search->nodes.names[i]);
    return run(search->batch);
}

int libxl__pci_search_poll(libxl__ao *ao, libxl__pci_search *search)
{
    if (!search->batch) {
        const int rc = libxl__xs_directory_step(ao, &search->nodes);
        return rc ? rc : read_names(ao, search);
    }
    return libxl__xs_done(search->batch) ? libxl__xs_result(search->batch) : LIBXL__AO_WAIT;
}

int libxl__pci_search_find(libxl__ao *ao, const libxl__pci_search *search, const char *name, uint32_t *sbdf)
{
    unsigned part[4];
    for (uint32_t i = 0; i < search->nodes.count; i++) {
        const char *found = libxl__xs_value(search->names[i]);
        if (found && !strcmp(found, name) &&
            sscanf(search->nodes.names[i], "%4x-%2x-%2x-%1x", &part[0], &part[1], &part[2], &part[3]) == 4 &&
            part[2] <= 0x1f && part[3] <= 7) {
            *sbdf = part[0] << 16 | part[1] << 8 | part[2] << 3 | part[3];
            return 0;
        }
    }
    return libxl__ao_fail(ao, ERROR_NOTFOUND, "pci.name: no PCI device has the name '%s'", name);
}
