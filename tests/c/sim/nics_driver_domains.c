/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Network interfaces that a driver domain serves. */
#include "nic.h"
#include "harness.h"
#include "simulation.h"

static libxl_device_nic served_by(libxl_domid server)
{
    libxl_device_nic nic = nic_of(NULL);
    nic.backend_domid = server;
    return nic;
}

static bool served(libxl_domid server, libxl_domid domid)
{
    char path[96];
    snprintf(path, sizeof(path), "/local/domain/%u/backend/vif/%u", server, domid);
    return fixture_has(path, 0);
}

static void a_driver_domain_serves_an_interface(scene *s)
{
    const libxl_domid server = guest(s, "b driver", true), domid = guest(s, "b", true);
    libxl_device_nic nic = served_by(server);
    nic.script = strdup("a-script-of-the-driver-domain");
    assert_int_equal(nic_add(s, domid, nic), 0);
    assert_true(served(server, domid));
    wait_node(s, domid, "device/vif/0/state", "4");
    assert_int_equal(nic_remove(s, domid), 0);
    assert_false(served(server, domid));
    nic_check_gone(domid);
    assert_int_equal(nic_add(s, domid, served_by(server)), 0);
    destroy(s, domid);
    assert_false(served(server, domid));
    destroy(s, server);
}

static void a_driver_domain_must_exist(scene *s)
{
    const libxl_domid domid = guest(s, "b", true);
    libxl_device_nic named = nic_of(NULL);
    named.backend_domname = strdup("no-such-domain");
    assert_int_equal(nic_add(s, domid, named), ERROR_NOTFOUND);
    check_says(s, "backend_domname: there is no domain 'no-such-domain'");
    assert_int_equal(nic_add(s, domid, served_by(0x7000)), ERROR_NOTFOUND);
    check_says(s, "backend_domid: there is no domain 28672");
    nic_check_gone(domid);
    destroy(s, domid);
}

static void the_end_of_a_driver_domain_ends_an_addition(scene *s)
{
    const libxl_domid server = guest(s, "b driver", true), domid = guest(s, "b", true);
    simulate("backend %u mute", domid);
    libxl_device_nic nic = served_by(server);
    op *o = START(s, libxl_device_nic_add, s->ctx, domid, &nic, how);
    wait_node(s, domid, "device/vif/0/state", "1");
    destroy(s, server);
    assert_int_equal(op_result(o), ERROR_NO_BACKEND);
    assert_non_null(strstr(o->message, "which serves the device"));
    nic_check_gone(domid);
    destroy(s, domid);
}

static void the_end_of_a_driver_domain_ends_a_removal(scene *s)
{
    const libxl_domid server = guest(s, "b driver", true), domid = guest(s, "b", true);
    assert_int_equal(nic_add(s, domid, served_by(server)), 0);
    wait_node(s, domid, "device/vif/0/state", "4");
    simulate("backend %u mute", domid);
    libxl_device_nic nic = nic_of(NULL);
    op *o = START(s, libxl_device_nic_remove, s->ctx, domid, &nic, how);
    pump(s, 50);
    assert_false(o->completions);
    destroy(s, server);
    assert_int_equal(op_result(o), 0);
    nic_check_gone(domid);
    destroy(s, domid);
}

static const body bodies[] = {
    BODY(a_driver_domain_serves_an_interface, ALONE | SLOW),
    BODY(a_driver_domain_must_exist, ALONE | SLOW),
    BODY(the_end_of_a_driver_domain_ends_an_addition, ALONE | SLOW | ASYNCHRONOUS),
    BODY(the_end_of_a_driver_domain_ends_a_removal, ALONE | SLOW | ASYNCHRONOUS),
};

HARNESS_MAIN(bodies)
