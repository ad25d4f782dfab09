/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Devices: the table of their classes, their three trees in xenstore, and the functions that work on every class.
 *
 * A class is a row of `libxl__device_classes`: names, sizes and a few functions. The operations in src/ops/device_*.c
 * work on any row. Call all functions with the context locked. Strings that a function stores in a device lie in the
 * memory of its operation.
 */
#ifndef LIBXL__DEVICE_H
#define LIBXL__DEVICE_H

#include <stddef.h>

#include "_libxl_types_json.h"
#include "xen.h"
#include "xs_tree.h"

typedef struct libxl__device libxl__device;
typedef struct libxl__device_class libxl__device_class;

/*
 * The paths of the three trees of a device. The frontend is in the guest's tree. The backend is in the tree of the
 * domain that serves the device. The third tree belongs to the toolstack. The comments behind the paths name the
 * arguments of the formats.
 */
#define LIBXL__FRONTEND  "/local/domain/%u/device/%s/%u"     /* domid, kind, devid */
#define LIBXL__BACKEND   "/local/domain/%u/backend/%s/%u/%u" /* backend's domid and kind, domid, devid */
#define LIBXL__TOOLSTACK "/libxl/%u/device/%s/%u"            /* domid, kind, devid */
/* The nodes in which a kernel writes why a device does not work. */
#define LIBXL__BACKEND_ERROR  "/local/domain/%u/error/backend/%s/%u/%u/error"
#define LIBXL__FRONTEND_ERROR "/local/domain/%u/error/device/%s/%u/error"

/*
 * In this order: the length of the longest path with a key, and the greatest length of a kind, both in octets with
 * the terminating zero; the greatest number of elements in libxl__device.values.
 */
enum { LIBXL__DEVICE_PATH = 192, LIBXL__DEVICE_KIND = 32, LIBXL__DEVICE_VALUES = 16 };

/* The directory of a script whose name has no slash. */
#define LIBXL__SCRIPTS "/etc/xen/scripts"

/* The arguments of the path macros. */
#define LIBXL__FRONTEND_OF(device) (device)->domid, (device)->kind, (device)->devid
#define LIBXL__BACKEND_OF(device)                                                                            \
    (device)->backend_domid, (device)->backend_kind, (device)->domid, (device)->devid
#define LIBXL__TOOLSTACK_OF(device) (device)->domid, (device)->kind, (device)->devid

/* A device while an operation adds or removes it. */
struct libxl__device {
    /* The class; never NULL, because all unknown kinds share a class. */
    const libxl__device_class *cls;
    char kind[LIBXL__DEVICE_KIND];         /* the kind, which is a part of the frontend's path */
    char backend_kind[LIBXL__DEVICE_KIND]; /* the class's name in the backend's path */
    uint32_t domid, backend_domid, devid;
    bool pv; /* the domain is PV; used for an addition only */
    /* backend_domid is the domain of this process, a driver domain. */
    bool served_here;
    bool creating; /* the device is added by the creation of its domain */
    /*
     * The device is only checked, and the domain's present devices are removed before it is added. What the present
     * devices use does not count as in use.
     */
    bool replaces;
    bool hvm; /* the domain is HVM, so it has a device model; used for an addition only */
    /*
     * Used for an addition only; set by the class's `check`. The device is an empty drive, which has no backend. So
     * its addition does not wait for a backend.
     */
    bool unserved;
    /*
     * The device model makes the device, so the device has the toolstack's tree only. backend_domid is 0. Set by the
     * class's `check` for an addition, and by the type in the toolstack's tree otherwise.
     */
    bool emulated;
    void *config; /* the libxl_device_* structure of the operation; NULL while the device is removed */
    void *host;   /* the class's state for its functions: cls->host_size octets, zeroed at first */
    /* Used for a removal only: the values of the keys in cls->offline_keys; NULL: the node is missing. */
    const char *values[LIBXL__DEVICE_VALUES];
};

/*
 * The argument of a class's `write`: the device that is being added, and the batch to which `write` adds its
 * requests.
 */
typedef struct libxl__device_nodes {
    libxl__xs_batch *batch;
    const libxl__device *device;
} libxl__device_nodes;

/* Returns whether this process runs in the domain that serves the device. */
static inline bool libxl__device_is_served_here(const libxl__device *device)
{
    return !device->backend_domid || device->served_here;
}

/*
 * One class of devices. A function that is NULL does nothing. A function whose name ends in _start or _poll
 * returns 0 (done), LIBXL__AO_WAIT or an error that is recorded in ao. A function whose name ends in _poll is
 * called again each time a source of ao has fired.
 */
struct libxl__device_class {
    const char *name;           /* the NAME in libxl_device_NAME_add */
    const char *array;          /* the name of the array in libxl_domain_config */
    const char *kind;           /* the class's name in the frontend's path: vbd, vif, ... */
    size_t config_size;         /* the size of libxl_device_NAME, in octets */
    size_t config_at, count_at; /* the offsets of the array and its length in libxl_domain_config */
    size_t backend_domid_at;    /* the offset in libxl_device_NAME of the domid of the backend's domain */
    size_t backend_domname_at;  /* the offset in libxl_device_NAME of the name of the backend's domain */
    /* The offset in libxl_device_NAME of the device's number; used if `identify` and `number` are NULL. */
    size_t devid_at;
    void (*init)(void *config);
    void (*dispose)(void *config);
    /* Copies the configuration, a libxl_device_NAME. */
    int (*copy)(libxl_ctx *ctx, void *to, const void *from);
    /* The lowest number of a device. In a new domain's configuration a lower number means that no number is given. */
    libxl_devid first_devid;
    /* The JSON table of libxl_device_NAME, which says which fields are unsupported. */
    const libxl__json_type *json;
    bool waits_for_backend;       /* an added device is ready when its backend's state is 2 or more */
    bool closes_without_frontend; /* the backend closes when its frontend's nodes are removed */
    /*
     * When an HVM domain is created, such a device is added after the device model was started, because the device
     * model makes a part of the device.
     */
    bool after_model;
    /*
     * The toolstack keeps no tree for such devices. Domain 0 serves them. src/ops/device_sweep.c finds them by the
     * backend's tree.
     */
    bool without_tree;
    /* The value of the key `type` of emulated devices; NULL: no device of the class is emulated. */
    const char *emulated_type;
    bool stateless;   /* the backend has no state: it is removed without a request */
    size_t host_size; /* the size of libxl__device.host, in octets */
    /*
     * The toolstack's keys that `read` needs; ends with NULL. If emulated_type is set, the first one is `type`. NULL:
     * no keys.
     */
    const char *const *read_keys;
    /*
     * A key of the frontend that `read` needs, in addition to read_keys. The guest may write its value. NULL:
     * no such key.
     */
    const char *frontend_key;
    const char *const *offline_keys; /* the backend's keys that `offline` needs; ends with NULL; NULL: none */

    /*
     * Checks the configuration and sets its defaults. Sets the device's devid and backend_kind. If it sets devid to
     * UINT32_MAX, the caller chooses the next free number. Messages begin with the field's name. Returns 0, INVAL or
     * NI.
     */
    int (*check)(libxl__ao *ao, libxl__device *device);
    /*
     * Sets devid from the configuration of a device that exists. NULL: devid is the value of the field at
     * devid_at. Returns 0 or INVAL.
     */
    int (*identify)(libxl__ao *ao, libxl__device *device);
    /*
     * Returns the number of the device in a configuration, or -1 if the configuration has no number. Any
     * thread may call this. NULL: the number is the value of the field at devid_at.
     */
    int (*number)(const void *config);
    /*
     * Chooses the random values of a configuration, for example a MAC address. Called before the
     * configuration is stored and checked. Messages begin with the field's name. Returns 0 or FAIL.
     */
    int (*choose)(libxl__ao *ao, void *config);
    /*
     * Fills in the initialised configuration of a device that exists. `values` has the values of read_keys
     * and then of frontend_key; NULL: the node is missing. Another toolstack may have written the values. The
     * fields at backend_domid_at and devid_at are set already. Returns 0 or NOMEM. Returns 1 if the device
     * has the same kind but does not belong to this class. NULL: there is nothing to fill in.
     */
    int (*read)(const libxl__device *device, void *config, const char *const values[]);
    /*
     * Fills in the rest of the configuration after `read` has returned 0. `tree` has the nodes of the
     * frontend's directory, with `tree_depth` levels of numbers below its children. The guest may have written
     * them. Returns 0 or NOMEM. NULL: `read` has filled in everything.
     */
    int (*read_tree)(void *config, const libxl__xs_tree *tree);
    unsigned tree_depth;
    /*
     * Removes the entries that belong to the device with this number from a configuration. The caller has removed the
     * device's own entry. Any thread may call this. NULL: a device of this class has no such entries.
     */
    void (*forget)(libxl_domain_config *config, int number);
    /* Check the resources that the device needs on this host. Called before any node is written. */
    int (*probe_start)(libxl__ao *ao, libxl__device *device);
    int (*probe_poll)(libxl__ao *ao, libxl__device *device);
    /*
     * Adds the keys that only this class has. Uses libxl__backend_key and libxl__frontend_key. NULL: the class has no
     * such keys.
     */
    void (*write)(const libxl__device_nodes *nodes);
    /*
     * Connect the backend to the host's resource. The library does this itself or runs the script. The
     * backend waits in state 2 until then.
     */
    int (*online_start)(libxl__ao *ao, libxl__device *device);
    int (*online_poll)(libxl__ao *ao, libxl__device *device);
    /*
     * Releases the resources that an unfinished online_start or online_poll has taken and has not written
     * into the backend's tree. Returns the same values as a function whose name ends in _poll, and is called
     * again in the same way.
     */
    int (*abandon)(libxl__ao *ao, libxl__device *device);
    /*
     * Reserves the memory and the connection by which the offline functions take an emulated device out of the device
     * model. Called before anything is changed. Errors: NOMEM, FAIL, recorded in ao. NULL: there is nothing to reserve.
     */
    int (*offline_reserve)(libxl__ao *ao, libxl__device *device);
    /*
     * Release the host's resource. Called after the backend has closed. device->values has the values of
     * offline_keys.
     */
    int (*offline_start)(libxl__ao *ao, libxl__device *device);
    int (*offline_poll)(libxl__ao *ao, libxl__device *device);
    /*
     * Wait until the kernel has removed its own device, for example a network interface. Called after the nodes were
     * removed. device->values has the values of offline_keys.
     */
    int (*gone_start)(libxl__ao *ao, libxl__device *device);
    int (*gone_poll)(libxl__ao *ao, libxl__device *device);
};

/* Defines the functions init, dispose and copy of a class, which call those of the type libxl_device_NAME. */
#define LIBXL__DEVICE_CONFIG(name)                                                                           \
    static int copy_config(libxl_ctx *ctx, void *to, const void *from)                                       \
    {                                                                                                        \
        return libxl__device_##name##_copy(ctx, to, from);                                                   \
    }                                                                                                        \
    static void init_config(void *config)                                                                    \
    {                                                                                                        \
        libxl_device_##name##_init(config);                                                                  \
    }                                                                                                        \
    static void dispose_config(void *config)                                                                 \
    {                                                                                                        \
        libxl_device_##name##_dispose(config);                                                               \
    }

/*
 * Sets the members of a class that follow from three names: the class's name, its array in
 * libxl_domain_config, and its kind.
 */
#define LIBXL__DEVICE_ROW_WITHOUT_DEVID(nick, devices, kind_)                                                \
    .name = #nick, .array = #devices, .kind = (kind_), .config_size = sizeof(libxl_device_##nick),           \
    .config_at = offsetof(libxl_domain_config, devices),                                                     \
    .count_at = offsetof(libxl_domain_config, num_##devices),                                                \
    .backend_domid_at = offsetof(libxl_device_##nick, backend_domid),                                        \
    .backend_domname_at = offsetof(libxl_device_##nick, backend_domname), .copy = copy_config,               \
    .init = init_config, .dispose = dispose_config, .json = &libxl__json_of_device_##nick
/* Sets the members of LIBXL__DEVICE_ROW_WITHOUT_DEVID, and `devid_at`. */
#define LIBXL__DEVICE_ROW(nick, devices, kind_)                                                              \
    LIBXL__DEVICE_ROW_WITHOUT_DEVID(nick, devices, kind_), .devid_at = offsetof(libxl_device_##nick, devid)

/* The classes. Each class has its own file. */
extern const libxl__device_class libxl__class_disk, libxl__class_nic, libxl__class_p9, libxl__class_vfb,
    libxl__class_vkb, libxl__class_vtpm, libxl__class_vdispl, libxl__class_vsnd, libxl__class_pvcallsif,
    libxl__class_channel, libxl__class_usbctrl;
/*
 * The class of all PCI devices of a domain together, which are one device in xenstore. It is not in the table
 * below, because the operations on PCI devices have their own phases (pci_add.c, pci_detach.c). It says how the
 * device as a whole is removed.
 */
extern const libxl__device_class libxl__class_pci;

/* The table of all classes; ends with NULL. */
extern const libxl__device_class *const libxl__device_classes[];

/*
 * Returns the class of a kind. For an unknown kind, returns a class without functions. A device of that class
 * can only be removed.
 */
const libxl__device_class *libxl__device_class_of(const char *kind);

/*
 * Return pointers to two fields of the configuration: the domid and the name of the backend's domain. If the
 * name is not NULL, the domid is ignored.
 */
static inline libxl_domid *libxl__device_backend_domid(const libxl__device *device)
{
    return (libxl_domid *)((char *)device->config + device->cls->backend_domid_at);
}
static inline const char *libxl__device_backend_domname(const libxl__device *device)
{
    return *(char *const *)((char *)device->config + device->cls->backend_domname_at);
}

/*
 * Returns the number of the device in a configuration of this class. Returns a negative number if the
 * configuration has no number. Any thread may call this.
 */
int libxl__device_number(const libxl__device_class *cls, const void *config);
/*
 * Returns the next free number of a class. The number is higher than all numbers in `names`, and at least the class's
 * lowest number. `names` has the names of the class's nodes in the toolstack's tree. Names that are no numbers are
 * ignored.
 */
uint32_t libxl__device_next_number(const libxl__device_class *cls, const char *const *names, uint32_t count);
/*
 * Completes the devices of a configuration before it is stored. Gives a number to each device without a
 * number, and calls each class's `choose`. Returns 0 or FAIL, recorded in ao.
 */
int libxl__devices_complete(libxl__ao *ao, libxl_domain_config *config);
/* Returns the number of ports that a USB controller gets in an HVM domain (`hvm` true), or in another domain. */
int libxl__usbctrl_ports(const libxl_device_usbctrl *ctrl, bool hvm);
/* Sets devid from the configuration of a device that exists. Errors: INVAL, recorded in ao. */
int libxl__device_identify(libxl__ao *ao, libxl__device *device);

/*
 * Returns whether a device without a backend is emulated. If it is, also sets its members `backend_domid` and
 * `backend_kind`. `type` is the value of the device's key `type` in the toolstack's tree; NULL: the key is missing.
 */
bool libxl__device_set_emulated(libxl__device *device, const char *type);

/* Allocates device->host, the class's state. Returns 0 or NOMEM. */
int libxl__device_reserve(libxl__ao *ao, libxl__device *device);

/*
 * Adds the requests of one transaction that writes all three trees. The transaction also removes nodes that
 * an earlier device with this number has left. It fails with DEVICE_EXISTS if the device exists. `uuid` is
 * the domain's UUID. `first` true: the domain is being created, so the guest's tree has no nodes of an
 * earlier device.
 */
void libxl__device_write(libxl__xs_batch *batch, const libxl__device *device, const libxl_uuid *uuid,
                         bool first);
/*
 * The nodes that the removal of a device includes. The two requests belong to the batch of
 * libxl__device_look_for_errors.
 */
typedef struct libxl__device_removal {
    /*
     * The domain ends. So this removal does not remove nodes in the domain's trees, because the trees are
     * removed later. The toolstack's nodes of a stateless device are an exception.
     */
    bool ending;
    /* The backend or the frontend may have an error node, which the removal then includes. */
    bool has_backend_errors, has_frontend_errors;
    const libxl__xs_request *backend_errors, *frontend_errors;
} libxl__device_removal;

/*
 * Adds the requests that check whether a kernel has written an error node for the device. Call
 * libxl__device_errors_seen when the batch is done.
 */
void libxl__device_look_for_errors(libxl__xs_batch *batch, const libxl__device *device,
                                   libxl__device_removal *removal);
void libxl__device_errors_seen(libxl__device_removal *removal);
/*
 * Reads the parents that libxl__device_remove_nodes removes if they are empty. Reads upper nodes before lower
 * nodes. These requests must be the first of the transaction. The reason is a weakness of xenstored. In a
 * transaction, xenstored reads each node when the node is first used. Suppose that it reads a node, another
 * transaction removes the node, and xenstored then reads the parent. The parent does not list the node any
 * more, and xenstored reports that its store is corrupt.
 */
void libxl__device_read_parents(libxl__xs_batch *batch, const libxl__device *device,
                                const libxl__device_removal *removal);
/*
 * Adds the requests that remove all three trees, the error nodes, and the parents that are empty afterwards.
 * A batch that is not run as a transaction leaves the parents.
 */
void libxl__device_remove_nodes(libxl__xs_batch *batch, const libxl__device *device,
                                const libxl__device_removal *removal);
/* Adds a node to the backend's tree and to the toolstack's tree. The class's `write` calls this. */
void libxl__backend_key(const libxl__device_nodes *nodes, const char *key, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Adds a node to the frontend's tree. The class's `write` calls this. */
void libxl__frontend_key(const libxl__device_nodes *nodes, const char *key, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * Sets the device's backend domid and backend kind from the path of the backend. Returns whether `path` is
 * the path of this device's backend.
 */
bool libxl__device_parse_backend(libxl__device *device, const char *path);

/* Stores a copy of the text, which may be NULL. The class's `read` calls this. Returns 0 or NOMEM. */
int libxl__device_keep_text(char **to, const char *text);
/* Stores true if the text is "1", and false for any other text. `text` NULL: *to does not change. */
void libxl__device_keep_flag(libxl_defbool *to, const char *text);

#endif
