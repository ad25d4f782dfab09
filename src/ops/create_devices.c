/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns: nothing except the operation's state. The caller holds the context's lock. */
#include "create_devices.h"
#include "create.h"
#include "qemu.h"

void libxl__create_devices_stop(libxl__create_devices *devices)
{
    libxl__device_groups_stop(&devices->groups);
    libxl__device_model_stop(&devices->model);
}

int libxl__create_devices_poll(libxl__ao *ao, libxl__create_devices *devices)
{
    const int model = devices->needs_model ? libxl__device_model_poll(ao, &devices->model) : 0;
    if (!model)
        devices->groups.held = false;
    /*
     * The additions are stopped before the poll, which then sees those that end at once. An addition that ends at
     * once after the poll would not wake this operation.
     */
    if (model < 0 && !devices->rc) {
        devices->rc = model;
        libxl__create_devices_stop(devices);
    }
    const int groups = libxl__device_groups_poll(ao, &devices->groups);
    if (!devices->rc && groups < 0)
        devices->rc = groups;
    if (devices->rc)
        libxl__create_devices_stop(devices);
    return model == LIBXL__AO_WAIT || groups == LIBXL__AO_WAIT ? LIBXL__AO_WAIT : devices->rc;
}

int libxl__create_devices_start(libxl__ao *ao, libxl__create_devices *devices, const libxl__build *build,
                                libxl_domain_config *config, libxl__qemu_saved *saved)
{
    int rc = libxl__create_keyboard(config);
    if (rc)
        return rc;
    devices->needs_model = libxl__qemu_is_needed(config);
    devices->model.saved = saved;
    if (devices->needs_model)
        rc = libxl__device_model_start(ao, &devices->model, build->domid, &build->uuid, config);
    /* The phase `check` may have used this structure before. Its nested operation is destroyed. */
    libxl__source_stop(ao->ctx, &devices->groups.pcis.source);
    devices->groups = (libxl__device_groups){.rc = 0};
    devices->groups.held = config->c_info.type == LIBXL_DOMAIN_TYPE_HVM;
    if (rc >= 0)
        rc = libxl__device_groups_start(ao, &devices->groups, config, build->domid, &build->uuid);
    return rc < 0 ? rc : LIBXL__AO_WAIT;
}
