/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The guests of the scenarios (scenarios.h), with their devices. Owns: nothing. */
#include "scenarios.h"

#include "core.h"
#include "fixture.h"
#include "guest.h"
#include "pci.h"
#include "saving.h"

#include "xen.h"

#include <libxl_utils.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CONNECT_LIMIT_MS = 20000, HVM_KB = 32 << 10 };

libxl_device_disk scenario_disk(void)
{
    libxl_device_disk disk;
    const int fd = open("/run/disk.img", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0 && !ftruncate(fd, 1 << 20));
    close(fd);
    libxl_device_disk_init(&disk);
    disk.vdev = strdup("xvda");
    disk.pdev_path = strdup("/run/disk.img");
    return disk;
}

libxl_device_nic scenario_nic(void)
{
    libxl_device_nic nic;
    libxl_device_nic_init(&nic);
    nic.devid = 0;
    return nic;
}

/* Writes a mark (src/xen/marks.h) for the guest. It is the mark of a creation that a process has begun and
 * given up. */
static void mark_guest(libxl_ctx *ctx, struct subject *s)
{
    char path[LIBXL__MARK_PATH], text[LIBXL__MARK_TEXT];
    libxl__ctx_lock(ctx);
    libxl__mark_text(ctx, true, s->guest, NULL, text);
    libxl__ctx_unlock(ctx);
    snprintf(path, sizeof(path), LIBXL__MARK_FMT, LIBXL__MARK_OF(s->uuid));
    fixture_write(path, text);
}

/* Makes a PV guest with the PCI device 01:00.1. `both` true: the guest also has the device 01:00.0. */
static libxl_domid pci_guest(libxl_ctx *ctx, bool both)
{
    libxl_domid domid = LIBXL_DOMID_INVALID;
    libxl_domain_config config = guest_config("b");
    libxl_device_pci first = pci_of(1, 0);
    config.num_pcidevs = both ? 2 : 1;
    config.pcidevs = calloc(2, sizeof(*config.pcidevs));
    config.pcidevs[0] = pci_of(1, 1);
    config.pcidevs[1] = first;
    config.pcidevs[0].seize = config.pcidevs[1].seize = true;
    assert_int_equal(libxl_domain_create_new(ctx, &config, &domid, NULL, NULL), 0);
    assert_int_equal(libxl_domain_unpause(ctx, domid, NULL), 0);
    libxl_domain_config_dispose(&config);
    return domid;
}

libxl_domain_config scenario_hvm_config(void)
{
    libxl_domain_config config;
    libxl_domain_config_init(&config);
    config.c_info.type = LIBXL_DOMAIN_TYPE_HVM;
    config.c_info.name = strdup("hvm");
    libxl_domain_build_info_init_type(&config.b_info, LIBXL_DOMAIN_TYPE_HVM);
    config.b_info.max_memkb = config.b_info.target_memkb = HVM_KB;
    config.disks = malloc(sizeof(*config.disks));
    config.num_disks = 1;
    libxl_device_disk_init(config.disks);
    config.disks->vdev = strdup("hdc");
    config.disks->is_cdrom = config.disks->removable = 1;
    return config;
}

static libxl_domid new_hvm_guest(libxl_ctx *ctx)
{
    libxl_domid domid;
    libxl_domain_config config = scenario_hvm_config();
    const int rc = libxl_domain_create_new(ctx, &config, &domid, NULL, NULL);
    if (rc)
        fail_msg("creating an HVM guest failed: %d: %s", rc, libxl_error_message());
    libxl_domain_config_dispose(&config);
    return domid;
}

/* Makes an HVM guest that can have PCI devices. `has` true: the guest has the device 01:00.0. */
static libxl_domid hvm_pci_guest(libxl_ctx *ctx, bool has)
{
    libxl_domid domid = LIBXL_DOMID_INVALID;
    libxl_domain_config config = scenario_hvm_config();
    libxl_device_pci card = pci_of(1, 0);
    card.seize = true;
    config.c_info.passthrough = LIBXL_PASSTHROUGH_ENABLED;
    assert_int_equal(libxl_domain_create_new(ctx, &config, &domid, NULL, NULL), 0);
    assert_int_equal(libxl_domain_unpause(ctx, domid, NULL), 0);
    if (has)
        assert_int_equal(libxl_device_pci_add(ctx, domid, &card, NULL), 0);
    libxl_domain_config_dispose(&config);
    return domid;
}

static libxl_domid new_guest(libxl_ctx *ctx, enum scenario_guest kind)
{
    switch (kind) {
    case SCENARIO_PVH:
    case SCENARIO_HALF_SAVED:
    case SCENARIO_SUSPENDED: return saving_guest(ctx, "b");
    case SCENARIO_OBEDIENT: return saving_guest(ctx, "l");
    case SCENARIO_HVM:
    case SCENARIO_HVM_SUSPENDED: return saving_hvm_guest(ctx, false);
    case SCENARIO_HVM_TO_RESET: return saving_hvm_guest(ctx, true);
    case SCENARIO_WITH_PCI: return pci_guest(ctx, false);
    case SCENARIO_WITH_TWO_PCI: return pci_guest(ctx, true);
    case SCENARIO_HVM_FOR_PCI: return hvm_pci_guest(ctx, false);
    case SCENARIO_HVM_WITH_PCI: return hvm_pci_guest(ctx, true);
    case SCENARIO_WITH_CD: return new_hvm_guest(ctx);
    case SCENARIO_MARKED: return guest_new(ctx, "b", false);
    default: return guest_new(ctx, "b", true);
    }
}

bool scenario_makes(const struct scenario *scenario)
{
    return scenario->guest == SCENARIO_NO_GUEST || scenario->guest == SCENARIO_SAVED;
}

/* Waits until the guest has connected to its device. */
static void wait_connected(libxl_domid guest, const char *node)
{
    char *state = NULL;
    for (const uint64_t end = now_ms() + CONNECT_LIMIT_MS; now_ms() < end; usleep(1000)) {
        free(state);
        state = guest_node(guest, node);
        if (state && strcmp(state, "4") == 0)
            break;
    }
    assert_string_equal(state, "4");
    free(state);
}

/* Adds the disk that the scenario removes, or a disk that a QEMU serves. */
static void add_disk(libxl_ctx *ctx, libxl_domid guest, libxl_disk_backend backend)
{
    libxl_device_disk disk = scenario_disk();
    disk.backend = backend;
    assert_int_equal(libxl_device_disk_add(ctx, guest, &disk, NULL), 0);
    libxl_device_disk_dispose(&disk);
    wait_connected(guest, "device/vbd/51712/state");
}

static void add_nic(libxl_ctx *ctx, libxl_domid guest)
{
    libxl_device_nic nic = scenario_nic();
    assert_int_equal(libxl_device_nic_add(ctx, guest, &nic, NULL), 0);
    libxl_device_nic_dispose(&nic);
    wait_connected(guest, "device/vif/0/state");
}

/* Writes the mark (src/xen/save_mark.h) of a save that has asked the guest to suspend itself, and was given up. */
static void mark_save(libxl_ctx *ctx, libxl_domid domid)
{
    char path[64], text[LIBXL__MARK_TEXT], mark[LIBXL__MARK_TEXT + 8];
    libxl__ctx_lock(ctx);
    libxl__mark_text(ctx, true, domid, NULL, text);
    libxl__ctx_unlock(ctx);
    snprintf(path, sizeof(path), LIBXL__SAVE_MARK, domid);
    snprintf(mark, sizeof(mark), "%s asked", text);
    fixture_write(path, mark);
}

static bool uses_pci(const struct scenario *scenario)
{
    return scenario->guest == SCENARIO_WITH_DRIVER || scenario->guest == SCENARIO_WITH_ASSIGNABLE ||
           scenario->guest == SCENARIO_WITH_PCI || scenario->guest == SCENARIO_WITH_TWO_PCI ||
           scenario->guest == SCENARIO_HVM_FOR_PCI || scenario->guest == SCENARIO_HVM_WITH_PCI;
}

void scenario_return_pci(const struct scenario *scenario)
{
    libxl_ctx *ctx;
    if (!uses_pci(scenario))
        return;
    assert_int_equal(libxl_ctx_alloc(&ctx, LIBXL_VERSION, 0, NULL), 0);
    pci_return(ctx);
    assert_int_equal(libxl_ctx_free(ctx), 0);
}

void scenario_prepare(libxl_ctx *ctx, const struct scenario *scenario, struct subject *s)
{
    libxl_dominfo info;
    if (saving_is(scenario->operation))
        saving_prepare(ctx);
    if (scenario_makes(scenario))
        return;
    s->guest = new_guest(ctx, scenario->guest);
    assert_int_equal(libxl_domain_info(ctx, &info, s->guest), 0);
    s->uuid = info.uuid;
    if (scenario->guest == SCENARIO_WITH_DISK)
        add_disk(ctx, s->guest, LIBXL_DISK_BACKEND_UNKNOWN);
    if (scenario->guest == SCENARIO_WITH_QEMU)
        add_disk(ctx, s->guest, LIBXL_DISK_BACKEND_QDISK);
    if (scenario->guest == SCENARIO_WITH_NIC)
        add_nic(ctx, s->guest);
    if (scenario->guest == SCENARIO_WITH_PCI || scenario->guest == SCENARIO_WITH_TWO_PCI)
        wait_connected(s->guest, "device/pci/0/state");
    libxl_device_usbdev usbdev;
    libxl_device_usbdev_init(&usbdev);
    usbdev.u.hostdev.hostbus = 1;
    usbdev.u.hostdev.hostaddr = 2;
    if (scenario->guest == SCENARIO_WITH_USB)
        assert_int_equal(libxl_device_usbdev_add(ctx, s->guest, &usbdev, NULL), 0);
    libxl_device_pci pci = pci_of(2, 0);
    if (scenario->guest == SCENARIO_WITH_ASSIGNABLE)
        assert_int_equal(libxl_host_pci_assignable_add(ctx, &pci, true, NULL), 0);
    uint32_t pool = SCENARIO_POOL;
    if (scenario->guest == SCENARIO_WITHOUT_POOL) /* An earlier round may have made the cpupool. */
        libxl_host_destroy_cpupool(ctx, pool, NULL);
    if (scenario->guest == SCENARIO_WITH_POOL) /* The cpupool may exist since an earlier round. */
        libxl_host_create_cpupool(ctx, "q", LIBXL_SCHEDULER_UNKNOWN, NULL, NULL, pool, &pool, NULL);
    if (scenario->guest == SCENARIO_MARKED)
        mark_guest(ctx, s);
    if (scenario->guest == SCENARIO_HALF_SAVED)
        mark_save(ctx, s->guest);
    if (scenario->guest == SCENARIO_SUSPENDED || scenario->guest == SCENARIO_HALF_SAVED ||
        scenario->guest == SCENARIO_HVM_SUSPENDED)
        saving_suspend(s->guest);
    if (scenario->guest == SCENARIO_HVM_TO_RESET)
        saving_ask_reset(s->guest);
}
