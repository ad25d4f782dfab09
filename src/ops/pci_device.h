/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The nodes and functions that all operations on PCI devices use. Call all functions with the context locked. */
#ifndef LIBXL__PCI_DEVICE_H
#define LIBXL__PCI_DEVICE_H

#include "ops.h"
#include "pci.h"
#include "userdata.h"
#include "xs_directory.h"

/*
 * The nodes of all PCI devices of a domain: one backend in domain 0, with the number 0. Like libxl, this library
 * writes no nodes for them into the toolstack's tree. The arguments are the domid and, if there is a %s, the key.
 */
#define LIBXL__PCI_BACKEND  "/local/domain/0/backend/pci/%u/0"
#define LIBXL__PCI_FRONTEND "/local/domain/%u/device/pci/0"

/* The greatest number of functions of one domain. The bus that pciback shows to a guest has 32 slots. */
enum { LIBXL__PCI_MOST = 32 };

/* Stores the SBDF of a configuration. Errors: INVAL, recorded in ao; messages begin with `pci.`. */
int libxl__pci_address(libxl__ao *ao, const libxl_device_pci *pci, uint32_t *sbdf);
/* Sets the address of a configuration to one function. */
void libxl__pci_set_address(libxl_device_pci *pci, uint32_t sbdf);
/* Checks the name of a device. NULL: no name. Errors: INVAL, recorded in ao. */
int libxl__pci_check_name(libxl__ao *ao, const char *name);
/*
 * Checks that no domain has a device. `owner` is the value of the device's node `domid`; NULL: it is missing.
 * The node of a domain that is gone does not count. Errors, recorded in ao: BUSY, and those of libxl__hv_look.
 */
int libxl__pci_check_owner(libxl__ao *ao, uint32_t sbdf, const char *owner);

/* Returns NOT_ASSIGNABLE, recorded in ao. `all` true: the configuration asks for all functions of the device. */
int libxl__pci_not_assignable(libxl__ao *ao, uint32_t sbdf, bool all);

/* The nodes about one device of this host (LIBXL__PCI_NODE), as they were read. */
typedef struct libxl__pci_nodes {
    const libxl__xs_request *driver, *name, *owner; /* the nodes driver_path, name and domid */
} libxl__pci_nodes;

/* The greatest number of requests that libxl__pci_nodes_restore adds. */
enum { LIBXL__PCI_RESTORING = 2 };

/* Adds to the batch the requests that read the nodes of a device. */
void libxl__pci_nodes_read(libxl__xs_batch *batch, uint32_t sbdf, libxl__pci_nodes *nodes);
/* Adds the request that writes one node of a device. `value` NULL: removes the node. */
void libxl__pci_nodes_write(libxl__xs_batch *batch, uint32_t sbdf, const char *key, const char *value);
/* Returns the octets that libxl__xs_reserve must reserve for libxl__pci_nodes_restore. */
size_t libxl__pci_nodes_octets(const libxl__pci_nodes *nodes);
/*
 * Adds the requests that restore the nodes driver_path and name. A directory that was missing is removed. For
 * an undo: run the batch ONE_BY_ONE, for which libxl__xs_reserve reserves all memory.
 */
void libxl__pci_nodes_restore(libxl__xs_batch *batch, uint32_t sbdf, const libxl__pci_nodes *nodes);

/* The keys of one function in the backend's directory; each has the function's index at its end. */
typedef enum libxl__pci_key {
    LIBXL__PCI_DEV,    /* DDDD:BB:DD.F */
    LIBXL__PCI_KEY,    /* the same address once more, because libxl writes it, too */
    LIBXL__PCI_VDEVFN, /* the device and function number that the guest sees, in hexadecimal */
    LIBXL__PCI_OPTS,   /* the settings, NAME=VALUE separated by commas */
    LIBXL__PCI_STATE,  /* the state of the function, a XenbusState */
    LIBXL__PCI_VDEV,   /* the slot and function in the guest, written by pciback */
    LIBXL__PCI_KEYS
} libxl__pci_key;
extern const char *const libxl__pci_keys[LIBXL__PCI_KEYS];

/*
 * The directory of a domain's PCI backend, as it was read. Embed this in the operation's state; zero-initialise it.
 * The directory can be read several times.
 */
typedef struct libxl__pci_tree {
    libxl__xs_batch *batch, *first;
    const libxl__xs_request *count_node, *state, *name;
    const libxl__xs_request *keys[LIBXL__PCI_MOST][LIBXL__PCI_KEYS];
    uint32_t domid, count; /* `count`: the number of functions; valid once the directory was read */
    uint32_t sbdf[LIBXL__PCI_MOST];
    bool exists; /* the domain has a backend of PCI devices */
} libxl__pci_tree;

/*
 * Starts to read the directory. Returns LIBXL__AO_WAIT or an error. Errors: NOMEM, FAIL, NO_XENSTORE, recorded in ao.
 */
int libxl__pci_tree_start(libxl__ao *ao, libxl__pci_tree *tree, uint32_t domid);
/*
 * Returns LIBXL__AO_WAIT, 0, or an error. Errors, recorded in ao: DEVICE (the nodes are not those of pciback),
 * and those of libxl__xs_result.
 */
int libxl__pci_tree_poll(libxl__ao *ao, libxl__pci_tree *tree);
/* Returns the index of the function in the directory, or -1 if the domain does not have it. */
int libxl__pci_tree_find(const libxl__pci_tree *tree, uint32_t sbdf);
/* Returns the value of a function's key; NULL: the key is missing. */
const char *libxl__pci_tree_value(const libxl__pci_tree *tree, uint32_t index, libxl__pci_key key);

/*
 * A search for devices by their names in the list of assignable devices. Embed it in the operation's state;
 * zero-initialise it.
 */
typedef struct libxl__pci_search {
    libxl__xs_directory nodes;
    libxl__xs_batch *batch;
    const libxl__xs_request **names;
} libxl__pci_search;

/* Returns whether a configuration names a device by its name and not by its address. */
bool libxl__pci_is_named(const libxl_device_pci *pci);
/* Call these from a phase's start and poll. Errors, recorded in ao: those of libxl__xs_directory_step. */
int libxl__pci_search_start(libxl__ao *ao, libxl__pci_search *search);
int libxl__pci_search_poll(libxl__ao *ao, libxl__pci_search *search);
/* Stores the SBDF of the device with this name. Errors: NOTFOUND, recorded in ao. */
int libxl__pci_search_find(libxl__ao *ao, const libxl__pci_search *search, const char *name, uint32_t *sbdf);

/*
 * pci_record.c: starts a job that adds a device to the stored configuration, or removes it. Continue with
 * libxl__userdata_changed and libxl__userdata_change_back. Errors: those of libxl__userdata_update.
 */
int libxl__pci_record(libxl__ao *ao, libxl__userdata *userdata, uint32_t domid, const libxl_device_pci *pci,
                      bool add);

#endif
