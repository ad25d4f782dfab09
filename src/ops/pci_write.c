/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The nodes of PCI devices are in one directory, which the first device makes. A later device of a PV domain is
 * added by the handshake of pciback: the backend's state becomes Reconfiguring, and the guest's driver looks for new
 * functions.
 *
 * Owns: nothing except the operation's state. The caller holds the context's lock.
 */
#include "pci_write.h"

#include "device.h"
#include "marks.h"
#include "xen.h"

#include <stdio.h>

#include <xen/io/xenbus.h>

enum { MOST_TRIES = 16 };

static void write_key(libxl__pci_write *w, const char *key, const char *value)
{
    libxl__xs_write(w->batch, LIBXL__XS_INHERITS, value, LIBXL__PCI_BACKEND "/%s", w->domid, key);
}

static void write_text(libxl__pci_write *w, uint32_t index, libxl__pci_key key, const char *value)
{
    libxl__xs_write(w->batch, LIBXL__XS_INHERITS, value, LIBXL__PCI_BACKEND "/%s-%u", w->domid,
                    libxl__pci_keys[key], index);
}

static void write_function(libxl__pci_write *w, uint32_t i, uint32_t index)
{
    const libxl__pci_function *f = &w->functions[i];
    const libxl_device_pci *config = w->config_of[i];
    char text[128];
    snprintf(text, sizeof(text), LIBXL__PCI_FORMAT, LIBXL__PCI_PARTS(f->sbdf));
    write_text(w, index, LIBXL__PCI_KEY, text);
    write_text(w, index, LIBXL__PCI_DEV, text);
    if (f->vdevfn) {
        snprintf(text, sizeof(text), "%x", f->vdevfn);
        write_text(w, index, LIBXL__PCI_VDEVFN, text);
    }
    snprintf(text, sizeof(text), "msitranslate=%d,power_mgmt=%d,permissive=%d,rdm_policy=%s",
             config->msitranslate, config->power_mgmt, config->permissive, f->relaxed ? "relaxed" : "strict");
    write_text(w, index, LIBXL__PCI_OPTS, text);
    snprintf(text, sizeof(text), "%d", XenbusStateInitialising);
    write_text(w, index, LIBXL__PCI_STATE, text);
    snprintf(text, sizeof(text), "%u", w->domid);
    libxl__xs_write(w->batch, LIBXL__XS_INHERITS, text, LIBXL__PCI_NODE "/domid", LIBXL__PCI_PARTS(f->sbdf));
}

/* Adds the requests that make the two directories. Nodes that an earlier device has left are removed. */
static void write_directories(libxl__pci_write *w)
{
    const uint32_t domid = w->domid;
    char text[64];
    const char *name = libxl__xs_value(w->tree.name);
    libxl__xs_require_absent(w->batch, ERROR_NOT_READY, LIBXL__PCI_BACKEND "/num_devs", domid);
    libxl__xs_remove(w->batch, LIBXL__PCI_BACKEND, domid);
    libxl__xs_remove(w->batch, "/local/domain/0/error/backend/pci/%u/0", domid);
    libxl__xs_remove(w->batch, LIBXL__PCI_FRONTEND, domid);
    libxl__xs_write(w->batch, LIBXL__XS_FRONTEND, "", LIBXL__PCI_FRONTEND, domid);
    libxl__xs_write(w->batch, LIBXL__XS_BACKEND, "", LIBXL__PCI_BACKEND, domid);
    snprintf(text, sizeof(text), LIBXL__PCI_BACKEND, domid);
    libxl__xs_write(w->batch, LIBXL__XS_INHERITS, text, LIBXL__PCI_FRONTEND "/backend", domid);
    libxl__xs_write(w->batch, LIBXL__XS_INHERITS, "0", LIBXL__PCI_FRONTEND "/backend-id", domid);
    libxl__xs_write(w->batch, LIBXL__XS_INHERITS, "1", LIBXL__PCI_FRONTEND "/state", domid);
    snprintf(text, sizeof(text), LIBXL__PCI_FRONTEND, domid);
    write_key(w, "frontend", text);
    snprintf(text, sizeof(text), "%u", domid);
    write_key(w, "frontend-id", text);
    write_key(w, "online", "1");
    write_key(w, "state", "1");
    write_key(w, "domain", name ? name : "");
}

/* Returns whether the guest's driver must attach the functions, because it serves other functions already. */
static bool asks_guest(const libxl__pci_write *w)
{
    return w->tree.exists && w->asks;
}

static int write_nodes(libxl__ao *ao, libxl__pci_write *w)
{
    char text[16];
    w->step = LIBXL__PCI_WRITING;
    w->appended = w->tree.exists;
    if (w->tree.count + w->count > LIBXL__PCI_MOST)
        return libxl__ao_fail(ao, ERROR_INVAL, "pci: domain %u would have more than %d functions", w->domid,
                              LIBXL__PCI_MOST);
    w->batch = libxl__xs_batch_new(ao, w->domid);
    if (!w->batch)
        return ERROR_NOMEM;
    libxl__xs_require_domain(w->batch, &ao->subject.uuid);
    if (!w->creating)
        libxl__mark_require_none(w->batch, &ao->subject.uuid);
    if (w->appended)
        libxl__xs_require(w->batch, ERROR_NOT_READY, libxl__xs_value(w->tree.count_node),
                          LIBXL__PCI_BACKEND "/num_devs", w->domid);
    else
        write_directories(w);
    if (asks_guest(w))
        libxl__xs_require(w->batch, ERROR_NOT_READY, "4", LIBXL__PCI_BACKEND "/state", w->domid);
    for (uint32_t i = 0; i < w->count; i++)
        write_function(w, i, w->tree.count + i);
    snprintf(text, sizeof(text), "%u", w->tree.count + w->count);
    write_key(w, "num_devs", text);
    if (asks_guest(w))
        write_key(w, "state", "7");
    const int rc = libxl__xs_run(w->batch, LIBXL__XS_TRANSACTION);
    return rc ? rc : LIBXL__AO_WAIT;
}

/* Checks that the domain has none of the functions. Another program may have added one since the phase `check`. */
static int check_functions(libxl__ao *ao, const libxl__pci_write *w)
{
    for (uint32_t i = 0; i < w->count; i++)
        if (libxl__pci_tree_find(&w->tree, w->functions[i].sbdf) >= 0)
            return libxl__ao_fail(ao, ERROR_DEVICE_EXISTS,
                                  "pci: domain %u has the device " LIBXL__PCI_FORMAT " already", w->domid,
                                  LIBXL__PCI_PARTS(w->functions[i].sbdf));
    return 0;
}

/*
 * Called when the backend's directory was read. Writes the nodes, or first waits until the backend is in the state
 * Connected.
 */
static int tree_read(libxl__ao *ao, libxl__pci_write *w)
{
    xc_domaininfo_t info;
    char path[LIBXL__DEVICE_PATH];
    const char *state = libxl__xs_value(w->tree.state);
    int rc = check_functions(ao, w);
    if (rc)
        return rc;
    if (!asks_guest(w) || libxl__device_state(state) == XenbusStateConnected)
        return write_nodes(ao, w);
    rc = libxl__hv_info(ao, w->domid, &info);
    if (!rc && info.flags & XEN_DOMINF_paused)
        return libxl__ao_fail(ao, ERROR_GUEST_CANNOT_ANSWER, "domain %u is paused", w->domid);
    w->step = LIBXL__PCI_SETTLING;
    snprintf(path, sizeof(path), LIBXL__PCI_BACKEND "/state", w->domid);
    if (!rc && !w->settled.watch)
        rc = libxl__await_start(ao, &w->settled, path, libxl__await_equal, "4");
    else if (!rc)
        libxl__await_again(&w->settled);
    return rc ? rc : LIBXL__AO_WAIT;
}

static int read_tree(libxl__ao *ao, libxl__pci_write *w)
{
    w->step = LIBXL__PCI_READING;
    return libxl__pci_tree_start(ao, &w->tree, w->domid);
}

int libxl__pci_write_start(libxl__ao *ao, libxl__pci_write *w)
{
    return read_tree(ao, w);
}

/*
 * Polls the transaction. If another program has changed the directory before the transaction, reads the directory
 * again.
 */
static int written(libxl__ao *ao, libxl__pci_write *w)
{
    if (!libxl__xs_done(w->batch))
        return LIBXL__AO_WAIT;
    const int rc = libxl__xs_rc(w->batch);
    if (rc == ERROR_BUSY)
        return libxl__mark_busy(ao, w->domid);
    if (rc == ERROR_DOMAIN_DESTROYED)
        return libxl__ao_fail(ao, rc, "domain %u was destroyed", w->domid);
    if (rc != ERROR_NOT_READY)
        return libxl__xs_result(w->batch);
    if (++w->tries > MOST_TRIES)
        return libxl__ao_fail(ao, ERROR_DEVICE, "the backend changes its nodes all the time");
    libxl__xs_batch_free(w->batch);
    w->batch = NULL;
    return read_tree(ao, w);
}

int libxl__pci_write_poll(libxl__ao *ao, libxl__pci_write *w)
{
    int rc;
    switch (w->step) {
    case LIBXL__PCI_READING: rc = libxl__pci_tree_poll(ao, &w->tree); return rc ? rc : tree_read(ao, w);
    case LIBXL__PCI_SETTLING: rc = libxl__await_step(ao, &w->settled); return rc ? rc : read_tree(ao, w);
    case LIBXL__PCI_WRITING: break;
    }
    return written(ao, w);
}

int libxl__pci_write_end(libxl__pci_write *w, bool *written)
{
    *written = false;
    if (!w->batch || libxl__xs_take_back(w->batch))
        return 0;
    if (!libxl__xs_done(w->batch))
        return LIBXL__AO_WAIT;
    *written = !libxl__xs_rc(w->batch);
    return 0;
}
