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

typedef struct libxl__device libxl__device;
typedef struct libxl__device_class libxl__device_class;

/*
 * The three trees of a device, each with the domain, the kind and the number of the device: the frontend in the guest's
 * tree, the backend in the tree of the domain that serves the device, and the toolstack's own.
 */
#define LIBXL__FRONTEND  "/local/domain/%u/device/%s/%u"     /* domid, kind, devid */
#define LIBXL__BACKEND   "/local/domain/%u/backend/%s/%u/%u" /* backend domid, backend kind, domid, devid */
#define LIBXL__TOOLSTACK "/libxl/%u/device/%s/%u"            /* domid, kind, devid */
/* The nodes in which kernels write why a device does not work. */
#define LIBXL__BACKEND_ERROR  "/local/domain/%u/error/backend/%s/%u/%u/error"
#define LIBXL__FRONTEND_ERROR "/local/domain/%u/error/device/%s/%u/error"

/* The length of the longest path with a key and the terminating zero; the length of a kind; the greatest number of values. */
enum { LIBXL__DEVICE_PATH = 192, LIBXL__DEVICE_KIND = 32, LIBXL__DEVICE_VALUES = 16 };

/* The folder in which a script is looked for if its name has no slash. */
#define LIBXL__SCRIPTS "/etc/xen/scripts"

/* The arguments of the path macros. */
#define LIBXL__FRONTEND_OF(device) (device)->domid, (device)->kind, (device)->devid
#define LIBXL__BACKEND_OF(device)                                                                            \
    (device)->backend_domid, (device)->backend_kind, (device)->domid, (device)->devid
#define LIBXL__TOOLSTACK_OF(device) (device)->domid, (device)->kind, (device)->devid

/* A device while an operation adds or removes it. */
struct libxl__device {
    const libxl__device_class *cls;        /* never NULL: an unknown kind has a class of its own */
    char kind[LIBXL__DEVICE_KIND];         /* the kind in the frontend's path */
    char backend_kind[LIBXL__DEVICE_KIND]; /* the kind in the backend's path */
    uint32_t domid, backend_domid, devid;
    bool pv;       /* set for an addition only: the domain is PV */
    bool unserved; /* set for an addition only, by `check`: an empty drive, which no backend has to take */
    void *config;  /* the libxl_device_* structure of the operation; NULL while the device is removed */
    void *host;    /* the class's own state for its functions: cls->host_size octets, zeroed at first */
    /* Set for a removal only: the values of cls->offline_keys; NULL: no such node. */
    const char *values[LIBXL__DEVICE_VALUES];
};

/* The nodes of a device that is being added; for the class's `write`. */
typedef struct libxl__device_nodes {
    libxl__xs_batch *batch;
    const libxl__device *device;
} libxl__device_nodes;

/*
 * One class of devices. A function that is NULL does nothing. A function whose name ends in _start or _poll returns 0
 * (done), LIBXL__AO_WAIT or an error that is recorded in ao; _poll is called again when a source of ao has fired.
 */
struct libxl__device_class {
    const char *name;           /* the NAME in libxl_device_NAME_add */
    const char *array;          /* the name of the array in libxl_domain_config */
    const char *kind;           /* the kind in the frontend's path */
    size_t config_size;         /* the size of libxl_device_NAME */
    size_t config_at, count_at; /* the offsets of the array and its length in libxl_domain_config */
    size_t backend_domid_at;    /* an offset in libxl_device_NAME */
    size_t backend_domname_at;  /* an offset in libxl_device_NAME */
    size_t devid_at;            /* an offset in libxl_device_NAME; used if `identify` and `number` are NULL */
    void (*init)(void *config);
    void (*dispose)(void *config);
    int (*copy)(libxl_ctx *ctx, void *to, const void *from); /* copies a libxl_device_NAME */
    libxl_devid first_devid;      /* the lowest number; a creation takes a lower one for none */
    const libxl__json_type *json; /* of libxl_device_NAME: says which fields are unsupported */
    bool waits_for_backend;       /* an added device is ready when its backend's state is 2 or more */
    bool closes_without_frontend; /* the backend closes when its frontend's nodes are removed */
    bool stateless;               /* the backend has no state: it is removed without a request */
    size_t host_size;             /* the size of the class's own state, libxl__device.host */
    const char *const *read_keys; /* the toolstack's keys that `read` needs; ends with NULL */
    /* The frontend's key that `read` needs, too, after read_keys. Guests may write it. NULL: none. */
    const char *frontend_key;
    const char *const *offline_keys; /* the backend's keys that `offline` needs; ends with NULL; NULL: none */

    /*
     * Checks the configuration and sets its defaults, devid and backend_kind. Messages begin with the field's name.
     * devid UINT32_MAX: the next free number is chosen. Errors: INVAL, NI.
     */
    int (*check)(libxl__ao *ao, libxl__device *device);
    /* Sets devid from the configuration of a device that exists. NULL: its field devid_at. Errors: INVAL. */
    int (*identify)(libxl__ao *ao, libxl__device *device);
    /* Returns the number that a configuration names, or -1. Any thread may call it. NULL: the field devid_at. */
    int (*number)(const void *config);
    /*
     * Chooses what is random, before the configuration is stored and checked. Messages begin with the field's name.
     * Errors: FAIL.
     */
    int (*choose)(libxl__ao *ao, void *config);
    /*
     * Fills in the initialised configuration of a device that exists. `values` has the values of read_keys and frontend_key;
     * NULL: no such node. The fields backend_domid_at and devid_at are set already. Another toolstack may have written the
     * values. Returns 1 if the device has the same kind but does not belong to this class. Errors: NOMEM.
     */
    int (*read)(const libxl__device *device, void *config, const char *const values[]);
    /* Checks the resources that the device needs on this host, before anything is written. */
    int (*probe_start)(libxl__ao *ao, libxl__device *device);
    int (*probe_poll)(libxl__ao *ao, libxl__device *device);
    /* Adds the keys that only this class has, by libxl__backend_key and libxl__frontend_key. */
    void (*write)(const libxl__device_nodes *nodes);
    /* Connect the backend to the host's resource, by the fast path or by the script. The backend waits in state 2. */
    int (*online_start)(libxl__ao *ao, libxl__device *device);
    int (*online_poll)(libxl__ao *ao, libxl__device *device);
    /* Releases the resources that an unfinished `online` has taken and has not written into the backend's tree. It returns what a
     * function _poll returns, and is called again in the same way. */
    int (*abandon)(libxl__ao *ao, libxl__device *device);
    /* Release the host's resource, after the backend has closed. `values` has the values of offline_keys. */
    int (*offline_start)(libxl__ao *ao, libxl__device *device);
    int (*offline_poll)(libxl__ao *ao, libxl__device *device);
    /* Wait until the kernel has removed its device, after the nodes were removed. `values` has the values of offline_keys. */
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

/* The members of a class that follow from its name, its array in libxl_domain_config and its kind. */
#define LIBXL__DEVICE_ROW(nick, devices, kind_)                                                              \
    .name = #nick, .array = #devices, .kind = (kind_), .config_size = sizeof(libxl_device_##nick),           \
    .config_at = offsetof(libxl_domain_config, devices),                                                     \
    .count_at = offsetof(libxl_domain_config, num_##devices),                                                \
    .backend_domid_at = offsetof(libxl_device_##nick, backend_domid),                                        \
    .backend_domname_at = offsetof(libxl_device_##nick, backend_domname), .copy = copy_config,               \
    .init = init_config, .dispose = dispose_config, .json = &libxl__json_of_device_##nick

/* The classes. Each has a file of its own. */
extern const libxl__device_class libxl__class_disk, libxl__class_nic, libxl__class_p9, libxl__class_vfb,
    libxl__class_vkb, libxl__class_vtpm, libxl__class_channel;

/* The table; ends with NULL. */
extern const libxl__device_class *const libxl__device_classes[];

/* Returns the class of a kind. For an unknown kind it returns a class without functions, whose devices can only be removed. */
const libxl__device_class *libxl__device_class_of(const char *kind);

/* Return the fields of the configuration with the domid and the name of the backend's domain. The name has priority unless NULL. */
static inline libxl_domid *libxl__device_backend_domid(const libxl__device *device)
{
    return (libxl_domid *)((char *)device->config + device->cls->backend_domid_at);
}
static inline const char *libxl__device_backend_domname(const libxl__device *device)
{
    return *(char *const *)((char *)device->config + device->cls->backend_domname_at);
}

/* Returns the number that a configuration of this class names, or a negative number. Any thread may call this. */
int libxl__device_number(const libxl__device_class *cls, const void *config);
/*
 * Completes the devices of a configuration that is about to be stored: numbers those without a number, and chooses what
 * is random. Errors: FAIL, recorded in ao.
 */
int libxl__devices_complete(libxl__ao *ao, libxl_domain_config *config);
/* Sets devid from the configuration of a device that exists. Errors: INVAL, recorded in ao. */
int libxl__device_identify(libxl__ao *ao, libxl__device *device);

/* Allocates the class's own state, `host`. Errors: NOMEM. */
int libxl__device_reserve(libxl__ao *ao, libxl__device *device);

/*
 * Adds the requests of one transaction that writes all three trees. The transaction fails with DEVICE_EXISTS if the device
 * exists. `uuid` is the domain's UUID.
 * Also removes what an earlier device with this number has left. `first`: the domain is being created, so its own
 * tree has nothing of an earlier device.
 */
void libxl__device_write(libxl__xs_batch *batch, const libxl__device *device, const libxl_uuid *uuid,
                         bool first);
/* What the removal of a device's nodes includes. The requests belong to the batch that looks for errors. */
typedef struct libxl__device_removal {
    bool ending; /* the domain ends: its own trees are removed later, and are left alone */
    bool has_backend_errors, has_frontend_errors; /* the kernels may have written errors */
    const libxl__xs_request *backend_errors, *frontend_errors;
} libxl__device_removal;

/*
 * Adds the requests that look for errors of the kernels, which hardly any device has. Call libxl__device_errors_seen
 * when the batch is done.
 */
void libxl__device_look_for_errors(libxl__xs_batch *batch, const libxl__device *device,
                                   libxl__device_removal *removal);
void libxl__device_errors_seen(libxl__device_removal *removal);
/*
 * Reads the parents of the nodes that libxl__device_remove_nodes removes if they are empty, the upper ones first. These
 * requests must come first in the transaction: xenstored reads each node when it is used first there, and calls its
 * store corrupt if it finds a node whose parent, which it reads later, does not list it any more, because another
 * transaction has removed the node in between.
 */
void libxl__device_read_parents(libxl__xs_batch *batch, const libxl__device *device,
                                const libxl__device_removal *removal);
/* Adds the requests of one transaction that remove all three trees, the errors, and the parents that are empty then. */
void libxl__device_remove_nodes(libxl__xs_batch *batch, const libxl__device *device,
                                const libxl__device_removal *removal);
/* For the class's `write`: adds a node to the backend's and the toolstack's tree. */
void libxl__backend_key(const libxl__device_nodes *nodes, const char *key, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* For the class's `write`: adds a node to the frontend's tree. */
void libxl__frontend_key(const libxl__device_nodes *nodes, const char *key, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Reads the backend's domain and kind from its path. Returns whether `path` is the path of this device's backend. */
bool libxl__device_parse_backend(libxl__device *device, const char *path);

/* For the class's `read`. Stores a copy of the text, which may be NULL. Errors: NOMEM. */
int libxl__device_keep_text(char **to, const char *text);
/* Stores whether the text is "1". Leaves *to alone if the text is NULL. */
void libxl__device_keep_flag(libxl_defbool *to, const char *text);

/* Returns the state that a node holds, or -1 for anything else. A guest may write any text. NULL: the node is missing. */
int libxl__device_state(const char *value);

#endif
