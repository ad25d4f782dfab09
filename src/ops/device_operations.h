/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Functions that the operations on devices share. They find the class of an operation, remove a device by a
 * nested operation, and add all devices of a configuration by groups. Call all functions with the context
 * locked.
 */
#ifndef LIBXL__DEVICE_OPERATIONS_H
#define LIBXL__DEVICE_OPERATIONS_H

#include "device.h"
#include "ops.h"
#include "qemu.h"

/* The classes that have operations: X(NAME, name). libxl_device_NAME_add, _remove, _destroy and libxl_domain_list_NAMEs
 * are declared in the IDL. */
#define LIBXL__DEVICES(X)                                                                                    \
    X(DISK, disk)                                                                                            \
    X(NIC, nic)                                                                                              \
    X(P9, p9)                                                                                                \
    X(VFB, vfb)                                                                                              \
    X(VKB, vkb)                                                                                              \
    X(VTPM, vtpm)                                                                                            \
    X(VDISPL, vdispl)                                                                                        \
    X(VSND, vsnd)                                                                                            \
    X(PVCALLSIF, pvcallsif)                                                                                  \
    X(USBCTRL, usbctrl)

/* All classes: the classes of LIBXL__DEVICES, and the classes whose devices only a creation adds. */
#define LIBXL__ALL_DEVICES(X) LIBXL__DEVICES(X) X(CHANNEL, channel)

enum {
#define COUNT_DEVICE(NAME, name) LIBXL__DEVICES_##NAME,
    LIBXL__ALL_DEVICES(COUNT_DEVICE)
#undef COUNT_DEVICE
        LIBXL__DEVICES_COUNT
};

/*
 * Fills in a device from the args of an operation: the class, the domain and the configuration. For
 * domain_list_NAMEs, `config` is the address of the pointer to the result.
 */
void libxl__device_of_operation(libxl__ao *ao, libxl__device *device);

/*
 * A copy of the configuration of a device that the application has passed. Embed this in the operation's
 * state; zero-initialise it.
 */
typedef struct libxl__device_original {
    libxl__source source; /* this source is attached while `config` exists */
    const libxl__device_class *cls;
    char *config;
} libxl__device_original;

/* device_record.c: copies the configuration before the class's `check` changes it. Returns 0 or NOMEM. */
int libxl__device_keep_original(libxl__ao *ao, libxl__device_original *original, const libxl__device *device);
/*
 * Starts a job that changes the device's entry in the stored configuration of its domain. If `original` is NULL, the
 * job removes the entry. Otherwise the job adds an entry that is made from `original`. Continue with
 * libxl__userdata_changed and libxl__userdata_change_back. Errors: those of libxl__userdata_update.
 */
int libxl__device_record(libxl__ao *ao, libxl__userdata *userdata, const libxl__device *device,
                         const libxl__device_original *original);

/*
 * device_removal.c: removes a device by the nested operation device_detach. If the parent ends before the
 * nested operation, the nested operation continues.
 *
 * libxl__detach_reserve makes the nested operation, so that its start needs no memory. `force`: the device is removed
 * although the guest has not released it. Errors: NOMEM, FAIL. Call
 * libxl__detach_start and libxl__detach_poll from a phase's start and poll. Both return LIBXL__AO_WAIT until
 * the nested operation has ended, and then its result. There is one exception: if the guest has refused to
 * release the device, they return an error, recorded in the parent, and the nested operation continues.
 */
int libxl__detach_reserve(libxl__ao *parent, libxl__nested *detach, const libxl__device *device, bool force);
/*
 * `abandoned` true: the caller has ended the domain's QEMU, so the nested operation does not wait for a backend in
 * QEMU. Call this before the start.
 */
void libxl__detach_abandon(libxl__nested *detach, bool abandoned);
int libxl__detach_start(libxl__ao *parent, libxl__nested *detach);
int libxl__detach_poll(libxl__ao *parent, const libxl__nested *detach);
/*
 * For an operation device_NAME_remove or device_NAME_destroy: starts to remove the device that the
 * operation's args name. The removal includes the entry in the stored configuration. Call this from a phase's
 * start, and libxl__detach_poll from its poll. Errors: those of the operation.
 */
int libxl__detach_given(libxl__ao *parent, libxl__nested *detach, bool force);
/* Sets the args of a device_detach. Errors: NOMEM. */
int libxl__detach_fill(libxl__ao *child, uint32_t domid, const libxl_uuid *uuid, const char *kind,
                       uint32_t devid, bool force);
/*
 * device_detach.c: reserves what the class needs to remove this device. Call it before the start of `detach`. Errors:
 * those of the class's offline_reserve.
 */
int libxl__detach_prepare(libxl__ao *detach, const libxl__device *device);
/*
 * device_detach.c: returns the text of the guest's error node if the guest has refused to release the device;
 * else NULL.
 */
const char *libxl__detach_refusal(libxl__ao *detach);

/*
 * device_groups.c: adds all devices of a configuration at the same time. Embed this in the parent's state;
 * zero-initialise it.
 */
typedef struct libxl__device_groups {
    libxl__group groups[LIBXL__DEVICES_COUNT];
    struct libxl__device_group {
        const libxl__device_class *cls;
        const char *configs; /* the array of the configuration, which the parent keeps */
        uint32_t domid;
        libxl_uuid uuid;
        /* `checks`: the devices are only checked. `replaces`: see libxl__device.replaces. */
        bool checks, replaces;
    } members[LIBXL__DEVICES_COUNT];
    libxl__nested pcis; /* the nested operation that adds or checks all PCI devices */
    /* Adds the USB devices one by one, after the controllers were added. */
    libxl__group usbdevs;
    struct libxl__device_group usbdev_member; /* `cls` is NULL, because USB devices are no class of devices */
    bool has_pcis, stopping;
    bool held; /* an input: the devices of classes with `after_model` must wait until the device model runs */
    int rc;    /* The first error of a group. This error stops the other groups, whose errors are ignored. */
} libxl__device_groups;

/*
 * Call these from a phase's start, poll and stop. The first error stops the other additions. If all->held is
 * set before the start, the poll returns LIBXL__AO_WAIT until it is cleared.
 */
int libxl__device_groups_start(libxl__ao *ao, libxl__device_groups *all, const libxl_domain_config *config,
                               uint32_t domid, const libxl_uuid *uuid);
/*
 * Like libxl__device_groups_start, but only checks the devices: whether they could be added now, or, if
 * `replaces` is set, once the domain's present devices are removed.
 */
int libxl__device_groups_check(libxl__ao *ao, libxl__device_groups *all, const libxl_domain_config *config,
                               uint32_t domid, const libxl_uuid *uuid, bool replaces);
int libxl__device_groups_poll(libxl__ao *ao, libxl__device_groups *all);
void libxl__device_groups_stop(libxl__device_groups *all);

/* device_sweep.c: removes all devices of a domain by force. Embed this in the parent's state; zero-initialise it. */
typedef struct libxl__device_sweep {
    libxl__gc *gc; /* the memory of the lists; NULL: the operation's memory */
    /* An input. The domain is not destroyed after the sweep, so the nodes in its own trees are removed, too. */
    bool domain_stays;
    libxl__xs_batch *listing;
    struct libxl__swept_kind {
        /* `name`: the kind. `version`: the version of the list whose parts were read; NULL: no part was read. */
        const char *name, *version;
        const libxl__xs_request *part; /* the request that reads the next part; NULL: no part is being read */
        uint32_t offset;               /* the offset of the next part in the list */
        bool complete;
    } * kinds; /* an array of the kinds of devices; NULL: the kinds are being listed */
    libxl__xs_request *all;
    uint32_t kind_count, restarts;
    bool listed, has_pci;
    libxl__group group;
    const libxl__xs_request *pid_node;
    const libxl__xs_request *pci_node; /* reads a node that exists if the domain has PCI devices */
    pid_t model_pid;                   /* the process id of the domain's QEMU; 0: the domain has no QEMU */
    libxl__qemu_end model;
    bool ending_model;
    struct libxl__swept {
        const char *kind;
        uint32_t devid;
    } * devices;
    /* The number of elements in `devices`, and the number of elements for which it has room. */
    uint32_t count, room;
    uint32_t domid;
    libxl_uuid uuid;
} libxl__device_sweep;

/*
 * Reserves the memory for libxl__device_sweep_list. Afterwards libxl__device_sweep_list fails only if the
 * connection to xenstored is down. This call is optional. Returns 0, NOMEM or FAIL.
 */
int libxl__device_sweep_reserve(libxl__ao *ao, libxl__device_sweep *sweep);
/*
 * List the devices of a domain, and set sweep->devices and sweep->count. Call the two functions from a
 * phase's start and poll. Errors: those of libxl__xs_rc, not recorded in ao.
 */
int libxl__device_sweep_list(libxl__ao *ao, libxl__device_sweep *sweep, uint32_t domid,
                             const libxl_uuid *uuid);
int libxl__device_sweep_list_poll(libxl__ao *ao, libxl__device_sweep *sweep);
/*
 * Returns `rc`, a result of the two functions above. If `rc` is the error of a request to xenstored, also
 * records the error in the operation.
 */
int libxl__device_sweep_explain(const libxl__device_sweep *sweep, int rc);
/*
 * Lists the devices from the start after libxl__device_sweep_list has failed. Continue with
 * libxl__device_sweep_list_poll.
 */
int libxl__device_sweep_list_again(libxl__ao *ao, libxl__device_sweep *sweep);
/* Remove the devices that were listed. Call these from a phase's start and poll. Errors: those of device_detach. */
int libxl__device_sweep_remove(libxl__ao *ao, libxl__device_sweep *sweep);
int libxl__device_sweep_remove_poll(libxl__ao *ao, libxl__device_sweep *sweep);

/*
 * Sets the backend of a device. `path` is the value of the toolstack's node `backend`; NULL: the node is
 * missing. Call this with the context locked. Errors, recorded in ao: NOTFOUND (there is no such device),
 * DEVICE (the value is not a path of a backend).
 */
int libxl__device_set_backend(libxl__ao *ao, libxl__device *device, const char *path);

#endif
