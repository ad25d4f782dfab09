/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cdrom_insert and cdrom_eject: change the medium of a CD drive of an HVM domain.
 *
 * The device model holds the medium. The node `params` of the backend, its copy in the toolstack's tree, and the
 * stored configuration name the medium. QEMU gets a descriptor, because a restricted QEMU can open no file. QEMU
 * opens the new medium before it takes out the former one. So a medium that cannot be inserted changes nothing.
 *
 * After QEMU has carried out the change, the operation does not stop until the nodes are written.
 *
 * Owns: the medium's descriptor and libxl's lock of changes, until the operation ends. The caller holds the
 * context's lock.
 */
#include "change_lock.h"
#include "device.h"
#include "disk_host.h"
#include "host_medium.h"
#include "ops.h"
#include "qemu.h"
#include "qmp.h"
#include "setting.h"
#include "vdev.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

typedef struct cdrom {
    const char *vdev;
    int number;       /* the number of the drive in xen-vbd-interface(7) */
    const char *path; /* the new medium; NULL: the drive becomes empty */
    libxl_disk_format format;
    bool force;
    libxl__device device;
    libxl__xs_batch *batch;
    libxl__xs_request *backend, *type;
    libxl__medium medium;
    libxl__change_lock lock;
    libxl__qmp qmp;
    bool inserting; /* QEMU has the descriptor, and the command that inserts the medium was added */
    libxl__userdata stored;
    libxl__setting setting;
    const char *params; /* the new value of the nodes `params` */
} cdrom_state;

/* ---- check: checks that the drive exists */

static int check_medium(libxl__ao *ao, struct cdrom *s, const libxl_device_disk *disk)
{
    s->vdev = disk->vdev;
    s->path = disk->pdev_path && *disk->pdev_path ? disk->pdev_path : NULL;
    s->format = disk->format == LIBXL_DISK_FORMAT_UNKNOWN ? LIBXL_DISK_FORMAT_RAW : disk->format;
    if (s->path && s->format == LIBXL_DISK_FORMAT_EMPTY)
        return libxl__ao_fail(ao, ERROR_INVAL, "pdev_path: an empty drive has none");
    if (disk->readwrite)
        return libxl__ao_fail(ao, ERROR_INVAL, "readwrite: the medium of a CD is read only");
    if (s->path && !libxl__disk_format_name(s->format))
        return libxl__ao_fail(ao, ERROR_NI, "format: %s is not implemented",
                              libxl_disk_format_to_string(s->format));
    return 0;
}

/* Sets the drive and the medium from the inputs of cdrom_insert or cdrom_eject. */
static int take_inputs(libxl__ao *ao, struct cdrom *s)
{
    int rc = 0;
    if (ao->cls == &libxl__operations[LIBXL__OP_CDROM_EJECT]) {
        const libxl__cdrom_eject_args *args = libxl__ao_args(ao);
        s->vdev = args->in.vdev;
        s->force = args->in.force;
    } else {
        const libxl__cdrom_insert_args *args = libxl__ao_args(ao);
        rc = check_medium(ao, s, &args->in.disk);
    }
    if (rc)
        return rc;
    if (!s->vdev)
        return libxl__ao_fail(ao, ERROR_INVAL, "vdev: missing");
    s->number = libxl__vdev_number(s->vdev);
    if (s->number < 0)
        return libxl__ao_fail(ao, ERROR_INVAL, "vdev: '%s' is not the name of a virtual disk", s->vdev);
    return 0;
}

static int check_start(libxl__ao *ao, struct cdrom *s)
{
    const uint32_t domid = ao->subject.number;
    xc_domaininfo_t info;
    int rc = take_inputs(ao, s);
    if (!rc)
        rc = libxl__hv_info(ao, domid, &info);
    if (rc)
        return rc;
    if (libxl__hv_type(&info) != LIBXL_DOMAIN_TYPE_HVM)
        return libxl__ao_fail(ao, ERROR_INVAL,
                              "domid: domain %u is not HVM, so no device model emulates a CD drive", domid);
    s->device = (libxl__device){
        .cls = &libxl__class_disk, .domid = domid, .devid = (uint32_t)s->number, .kind = "vbd"};
    s->batch = libxl__xs_batch_new(ao, domid);
    if (!s->batch)
        return ERROR_NOMEM;
    s->backend = libxl__xs_read(s->batch, LIBXL__TOOLSTACK "/backend", LIBXL__TOOLSTACK_OF(&s->device));
    s->type = libxl__xs_read(s->batch, LIBXL__TOOLSTACK "/device-type", LIBXL__TOOLSTACK_OF(&s->device));
    rc = libxl__xs_run(s->batch, LIBXL__XS_ONE_BY_ONE);
    return rc ? rc : LIBXL__AO_WAIT;
}

static int check_poll(libxl__ao *ao, struct cdrom *s)
{
    if (!libxl__xs_done(s->batch))
        return LIBXL__AO_WAIT;
    const int rc = libxl__xs_result(s->batch);
    const char *backend = libxl__xs_value(s->backend), *type = libxl__xs_value(s->type);
    if (rc)
        return rc;
    if (!backend || !libxl__device_parse_backend(&s->device, backend))
        return libxl__ao_fail(ao, ERROR_NOTFOUND, "vdev: domain %u has no disk %s", s->device.domid, s->vdev);
    if (!type || strcmp(type, "cdrom") != 0 || strcmp(s->device.backend_kind, "qdisk") != 0)
        return libxl__ao_fail(ao, ERROR_INVAL, "vdev: %s of domain %u is not an emulated CD drive", s->vdev,
                              s->device.domid);
    return 0;
}

/* ---- open: the medium is opened */

static int open_start(libxl__ao *ao, struct cdrom *s)
{
    s->medium.path = s->path;
    return s->path ? libxl__medium_start(ao, &s->medium) : 0;
}

static int open_poll(libxl__ao *ao, struct cdrom *s)
{
    return libxl__medium_poll(ao, &s->medium, "pdev_path");
}

/* ---- lock: takes libxl's lock, so that no other toolstack changes the domain's devices */

static int lock_start(libxl__ao *ao, struct cdrom *s)
{
    return libxl__change_lock_take(ao, &s->lock);
}

static int lock_poll(libxl__ao *ao, struct cdrom *s)
{
    return libxl__change_lock_take(ao, &s->lock);
}

/* ---- change: QEMU changes the medium */

/* Returns the arguments of a command on the drive. */
static struct json_object *drive_arguments(libxl__ao *ao, const struct cdrom *s)
{
    return libxl__qmp_text("id", libxl__gc_printf(&ao->gc, LIBXL__QEMU_DRIVE, s->number));
}

static int change_start(libxl__ao *ao, struct cdrom *s)
{
    int rc;
    if (s->path) {
        const char *label =
            libxl__gc_printf(&ao->gc, "%s:%s", libxl_disk_format_to_string(s->format), s->path);
        s->qmp.kept = true;
        rc = libxl__qmp_add(ao, &s->qmp, "add-fd", libxl__qmp_text("opaque", label), s->medium.fd);
    } else {
        struct json_object *arguments = drive_arguments(ao, s);
        if (s->force)
            json_object_object_add(arguments, "force", json_object_new_boolean(true));
        rc = libxl__qmp_add(ao, &s->qmp, "eject", arguments, -1);
    }
    return rc ? rc : libxl__qmp_start(ao, &s->qmp, s->device.domid);
}

/*
 * Called when QEMU has put the descriptor into a numbered set. Adds the command that inserts the medium. QEMU closes
 * the set when the medium is taken out.
 */
static int insert(libxl__ao *ao, struct cdrom *s)
{
    struct json_object *number;
    const struct json_object *set = s->qmp.commands[0].result;
    if (!json_object_is_type(set, json_type_object) || !json_object_object_get_ex(set, "fdset-id", &number) ||
        !json_object_is_type(number, json_type_int) || json_object_get_int64(number) < 0)
        return libxl__ao_fail(ao, ERROR_FAIL, "the device model: add-fd: no set of descriptors");
    const char *name = libxl__gc_printf(&ao->gc, "/dev/fdset/%lld", (long long)json_object_get_int64(number));
    struct json_object *arguments = drive_arguments(ao, s);
    json_object_object_add(arguments, "filename", json_object_new_string(name ? name : ""));
    json_object_object_add(arguments, "format", json_object_new_string(libxl__qemu_format(s->format)));
    const int rc = libxl__qmp_add(ao, &s->qmp, "blockdev-change-medium", arguments, -1);
    if (rc)
        return rc;
    s->inserting = true;
    libxl__qmp_go_on(ao, &s->qmp);
    return LIBXL__AO_WAIT;
}

static int change_poll(libxl__ao *ao, struct cdrom *s)
{
    const libxl__qmp_command *last = &s->qmp.commands[s->qmp.count - 1];
    if (strstr(last->refusal, "is locked"))
        return libxl__ao_fail(ao, ERROR_DEVICE_REFUSED, "the guest has locked the drive %s: %s", s->vdev,
                              last->refusal);
    const int rc = libxl__qmp_poll_model(ao, &s->qmp, s->device.domid);
    return rc || !s->path || s->inserting ? rc : insert(ao, s);
}

/*
 * QEMU may already be carrying out the command, so the phase continues to wait for the answer. The phase's stop limit
 * ends the wait.
 */
static void change_stop(libxl__ao *ao, struct cdrom *s)
{
    (void)ao;
    (void)s;
}

/* ---- record: changes the medium in the stored configuration */

struct change {
    int number;
    char *path; /* "": the drive is empty */
    libxl_disk_format format;
};

static int change_drive(libxl_domain_config *config, void *user)
{
    struct change *change = user;
    for (int i = 0; i < config->num_disks; i++) {
        libxl_device_disk *disk = &config->disks[i];
        if (!disk->vdev || libxl__vdev_number(disk->vdev) != change->number)
            continue;
        free(disk->pdev_path);
        disk->pdev_path = change->path;
        change->path = NULL;
        disk->format = change->format;
    }
    return 0;
}

static void dispose(void *user)
{
    struct change *change = user;
    free(change->path);
    free(change);
}

static int record_start(libxl__ao *ao, struct cdrom *s)
{
    struct change *change = calloc(1, sizeof(*change));
    if (!change)
        return ERROR_NOMEM;
    change->number = s->number;
    change->format = s->path ? s->format : LIBXL_DISK_FORMAT_EMPTY;
    change->path = strdup(s->path ? s->path : "");
    if (!change->path) {
        free(change);
        return ERROR_NOMEM;
    }
    const int rc = libxl__userdata_update(ao, &s->stored, s->device.domid, &ao->subject.uuid, change_drive,
                                          change, dispose);
    return rc ? rc : LIBXL__AO_WAIT;
}

static int record_poll(libxl__ao *ao, struct cdrom *s)
{
    return libxl__userdata_changed(ao, &s->stored);
}

/* ---- write: writes the nodes `params` */

static void fill(libxl__ao *ao, libxl__setting *setting)
{
    (void)ao;
    const struct cdrom *s = LIBXL__CONTAINER(setting, struct cdrom, setting);
    const libxl__device *device = &s->device;
    libxl__xs_write(setting->batch, LIBXL__XS_INHERITS, s->params, LIBXL__BACKEND "/params",
                    LIBXL__BACKEND_OF(device));
    libxl__xs_write(setting->batch, LIBXL__XS_INHERITS, s->params, LIBXL__TOOLSTACK "/params",
                    LIBXL__TOOLSTACK_OF(device));
}

static int write_start(libxl__ao *ao, struct cdrom *s)
{
    s->params =
        s->path ? libxl__gc_printf(&ao->gc, "%s:%s", libxl__disk_format_name(s->format), s->path) : "";
    return s->params ? libxl__setting_start(ao, &s->setting, fill) : ERROR_NOMEM;
}

static int write_poll(libxl__ao *ao, struct cdrom *s)
{
    return libxl__setting_poll(ao, &s->setting);
}

#include "_libxl_phases_cdrom.h"
