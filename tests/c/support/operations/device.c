/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The rows of the operations on devices (idl/device_operations.idl, devices.idl). Those on PCI devices are in pci.c.
 * Owns: nothing. */
#include "operations.h"

/* ---- the devices of the synchronous calls; they own no memory */

static libxl_device_disk starter_disk(void)
{
    libxl_device_disk disk;
    libxl_device_disk_init(&disk);
    disk.vdev = (char *)"xvda";
    disk.pdev_path = (char *)STARTER_IMAGE;
    return disk;
}

static libxl_device_p9 starter_p9(void)
{
    libxl_device_p9 p9;
    libxl_device_p9_init(&p9);
    p9.tag = (char *)"share";
    p9.path = (char *)"/";
    p9.devid = 0;
    return p9;
}

#define STARTER_DEVICE(T)                                                                                    \
    static libxl_device_##T starter_##T(void)                                                                \
    {                                                                                                        \
        libxl_device_##T device;                                                                             \
        libxl_device_##T##_init(&device);                                                                    \
        device.devid = 0;                                                                                    \
        return device;                                                                                       \
    }
STARTER_DEVICE(nic)
STARTER_DEVICE(vfb)
STARTER_DEVICE(vkb)
STARTER_DEVICE(vtpm)
STARTER_DEVICE(vdispl)
STARTER_DEVICE(vsnd)
STARTER_DEVICE(pvcallsif)
STARTER_DEVICE(usbctrl)

/* ---- adding and removing */

/* The classes of devices that operations add and remove. The classes after the NIC share the phases of the first two,
 * so they have no scenarios. */
#define OTHERS(X)                                                                                            \
    X(P9, p9)                                                                                                \
    X(VFB, vfb)                                                                                              \
    X(VKB, vkb)                                                                                              \
    X(VTPM, vtpm)                                                                                            \
    X(VDISPL, vdispl)                                                                                        \
    X(VSND, vsnd)                                                                                            \
    X(PVCALLSIF, pvcallsif)                                                                                  \
    X(USBCTRL, usbctrl)
#define ADDED(X)                                                                                             \
    X(DISK, disk)                                                                                            \
    X(NIC, nic)                                                                                              \
    OTHERS(X)
/* The classes of devices that are listed. */
#define LISTED(X)                                                                                            \
    ADDED(X)                                                                                                 \
    X(CHANNEL, channel)

/* Defines start_CLASS_CALL, which adds a device, and then removes it by CALL. */
#define STARTS_REMOVAL(T, call)                                                                              \
    static int start_##T##_##call(struct starter *s)                                                         \
    {                                                                                                        \
        libxl_device_##T device = starter_##T();                                                             \
        libxl_device_##T##_add(s->ctx, s->guest, &device, NULL);                                             \
        return libxl_device_##T##_##call(s->ctx, s->guest, &device, NULL);                                   \
    }
#define STARTS_DEVICE(NAME, T)                                                                               \
    static int start_##T##_add(struct starter *s)                                                            \
    {                                                                                                        \
        libxl_device_##T device = starter_##T();                                                             \
        const int rc = libxl_device_##T##_add(s->ctx, s->guest, &device, NULL);                              \
        if (!rc)                                                                                             \
            libxl_device_##T##_destroy(s->ctx, s->guest, &device, NULL);                                     \
        return rc;                                                                                           \
    }                                                                                                        \
    STARTS_REMOVAL(T, remove)                                                                                \
    STARTS_REMOVAL(T, destroy)
ADDED(STARTS_DEVICE)
STARTS_REMOVAL(disk, safe_remove)

FILLS_GUEST(disk_add, device_disk_add, args->in.disk = scenario_disk())
FILLS_GUEST(disk_remove, device_disk_remove, args->in.disk = scenario_disk())
FILLS_GUEST(disk_destroy, device_disk_destroy, args->in.disk = scenario_disk())
FILLS_GUEST(nic_add, device_nic_add, args->in.nic = scenario_nic())
FILLS_GUEST(nic_remove, device_nic_remove, args->in.nic = scenario_nic())
FILLS_GUEST(nic_destroy, device_nic_destroy, args->in.nic = scenario_nic())

/* Adds a disk that a QEMU serves. */
FILLS_GUEST(qdisk_add, device_disk_add, args->in.disk = scenario_disk(),
            args->in.disk.backend = LIBXL_DISK_BACKEND_QDISK)

/* Fills in the creation of a guest whose framebuffer has a password. QEMU gets the password in the phase
 * `password`. */
static void fill_create_screen(struct subject *s, void *p)
{
    libxl__domain_create_new_args *args = p;
    operations_fill_create(s, p);
    libxl_device_vfb *vfb = args->in.d_config.vfbs = malloc(sizeof(*vfb));
    args->in.d_config.num_vfbs = 1;
    libxl_device_vfb_init(vfb);
    vfb->vnc.passwd = strdup("secret");
}

static int start_wait_connected(struct starter *s)
{
    libxl_device_disk disk = starter_disk();
    libxl_device_disk_add(s->ctx, s->guest, &disk, NULL);
    return libxl_device_wait_connected(s->ctx, s->guest, "vbd", 51712, NULL);
}
FILLS_GUEST(wait_connected, device_wait_connected, args->in.kind = strdup("vbd"), args->in.devid = 51712)

/* ---- media of CD drives. The operations return INVAL, because the guest of these rows is not HVM. */

STARTS_WITHOUT(cdrom_insert, ERROR_INVAL, libxl_device_disk disk = starter_disk(); disk.vdev = (char *)"hdc";
               disk.pdev_path = NULL, libxl_cdrom_insert(s->ctx, s->guest, &disk, NULL))
FILLS_GUEST(cdrom_insert, cdrom_insert, args->in.disk = scenario_disk(), free(args->in.disk.vdev),
            args->in.disk.vdev = strdup("hdc"))
STARTS_WITHOUT(cdrom_eject, ERROR_INVAL, (void)0, libxl_cdrom_eject(s->ctx, s->guest, "hdc", false, NULL))
FILLS_GUEST(cdrom_eject, cdrom_eject, args->in.vdev = strdup("hdc"))

/* ---- driver domains. The operation never ends by itself, so only the time limit ends it. */

static int start_events_handler(struct starter *s)
{
    libxl_ao_set_limit(s->ctx, NULL, STARTER_WAIT_MS);
    const int rc = libxl_device_events_handler(s->ctx, NULL);
    libxl_ao_set_limit(s->ctx, NULL, STARTER_LIMIT_MS);
    return rc;
}

static void fill_events_handler(struct subject *s, void *args)
{
    (void)s;
    (void)args;
}

enum { XVDA = 51712 };

static void fill_backend_connect(struct subject *s, void *p)
{
    libxl__backend_connect_args *args = p;
    args->in.domid = s->guest;
    args->in.kind = strdup("vbd");
    args->in.devid = XVDA;
}

static void fill_backend_release(struct subject *s, void *p)
{
    libxl__backend_release_args *args = p;
    args->in.domid = s->guest;
    args->in.kind = strdup("vbd");
    args->in.devid = XVDA;
}

/* ---- lists */

#define LISTS(NAME, name)                                                                                    \
    STARTS(list_##name##s, name##_list, libxl_domain_list_##name##s(s->ctx, s->guest, &out, NULL))           \
    FILLS_GUEST(list_##name##s, domain_list_##name##s, args->out.list = &s->results.name##s)
LISTED(LISTS)
STARTS(list_devices, device_status_list, libxl_domain_list_devices(s->ctx, s->guest, &out, NULL))
FILLS_GUEST(list_devices, domain_list_devices, args->out.list = &s->results.devices)

/* ---- the rows */

#define LIST_ROW(NAME, name) {SWEPT(DOMAIN_LIST_##NAME##S, list_##name##s, fill_list_##name##s, ANY_GUEST)},
#define OTHER_ROWS(NAME, name)                                                                               \
    {STARTED(DEVICE_##NAME##_ADD, name##_add)}, {STARTED(DEVICE_##NAME##_REMOVE, name##_remove)},            \
        {STARTED(DEVICE_##NAME##_DESTROY, name##_destroy)},

static const struct operation_row rows[] = {
    /* In the scenario the guest has taken its disk before the removal, and the backend of the disk is in
     * domain 0. */
    {IDLE(DEVICE_DETACH, "driver")},
    {IDLE(DEVICE_DETACH, "domain")},
    {SWEPT(DEVICE_DISK_ADD, disk_add, fill_disk_add, ANY_GUEST)},
    {PHASE_IN(DEVICE_DISK_ADD, "model", DEVICE_DISK_ADD, fill_qdisk_add, ANY_GUEST)},
    {SWEPT(DEVICE_DISK_REMOVE, disk_remove, fill_disk_remove, WITH_DISK)},
    {SWEPT(DEVICE_DISK_SAFE_REMOVE, disk_safe_remove, fill_disk_remove, WITH_DISK)},
    {SWEPT(DEVICE_DISK_DESTROY, disk_destroy, fill_disk_destroy, WITH_DISK)},
    {SWEPT(DEVICE_NIC_ADD, nic_add, fill_nic_add, ANY_GUEST)},
    {SWEPT(DEVICE_NIC_REMOVE, nic_remove, fill_nic_remove, WITH_NIC)},
    {SWEPT(DEVICE_NIC_DESTROY, nic_destroy, fill_nic_destroy, WITH_NIC)},
    {SWEPT(DEVICE_WAIT_CONNECTED, wait_connected, fill_wait_connected, WITH_DISK)},
    {SWEPT(CDROM_INSERT, cdrom_insert, fill_cdrom_insert, WITH_CD)},
    {SWEPT(CDROM_EJECT, cdrom_eject, fill_cdrom_eject, WITH_CD)},
    {SWEPT(DOMAIN_LIST_DEVICES, list_devices, fill_list_devices, ANY_GUEST)},
    {HIDDEN_IN(DEVICE_DETACH, DEVICE_DISK_REMOVE, fill_disk_remove, WITH_DISK)},
    {PHASE_IN(DEVICE_DETACH, "released", DEVICE_DISK_DESTROY, fill_disk_destroy, WITH_DISK)},
    {PHASE_IN(DEVICE_DETACH, "gone", DEVICE_NIC_REMOVE, fill_nic_remove, WITH_NIC)},
    {HIDDEN_IN(DEVICE_MODEL, DEVICE_DISK_ADD, fill_qdisk_add, ANY_GUEST)},
    {PHASE_IN(DEVICE_MODEL, "configure", DOMAIN_CREATE_NEW, fill_create_screen, NO_GUEST)},
    {HIDDEN(DEVICE_EVENTS)},
    {SWEPT(DEVICE_EVENTS_HANDLER, events_handler, fill_events_handler, ANY_GUEST)},
    {HIDDEN_IN(BACKEND_CONNECT, BACKEND_CONNECT, fill_backend_connect, WITH_DISK)},
    /* In the scenario the backend is connected already. tests/python/test_devd.py runs the phases that
     * connect a backend. */
    {IDLE(BACKEND_CONNECT, "check")},
    {IDLE(BACKEND_CONNECT, "model")},
    {IDLE(BACKEND_CONNECT, "backend")},
    {IDLE(BACKEND_CONNECT, "host")},
    {IDLE(BACKEND_CONNECT, "keep")},
    {HIDDEN_IN(BACKEND_RELEASE, BACKEND_RELEASE, fill_backend_release, WITH_DISK)},
    /* In the scenario the backend has not closed. tests/python/test_devd.py runs the phases that release a
     * resource. */
    {IDLE(BACKEND_RELEASE, "host")},
    {IDLE(BACKEND_RELEASE, "model")},
    {IDLE(BACKEND_RELEASE, "clean")},
    {IDLE(BACKEND_RELEASE, "gone")},
    {HIDDEN(DEVICE_CHANNEL_ADD)},
    {HIDDEN(DEVICE_NIC_CHECK)},
    {HIDDEN(DEVICE_P9_CHECK)},
    {HIDDEN(DEVICE_VFB_CHECK)},
    {HIDDEN(DEVICE_VKB_CHECK)},
    {HIDDEN(DEVICE_VTPM_CHECK)},
    {HIDDEN(DEVICE_VDISPL_CHECK)},
    {HIDDEN(DEVICE_VSND_CHECK)},
    {HIDDEN(DEVICE_PVCALLSIF_CHECK)},
    {HIDDEN(DEVICE_USBCTRL_CHECK)},
    {HIDDEN(DEVICE_CHANNEL_CHECK)},
    LISTED(LIST_ROW) OTHERS(OTHER_ROWS)};
OPERATION_FAMILY(device_operations);
