/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libxl's synchronous functions that return information about devices (_libxl_devices.h, libxl_utils.h). Most
 * are generated. Each runs operations of this library. Owns: nothing. Any thread may call these functions,
 * without the context's lock.
 */
#include "ops.h"
#include "vdev.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libxl_utils.h>

/*
 * Stores the states of the device with this kind and number in *status. The caller owns the paths in *status.
 * status->kind is NULL. Errors: NOTFOUND, without an error message, and those of libxl_domain_list_devices.
 */
static int take_status(libxl_ctx *ctx, uint32_t domid, const char *kind, int devid,
                       libxl_device_status *status)
{
    libxl_device_status_list list;
    int rc = libxl_domain_list_devices(ctx, domid, &list, NULL);
    if (rc)
        return rc;
    rc = ERROR_NOTFOUND;
    for (int i = 0; i < list.num_devices && rc; i++) {
        libxl_device_status *at = &list.devices[i];
        if (devid < 0 || at->devid != (uint32_t)devid || strcmp(at->kind, kind) != 0)
            continue;
        *status = *at;
        status->kind = at->backend = at->frontend = NULL;
        rc = 0;
    }
    libxl_device_status_list_dispose(&list);
    return rc;
}

#include "_libxl_device_functions.h"

/* ---- what libxl_device_NAME_getinfo needs besides the states of a device */

static int disk_devid(const libxl_device_disk *disk)
{
    const int devid = disk->vdev ? libxl__vdev_number(disk->vdev) : -1;
    return devid < 0 ? libxl__refuse(ERROR_INVAL, "vdev: not the name of a virtual disk") : devid;
}

static int vtpm_more(libxl_ctx *ctx, uint32_t domid, const libxl_device_vtpm *vtpm, libxl_vtpminfo *vtpminfo)
{
    (void)ctx;
    (void)domid;
    vtpminfo->uuid = vtpm->uuid;
    return 0;
}

/* Runs domain_console_tty for a pseudo-terminal. The path stays NULL while QEMU has not made the terminal. */
static int channel_more(libxl_ctx *ctx, uint32_t domid, const libxl_device_channel *channel,
                        libxl_channelinfo *channelinfo)
{
    channelinfo->connection = channel->connection;
    if (channel->connection != LIBXL_CHANNEL_CONNECTION_PTY)
        return 0;
    const int rc = libxl_domain_console_tty(ctx, domid, (uint32_t)channel->devid, LIBXL_CONSOLE_TYPE_PV,
                                            &channelinfo->u.pty.path, NULL);
    return rc == ERROR_NOTFOUND ? 0 : rc;
}

/* Returns the number in the node `path`, which the guest writes, or -1 if the node is missing or has no number. */
static int node_number(libxl_ctx *ctx, const char *path)
{
    libxl_blob value;
    char *end;
    libxl_blob_init(&value);
    long number = -1;
    if (!libxl_store_read(ctx, path, &value, NULL) && value.size && isdigit(*value.data)) {
        number = strtol((const char *)value.data, &end, 10);
        if (*end || number > INT32_MAX)
            number = -1;
    }
    libxl_blob_dispose(&value);
    return (int)number;
}

/*
 * Reads the numbers in nodes of the directory `path`, which the guest writes. A node that is missing, or has no
 * number, gives -1. `keys` ends with NULL.
 */
static void node_numbers(libxl_ctx *ctx, const char *path, const char *const *keys, int *numbers)
{
    libxl_string_list names = NULL;
    char node[192];
    for (unsigned i = 0; keys[i]; i++)
        numbers[i] = -1;
    libxl_store_list(ctx, path, &names, NULL);
    for (libxl_string_list name = names; name && *name; name++)
        for (unsigned i = 0; keys[i]; i++)
            if (strcmp(*name, keys[i]) == 0) {
                snprintf(node, sizeof(node), "%s/%s", path, keys[i]);
                numbers[i] = node_number(ctx, node);
            }
    libxl_string_list_dispose(&names);
}

static const char *const connector_keys[] = {"req-event-channel", "req-ring-ref", "evt-event-channel",
                                             "evt-ring-ref", NULL};
static const char *const stream_keys[] = {"event-channel", "ring-ref", NULL};

static int vdispl_more(libxl_ctx *ctx, uint32_t domid, const libxl_device_vdispl *vdispl,
                       libxl_vdisplinfo *vdisplinfo)
{
    (void)domid;
    vdisplinfo->be_alloc = vdispl->be_alloc;
    vdisplinfo->connectors = calloc((size_t)vdispl->num_connectors + 1, sizeof(*vdisplinfo->connectors));
    if (!vdisplinfo->connectors)
        return ERROR_NOMEM;
    for (int i = 0; i < vdispl->num_connectors; i++) {
        const libxl_connector_param *from = &vdispl->connectors[i];
        libxl_connectorinfo *to = &vdisplinfo->connectors[vdisplinfo->num_connectors++];
        char path[128];
        int numbers[4];
        to->unique_id = from->unique_id ? strdup(from->unique_id) : NULL;
        if (from->unique_id && !to->unique_id)
            return ERROR_NOMEM;
        to->width = from->width;
        to->height = from->height;
        snprintf(path, sizeof(path), "%s/%d", vdisplinfo->frontend, i);
        node_numbers(ctx, path, connector_keys, numbers);
        to->req_evtch = numbers[0];
        to->req_rref = numbers[1];
        to->evt_evtch = numbers[2];
        to->evt_rref = numbers[3];
    }
    return 0;
}

static int vsnd_more(libxl_ctx *ctx, uint32_t domid, const libxl_device_vsnd *vsnd, libxl_vsndinfo *vsndinfo)
{
    (void)domid;
    vsndinfo->pcms = calloc((size_t)vsnd->num_vsnd_pcms + 1, sizeof(*vsndinfo->pcms));
    if (!vsndinfo->pcms)
        return ERROR_NOMEM;
    for (int i = 0; i < vsnd->num_vsnd_pcms; i++) {
        const int streams = vsnd->pcms[i].num_vsnd_streams;
        libxl_pcminfo *to = &vsndinfo->pcms[vsndinfo->num_vsnd_pcms++];
        to->streams = calloc((size_t)streams + 1, sizeof(*to->streams));
        if (!to->streams)
            return ERROR_NOMEM;
        for (int j = 0; j < streams; j++) {
            char path[128];
            int numbers[2];
            snprintf(path, sizeof(path), "%s/%d/%d", vsndinfo->frontend, i, j);
            node_numbers(ctx, path, stream_keys, numbers);
            to->streams[to->num_vsnd_streams++] =
                (libxl_streaminfo){.req_evtch = numbers[0], .req_rref = numbers[1]};
        }
    }
    return 0;
}

static const char *const usb_keys[] = {"urb-ring-ref", "conn-ring-ref", NULL};

static int usbctrl_more(libxl_ctx *ctx, uint32_t domid, const libxl_device_usbctrl *usbctrl,
                        libxl_usbctrlinfo *usbctrlinfo)
{
    int numbers[2] = {-1, -1};
    (void)domid;
    usbctrlinfo->type = usbctrl->type;
    usbctrlinfo->version = usbctrl->version;
    usbctrlinfo->ports = usbctrl->ports;
    if (usbctrlinfo->frontend)
        node_numbers(ctx, usbctrlinfo->frontend, usb_keys, numbers);
    else
        usbctrlinfo->state = 0; /* as in libxl: an emulated controller has no frontend */
    usbctrlinfo->ref_urb = numbers[0];
    usbctrlinfo->ref_conn = numbers[1];
    return 0;
}

/* ---- USB devices */

static int list_usbdevs(libxl_ctx *ctx, uint32_t domid, libxl_device_usbdev **devices, int *num)
{
    libxl_usbdev_list list;
    *devices = NULL;
    *num = 0;
    const int rc = libxl_domain_list_usbdevs(ctx, domid, &list, NULL);
    if (rc)
        return rc;
    *num = list.num_devices;
    if (list.num_devices)
        *devices = list.devices;
    else
        libxl_usbdev_list_dispose(&list);
    return 0;
}

libxl_device_usbdev *libxl_device_usbdev_list(libxl_ctx *ctx, uint32_t domid, int *num)
{
    libxl_device_usbdev *devices;
    list_usbdevs(ctx, domid, &devices, num);
    return devices;
}

void libxl_device_usbdev_list_free(libxl_device_usbdev *list, int num)
{
    libxl_usbdev_list_dispose(&(libxl_usbdev_list){.devices = list, .num_devices = num});
}

int libxl_ctrlport_to_device_usbdev(libxl_ctx *ctx, uint32_t domid, int ctrl, int port,
                                    libxl_device_usbdev *usbdev)
{
    int count, at = 0;
    libxl_device_usbdev *list;
    const int rc = list_usbdevs(ctx, domid, &list, &count);
    if (rc)
        return rc;
    while (at < count && (list[at].ctrl != ctrl || list[at].port != port))
        at++;
    const bool found = at < count;
    if (found)
        *usbdev = list[at];
    libxl_device_usbdev_list_free(list, count);
    return found ? 0
                 : libxl__refuse(ERROR_NOTFOUND, "domain %u has no USB device in port %d of controller %d",
                                 domid, port, ctrl);
}

/* ---- devices that are not identified by a number */

static bool has_number(const libxl_device_disk *disk, const void *wanted)
{
    return disk->vdev && libxl__vdev_number(disk->vdev) == *(const int *)wanted;
}

int libxl_vdev_to_device_disk(libxl_ctx *ctx, uint32_t domid, const char *vdev, libxl_device_disk *disk)
{
    const int number = libxl__vdev_number(vdev);
    if (number < 0)
        return libxl__refuse(ERROR_INVAL, "vdev: '%s' is not the name of a virtual disk", vdev);
    const int rc = find_disk(ctx, domid, has_number, &number, disk);
    return rc == ERROR_NOTFOUND ? libxl__refuse(rc, "domain %u has no disk %s", domid, vdev) : rc;
}

static bool has_address(const libxl_device_nic *nic, const void *wanted)
{
    return memcmp(nic->mac, wanted, sizeof(libxl_mac)) == 0;
}

int libxl_mac_to_device_nic(libxl_ctx *ctx, uint32_t domid, const char *mac, libxl_device_nic *nic)
{
    libxl_mac address;
    int end = 0;
    if (sscanf(mac, LIBXL_MAC_FMT "%n", &address[0], &address[1], &address[2], &address[3], &address[4],
               &address[5], &end) != 6 ||
        mac[end])
        return libxl__refuse(ERROR_INVAL, "mac: '%s' is not a MAC address", mac);
    const int rc = find_nic(ctx, domid, has_address, address, nic);
    return rc == ERROR_NOTFOUND ? libxl__refuse(rc, "domain %u has no nic with the address %s", domid, mac)
                                : rc;
}

static bool has_uuid(const libxl_device_vtpm *vtpm, const void *wanted)
{
    return libxl_uuid_compare(&vtpm->uuid, wanted) == 0;
}

int libxl_uuid_to_device_vtpm(libxl_ctx *ctx, uint32_t domid, libxl_uuid *uuid, libxl_device_vtpm *vtpm)
{
    const int rc = find_vtpm(ctx, domid, has_uuid, uuid, vtpm);
    return rc == ERROR_NOTFOUND ? libxl__refuse(rc, "domain %u has no vtpm with the UUID " LIBXL_UUID_FMT,
                                                domid, LIBXL_UUID_BYTES(*uuid))
                                : rc;
}
