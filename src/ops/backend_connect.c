/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * backend_connect: the nested operation that connects a backend of this driver domain. A toolstack in another domain
 * has written the backend's nodes, so all values are checked before they are used.
 *
 * Owns: the host's resource, until it completes with success; the configuration that the nodes describe. The caller
 * holds the context's lock.
 */
#include "backend.h"
#include "device_backend.h"
#include "device_model.h"
#include "disk_host.h"
#include "escape.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS = 400 /* the greatest length of the reason of a failure in the backend's nodes, in octets */ };

typedef struct backend_connect {
    libxl__device device;
    /* Attached while device.config has memory. Frees this memory when the operation ends. */
    libxl__source source;
    libxl__backend_kept *kept;
    libxl__xs_batch *batch;
    const libxl__xs_request *state, *status;
    const libxl__xs_request *values[LIBXL__DEVICE_VALUES];
    libxl__device_model model;
    libxl__backend_wait wait;
    bool connected; /* the backend was connected already when its nodes were read */
    bool probing, onlining, asking, explaining;
} backend_connect_state;

static const libxl__backend_connect_args *args_of(libxl__ao *ao)
{
    return libxl__ao_args(ao);
}

/* ---- functions that backend_connect and backend_release share */

static const struct {
    const char *kind;
    const libxl__device_class *cls;
    bool qemu;
} kinds[] = {
    {"vbd", &libxl__class_disk, false},
    {"vif", &libxl__class_nic, false},
    {"qdisk", &libxl__class_disk, true},
    {"9pfs", &libxl__class_p9, true},
};

enum { KINDS = sizeof(kinds) / sizeof(*kinds) };

const libxl__device_class *libxl__backend_class(const char *backend_kind)
{
    for (unsigned i = 0; i < KINDS; i++)
        if (strcmp(kinds[i].kind, backend_kind) == 0)
            return kinds[i].cls;
    return NULL;
}

bool libxl__backend_is_of_qemu(const char *backend_kind)
{
    for (unsigned i = 0; i < KINDS; i++)
        if (strcmp(kinds[i].kind, backend_kind) == 0)
            return kinds[i].qemu;
    return false;
}

int libxl__backend_device(libxl__ao *ao, libxl__device *device, uint32_t server, const char *kind,
                          uint32_t domid, uint32_t devid)
{
    const libxl__device_class *known = libxl__backend_class(kind);
    *device = (libxl__device){.cls = known ? known : libxl__device_class_of(""),
                              .domid = domid,
                              .devid = devid,
                              .backend_domid = server,
                              .served_here = true};
    snprintf(device->kind, sizeof(device->kind), "%s", device->cls->kind);
    snprintf(device->backend_kind, sizeof(device->backend_kind), "%s", kind);
    return libxl__device_reserve(ao, device);
}

void libxl__backend_forget_kept(libxl__backend_kept *kept)
{
    for (unsigned i = 0; i < LIBXL__DEVICE_VALUES; i++) {
        free(kept->values[i]);
        kept->values[i] = NULL;
    }
}

bool libxl__backend_keeps(const libxl__backend_kept *kept)
{
    for (unsigned i = 0; i < LIBXL__DEVICE_VALUES; i++)
        if (kept->values[i])
            return true;
    return false;
}

void libxl__backend_connect_keeps(libxl__ao *connect, libxl__backend_kept *kept)
{
    struct backend_connect *s = libxl__ao_state(connect);
    s->kept = kept;
}

/* ---- read: reads the backend's nodes */

static int new_batch(libxl__ao *ao, struct backend_connect *s)
{
    libxl__xs_batch_free(s->batch);
    s->batch = libxl__xs_batch_new(ao, s->device.domid);
    return s->batch ? 0 : ERROR_NOMEM;
}

static int run(struct backend_connect *s, libxl__xs_mode mode)
{
    const int rc = libxl__xs_run(s->batch, mode);
    return rc ? rc : LIBXL__AO_WAIT;
}

static void free_config(libxl_ctx *ctx, libxl__source *source)
{
    (void)ctx;
    struct backend_connect *s = LIBXL__CONTAINER(source, struct backend_connect, source);
    s->device.cls->dispose(s->device.config);
    free(s->device.config);
}

/* Adds requests for the values of the keys, a list that ends with NULL. */
static void read_keys(struct backend_connect *s, const char *const *keys)
{
    for (unsigned i = 0; keys && keys[i]; i++)
        s->values[i] = libxl__xs_read(s->batch, LIBXL__BACKEND "/%s", LIBXL__BACKEND_OF(&s->device), keys[i]);
}

static int read_start(libxl__ao *ao, struct backend_connect *s)
{
    const libxl__backend_connect_args *args = args_of(ao);
    int rc =
        libxl__backend_device(ao, &s->device, args->in.server, args->in.kind, args->in.domid, args->in.devid);
    if (!rc && !libxl__backend_class(args->in.kind))
        rc = libxl__ao_fail(ao, ERROR_NI, "backends of the kind '%s' are not connected", args->in.kind);
    if (!rc && !(s->device.config = calloc(1, s->device.cls->config_size)))
        rc = ERROR_NOMEM;
    if (rc)
        return rc;
    s->device.cls->init(s->device.config);
    libxl__source_attach(ao, &s->source, free_config);
    rc = new_batch(ao, s);
    if (rc)
        return rc;
    if (args->in.again)
        libxl__xs_remove(s->batch, LIBXL__BACKEND_ERROR, LIBXL__BACKEND_OF(&s->device));
    s->state = libxl__xs_read(s->batch, LIBXL__BACKEND "/state", LIBXL__BACKEND_OF(&s->device));
    s->status = libxl__xs_read(s->batch, LIBXL__BACKEND "/hotplug-status", LIBXL__BACKEND_OF(&s->device));
    read_keys(s, s->device.cls->read_keys);
    return run(s, LIBXL__XS_ONE_BY_ONE);
}

/* Makes the device's configuration from the values that were read. */
static int read_values(struct backend_connect *s)
{
    const char *texts[LIBXL__DEVICE_VALUES + 1] = {NULL};
    for (unsigned i = 0; i < LIBXL__DEVICE_VALUES && s->values[i]; i++)
        texts[i] = libxl__xs_value(s->values[i]);
    return s->device.cls->read(&s->device, s->device.config, texts);
}

static int read_poll(libxl__ao *ao, struct backend_connect *s)
{
    if (!libxl__xs_done(s->batch))
        return LIBXL__AO_WAIT;
    const int rc = libxl__xs_result(s->batch);
    if (rc)
        return rc;
    if (!libxl__xs_value(s->state))
        return libxl__ao_fail(ao, ERROR_NOTFOUND, "the backend's nodes are gone");
    const char *status = libxl__xs_value(s->status);
    s->connected = status && strcmp(status, "connected") == 0;
    return s->connected ? 0 : read_values(s);
}

/*
 * Writes why the device was not connected, as a kernel and a hotplug script do. The toolstack of the other domain
 * reads this reason. An error is ignored, because nothing depends on the reason. Before it writes, this function
 * reads a node. When xenstored's answer arrives, all earlier watch events are handled. So if the nodes belong to a
 * new device by now, the handler has asked this operation to stop, and no error is written for the new device.
 */
static int read_undo(libxl__ao *ao, struct backend_connect *s)
{
    char words[WORDS];
    const bool waits = s->asking || s->explaining;
    if (waits && !libxl__xs_done(s->batch))
        return LIBXL__AO_WAIT;
    if (s->explaining || ao->stop || !s->state || new_batch(ao, s))
        return 0;
    if (!s->asking) {
        s->asking = true;
        libxl__xs_read(s->batch, LIBXL__BACKEND "/state", LIBXL__BACKEND_OF(&s->device));
        libxl__xs_run_anyway(s->batch, LIBXL__XS_ONE_BY_ONE);
        return LIBXL__AO_WAIT;
    }
    libxl__escape(words, sizeof(words), ao->message ? ao->message : libxl__error_words(ao->rc));
    s->explaining = true;
    libxl__xs_require(s->batch, ERROR_NOTFOUND, NULL, LIBXL__BACKEND "/state", LIBXL__BACKEND_OF(&s->device));
    libxl__xs_write(s->batch, LIBXL__XS_INHERITS, words, LIBXL__BACKEND_ERROR, LIBXL__BACKEND_OF(&s->device));
    libxl__xs_write(s->batch, LIBXL__XS_INHERITS, words, LIBXL__BACKEND "/hotplug-error",
                    LIBXL__BACKEND_OF(&s->device));
    libxl__xs_write(s->batch, LIBXL__XS_INHERITS, "error", LIBXL__BACKEND "/hotplug-status",
                    LIBXL__BACKEND_OF(&s->device));
    libxl__xs_run_anyway(s->batch, LIBXL__XS_TRANSACTION);
    return LIBXL__AO_WAIT;
}

/* ---- check: checks the configuration, and what it names on this host */

static int check_disk(libxl__ao *ao, libxl__device *device)
{
    const libxl_device_disk *disk = device->config;
    const libxl__device nodes = *device;
    const int rc = device->cls->check(ao, device);
    if (rc)
        return rc;
    if (device->devid != nodes.devid)
        return libxl__ao_fail(ao, ERROR_INVAL, "dev: '%s' is another disk", disk->vdev);
    if (strcmp(device->backend_kind, nodes.backend_kind) != 0)
        return libxl__ao_fail(ao, ERROR_INVAL, "type: the backend is a %s", nodes.backend_kind);
    if (!device->unserved && !disk->script && *disk->pdev_path != '/')
        return libxl__ao_fail(ao, ERROR_INVAL, "params: '%s' is not an absolute path", disk->pdev_path);
    return 0;
}

/*
 * An emulated card also has a PV interface. The device model's domain has the card, so this domain has only the PV
 * interface.
 */
static int check_nic(libxl__ao *ao, libxl__device *device)
{
    libxl_device_nic *nic = device->config;
    nic->devid = (libxl_devid)device->devid;
    nic->nictype = LIBXL_NIC_TYPE_VIF;
    return device->devid > INT32_MAX
               ? libxl__ao_fail(ao, ERROR_INVAL, "%u is not the number of an interface", device->devid)
               : device->cls->check(ao, device);
}

static int check_p9(libxl__ao *ao, const libxl__device *device)
{
    const libxl_device_p9 *p9 = device->config;
    return p9->path && *p9->path == '/'
               ? 0
               : libxl__ao_fail(ao, ERROR_INVAL, "path: '%s' is not an absolute path",
                                p9->path ? p9->path : "");
}

static int check_start(libxl__ao *ao, struct backend_connect *s)
{
    libxl__device *device = &s->device;
    if (s->connected)
        return 0;
    const int rc = device->cls == &libxl__class_disk  ? check_disk(ao, device)
                   : device->cls == &libxl__class_nic ? check_nic(ao, device)
                                                      : check_p9(ao, device);
    return rc || !device->cls->probe_start ? rc : device->cls->probe_start(ao, device);
}

static int check_poll(libxl__ao *ao, struct backend_connect *s)
{
    return s->device.cls->probe_poll(ao, &s->device);
}

/* ---- model: starts the QEMU that serves the device, unless it runs */

static int model_start(libxl__ao *ao, struct backend_connect *s)
{
    static const libxl_uuid unknown;
    if (!libxl__backend_is_of_qemu(s->device.backend_kind))
        return 0;
    s->model.server = s->device.backend_domid;
    return libxl__device_model_start(ao, &s->model, s->device.domid, &unknown, NULL);
}

static int model_poll(libxl__ao *ao, struct backend_connect *s)
{
    return libxl__device_model_poll(ao, &s->model);
}

/* ---- backend: waits until the kernel's driver has taken the device */

static bool has_driver(const struct backend_connect *s)
{
    return !s->connected && !libxl__backend_is_of_qemu(s->device.backend_kind);
}

static int backend_poll(libxl__ao *ao, struct backend_connect *s)
{
    return libxl__backend_wait_poll(ao, &s->wait, &s->device);
}

static int backend_start(libxl__ao *ao, struct backend_connect *s)
{
    if (!has_driver(s))
        return 0;
    s->wait.without_guest = true;
    const int rc = libxl__backend_wait_start(ao, &s->wait, &s->device, "2");
    return rc ? rc : LIBXL__AO_WAIT;
}

/* ---- host: connects the device by the class's fast path or by the hotplug script */

/*
 * Stores the values that are known before the script runs, because backend_release needs them even if the connection
 * is not completed.
 */
static int keep_known(const struct backend_connect *s)
{
    const char *const *keys = s->device.cls->offline_keys, *const *known = s->device.cls->read_keys;
    for (unsigned i = 0; s->kept && keys && keys[i]; i++)
        for (unsigned j = 0; known && known[j]; j++) {
            const char *value = strcmp(keys[i], known[j]) == 0 ? libxl__xs_value(s->values[j]) : NULL;
            if (!value || s->kept->values[i])
                continue;
            s->kept->values[i] = strdup(value);
            if (!s->kept->values[i])
                return ERROR_NOMEM;
        }
    return 0;
}

static int host_start(libxl__ao *ao, struct backend_connect *s)
{
    if (!has_driver(s))
        return 0;
    if (keep_known(s))
        return ERROR_NOMEM;
    s->onlining = true;
    return s->device.cls->online_start(ao, &s->device);
}

/*
 * Stores the loop device as soon as the backend has it, because the nodes that name the loop device may be removed at
 * any moment.
 */
static int keep_loop(const struct backend_connect *s)
{
    const char *loop = s->device.cls == &libxl__class_disk ? libxl__disk_loop(&s->device) : NULL;
    if (!loop || !s->kept || s->kept->values[LIBXL__DISK_NODE_KEY])
        return 0;
    s->kept->values[LIBXL__DISK_NODE_KEY] = strdup(loop);
    return s->kept->values[LIBXL__DISK_NODE_KEY] ? 0 : ERROR_NOMEM;
}

static int host_poll(libxl__ao *ao, struct backend_connect *s)
{
    int rc = libxl__backend_wait_errors(ao, &s->wait);
    if (rc != LIBXL__AO_WAIT)
        return rc;
    rc = s->device.cls->online_poll(ao, &s->device);
    return keep_loop(s) ? ERROR_NOMEM : rc;
}

static int host_undo(libxl__ao *ao, struct backend_connect *s)
{
    return s->onlining && s->device.cls->abandon ? s->device.cls->abandon(ao, &s->device) : 0;
}

/* ---- keep: stores the values with which backend_release releases the resource */

static int keep_start(libxl__ao *ao, struct backend_connect *s)
{
    const char *const *keys = s->device.cls->offline_keys;
    if (!s->kept || !keys)
        return 0;
    const int rc = new_batch(ao, s);
    if (rc)
        return rc;
    memset(s->values, 0, sizeof(s->values));
    read_keys(s, keys);
    return run(s, LIBXL__XS_ONE_BY_ONE);
}

static int keep_poll(libxl__ao *ao, struct backend_connect *s)
{
    (void)ao;
    if (!libxl__xs_done(s->batch))
        return LIBXL__AO_WAIT;
    int rc = libxl__xs_result(s->batch);
    for (unsigned i = 0; !rc && i < LIBXL__DEVICE_VALUES && s->values[i]; i++) {
        const char *value = libxl__xs_value(s->values[i]);
        if (!value)
            continue;
        free(s->kept->values[i]);
        s->kept->values[i] = strdup(value);
        rc = s->kept->values[i] ? 0 : ERROR_NOMEM;
    }
    return rc;
}

#include "_libxl_phases_backend_connect.h"
