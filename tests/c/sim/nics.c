/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Network interfaces on bridges. The tests add, remove and list interfaces, and create domains with
 * interfaces. The simulator plays the interfaces of domain 0, the backends and the guests' drivers. No test
 * may leave a node or an interface.
 */
#include "nic.h"
#include "harness.h"
#include "simulation.h"

#include <libxl_utils.h>

#include <stdlib.h>

/* ---- interfaces with a bridge */

static void an_interface_is_bridged_and_removed(scene *s)
{
    const libxl_domid domid = guest(s, "b", true);
    assert_int_equal(nic_add(s, domid, nic_of("xenbr0")), 0);
    assert_true(nic_has_link("vif%u.0 vif up xenbr0 1500 fe:ff:ff:ff:ff:ff", domid));
    fixture_check_value(domid, "/local/domain/0/backend/vif/%u/0/bridge", "xenbr0");
    fixture_check_value(domid, "/local/domain/0/backend/vif/%u/0/type", "vif");
    fixture_check_value(domid, "/libxl/%u/device/vif/0/hotplug-status", "");
    fixture_check_value(domid, "/local/domain/%u/device/vif/0/mtu", "1500");
    fixture_check_perms(domid, "/local/domain/%u/device/vif/0", "n%u,r0");
    fixture_check_perms(domid, "/local/domain/%u/device/vif/0/mtu", "n0,r%u");
    fixture_check_perms(domid, "/local/domain/0/backend/vif/%u/0", "n0,r%u");
    wait_node(s, domid, "device/vif/0/state", "4");
    assert_int_equal(nic_remove(s, domid), 0);
    nic_check_gone(domid);
    destroy(s, domid);
}

static void the_configuration_is_in_the_nodes_and_the_interface(scene *s)
{
    static const uint8_t mac[6] = {0x00, 0x16, 0x3e, 0x01, 0x02, 0x03};
    const libxl_domid domid = guest(s, "b", true);
    libxl_device_nic nic = nic_of("xenbr0");
    memcpy(nic.mac, mac, sizeof(mac));
    nic.devid = -1;
    nic.ifname = strdup("test-web");
    nic.mtu = 1400;
    nic.ip = strdup("10.0.0.1 10.0.0.2");
    nic.rate_bytes_per_interval = 62500;
    nic.rate_interval_usecs = 50000;
    libxl_defbool_set(&nic.trusted, false);
    assert_int_equal(nic_add(s, domid, nic), 0);
    assert_true(nic_has_link("test-web vif up xenbr0 1400 fe:ff:ff:ff:ff:ff", domid));
    fixture_check_value(domid, "/local/domain/0/backend/vif/%u/0/vifname", "test-web");
    fixture_check_value(domid, "/local/domain/0/backend/vif/%u/0/mac", "00:16:3e:01:02:03");
    fixture_check_value(domid, "/local/domain/0/backend/vif/%u/0/rate", "62500,50000");
    fixture_check_value(domid, "/local/domain/0/backend/vif/%u/0/mtu", "1400");
    fixture_check_value(domid, "/local/domain/0/backend/vif/%u/0/ip", "10.0.0.1 10.0.0.2");
    fixture_check_value(domid, "/local/domain/%u/device/vif/0/trusted", "0");
    fixture_check_value(domid, "/local/domain/%u/device/vif/0/mtu", "1400");
    assert_int_equal(nic_destroy(s, domid), 0);
    nic_check_gone(domid);
    assert_false(nic_has_link("test-web", domid));
    destroy(s, domid);
}

static void an_interface_has_the_mtu_of_its_bridge(scene *s)
{
    const libxl_domid domid = guest(s, "b", true);
    simulate("link add jumbo bridge");
    assert_int_equal(system("ip link set jumbo mtu 9000"), 0);
    assert_int_equal(nic_add(s, domid, nic_of("jumbo")), 0);
    assert_true(nic_has_link("vif%u.0 vif up jumbo 9000 ", domid));
    fixture_check_value(domid, "/local/domain/%u/device/vif/0/mtu", "9000");
    destroy(s, domid);
    nic_check_gone(domid);
    simulate("link delete jumbo");
}

static void two_interfaces_do_not_get_one_number(scene *s)
{
    const libxl_domid domid = guest(s, "b", true);
    assert_int_equal(nic_add(s, domid, nic_of(NULL)), 0);
    assert_int_equal(nic_add(s, domid, nic_of(NULL)), ERROR_DEVICE_EXISTS);
    libxl_device_nic next = nic_of(NULL);
    next.devid = -1;
    assert_int_equal(nic_add(s, domid, next), 0);
    assert_true(fixture_has("/libxl/%u/device/vif/1", domid));
    destroy(s, domid);
    nic_check_gone(domid);
}

static void a_wrong_configuration_is_refused_by_its_field(scene *s)
{
    static const struct {
        const char *bridge, *ifname, *script;
        int mtu, rc;
        libxl_nic_type type;
        const char *says;
    } wrong[] = {
        {.bridge = "no-bridge", .rc = ERROR_INVAL, .says = "bridge: no-bridge: No such device"},
        {.bridge = "lo", .rc = ERROR_INVAL, .says = "bridge: lo: not a bridge"},
        {.bridge = "a-name-that-is-too-long", .rc = ERROR_INVAL, .says = "bridge: 'a-name-that"},
        {.ifname = "a/b", .rc = ERROR_INVAL, .says = "ifname: 'a/b' is not the name of an interface"},
        {.ifname = "lo", .rc = ERROR_BUSY, .says = "ifname: lo: an interface has this name"},
        {.script = "no-script",
         .rc = ERROR_SCRIPT,
         .says = "script: /etc/xen/scripts/no-script: No such file"},
        {.script = "/run", .rc = ERROR_SCRIPT, .says = "/run: Permission denied"},
        {.mtu = -1, .rc = ERROR_INVAL, .says = "mtu: -1 is negative"},
        {.mtu = 9, .rc = ERROR_INVAL, .says = "mtu less than device minimum"},
        {.type = LIBXL_NIC_TYPE_VIF_IOEMU, .rc = ERROR_INVAL, .says = "nictype: "},
    };
    const libxl_domid domid = guest(s, "b", true);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        libxl_device_nic nic = nic_of(wrong[i].bridge);
        nic.ifname = wrong[i].ifname ? strdup(wrong[i].ifname) : NULL;
        nic.script = wrong[i].script ? strdup(wrong[i].script) : NULL;
        nic.mtu = wrong[i].mtu;
        nic.nictype = wrong[i].type;
        const int rc = nic_add(s, domid, nic);
        check_says(s, wrong[i].says);
        assert_int_equal(rc, wrong[i].rc);
        nic_check_gone(domid);
    }
    destroy(s, domid);
}

static void what_the_kernel_refuses_leaves_nothing(scene *s)
{
    const libxl_domid domid = guest(s, "b", true);
    const int rule = fault_add("host.newlink:EPERM");
    assert_int_equal(nic_add(s, domid, nic_of(NULL)), ERROR_PERMISSION);
    check_says(s, "Operation not permitted");
    assert_int_equal(fault_hits(rule), 1);
    faults_clear();
    nic_check_gone(domid);
    simulate("backend %u 'error=12 creating interface'", domid);
    assert_int_equal(nic_add(s, domid, nic_of(NULL)), ERROR_DEVICE);
    check_says(s, "12 creating interface");
    nic_check_gone(domid);
    simulate("backend %u plays", domid);
    /* The first interface has left an error node. The addition of the second interface must ignore
     * this node. */
    assert_int_equal(nic_add(s, domid, nic_of(NULL)), 0);
    destroy(s, domid);
}

/* A backend that was never connected closes only when its nodes are removed. So the removal must not wait
 * until the backend closes. */
static void an_interface_that_was_never_connected_is_removed_by_force(scene *s)
{
    const libxl_domid domid = guest(s, "b", true);
    simulate("frontend %u mute", domid);
    assert_int_equal(nic_add(s, domid, nic_of(NULL)), 0);
    assert_int_equal(nic_remove(s, domid), ERROR_GUEST_CANNOT_ANSWER);
    assert_true(nic_has_link("vif%u.0", domid));
    assert_int_equal(nic_destroy(s, domid), 0);
    nic_check_gone(domid);
    destroy(s, domid);
}

/* ---- lists */

static void the_list_has_what_was_added(scene *s)
{
    const libxl_domid domid = guest(s, "b", true);
    libxl_device_nic nic = nic_of("xenbr0"), found;
    libxl_nicinfo info;
    libxl_nic_list list;
    nic.ifname = strdup("test-listed");
    nic.rate_bytes_per_interval = 62500;
    nic.rate_interval_usecs = 50000;
    memcpy(nic.mac, (uint8_t[]){0x00, 0x16, 0x3e, 0x01, 0x02, 0x04}, 6);
    assert_int_equal(nic_add(s, domid, nic), 0);
    assert_int_equal(RUN(s, libxl_domain_list_nics(s->ctx, domid, &list, how)), 0);
    assert_int_equal(list.num_devices, 1);
    assert_string_equal(list.devices[0].bridge, "xenbr0");
    assert_string_equal(list.devices[0].ifname, "test-listed");
    assert_int_equal(list.devices[0].rate_bytes_per_interval, 62500);
    assert_int_equal(list.devices[0].devid, 0);
    assert_int_equal(libxl_mac_to_device_nic(s->ctx, domid, "00:16:3e:01:02:04", &found), 0);
    wait_node(s, domid, "device/vif/0/state", "4");
    assert_int_equal(libxl_device_nic_getinfo(s->ctx, domid, &found, &info), 0);
    assert_int_equal(info.state, 4);
    assert_int_equal(info.rref_tx, 9);
    assert_int_equal(info.rref_rx, 10);
    libxl_device_nic_dispose(&found);
    libxl_nicinfo_dispose(&info);
    libxl_nic_list_dispose(&list);
    assert_int_equal(libxl_devid_to_device_nic(s->ctx, domid, 7, &found), ERROR_NOTFOUND);
    assert_int_equal(libxl_mac_to_device_nic(s->ctx, domid, "00:16:3e:01:02:0", &found), ERROR_NOTFOUND);
    assert_int_equal(libxl_mac_to_device_nic(s->ctx, domid, "00:16:3e:01:02", &found), ERROR_INVAL);
    destroy(s, domid);
}

/* ---- at the creation of a domain */

static void a_creation_names_the_wrong_interface(scene *s)
{
    libxl_domid domid;
    for (int wrong = 0; wrong <= 1; wrong++) {
        libxl_domain_config config = guest_config("b");
        config.nics = calloc(2, sizeof(*config.nics));
        config.num_nics = 2;
        for (int i = 0; i < 2; i++) {
            config.nics[i] = nic_of(wrong && i ? "no-bridge" : "xenbr0");
            config.nics[i].devid = -1;
        }
        const int rc = RUN(s, libxl_domain_create_new(s->ctx, &config, &domid, how, NULL));
        libxl_domain_config_dispose(&config);
        if (wrong) {
            assert_int_equal(rc, ERROR_INVAL);
            check_says(s, "nics[1]: bridge: no-bridge: No such device");
            continue;
        }
        assert_int_equal(rc, 0);
        assert_true(nic_has_link("vif%u.0 vif up xenbr0", domid));
        assert_true(nic_has_link("vif%u.1 vif up xenbr0", domid));
        destroy(s, domid);
        nic_check_gone(domid);
    }
    fixture_check_world(&s->before);
}

static const body bodies[] = {
    BODY(an_interface_is_bridged_and_removed, ALONE),
    BODY(the_configuration_is_in_the_nodes_and_the_interface, ALONE | SLOW),
    BODY(an_interface_has_the_mtu_of_its_bridge, ALONE | SLOW),
    BODY(two_interfaces_do_not_get_one_number, ALONE | SLOW),
    BODY(a_wrong_configuration_is_refused_by_its_field, ALONE | SLOW),
    BODY(what_the_kernel_refuses_leaves_nothing, ALONE | SLOW),
    BODY(an_interface_that_was_never_connected_is_removed_by_force, ALONE | SLOW),
    BODY(the_list_has_what_was_added, ALONE | SLOW),
    BODY(a_creation_names_the_wrong_interface, ALONE | SLOW),
};

HARNESS_MAIN(bodies)
