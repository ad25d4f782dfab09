/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Another program changes the PCI devices of a domain while an operation removes or adds one. In one test the
 * process has no free descriptor when an addition is undone.
 */
#include "core.h"
#include "hvm.h"
#include "pci.h"

#include "_libxl_operations_internal.h"
#include "xen.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

/* The change by the other program. It is made when the phase `phase` of the operation `operation` begins. */
struct meanwhile {
    unsigned operation;
    const char *phase;
    libxl_domid domid;
    int changes; /* The number of changes that the other program has made. */
};

static void write_node_of(libxl_domid domid, const char *key, const char *value)
{
    char path[96];
    snprintf(path, sizeof(path), "/local/domain/0/backend/pci/%u/0/%s", domid, key);
    fixture_write(path, value);
}

static void check_node(libxl_domid domid, const char *key, const char *wanted)
{
    char path[96];
    snprintf(path, sizeof(path), "/local/domain/0/backend/pci/%u/0/%s", domid, key);
    char *value = fixture_node(path);
    assert_non_null(value);
    assert_string_equal(value, wanted);
    free(value);
}

/* Adds the function 02:00.0 to the domain as libxl does. */
static int on_moment(libxl__ao *ao, libxl__phase_moment moment, void *user)
{
    struct meanwhile *m = user;
    if (moment != LIBXL__PHASE_BEFORE_START || ao->cls != &libxl__operations[m->operation] ||
        strcmp(libxl__phase_of(ao)->name, m->phase) != 0)
        return 0;
    write_node_of(m->domid, "key-1", "0000:02:00.0");
    write_node_of(m->domid, "dev-1", "0000:02:00.0");
    write_node_of(m->domid, "num_devs", "2");
    m->changes++;
    return 0;
}

/* Makes a guest with the device 01:00.0. */
static libxl_domid guest_with_card(scene *s)
{
    libxl_domid domid = LIBXL_DOMID_INVALID;
    libxl_domain_config config = guest_config("b");
    libxl_device_pci card = pci_of(1, 0);
    config.c_info.passthrough = LIBXL_PASSTHROUGH_ENABLED;
    assert_int_equal(RUN(s, libxl_domain_create_new(s->ctx, &config, &domid, how, NULL)), 0);
    libxl_domain_config_dispose(&config);
    assert_int_equal(RUN(s, libxl_domain_unpause(s->ctx, domid, how)), 0);
    assert_int_equal(RUN(s, libxl_host_pci_assignable_add(s->ctx, &card, true, how)), 0);
    assert_int_equal(RUN(s, libxl_device_pci_add(s->ctx, domid, &card, how)), 0);
    return domid;
}

static void end(scene *s, libxl_domid domid)
{
    libxl__ctx_set_phase_hook(s->ctx, NULL, NULL);
    guest_destroy(s->ctx, domid);
    pci_return(s->ctx);
}

static void a_removal_fails_before_it_changes_anything(scene *s)
{
    const libxl_domid domid = guest_with_card(s);
    struct meanwhile m = {LIBXL__OP_PCI_DETACH, "closed", domid, 0};
    libxl_device_pci card = pci_of(1, 0);
    libxl__ctx_set_phase_hook(s->ctx, on_moment, &m);
    assert_int_equal(RUN(s, libxl_device_pci_remove(s->ctx, domid, &card, how)), ERROR_BUSY);
    assert_int_equal(m.changes, 1);
    check_node(domid, "num_devs", "2");
    check_node(domid, "online", "1");
    check_node(domid, "dev-0", "0000:01:00.0");
    end(s, domid);
}

static void a_removal_by_force_leaves_the_other_function(scene *s)
{
    const libxl_domid domid = guest_with_card(s);
    struct meanwhile m = {LIBXL__OP_PCI_DETACH, "closed", domid, 0};
    libxl_device_pci card = pci_of(1, 0);
    libxl__ctx_set_phase_hook(s->ctx, on_moment, &m);
    assert_int_equal(RUN(s, libxl_device_pci_destroy(s->ctx, domid, &card, how)), 0);
    assert_int_equal(m.changes, 1);
    check_node(domid, "num_devs", "1");
    check_node(domid, "online", "1");
    check_node(domid, "dev-0", "0000:02:00.0");
    assert_null(fixture_node("/libxl/pci/0000-01-00-0/domid"));
    end(s, domid);
}

static void an_addition_does_not_write_a_function_twice(scene *s)
{
    const libxl_domid domid = guest_with_card(s);
    struct meanwhile m = {LIBXL__OP_DEVICE_PCI_ADD, "write", domid, 0};
    libxl_device_pci disk = pci_of(2, 0);
    disk.seize = true;
    libxl__ctx_set_phase_hook(s->ctx, on_moment, &m);
    assert_int_equal(RUN(s, libxl_device_pci_add(s->ctx, domid, &disk, how)), ERROR_DEVICE_EXISTS);
    assert_int_equal(m.changes, 1);
    check_node(domid, "num_devs", "2");
    end(s, domid);
}

/* After QEMU has plugged the device in, no descriptor is free until QEMU has taken it out. */
static int take_descriptors(libxl__ao *ao, libxl__phase_moment moment, void *user)
{
    struct rlimit *limit = user;
    const char *phase = libxl__phase_of(ao)->name;
    if (ao->cls != &libxl__operations[LIBXL__OP_DEVICE_PCI_ADD])
        return 0;
    if (moment == LIBXL__PHASE_BEFORE_UNDO && !strcmp(phase, "record"))
        assert_int_equal(setrlimit(RLIMIT_NOFILE, limit), 0);
    if (moment != LIBXL__PHASE_BEFORE_START || strcmp(phase, "grant") != 0)
        return 0;
    const int lowest = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_true(lowest >= 0 && !close(lowest));
    const struct rlimit none = {(rlim_t)lowest, limit->rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    return ERROR_FAIL;
}

static void a_device_is_unplugged_without_a_free_descriptor(scene *s)
{
    const libxl_domid domid = hvm_guest(s);
    struct rlimit limit;
    libxl_device_pci card = pci_of(1, 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(RUN(s, libxl_host_pci_assignable_add(s->ctx, &card, true, how)), 0);
    libxl__ctx_set_phase_hook(s->ctx, take_descriptors, &limit);
    assert_int_equal(RUN(s, libxl_device_pci_add(s->ctx, domid, &card, how)), ERROR_FAIL);
    libxl__ctx_set_phase_hook(s->ctx, NULL, NULL);
    assert_false(hvm_has(s, domid, "pci-pt-01_00.0"));
    assert_int_equal(RUN(s, libxl_device_pci_add(s->ctx, domid, &card, how)), 0);
    assert_true(hvm_has(s, domid, "pci-pt-01_00.0"));
    end(s, domid);
}

static const body bodies[] = {
    BODY(a_device_is_unplugged_without_a_free_descriptor, ASYNCHRONOUS | ALONE),
    BODY(a_removal_fails_before_it_changes_anything, ASYNCHRONOUS | ALONE),
    BODY(a_removal_by_force_leaves_the_other_function, ASYNCHRONOUS | ALONE),
    BODY(an_addition_does_not_write_a_function_twice, ASYNCHRONOUS | ALONE),
};

HARNESS_MAIN(bodies)
