/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The undo of an added USB controller takes the controller from the device model also without memory. */
#include "core.h"

#include "allocation.h"
#include "hvm.h"

#include "_libxl_operations_internal.h"
#include "xen.h"

#include <string.h>

/* The phase in which an operation fails. */
struct failure {
    unsigned operation;
    const char *phase;
    libxl__phase_moment moment;
    int count; /* how often the library got no memory */
};

static int on_moment(libxl__ao *ao, libxl__phase_moment moment, void *user)
{
    struct failure *f = user;
    const bool detaches = ao->cls == &libxl__operations[LIBXL__OP_DEVICE_DETACH];
    if (detaches && moment == LIBXL__PHASE_BEFORE_START && !strcmp(libxl__phase_of(ao)->name, "host")) {
        f->count++;
        allocation_fail_from(1);
    }
    if (detaches && moment == LIBXL__PHASE_BEFORE_START && !strcmp(libxl__phase_of(ao)->name, "record"))
        allocation_fail(0);
    const bool fails = moment == f->moment && ao->cls == &libxl__operations[f->operation] &&
                       !strcmp(libxl__phase_of(ao)->name, f->phase);
    return fails ? ERROR_FAIL : 0;
}

/* Adds a controller, and returns the result. `with_device` true: adds a device to it. */
static int add(scene *s, libxl_domid domid, bool with_device)
{
    libxl_device_usbctrl ctrl;
    libxl_device_usbdev stick;
    libxl_device_usbctrl_init(&ctrl);
    libxl_device_usbdev_init(&stick);
    stick.u.hostdev.hostbus = 1;
    stick.u.hostdev.hostaddr = 2;
    return with_device ? RUN(s, libxl_device_usbdev_add(s->ctx, domid, &stick, how))
                       : RUN(s, libxl_device_usbctrl_add(s->ctx, domid, &ctrl, how));
}

static void fail_and_add_again(scene *s, struct failure f, bool with_device)
{
    const libxl_domid domid = hvm_guest(s);
    libxl__ctx_set_phase_hook(s->ctx, on_moment, &f);
    const int rc = add(s, domid, with_device);
    libxl__ctx_set_phase_hook(s->ctx, NULL, NULL);
    assert_int_equal(f.count, 1);
    assert_int_equal(rc, ERROR_FAIL);
    assert_false(hvm_has(s, domid, "xenusb-0"));
    assert_int_equal(add(s, domid, with_device), 0);
    assert_true(hvm_has(s, domid, "xenusb-0"));
    guest_destroy(s->ctx, domid);
}

static void a_controller_is_unplugged(scene *s)
{
    fail_and_add_again(s, (struct failure){LIBXL__OP_DEVICE_USBCTRL_ADD, "host", LIBXL__PHASE_WAITING, 0},
                       false);
}

static void a_controller_for_a_device_is_unplugged(scene *s)
{
    fail_and_add_again(
        s, (struct failure){LIBXL__OP_DEVICE_USBDEV_ADD, "record", LIBXL__PHASE_BEFORE_START, 0}, true);
}

static const body bodies[] = {
    BODY(a_controller_is_unplugged, ASYNCHRONOUS | ALONE),
    BODY(a_controller_for_a_device_is_unplugged, ASYNCHRONOUS | ALONE),
};

HARNESS_MAIN(bodies)
