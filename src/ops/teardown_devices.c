/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns: nothing except the operation's state. The caller holds the context's lock. */
#include "teardown_devices.h"

#define FOR_DEVICES LIBXL__SECONDS(60)

/* Stores the first error. Returns LIBXL__AO_WAIT if `rc` has this value, or else 0. */
static int ended(libxl__ao *ao, libxl__teardown_devices *devices, int rc)
{
    if (rc == LIBXL__AO_WAIT || !rc || devices->rc)
        return rc == LIBXL__AO_WAIT ? rc : 0;
    devices->rc = rc;
    devices->message = libxl__gc_printf(&ao->gc, "%s", libxl__ao_words(ao, rc));
    libxl__ao_forget_failure(ao);
    return 0;
}

static int list_ended(libxl__ao *ao, libxl__teardown_devices *devices, int rc)
{
    devices->unlisted = rc && rc != LIBXL__AO_WAIT;
    return ended(ao, devices, rc);
}

int libxl__teardown_devices_list(libxl__ao *ao, libxl__teardown_devices *devices, uint32_t domid,
                                 const libxl_uuid *uuid)
{
    return list_ended(ao, devices, libxl__device_sweep_list(ao, &devices->sweep, domid, uuid));
}

int libxl__teardown_devices_list_again(libxl__ao *ao, libxl__teardown_devices *devices)
{
    return list_ended(ao, devices, libxl__device_sweep_list_again(ao, &devices->sweep));
}

int libxl__teardown_devices_list_poll(libxl__ao *ao, libxl__teardown_devices *devices)
{
    return list_ended(ao, devices, libxl__device_sweep_list_poll(ao, &devices->sweep));
}

static int removal_ended(libxl__ao *ao, libxl__teardown_devices *devices, int rc)
{
    return ended(ao, devices, rc < 0 ? ERROR_DEVICE : rc);
}

int libxl__teardown_devices_remove(libxl__ao *ao, libxl__teardown_devices *devices)
{
    return devices->sweep.listed ? removal_ended(ao, devices, libxl__device_sweep_remove(ao, &devices->sweep))
                                 : 0;
}

int libxl__teardown_devices_remove_poll(libxl__ao *ao, libxl__teardown_devices *devices)
{
    return removal_ended(ao, devices, libxl__device_sweep_remove_poll(ao, &devices->sweep));
}

/* ---- removing the devices that are left when the domain is gone */

/* `rc` is the result of removal_ended. */
static int late_removal_ended(libxl__teardown_devices *devices, libxl__teardown_nodes *nodes,
                              const libxl__alarm *alarm, int rc)
{
    if (rc == LIBXL__AO_WAIT && !alarm->rang)
        return rc;
    nodes->keeps_tree = false;
    devices->removing_late = false;
    return 0;
}

/* Returns the result of the list: 0, LIBXL__AO_WAIT or an error. */
static int list_late(libxl__ao *ao, libxl__teardown_devices *devices, int rc)
{
    if (!rc)
        rc = devices->unlisted ? libxl__device_sweep_list_again(ao, &devices->sweep)
                               : libxl__device_sweep_list_poll(ao, &devices->sweep);
    devices->unlisted = rc && rc != LIBXL__AO_WAIT;
    return rc;
}

static int remove_late(libxl__ao *ao, libxl__teardown_devices *devices, libxl__teardown_nodes *nodes,
                       libxl__alarm *alarm)
{
    devices->removing_late = true;
    devices->rc = 0;
    libxl__alarm_set(ao, alarm, FOR_DEVICES); /* cannot fail, because the alarm is set already */
    return late_removal_ended(devices, nodes, alarm,
                              removal_ended(ao, devices, libxl__device_sweep_remove(ao, &devices->sweep)));
}

int libxl__teardown_devices_late(libxl__ao *ao, libxl__teardown_devices *devices,
                                 libxl__teardown_nodes *nodes, libxl__alarm *alarm, bool last)
{
    if (devices->removing_late)
        return late_removal_ended(devices, nodes, alarm, libxl__teardown_devices_remove_poll(ao, devices));
    int rc = libxl__teardown_nodes_check_tree(ao, nodes);
    if (rc == ERROR_NOTFOUND) {
        devices->rc = ERROR_DEVICE;
        devices->message = "its devices were not listed and stay";
        nodes->keeps_tree = false;
        return 0;
    }
    rc = list_late(ao, devices, rc);
    if (!rc)
        return remove_late(ao, devices, nodes, alarm);
    if (rc == LIBXL__AO_WAIT || last)
        return ended(ao, devices, rc);
    if (devices->sweep.listing && libxl__xs_done(devices->sweep.listing))
        libxl__xs_result(devices->sweep.listing); /* records the message */
    return rc;
}
