/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Adds USB devices to the stored configuration of a domain, and removes them (userdata.h).
 *
 * Owns: nothing; a job owns its `change`. Locks: exchange() runs on a worker, unlocked. libxl__usb_record is called
 * with the context locked.
 */
#include "_libxl_types_internal.h"
#include "usb_scan.h"

#include <stdlib.h>
#include <string.h>

/* A libxl_device_usbdev owns no memory, so it is copied by assignment. */
typedef struct change {
    libxl_device_usbdev usbdev;
    libxl_device_usbctrl usbctrl;
    bool with_controller;
    bool add; /* true: the next call of exchange() adds the device; false: it removes the device */
} change;

static void dispose(void *user)
{
    change *c = user;
    libxl_device_usbctrl_dispose(&c->usbctrl);
    free(c);
}

static int add(libxl_domain_config *config, const change *c)
{
    const size_t devices = (size_t)config->num_usbdevs, controllers = (size_t)config->num_usbctrls;
    libxl_device_usbdev *usbdevs = realloc(config->usbdevs, (devices + 1) * sizeof(*usbdevs));
    if (!usbdevs)
        return ERROR_NOMEM;
    config->usbdevs = usbdevs;
    if (c->with_controller) {
        libxl_device_usbctrl *usbctrls = realloc(config->usbctrls, (controllers + 1) * sizeof(*usbctrls));
        if (!usbctrls)
            return ERROR_NOMEM;
        config->usbctrls = usbctrls;
        libxl_device_usbctrl_init(&usbctrls[controllers]);
        usbctrls[controllers].devid = c->usbctrl.devid;
        config->num_usbctrls++;
    }
    usbdevs[devices] = c->usbdev;
    config->num_usbdevs++;
    return 0;
}

static bool is_same(const libxl_device_usbdev *a, const libxl_device_usbdev *b)
{
    if (a->ctrl == b->ctrl && a->port == b->port && a->ctrl >= 0 && a->port > 0)
        return true;
    return a->u.hostdev.hostbus && a->u.hostdev.hostbus == b->u.hostdev.hostbus &&
           a->u.hostdev.hostaddr == b->u.hostdev.hostaddr;
}

static void drop(libxl_domain_config *config, change *c)
{
    int kept = 0;
    for (int i = 0; i < config->num_usbdevs; i++) {
        if (is_same(&config->usbdevs[i], &c->usbdev))
            c->usbdev = config->usbdevs[i];
        else
            config->usbdevs[kept++] = config->usbdevs[i];
    }
    config->num_usbdevs = kept;
    kept = 0;
    for (int i = 0; i < config->num_usbctrls; i++) {
        if (c->with_controller && config->usbctrls[i].devid == c->usbctrl.devid)
            libxl_device_usbctrl_dispose(&config->usbctrls[i]);
        else
            config->usbctrls[kept++] = config->usbctrls[i];
    }
    config->num_usbctrls = kept;
}

/* Adds the device or removes it. So a second call restores the configuration. */
static int exchange(libxl_domain_config *config, void *user)
{
    change *c = user;
    int rc = 0;
    if (c->add)
        rc = add(config, c);
    else
        drop(config, c);
    c->add = !c->add;
    return rc;
}

int libxl__usb_record(libxl__ao *ao, libxl__userdata *userdata, uint32_t domid,
                      const libxl_device_usbdev *usbdev, const libxl_device_usbctrl *usbctrl, bool add)
{
    change *c = calloc(1, sizeof(*c));
    if (!c)
        return ERROR_NOMEM;
    c->usbdev = *usbdev;
    c->add = add;
    c->with_controller = usbctrl != NULL;
    libxl_device_usbctrl_init(&c->usbctrl);
    if (usbctrl)
        c->usbctrl.devid = usbctrl->devid;
    return libxl__userdata_update(ao, userdata, domid, &ao->subject.uuid, exchange, c, dispose);
}
