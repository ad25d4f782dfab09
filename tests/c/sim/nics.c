/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Network interfaces: bridged, with scripts, and served by driver domains. The simulator plays the interfaces of domain
 * 0, the backends and the guests' drivers. Whatever happens, no node and no interface is left.
 */
#include "harness.h"
#include "simulation.h"

#include <libxl_utils.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define SCRIPT "/run/test-script"
#define RECORD "/run/test-script.record"

static libxl_device_nic nic_of(const char *bridge)
{
    libxl_device_nic nic;
    libxl_device_nic_init(&nic);
    nic.devid = 0;
    nic.bridge = bridge ? strdup(bridge) : NULL;
    return nic;
}

static libxl_device_nic scripted(const char *script)
{
    libxl_device_nic nic = nic_of(NULL);
    nic.script = strdup(script);
    return nic;
}

static libxl_device_nic served_by(libxl_domid server)
{
    libxl_device_nic nic = nic_of(NULL);
    nic.backend_domid = server;
    return nic;
}

static int add(scene *s, libxl_domid domid, libxl_device_nic nic)
{
    const int rc = RUN(s, libxl_device_nic_add(s->ctx, domid, &nic, how));
    libxl_device_nic_dispose(&nic);
    return rc;
}

static int removal(scene *s, libxl_domid domid)
{
    libxl_device_nic nic = nic_of(NULL);
    return RUN(s, libxl_device_nic_remove(s->ctx, domid, &nic, how));
}

static int force(scene *s, libxl_domid domid)
{
    libxl_device_nic nic = nic_of(NULL);
    return RUN(s, libxl_device_nic_destroy(s->ctx, domid, &nic, how));
}

static bool exists(const char *format, libxl_domid domid)
{
    char path[96];
    snprintf(path, sizeof(path), format, domid);
    char *value = fixture_node(path);
    free(value);
    return value;
}

static void check_value(libxl_domid domid, const char *format, const char *wanted)
{
    char path[128];
    snprintf(path, sizeof(path), format, domid);
    char *value = fixture_node(path);
    assert_string_equal(value ? value : "(missing)", wanted);
    free(value);
}

static void check_perms(libxl_domid domid, const char *format, const char *format_of_perms)
{
    char path[128], wanted[32];
    snprintf(path, sizeof(path), format, domid);
    snprintf(wanted, sizeof(wanted), format_of_perms, domid);
    char *perms = fixture_perms(path);
    assert_string_equal(perms ? perms : "(missing)", wanted);
    free(perms);
}

/* Returns whether the list of the interfaces of domain 0 contains this. */
static bool has_link(const char *format, libxl_domid domid)
{
    char part[96];
    snprintf(part, sizeof(part), format, domid);
    char *list = simulation("links");
    const bool found = strstr(list, part);
    free(list);
    return found;
}

static void check_gone(libxl_domid domid)
{
    assert_false(exists("/local/domain/%u/device/vif", domid));
    assert_false(exists("/local/domain/0/backend/vif/%u", domid));
    assert_false(exists("/libxl/%u/device", domid));
    assert_false(exists("/local/domain/0/error/backend/vif/%u", domid));
    assert_false(has_link("vif%u.", domid));
}

static void check_says(const scene *s, const char *part)
{
    if (!strstr(last_message(s), part))
        fail_msg("'%s' has no '%s'", last_message(s), part);
}

static void write_script(const char *text)
{
    unlink(RECORD);
    const int fd = open(SCRIPT, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(fchmod(fd, 0755), 0);
    close(fd);
}

static const char *record(void)
{
    static char text[4096];
    FILE *file = fopen(RECORD, "re");
    const size_t length = file ? fread(text, 1, sizeof(text) - 1, file) : 0;
    if (file)
        fclose(file);
    text[length] = 0;
    return text;
}

static void wait_record(scene *s)
{
    for (const uint64_t end = now_ms() + scaled_ms(10000); !*record() && now_ms() < end;)
        pump(s, 10);
    assert_true(*record());
}

/* ---- bridged */

static void an_interface_is_bridged_and_removed(scene *s)
{
    const libxl_domid domid = guest(s, "b", true);
    assert_int_equal(add(s, domid, nic_of("xenbr0")), 0);
    assert_true(has_link("vif%u.0 vif up xenbr0 1500 fe:ff:ff:ff:ff:ff", domid));
    check_value(domid, "/local/domain/0/backend/vif/%u/0/bridge", "xenbr0");
    check_value(domid, "/local/domain/0/backend/vif/%u/0/type", "vif");
    check_value(domid, "/libxl/%u/device/vif/0/hotplug-status", "");
    check_value(domid, "/local/domain/%u/device/vif/0/mtu", "1500");
    check_perms(domid, "/local/domain/%u/device/vif/0", "n%u,r0");
    check_perms(domid, "/local/domain/%u/device/vif/0/mtu", "n0,r%u");
    check_perms(domid, "/local/domain/0/backend/vif/%u/0", "n0,r%u");
    wait_node(s, domid, "device/vif/0/state", "4");
    assert_int_equal(removal(s, domid), 0);
    check_gone(domid);
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
    assert_int_equal(add(s, domid, nic), 0);
    assert_true(has_link("test-web vif up xenbr0 1400 fe:ff:ff:ff:ff:ff", domid));
    check_value(domid, "/local/domain/0/backend/vif/%u/0/vifname", "test-web");
    check_value(domid, "/local/domain/0/backend/vif/%u/0/mac", "00:16:3e:01:02:03");
    check_value(domid, "/local/domain/0/backend/vif/%u/0/rate", "62500,50000");
    check_value(domid, "/local/domain/0/backend/vif/%u/0/mtu", "1400");
    check_value(domid, "/local/domain/0/backend/vif/%u/0/ip", "10.0.0.1 10.0.0.2");
    check_value(domid, "/local/domain/%u/device/vif/0/trusted", "0");
    check_value(domid, "/local/domain/%u/device/vif/0/mtu", "1400");
    assert_int_equal(force(s, domid), 0);
    check_gone(domid);
    assert_false(has_link("test-web", domid));
    destroy(s, domid);
}

static void an_interface_has_the_mtu_of_its_bridge(scene *s)
{
    const libxl_domid domid = guest(s, "b", true);
    simulate("link add jumbo bridge");
    assert_int_equal(system("ip link set jumbo mtu 9000"), 0);
    assert_int_equal(add(s, domid, nic_of("jumbo")), 0);
    assert_true(has_link("vif%u.0 vif up jumbo 9000 ", domid));
    check_value(domid, "/local/domain/%u/device/vif/0/mtu", "9000");
    destroy(s, domid);
    check_gone(domid);
    simulate("link delete jumbo");
}

static void two_interfaces_do_not_get_one_number(scene *s)
{
    const libxl_domid domid = guest(s, "b", true);
    assert_int_equal(add(s, domid, nic_of(NULL)), 0);
    assert_int_equal(add(s, domid, nic_of(NULL)), ERROR_DEVICE_EXISTS);
    libxl_device_nic next = nic_of(NULL);
    next.devid = -1;
    assert_int_equal(add(s, domid, next), 0);
    assert_true(exists("/libxl/%u/device/vif/1", domid));
    destroy(s, domid);
    check_gone(domid);
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
        const int rc = add(s, domid, nic);
        check_says(s, wrong[i].says);
        assert_int_equal(rc, wrong[i].rc);
        check_gone(domid);
    }
    destroy(s, domid);
}

static void what_the_kernel_refuses_leaves_nothing(scene *s)
{
    const libxl_domid domid = guest(s, "b", true);
    const int rule = fault_add("host.newlink:EPERM");
    assert_int_equal(add(s, domid, nic_of(NULL)), ERROR_PERMISSION);
    check_says(s, "Operation not permitted");
    assert_int_equal(fault_hits(rule), 1);
    faults_clear();
    check_gone(domid);
    simulate("backend %u 'error=12 creating interface'", domid);
    assert_int_equal(add(s, domid, nic_of(NULL)), ERROR_DEVICE);
    check_says(s, "12 creating interface");
    check_gone(domid);
    simulate("backend %u plays", domid);
    assert_int_equal(add(s, domid, nic_of(NULL)), 0); /* the old error is forgotten */
    destroy(s, domid);
}

/* Such a backend closes only when its nodes are removed, so nothing is waited for. */
static void an_interface_that_was_never_connected_is_removed_by_force(scene *s)
{
    const libxl_domid domid = guest(s, "b", true);
    simulate("frontend %u mute", domid);
    assert_int_equal(add(s, domid, nic_of(NULL)), 0);
    assert_int_equal(removal(s, domid), ERROR_GUEST_CANNOT_ANSWER);
    assert_true(has_link("vif%u.0", domid));
    assert_int_equal(force(s, domid), 0);
    check_gone(domid);
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
    assert_int_equal(add(s, domid, nic), 0);
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

/* ---- scripts */

#define RECORDS                                                                                              \
    "#!/bin/sh\n{ echo \"$0 $*\"; env | grep -E '^(script|XENBUS|vif|netdev|INTERFACE|AIOXEN_TEST)' | "      \
    "sort; } "                                                                                               \
    ">>" RECORD "\n"

static void a_script_gets_what_libxl_gives_it(scene *s)
{
    const libxl_domid domid = guest(s, "b", true);
    char wanted[600];
    write_script(RECORDS);
    libxl_device_nic nic = scripted(SCRIPT);
    nic.gatewaydev = strdup("eth7");
    assert_int_equal(add(s, domid, nic), 0);
    const char *format = SCRIPT " %s type_if=vif\nXENBUS_BASE_PATH=backend\nXENBUS_PATH=backend/vif/%u/0\n"
                                "XENBUS_TYPE=vif\nnetdev=eth7\nscript=" SCRIPT "\nvif=vif%u.0\n";
    snprintf(wanted, sizeof(wanted), format, "online", domid, domid);
    assert_string_equal(record(), wanted);
    unlink(RECORD);
    assert_int_equal(force(s, domid), 0);
    snprintf(wanted, sizeof(wanted), format, "offline", domid, domid);
    assert_string_equal(record(), wanted);
    check_gone(domid);
    destroy(s, domid);
}

static void a_script_that_fails_is_quoted(scene *s)
{
    static const struct {
        const char *text;
        int rc;
        const char *says;
    } scripts[] = {
        {"echo no route to '\033[1m'host >&2; exit 3", ERROR_SCRIPT,
         "exit status 3: no route to \\x1b[1mhost"},
        {"kill -9 $$", ERROR_SCRIPT, "killed by signal 9"},
        {"head -c 1000000 /dev/zero | tr '\\0' 'x'; echo; echo last; exit 1", ERROR_SCRIPT,
         "exit status 1: last"},
        {"XP=/local/domain/0/$XENBUS_PATH; xenstore-write $XP/hotplug-error 'in use by two' "
         "$XP/hotplug-status busy; exit 1",
         ERROR_BUSY, "hotplug-error: in use by two"},
        {"xenstore-write /local/domain/0/$XENBUS_PATH/hotplug-status error", ERROR_SCRIPT,
         "hotplug-status is error"},
    };
    const libxl_domid domid = guest(s, "b", true);
    for (size_t i = 0; i < sizeof(scripts) / sizeof(*scripts); i++) {
        char text[400];
        snprintf(text, sizeof(text), "#!/bin/sh\n[ $1 = offline ] && exit 0\n%s\n", scripts[i].text);
        write_script(text);
        const int rc = add(s, domid, scripted(SCRIPT));
        check_says(s, scripts[i].says);
        check_says(s, SCRIPT);
        assert_int_equal(rc, scripts[i].rc);
        check_gone(domid);
    }
    destroy(s, domid);
}

static void an_abort_kills_a_script_that_hangs(scene *s)
{
    const libxl_domid domid = guest(s, "b", true);
    write_script("#!/bin/sh\n[ $1 = offline ] && exit 0\necho $$ >" RECORD "\nsleep 1000\n");
    libxl_device_nic nic = scripted(SCRIPT);
    op *o = START(s, libxl_device_nic_add, s->ctx, domid, &nic, how);
    libxl_device_nic_dispose(&nic);
    wait_record(s);
    assert_int_equal(libxl_ao_abort(s->ctx, op_how(o)), 0);
    assert_int_equal(op_result(o), ERROR_ABORTED);
    assert_int_equal(kill(atoi(record()), 0), -1);
    check_gone(domid);
    destroy(s, domid);
}

static void a_failing_script_does_not_stop_a_removal(scene *s)
{
    const libxl_domid domid = guest(s, "b", true);
    write_script("#!/bin/sh\n[ $1 = online ]\n");
    assert_int_equal(add(s, domid, scripted(SCRIPT)), 0);
    assert_int_equal(force(s, domid), 0);
    check_gone(domid);
    destroy(s, domid);
}

/* ---- driver domains */

static bool served(libxl_domid server, libxl_domid domid)
{
    char path[96];
    snprintf(path, sizeof(path), "/local/domain/%u/backend/vif/%u", server, domid);
    return exists(path, 0);
}

static void a_driver_domain_serves_an_interface(scene *s)
{
    const libxl_domid server = guest(s, "b driver", true), domid = guest(s, "b", true);
    libxl_device_nic nic = served_by(server);
    nic.script = strdup("a-script-of-the-driver-domain");
    assert_int_equal(add(s, domid, nic), 0);
    assert_true(served(server, domid));
    wait_node(s, domid, "device/vif/0/state", "4");
    assert_int_equal(removal(s, domid), 0);
    assert_false(served(server, domid));
    check_gone(domid);
    assert_int_equal(add(s, domid, served_by(server)), 0);
    destroy(s, domid);
    assert_false(served(server, domid));
    destroy(s, server);
}

static void a_driver_domain_must_exist(scene *s)
{
    const libxl_domid domid = guest(s, "b", true);
    libxl_device_nic named = nic_of(NULL);
    named.backend_domname = strdup("no-such-domain");
    assert_int_equal(add(s, domid, named), ERROR_NOTFOUND);
    check_says(s, "backend_domname: there is no domain 'no-such-domain'");
    assert_int_equal(add(s, domid, served_by(0x7000)), ERROR_NOTFOUND);
    check_says(s, "backend_domid: there is no domain 28672");
    check_gone(domid);
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
    check_gone(domid);
    destroy(s, domid);
}

static void the_end_of_a_driver_domain_ends_a_removal(scene *s)
{
    const libxl_domid server = guest(s, "b driver", true), domid = guest(s, "b", true);
    assert_int_equal(add(s, domid, served_by(server)), 0);
    wait_node(s, domid, "device/vif/0/state", "4");
    simulate("backend %u mute", domid);
    libxl_device_nic nic = nic_of(NULL);
    op *o = START(s, libxl_device_nic_remove, s->ctx, domid, &nic, how);
    pump(s, 50);
    assert_false(o->completions);
    destroy(s, server);
    assert_int_equal(op_result(o), 0);
    check_gone(domid);
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
        assert_true(has_link("vif%u.0 vif up xenbr0", domid));
        assert_true(has_link("vif%u.1 vif up xenbr0", domid));
        destroy(s, domid);
        check_gone(domid);
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
    BODY(a_script_gets_what_libxl_gives_it, ALONE | SLOW),
    BODY(a_script_that_fails_is_quoted, ALONE | SLOW),
    BODY(an_abort_kills_a_script_that_hangs, ALONE | SLOW | ASYNCHRONOUS),
    BODY(a_failing_script_does_not_stop_a_removal, ALONE | SLOW),
    BODY(a_driver_domain_serves_an_interface, ALONE | SLOW),
    BODY(a_driver_domain_must_exist, ALONE | SLOW),
    BODY(the_end_of_a_driver_domain_ends_an_addition, ALONE | SLOW | ASYNCHRONOUS),
    BODY(the_end_of_a_driver_domain_ends_a_removal, ALONE | SLOW | ASYNCHRONOUS),
    BODY(a_creation_names_the_wrong_interface, ALONE | SLOW),
};

HARNESS_MAIN(bodies)
