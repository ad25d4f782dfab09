/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns: nothing except the operation's state. The caller holds the context's lock. */
#include "pci_model.h"
#include "xen.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

/*
 * The interval at which QEMU is asked whether a device is unplugged. QEMU sends its event for an unplugged device
 * only to a client that is connected at that time.
 */
#define LOOK_AGAIN LIBXL__MILLISECONDS(200)

/* Writes the name that a function has in the device model. libxl uses the same name. */
static void name_of(uint32_t sbdf, char id[32])
{
    snprintf(id, 32, "pci-pt-%02x_%02x.%01x", sbdf >> 8 & 0xff, sbdf >> 3 & 0x1f, sbdf & 7);
}

static int add_plug(libxl__ao *ao, libxl__qmp *qmp, const libxl__pci_function *f)
{
    char id[32], bdf[LIBXL__PCI_BDF], place[16];
    name_of(f->sbdf, id);
    snprintf(bdf, sizeof(bdf), LIBXL__PCI_FORMAT, LIBXL__PCI_PARTS(f->sbdf));
    snprintf(place, sizeof(place), "%x.%x", f->vdevfn >> 3 & 0x1f, f->vdevfn & 7);
    struct json_object *object = libxl__qmp_text("driver", "xen-pci-passthrough");
    struct json_object *permissive = f->permissive ? json_object_new_boolean(1) : NULL;
    bool made = object && libxl__qmp_set_text(object, "id", id) &&
                libxl__qmp_set_text(object, "hostaddr", bdf) &&
                (!f->vdevfn || libxl__qmp_set_text(object, "addr", place));
    if (permissive && (!made || json_object_object_add(object, "permissive", permissive))) {
        json_object_put(permissive);
        made = false;
    }
    if (made && (permissive || !f->permissive))
        return libxl__qmp_add(ao, qmp, "device_add", object, -1);
    json_object_put(object);
    return ERROR_NOMEM;
}

static int add_pull(libxl__ao *ao, libxl__qmp *qmp, const libxl__pci_function *f)
{
    char id[32];
    name_of(f->sbdf, id);
    struct json_object *object = libxl__qmp_text("id", id);
    return object ? libxl__qmp_add(ao, qmp, "device_del", object, -1) : ERROR_NOMEM;
}

/* Sends the commands for the next functions, LIBXL__PCI_AT_ONCE at most. */
static int send_next(libxl__ao *ao, libxl__pci_model *model, bool plug)
{
    int rc = 0;
    libxl__qmp_reset(ao, &model->qmp);
    libxl__qmp *pull = &model->pulls[model->done / LIBXL__PCI_AT_ONCE];
    model->qmp.all = pull->patient = plug;
    if (plug)
        rc = libxl__qmp_reserve(ao, pull);
    for (unsigned i = 0; i < LIBXL__PCI_AT_ONCE && model->done < model->count && !rc; i++, model->done++) {
        const libxl__pci_function *f = &model->functions[model->done];
        if (plug)
            rc = add_plug(ao, &model->qmp, f);
        if (!rc)
            rc = add_pull(ao, plug ? pull : &model->qmp, f);
    }
    model->step = plug ? LIBXL__PCI_PLUGGING : LIBXL__PCI_PULLING;
    return rc ? rc : libxl__qmp_start(ao, &model->qmp, model->domid);
}

static int query(libxl__ao *ao, libxl__pci_model *model)
{
    libxl__qmp_reset(ao, &model->qmp);
    model->step = LIBXL__PCI_QUERYING;
    const int rc = libxl__qmp_add(ao, &model->qmp, "query-pci", NULL, -1);
    return rc ? rc : libxl__qmp_start(ao, &model->qmp, model->domid);
}

static int answer(libxl__ao *ao, libxl__pci_model *model)
{
    const libxl__qmp *qmp = &model->qmp;
    if (qmp->done && (qmp->errnoval == ENOENT || qmp->errnoval == ECONNREFUSED))
        return libxl__ao_fail(ao, ERROR_DEVICE_MODEL, "domain %u has no device model", model->domid);
    return libxl__qmp_poll(ao, &model->qmp);
}

/* ---- the answer of query-pci: an array of buses, each with an array `devices` */

static struct json_object *member(struct json_object *object, const char *key, enum json_type type)
{
    struct json_object *value;
    return json_object_is_type(object, json_type_object) && json_object_object_get_ex(object, key, &value) &&
                   json_object_is_type(value, type)
               ? value
               : NULL;
}

static struct json_object *find_on_bus(struct json_object *bus, const char *id)
{
    struct json_object *devices = member(bus, "devices", json_type_array);
    for (size_t i = 0; devices && i < json_object_array_length(devices); i++) {
        struct json_object *device = json_object_array_get_idx(devices, i);
        struct json_object *name = member(device, "qdev_id", json_type_string);
        if (name && !strcmp(json_object_get_string(name), id))
            return device;
    }
    return NULL;
}

/* Returns the device with this name, or NULL. */
static struct json_object *find(const libxl__pci_model *model, uint32_t sbdf)
{
    struct json_object *buses = model->qmp.commands[0].result, *device = NULL;
    char id[32];
    name_of(sbdf, id);
    for (size_t i = 0; !device && i < json_object_array_length(buses); i++)
        device = find_on_bus(json_object_array_get_idx(buses, i), id);
    return device;
}

static bool is_list(const libxl__pci_model *model)
{
    return json_object_is_type(model->qmp.commands[0].result, json_type_array);
}

/* ---- plugging in */

int libxl__pci_model_plug(libxl__ao *ao, libxl__pci_model *model, uint32_t domid,
                          libxl__pci_function *functions, uint32_t count)
{
    model->domid = domid;
    model->functions = functions;
    model->count = count;
    return send_next(ao, model, true);
}

/* Stores the slot and function number that the device model has chosen for each function. */
static int take_places(libxl__ao *ao, libxl__pci_model *model)
{
    if (!is_list(model))
        return libxl__ao_fail(ao, ERROR_FAIL, "the device model: query-pci: not a list");
    for (uint32_t i = 0; i < model->count; i++) {
        libxl__pci_function *f = &model->functions[i];
        struct json_object *device = find(model, f->sbdf);
        struct json_object *slot = member(device, "slot", json_type_int);
        struct json_object *function = member(device, "function", json_type_int);
        if (!slot || !function)
            return libxl__ao_fail(ao, ERROR_FAIL,
                                  "the device model: query-pci: the device " LIBXL__PCI_FORMAT " is missing",
                                  LIBXL__PCI_PARTS(f->sbdf));
        f->vdevfn =
            ((uint32_t)json_object_get_int(slot) & 0x1f) << 3 | ((uint32_t)json_object_get_int(function) & 7);
    }
    return 0;
}

int libxl__pci_model_plugged(libxl__ao *ao, libxl__pci_model *model)
{
    const int rc = answer(ao, model);
    if (rc)
        return rc;
    if (model->step == LIBXL__PCI_QUERYING)
        return take_places(ao, model);
    return model->done < model->count ? send_next(ao, model, true) : query(ao, model);
}

/*
 * Ends the connection that plugs in. The undo does not unplug the functions that QEMU has refused, because another
 * operation may have plugged in a device with the same name.
 */
static void leave(libxl__ao *ao, libxl__pci_model *model)
{
    libxl__qmp_leave(ao, &model->qmp);
    if (model->step != LIBXL__PCI_PLUGGING || !model->done)
        return;
    libxl__qmp *pull = &model->pulls[(model->done - 1) / LIBXL__PCI_AT_ONCE];
    for (unsigned i = 0; i < model->qmp.count; i++)
        pull->commands[i].skipped = *model->qmp.commands[i].refusal;
}

int libxl__pci_model_pull(libxl__ao *ao, libxl__pci_model *model)
{
    if (!model->pulled)
        leave(ao, model);
    while (!model->pulled || model->pulls[model->pulled - 1].done) {
        if (model->pulled == LIBXL__PCI_PULLS || !model->pulls[model->pulled].count)
            return 0;
        if (libxl__qmp_start(ao, &model->pulls[model->pulled++], model->domid) != LIBXL__AO_WAIT)
            return 0;
    }
    return LIBXL__AO_WAIT;
}

/* ---- unplugging */

int libxl__pci_model_unplug(libxl__ao *ao, libxl__pci_model *model, uint32_t domid,
                            libxl__pci_function *functions, uint32_t count)
{
    model->domid = domid;
    model->functions = functions;
    model->count = count;
    return send_next(ao, model, false);
}

static int look_again(libxl__ao *ao, libxl__pci_model *model)
{
    model->step = LIBXL__PCI_PAUSING;
    const int rc = libxl__alarm_set(ao, &model->pause, LOOK_AGAIN);
    return rc ? rc : LIBXL__AO_WAIT;
}

int libxl__pci_model_unplugged(libxl__ao *ao, libxl__pci_model *model)
{
    if (model->step == LIBXL__PCI_PAUSING)
        return model->pause.rang ? query(ao, model) : LIBXL__AO_WAIT;
    const int rc = answer(ao, model);
    if (rc)
        return rc;
    if (model->step == LIBXL__PCI_PULLING)
        return model->done < model->count ? send_next(ao, model, false) : query(ao, model);
    if (!is_list(model))
        return libxl__ao_fail(ao, ERROR_FAIL, "the device model: query-pci: not a list");
    for (uint32_t i = 0; i < model->count; i++)
        if (find(model, model->functions[i].sbdf))
            return look_again(ao, model);
    return 0;
}
