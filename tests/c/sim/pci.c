/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* PCI devices: the assignable devices of the host, and the devices of domains. */
#include "harness.h"
#include "pci.h"
#include "simulation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHECK_RUN(...)                                                                                       \
    do {                                                                                                     \
        const int rc_ = RUN(s, __VA_ARGS__);                                                                 \
        if (rc_)                                                                                             \
            fprintf(stderr, "%s\n", last_message(s));                                                        \
        assert_int_equal(rc_, 0);                                                                            \
    } while (0)
#define DRIVER_OF "/sys/bus/pci/devices/%s/driver"

/* Returns whether the device is bound to this driver. If `driver` is NULL, returns whether it is bound to
 * none. */
static bool has_driver(const char *bdf, const char *driver)
{
    char path[96], target[96];
    snprintf(path, sizeof(path), DRIVER_OF, bdf);
    const ssize_t length = readlink(path, target, sizeof(target) - 1);
    if (length < 0)
        return !driver;
    target[length] = 0;
    return driver && !strcmp(strrchr(target, '/') + 1, driver);
}

static void make_assignable(scene *s, uint8_t bus, uint8_t func)
{
    libxl_device_pci pci = pci_of(bus, func);
    assert_int_equal(RUN(s, libxl_host_pci_assignable_add(s->ctx, &pci, true, how)), 0);
}

static void give_back(scene *s, uint8_t bus, uint8_t func)
{
    libxl_device_pci pci = pci_of(bus, func);
    assert_int_equal(RUN(s, libxl_host_pci_assignable_remove(s->ctx, &pci, true, how)), 0);
}

/* Makes a guest that can have PCI devices. */
static libxl_domid able_guest(scene *s, libxl_domain_config config)
{
    libxl_domid domid = LIBXL_DOMID_INVALID;
    if (!config.num_pcidevs)
        config.c_info.passthrough = LIBXL_PASSTHROUGH_ENABLED;
    assert_int_equal(RUN(s, libxl_domain_create_new(s->ctx, &config, &domid, how, NULL)), 0);
    libxl_domain_config_dispose(&config);
    assert_int_equal(RUN(s, libxl_domain_unpause(s->ctx, domid, how)), 0);
    return domid;
}

static int add(scene *s, libxl_domid domid, uint8_t bus, uint8_t func)
{
    libxl_device_pci pci = pci_of(bus, func);
    return RUN(s, libxl_device_pci_add(s->ctx, domid, &pci, how));
}

static int take(scene *s, libxl_domid domid, uint8_t bus, uint8_t func)
{
    libxl_device_pci pci = pci_of(bus, func);
    return RUN(s, libxl_device_pci_remove(s->ctx, domid, &pci, how));
}

static void check_node(libxl_domid domid, const char *key, const char *wanted)
{
    char path[96];
    snprintf(path, sizeof(path), "/local/domain/0/backend/pci/%u/0%s", domid, key);
    char *value = fixture_node(path);
    if (wanted)
        assert_string_equal(value, wanted);
    else
        assert_null(value);
    free(value);
}

static int count_of(scene *s, libxl_domid domid)
{
    libxl_pci_list list;
    assert_int_equal(RUN(s, libxl_domain_list_pcis(s->ctx, domid, &list, how)), 0);
    const int count = list.num_devices;
    libxl_pci_list_dispose(&list);
    return count;
}

static void a_device_changes_its_driver_and_gets_it_back(scene *s)
{
    libxl_pci_list list;
    libxl_device_pci pci = pci_of(2, 0);
    pci.name = (char *)"disk";
    CHECK_RUN(libxl_host_pci_assignable_add(s->ctx, &pci, true, how));
    assert_true(has_driver("0000:02:00.0", "pciback"));
    assert_int_equal(RUN(s, libxl_host_pci_assignable(s->ctx, &list, how)), 0);
    assert_int_equal(list.num_devices, 1);
    assert_int_equal(list.devices[0].bus, 2);
    assert_string_equal(list.devices[0].name, "disk");
    libxl_pci_list_dispose(&list);
    libxl_device_pci named;
    libxl_device_pci_init(&named);
    named.name = (char *)"disk";
    CHECK_RUN(libxl_host_pci_assignable_remove(s->ctx, &named, true, how));
    assert_true(has_driver("0000:02:00.0", "nvme"));
}

static void a_device_that_cannot_be_quarantined_keeps_its_driver(scene *s)
{
    libxl_device_pci pci = pci_of(2, 0);
    simulate("fault add domctl.assign_device:EOPNOTSUPP");
    assert_int_equal(RUN(s, libxl_host_pci_assignable_add(s->ctx, &pci, true, how)), ERROR_NO_IOMMU);
    simulate("fault clear");
    assert_true(has_driver("0000:02:00.0", "nvme"));
    simulate("fault add host.pci_write:3:EBUSY");
    assert_int_equal(RUN(s, libxl_host_pci_assignable_add(s->ctx, &pci, true, how)), ERROR_BUSY);
    simulate("fault clear");
    assert_true(has_driver("0000:02:00.0", "nvme"));
}

static void devices_are_added_and_removed_while_the_guest_runs(scene *s)
{
    const libxl_domid domid = able_guest(s, guest_config("b"));
    make_assignable(s, 1, 0);
    make_assignable(s, 1, 1);
    assert_int_equal(add(s, domid, 1, 0), 0);
    check_node(domid, "/num_devs", "1");
    check_node(domid, "/opts-0", "msitranslate=0,power_mgmt=0,permissive=0,rdm_policy=strict");
    assert_int_equal(RUN(s, libxl_device_wait_connected(s->ctx, domid, "pci", 0, how)), ERROR_NOTFOUND);
    assert_int_equal(add(s, domid, 1, 1), 0);
    check_node(domid, "/num_devs", "2");
    check_node(domid, "/state", "4");
    check_node(domid, "/state-1", "3");
    assert_int_equal(count_of(s, domid), 2);
    assert_int_equal(take(s, domid, 1, 0), 0);
    check_node(domid, "/num_devs", "1");
    check_node(domid, "/dev-0", "0000:01:00.1");
    check_node(domid, "/dev-1", NULL);
    check_node(domid, "/state", "4");
    assert_int_equal(take(s, domid, 1, 1), 0);
    check_node(domid, "/frontend", NULL);
    assert_int_equal(count_of(s, domid), 0);
    assert_int_equal(add(s, domid, 1, 0), 0);
    guest_destroy(s->ctx, domid);
    give_back(s, 1, 0);
    give_back(s, 1, 1);
}

static void a_creation_adds_all_functions_of_a_device(scene *s)
{
    libxl_domain_config config = guest_config("b");
    config.num_pcidevs = 1;
    config.pcidevs = malloc(sizeof(*config.pcidevs));
    config.pcidevs[0] = pci_of(1, 0);
    config.pcidevs[0].vfunc_mask = LIBXL_PCI_FUNC_ALL;
    make_assignable(s, 1, 0);
    libxl_domid domid = LIBXL_DOMID_INVALID;
    assert_int_equal(RUN(s, libxl_domain_create_new(s->ctx, &config, &domid, how, NULL)),
                     ERROR_NOT_ASSIGNABLE);
    assert_non_null(strstr(last_message(s), "the function 1 of the multi-function device 0000:01:00.1"));
    make_assignable(s, 1, 1);
    domid = able_guest(s, config);
    check_node(domid, "/num_devs", "2");
    check_node(domid, "/dev-1", "0000:01:00.1");
    guest_destroy(s->ctx, domid);
    give_back(s, 1, 0);
    give_back(s, 1, 1);
}

static void errors_say_what_is_wrong(scene *s)
{
    const libxl_domid domid = able_guest(s, guest_config("b")), other = able_guest(s, guest_config("b"));
    const libxl_domid unable = guest(s, "b", true);
    make_assignable(s, 1, 0);
    assert_int_equal(add(s, domid, 2, 0), ERROR_NOT_ASSIGNABLE);
    assert_int_equal(add(s, domid, 9, 0), ERROR_NOTFOUND);
    assert_int_equal(add(s, unable, 1, 0), ERROR_NO_IOMMU);
    assert_int_equal(add(s, domid, 1, 0), 0);
    assert_int_equal(add(s, domid, 1, 0), ERROR_DEVICE_EXISTS);
    assert_int_equal(add(s, other, 1, 0), ERROR_BUSY);
    char wanted[64];
    snprintf(wanted, sizeof(wanted), "pci: domain %u has the device 0000:01:00.0", domid);
    assert_non_null(strstr(last_message(s), wanted));
    libxl_device_pci pci = pci_of(1, 0);
    assert_int_equal(RUN(s, libxl_host_pci_assignable_remove(s->ctx, &pci, true, how)), ERROR_BUSY);
    assert_int_equal(take(s, domid, 2, 0), ERROR_NOTFOUND);
    guest_destroy(s->ctx, domid);
    guest_destroy(s->ctx, other);
    guest_destroy(s->ctx, unable);
    give_back(s, 1, 0);
}

/* The hypervisor refuses access to the device's memory after the library has assigned the device to the
 * domain. */
static void a_failed_addition_takes_the_access_back(scene *s)
{
    const libxl_domid domid = able_guest(s, guest_config("b"));
    libxl_device_pci pci = pci_of(1, 0);
    pci.seize = true;
    simulate("fault add domctl.iomem_permission:1:EIO");
    assert_int_equal(RUN(s, libxl_device_pci_add(s->ctx, domid, &pci, how)), ERROR_FAIL);
    simulate("fault clear");
    check_node(domid, "/num_devs", NULL);
    assert_true(has_driver("0000:01:00.0", "e1000e"));
    assert_int_equal(RUN(s, libxl_device_pci_add(s->ctx, domid, &pci, how)), 0);
    guest_destroy(s->ctx, domid);
    give_back(s, 1, 0);
}

static void a_paused_guest_is_not_asked(scene *s)
{
    const libxl_domid domid = able_guest(s, guest_config("b"));
    make_assignable(s, 1, 0);
    assert_int_equal(add(s, domid, 1, 0), 0);
    assert_int_equal(RUN(s, libxl_domain_pause(s->ctx, domid, how)), 0);
    assert_int_equal(take(s, domid, 1, 0), ERROR_GUEST_CANNOT_ANSWER);
    check_node(domid, "/num_devs", "1");
    libxl_device_pci pci = pci_of(1, 0);
    assert_int_equal(RUN(s, libxl_device_pci_destroy(s->ctx, domid, &pci, how)), 0);
    check_node(domid, "/num_devs", NULL);
    guest_destroy(s->ctx, domid);
    give_back(s, 1, 0);
}

static const body bodies[] = {
    BODY(a_device_changes_its_driver_and_gets_it_back, ALONE | SLOW),
    BODY(a_device_that_cannot_be_quarantined_keeps_its_driver, ALONE | SLOW),
    BODY(devices_are_added_and_removed_while_the_guest_runs, ALONE | SLOW),
    BODY(a_creation_adds_all_functions_of_a_device, ALONE | SLOW),
    BODY(errors_say_what_is_wrong, ALONE | SLOW),
    BODY(a_failed_addition_takes_the_access_back, ALONE | SLOW),
    BODY(a_paused_guest_is_not_asked, ALONE | SLOW),
};

HARNESS_MAIN(bodies)
