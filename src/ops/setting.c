/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns: nothing. The batch belongs to the operation. The caller holds the context's lock. */
#include "setting.h"

#include <stdio.h>
#include <string.h>

static int new_batch(libxl__ao *ao, libxl__setting *setting)
{
    libxl__xs_batch_free(setting->batch);
    setting->node = NULL;
    setting->batch = libxl__xs_batch_new(ao, ao->subject.number);
    return setting->batch ? 0 : ERROR_NOMEM;
}

static int write_nodes(libxl__ao *ao, libxl__setting *setting)
{
    int rc = new_batch(ao, setting);
    if (rc)
        return rc;
    libxl__xs_require_vm(setting->batch, *setting->vm ? setting->vm : NULL);
    setting->fill(ao, setting);
    rc = libxl__xs_run(setting->batch, LIBXL__XS_TRANSACTION);
    return rc ? rc : LIBXL__AO_WAIT;
}

int libxl__setting_start(libxl__ao *ao, libxl__setting *setting, libxl__setting_fill *fill)
{
    setting->fill = fill;
    if (!libxl_uuid_is_nil(&ao->subject.uuid))
        snprintf(setting->vm, sizeof(setting->vm), "/vm/" LIBXL_UUID_FMT, LIBXL_UUID_BYTES(ao->subject.uuid));
    return write_nodes(ao, setting);
}

static int destroyed(libxl__ao *ao)
{
    return libxl__ao_fail(ao, ERROR_DOMAIN_DESTROYED, "domid: domain %u was destroyed", ao->subject.number);
}

static int read_vm(libxl__ao *ao, libxl__setting *setting)
{
    int rc = new_batch(ao, setting);
    if (rc)
        return rc;
    setting->node = libxl__xs_read(setting->batch, "/local/domain/%u/vm", ao->subject.number);
    rc = libxl__xs_run(setting->batch, LIBXL__XS_ONE_BY_ONE);
    return rc ? rc : LIBXL__AO_WAIT;
}

/* Returns whether the text is "/vm/" followed by a UUID. */
static bool is_vm(const char *vm)
{
    libxl_uuid uuid;
    return vm && strncmp(vm, "/vm/", 4) == 0 && strlen(vm) < sizeof(((libxl__setting *)NULL)->vm) &&
           libxl_uuid_from_string(&uuid, vm + 4) == 0;
}

/* Returns 1 if the hypervisor has the operation's domain, 0 if it does not, or an error. */
static int still_exists(libxl__ao *ao)
{
    xc_domaininfo_t info;
    const int rc = libxl__hv_look(ao, ao->subject.number, &info);
    if (rc)
        return rc == ERROR_DOMAIN_NOTFOUND ? false : rc;
    return memcmp(info.handle, ao->subject.uuid.uuid, sizeof(info.handle)) == 0;
}

/*
 * Called when the `vm` node was read. If the hypervisor still has the operation's domain, makes the transaction
 * again, for the UUID in the node.
 */
static int write_again(libxl__ao *ao, libxl__setting *setting)
{
    const char *vm = libxl__xs_value(setting->node);
    int rc = libxl__xs_result(setting->batch);
    if (rc || ao->stop)
        return rc ? rc : ao->stop;
    rc = is_vm(vm) ? still_exists(ao) : 0;
    if (rc <= 0)
        return rc ? rc : destroyed(ao);
    memcpy(setting->vm, vm, strlen(vm) + 1);
    setting->again = true;
    return write_nodes(ao, setting);
}

int libxl__setting_poll(libxl__ao *ao, libxl__setting *setting)
{
    if (setting->taken_back)
        return ao->stop;
    if (!libxl__xs_done(setting->batch))
        return LIBXL__AO_WAIT;
    if (setting->node)
        return write_again(ao, setting);
    int rc = libxl__xs_rc(setting->batch);
    if (rc == ERROR_DOMAIN_DESTROYED && setting->fill && *setting->vm && !setting->again && !ao->stop)
        return read_vm(ao, setting);
    if (rc == ERROR_DOMAIN_DESTROYED)
        rc = destroyed(ao);
    else if (rc)
        rc = libxl__xs_result(setting->batch);
    setting->written = !rc;
    return rc;
}

void libxl__setting_stop(libxl__setting *setting)
{
    if (!libxl__xs_take_back(setting->batch))
        return;
    libxl__xs_batch_free(setting->batch);
    setting->batch = NULL;
    setting->taken_back = true;
}
