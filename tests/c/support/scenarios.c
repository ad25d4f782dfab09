/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The scenarios of the sweep in unit/sweep.c. A scenario tells how to start an operation, and which guest the
 * operation needs.
 *
 * Owns: the boot loader's file, from scenarios_begin() to scenarios_end().
 */
#include "scenarios.h"

#include "core.h"
#include "fixture.h"
#include "guest.h"
#include "pci.h"
#include "saving.h"

#include "_libxl_operations_internal.h"
#include "xen.h"

#include <libxl_utils.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <xenstore.h>

/* The path of a boot loader that chooses the tiny guest's kernel. With a boot loader, all phases of a
 * creation wait. */
static char loader_path[32];

void scenarios_begin(void)
{
    saving_begin();
    strcpy(loader_path, "/tmp/aioxen-sweep-XXXXXX");
    const int fd = mkstemp(loader_path);
    assert_true(fd >= 0);
    assert_true(dprintf(fd,
                        "#!/bin/sh\n"
                        "for a; do case $a in --output=*) out=${a#*=} ;; --output-directory=*) dir=${a#*=} "
                        ";; esac; done\n"
                        "cp %s $dir/k && printf 'kernel %%s/k\\0' $dir >$out\n",
                        guest_kernel()) > 0);
    assert_int_equal(fchmod(fd, 0700), 0);
    close(fd);
}

void scenarios_end(void)
{
    unlink(loader_path);
    saving_end();
}

/* ---- inputs and results */

static void fill_create(struct subject *s, void *p)
{
    libxl__domain_create_new_args *args = p;
    libxl_domain_config config = guest_config("b");
    config.disks = malloc(sizeof(*config.disks));
    config.disks[0] = scenario_disk();
    config.num_disks = 1;
    config.b_info.bootloader = strdup(loader_path);
    libxl_domain_config_copy(NULL, &args->in.d_config, &config);
    libxl_domain_config_dispose(&config);
    args->out.domid = &s->results.domid;
}

/* Fills in a creation with a PCI device that the creation takes from its driver. */
static void fill_create_pci(struct subject *s, void *p)
{
    libxl__domain_create_new_args *args = p;
    fill_create(s, p);
    libxl_device_pci *pci = args->in.d_config.pcidevs = malloc(sizeof(*pci));
    *pci = pci_of(1, 0);
    pci->seize = true;
    args->in.d_config.num_pcidevs = 1;
}

static void fill_wait_shutdown(struct subject *s, void *p)
{
    libxl__domain_wait_shutdown_args *args = p;
    args->in.domid = s->guest;
    args->out.reason = &s->results.reason;
}

static void fill_get_name(struct subject *s, void *p)
{
    libxl__domain_get_name_args *args = p;
    args->in.domid = s->guest;
    args->out.name = &s->results.name;
}

static void fill_find(struct subject *s, void *p)
{
    libxl__domain_find_args *args = p;
    args->in.name = guest_node(s->guest, "name");
    args->out.domid = &s->results.domid;
}

/* Fills in the args for ejecting a disk. Normally an event generator starts this operation. Here no
 * generator runs, because no medium is ejected. */
static void fill_disk_eject(struct subject *s, void *p)
{
    libxl__disk_eject_args *args = p;
    args->in.domid = s->guest;
    args->in.vdev = strdup("xvda");
}

static void fill_list_unfinished(struct subject *s, void *p)
{
    libxl__domain_list_unfinished_args *args = p;
    args->out.list = &s->results.unfinished;
}

static void fill_remove_unfinished(struct subject *s, void *p)
{
    libxl__domain_remove_unfinished_args *args = p;
    args->in.uuid = s->uuid;
}

static void fill_resume_unfinished(struct subject *s, void *p)
{
    libxl__domain_resume_unfinished_args *args = p;
    args->in.uuid = s->uuid;
}

static void fill_set_name(struct subject *s, void *p)
{
    libxl__domain_set_name_args *args = p;
    args->in.domid = s->guest;
    args->in.name = strdup("renamed");
}

static void fill_get_target(struct subject *s, void *p)
{
    libxl__domain_get_memory_target_args *args = p;
    args->in.domid = s->guest;
    args->out.memkb = &s->results.kb;
}

/* Fills in the args for setting the memory. The guest is PVH, because a PV guest has no memory pool. The
 * guest has no balloon driver, so it does not reach the target. */
static void fill_set_memory(struct subject *s, void *p)
{
    libxl__domain_set_memory_args *args = p;
    args->in.domid = s->guest;
    args->in.target_memkb = -(4 << 10);
    args->in.relative = args->in.wait = args->in.enforce = true;
    args->out.memkb = &s->results.kb;
}

/* Gives the guest a target that it does not reach, because it has no balloon driver. */
static void fill_wait_memory(struct subject *s, void *p)
{
    libxl__domain_wait_memory_args *args = p;
    char path[64];
    struct xs_handle *xs = xs_open(0);
    snprintf(path, sizeof(path), "/local/domain/%u/memory/target", s->guest);
    assert_true(xs && xs_write(xs, XBT_NULL, path, "1024", 4));
    xs_close(xs);
    args->in.domid = s->guest;
    args->in.idle_ms = 60000;
    args->out.memkb = &s->results.kb;
}

/* Waits for more memory than any host has. */
static void fill_wait_free_memory(struct subject *s, void *p)
{
    libxl__host_wait_free_memory_args *args = p;
    args->in.memkb = 1ull << 60;
    args->in.limit_ms = 60000;
    args->out.free_memkb = &s->results.kb;
}

static void fill_set_max(struct subject *s, void *p)
{
    libxl__domain_set_max_memory_args *args = p;
    args->in.domid = s->guest;
    args->in.max_memkb = 8 << 10;
}

static void fill_set_online(struct subject *s, void *p)
{
    libxl__set_vcpuonline_args *args = p;
    args->in.domid = s->guest;
    libxl_bitmap_alloc(NULL, &args->in.cpumap, 1);
    libxl_bitmap_set(&args->in.cpumap, 0);
}

static void fill_sysrq(struct subject *s, void *p)
{
    libxl__domain_send_sysrq_args *args = p;
    args->in.domid = s->guest;
    args->in.sysrq = strdup("h");
    args->in.wait = true;
}

static void fill_qmp(struct subject *s, void *p)
{
    libxl__domain_qmp_args *args = p;
    args->in.domid = s->guest;
    args->in.command = strdup("query-status");
    args->out.answer = &s->results.name;
}

static void fill_monitor(struct subject *s, void *p)
{
    libxl__qemu_monitor_command_args *args = p;
    args->in.domid = s->guest;
    args->in.command_line = strdup("info block");
    args->out.output = &s->results.name;
}

static void fill_cdrom_insert(struct subject *s, void *p)
{
    libxl__cdrom_insert_args *args = p;
    args->in.domid = s->guest;
    args->in.disk = scenario_disk();
    free(args->in.disk.vdev);
    args->in.disk.vdev = strdup("hdc");
}

static void fill_cdrom_eject(struct subject *s, void *p)
{
    libxl__cdrom_eject_args *args = p;
    args->in.domid = s->guest;
    args->in.vdev = strdup("hdc");
}

static void fill_disk_add(struct subject *s, void *p)
{
    libxl__device_disk_add_args *args = p;
    args->in.domid = s->guest;
    args->in.disk = scenario_disk();
}

/* Fills in a disk that a QEMU serves. */
static void fill_qdisk_add(struct subject *s, void *p)
{
    libxl__device_disk_add_args *args = p;
    fill_disk_add(s, p);
    args->in.disk.backend = LIBXL_DISK_BACKEND_QDISK;
}

/* Fills in a guest whose framebuffer has a password. QEMU gets the password in the phase `password`. */
static void fill_create_screen(struct subject *s, void *p)
{
    libxl__domain_create_new_args *args = p;
    fill_create(s, p);
    libxl_device_vfb *vfb = args->in.d_config.vfbs = malloc(sizeof(*vfb));
    args->in.d_config.num_vfbs = 1;
    libxl_device_vfb_init(vfb);
    vfb->vnc.passwd = strdup("secret");
}

static void fill_create_hvm(struct subject *s, void *p)
{
    libxl__domain_create_new_args *args = p;
    args->in.d_config = scenario_hvm_config();
    args->out.domid = &s->results.domid;
}

static void fill_disk_remove(struct subject *s, void *p)
{
    libxl__device_disk_remove_args *args = p;
    args->in.domid = s->guest;
    args->in.disk = scenario_disk();
}

/* The classes of devices that are listed. */
#define LISTED(X)                                                                                            \
    X(DISK, disk)                                                                                            \
    X(NIC, nic)                                                                                              \
    X(P9, p9)                                                                                                \
    X(VFB, vfb)                                                                                              \
    X(VKB, vkb)                                                                                              \
    X(VTPM, vtpm)                                                                                            \
    X(VDISPL, vdispl)                                                                                        \
    X(VSND, vsnd)                                                                                            \
    X(PVCALLSIF, pvcallsif)                                                                                  \
    X(CHANNEL, channel)

#define FILL_LIST(NAME, name)                                                                                \
    static void fill_list_##name##s(struct subject *s, void *p)                                              \
    {                                                                                                        \
        libxl__domain_list_##name##s_args *args = p;                                                         \
        args->in.domid = s->guest;                                                                           \
        args->out.list = &s->results.name##s;                                                                \
    }
LISTED(FILL_LIST)
#undef FILL_LIST

static void fill_list_devices(struct subject *s, void *p)
{
    libxl__domain_list_devices_args *args = p;
    args->in.domid = s->guest;
    args->out.list = &s->results.devices;
}

static void fill_wait_connected(struct subject *s, void *p)
{
    libxl__device_wait_connected_args *args = p;
    args->in.domid = s->guest;
    args->in.kind = strdup("vbd");
    args->in.devid = 51712;
}

static void fill_assignable(struct subject *s, void *p)
{
    libxl__host_pci_assignable_args *args = p;
    args->out.list = &s->results.pcis;
}

static void fill_assignable_add(struct subject *s, void *p)
{
    libxl__host_pci_assignable_add_args *args = p;
    (void)s;
    args->in.pci = pci_of(2, 0);
    args->in.pci.name = strdup("disk");
    args->in.rebind = true;
}

static void fill_assignable_remove(struct subject *s, void *p)
{
    libxl__host_pci_assignable_remove_args *args = p;
    (void)s;
    args->in.pci = pci_of(2, 0);
    args->in.rebind = true;
}

static void fill_pci_add(struct subject *s, void *p)
{
    libxl__device_pci_add_args *args = p;
    args->in.domid = s->guest;
    args->in.pci = pci_of(1, 0);
    args->in.pci.seize = true;
}

static void fill_pci_remove(struct subject *s, void *p)
{
    libxl__device_pci_remove_args *args = p;
    args->in.domid = s->guest;
    args->in.pci = pci_of(1, 0);
}

static void fill_pci_destroy(struct subject *s, void *p)
{
    libxl__device_pci_destroy_args *args = p;
    args->in.domid = s->guest;
    args->in.pci = pci_of(1, 0);
}

static void fill_list_pcis(struct subject *s, void *p)
{
    libxl__domain_list_pcis_args *args = p;
    args->in.domid = s->guest;
    args->out.list = &s->results.pcis;
}

static void fill_disk_destroy(struct subject *s, void *p)
{
    libxl__device_disk_destroy_args *args = p;
    args->in.domid = s->guest;
    args->in.disk = scenario_disk();
}

static void fill_console(struct subject *s, void *p)
{
    libxl__domain_console_tty_args *args = p;
    args->in.domid = s->guest;
    args->out.path = &s->results.name;
}

static void fill_retrieve(struct subject *s, void *p)
{
    libxl__retrieve_domain_configuration_args *args = p;
    args->in.domid = s->guest;
    args->out.d_config = &s->results.config;
}

static void fill_core_dump(struct subject *s, void *p)
{
    libxl__domain_core_dump_args *args = p;
    args->in.domid = s->guest;
    args->in.filename = strdup("/tmp/core-of-sweep");
}

static void fill_statistics(struct subject *s, void *p)
{
    libxl__domain_statistics_args *args = p;
    args->in.vcpus = args->in.devices = true;
    args->out.list = &s->results.counters;
}

static void fill_list_cpupools(struct subject *s, void *p)
{
    libxl__host_list_cpupools_args *args = p;
    args->out.list = &s->results.pools;
}

static void fill_create_cpupool(struct subject *s, void *p)
{
    libxl__host_create_cpupool_args *args = p;
    args->in.name = strdup("p");
    args->in.wanted = SCENARIO_POOL;
    args->out.poolid = &s->results.domid;
}

static void fill_destroy_cpupool(struct subject *s, void *p)
{
    libxl__host_destroy_cpupool_args *args = p;
    (void)s;
    args->in.poolid = SCENARIO_POOL;
}

static void fill_rename_cpupool(struct subject *s, void *p)
{
    libxl__host_rename_cpupool_args *args = p;
    (void)s;
    args->in.name = strdup("Pool-0");
}

static void fill_nic_add(struct subject *s, void *p)
{
    libxl__device_nic_add_args *args = p;
    args->in.domid = s->guest;
    args->in.nic = scenario_nic();
}

static void fill_nic_remove(struct subject *s, void *p)
{
    libxl__device_nic_remove_args *args = p;
    args->in.domid = s->guest;
    args->in.nic = scenario_nic();
}

static void fill_nic_destroy(struct subject *s, void *p)
{
    libxl__device_nic_destroy_args *args = p;
    args->in.domid = s->guest;
    args->in.nic = scenario_nic();
}

/* The node that the scenarios of the store operations use. It is in the guest's tree, so it goes with it. */
static char *store_node(const struct subject *s)
{
    char path[64];
    snprintf(path, sizeof(path), "/local/domain/%u/control", s->guest);
    return strdup(path);
}

static void fill_store_read(struct subject *s, void *p)
{
    libxl__store_read_args *args = p;
    args->in.path = store_node(s);
    args->out.value = &s->results.value;
}

static void fill_store_list(struct subject *s, void *p)
{
    libxl__store_list_args *args = p;
    args->in.path = store_node(s);
    args->out.names = &s->results.names;
}

/* Stands for the four operations with these phases. A transaction has more than one round trip. */
static void fill_store_write(struct subject *s, void *p)
{
    libxl__store_write_args *args = p;
    args->in.path = store_node(s);
    libxl_blob_set(&args->in.value, "x", 1);
    args->in.has_permissions = true;
    args->in.permissions.owner = s->guest;
}

static void fill_resume(struct subject *s, void *p)
{
    libxl__domain_resume_args *args = p;
    args->in.domid = s->guest;
    args->in.suspend_cancel = 1;
}

static void fill_suspend_guest(struct subject *s, void *p)
{
    libxl__domain_suspend_guest_args *args = p;
    args->in.domid = s->guest;
    args->out.may_suspend = &s->results.may_suspend;
}

static void fill_recover(struct subject *s, void *p)
{
    libxl__domain_recover_args *args = p;
    args->in.domid = s->guest;
    args->in.suspended = true;
}

/* Fills in the args of domain_save and of domain_suspend, which have the same inputs. */
static void fill_save(struct subject *s, void *p)
{
    libxl__domain_save_args *args = p;
    args->in.domid = s->guest;
    args->in.fd = saving_sink();
}

static void fill_restore(struct subject *s, void *p)
{
    libxl__domain_restore_args *args = p;
    args->in.fd = saving_source();
    args->out.domid = &s->results.domid;
}

static void fill_migrate(struct subject *s, void *p)
{
    libxl__domain_migrate_args *args = p;
    args->in.domid = s->guest;
    args->in.in_fd = saving_receiver();
    args->in.out_fd = saving_sink();
}

static void fill_receive(struct subject *s, void *p)
{
    libxl__domain_receive_args *args = p;
    args->in.in_fd = saving_sender();
    args->in.out_fd = saving_sink();
    args->out.domid = &s->results.domid;
}

/* ---- the table */

static const struct scenario scenarios[] = {
    {LIBXL__OP_DEVICE_NIC_ADD, LIBXL__OP_DEVICE_NIC_ADD, fill_nic_add, SCENARIO_ANY_GUEST},
    {LIBXL__OP_DEVICE_NIC_REMOVE, LIBXL__OP_DEVICE_NIC_REMOVE, fill_nic_remove, SCENARIO_WITH_NIC},
    {LIBXL__OP_DEVICE_NIC_DESTROY, LIBXL__OP_DEVICE_NIC_DESTROY, fill_nic_destroy, SCENARIO_WITH_NIC},
    {LIBXL__OP_DEVICE_DISK_ADD, LIBXL__OP_DEVICE_DISK_ADD, fill_disk_add, SCENARIO_ANY_GUEST},
    {LIBXL__OP_DEVICE_WAIT_CONNECTED, LIBXL__OP_DEVICE_WAIT_CONNECTED, fill_wait_connected,
     SCENARIO_WITH_DISK},
#define LIST_SCENARIO(NAME, name)                                                                            \
    {LIBXL__OP_DOMAIN_LIST_##NAME##S, LIBXL__OP_DOMAIN_LIST_##NAME##S, fill_list_##name##s,                  \
     SCENARIO_ANY_GUEST},
    LISTED(LIST_SCENARIO)
#undef LIST_SCENARIO
        {LIBXL__OP_DOMAIN_LIST_DEVICES, LIBXL__OP_DOMAIN_LIST_DEVICES, fill_list_devices, SCENARIO_ANY_GUEST},
    {LIBXL__OP_DEVICE_DISK_REMOVE, LIBXL__OP_DEVICE_DISK_REMOVE, fill_disk_remove, SCENARIO_WITH_DISK},
    {LIBXL__OP_DEVICE_DISK_SAFE_REMOVE, LIBXL__OP_DEVICE_DISK_SAFE_REMOVE, fill_disk_remove,
     SCENARIO_WITH_DISK},
    {LIBXL__OP_DEVICE_DISK_DESTROY, LIBXL__OP_DEVICE_DISK_DESTROY, fill_disk_destroy, SCENARIO_WITH_DISK},
    {LIBXL__OP_DEVICE_DETACH, LIBXL__OP_DEVICE_DISK_REMOVE, fill_disk_remove, SCENARIO_WITH_DISK},
    {LIBXL__OP_HOST_PCI_ASSIGNABLE, LIBXL__OP_HOST_PCI_ASSIGNABLE, fill_assignable, SCENARIO_ANY_GUEST},
    {LIBXL__OP_HOST_PCI_ASSIGNABLE_ADD, LIBXL__OP_HOST_PCI_ASSIGNABLE_ADD, fill_assignable_add,
     SCENARIO_WITH_DRIVER},
    {LIBXL__OP_HOST_PCI_ASSIGNABLE_REMOVE, LIBXL__OP_HOST_PCI_ASSIGNABLE_REMOVE, fill_assignable_remove,
     SCENARIO_WITH_ASSIGNABLE},
    {LIBXL__OP_DEVICE_PCI_ADD, LIBXL__OP_DEVICE_PCI_ADD, fill_pci_add, SCENARIO_WITH_PCI},
    {LIBXL__OP_DEVICE_PCIS_ADD, LIBXL__OP_DOMAIN_CREATE_NEW, fill_create_pci, SCENARIO_NO_GUEST},
    {LIBXL__OP_DEVICE_PCI_REMOVE, LIBXL__OP_DEVICE_PCI_REMOVE, fill_pci_remove, SCENARIO_WITH_TWO_PCI},
    {LIBXL__OP_DEVICE_PCI_DESTROY, LIBXL__OP_DEVICE_PCI_DESTROY, fill_pci_destroy, SCENARIO_WITH_TWO_PCI},
    {LIBXL__OP_PCI_DETACH, LIBXL__OP_DEVICE_PCI_REMOVE, fill_pci_remove, SCENARIO_WITH_TWO_PCI},
    {LIBXL__OP_DOMAIN_LIST_PCIS, LIBXL__OP_DOMAIN_LIST_PCIS, fill_list_pcis, SCENARIO_WITH_PCI},
    {LIBXL__OP_DEVICE_MODEL, LIBXL__OP_DEVICE_DISK_ADD, fill_qdisk_add, SCENARIO_ANY_GUEST},
    {LIBXL__OP_DOMAIN_CREATE_NEW, LIBXL__OP_DOMAIN_CREATE_NEW, fill_create, SCENARIO_NO_GUEST},
    {LIBXL__OP_DOMAIN_WAIT_SHUTDOWN, LIBXL__OP_DOMAIN_WAIT_SHUTDOWN, fill_wait_shutdown, SCENARIO_ANY_GUEST},
    {LIBXL__OP_DOMAIN_GET_NAME, LIBXL__OP_DOMAIN_GET_NAME, fill_get_name, SCENARIO_ANY_GUEST},
    {LIBXL__OP_DOMAIN_FIND, LIBXL__OP_DOMAIN_FIND, fill_find, SCENARIO_ANY_GUEST},
    {LIBXL__OP_DOMAIN_LIST_UNFINISHED, LIBXL__OP_DOMAIN_LIST_UNFINISHED, fill_list_unfinished,
     SCENARIO_MARKED},
    {LIBXL__OP_DOMAIN_REMOVE_UNFINISHED, LIBXL__OP_DOMAIN_REMOVE_UNFINISHED, fill_remove_unfinished,
     SCENARIO_MARKED},
    {LIBXL__OP_DOMAIN_RESUME_UNFINISHED, LIBXL__OP_DOMAIN_RESUME_UNFINISHED, fill_resume_unfinished,
     SCENARIO_HALF_SAVED},
    {LIBXL__OP_DOMAIN_SUSPEND_GUEST, LIBXL__OP_DOMAIN_SUSPEND_GUEST, fill_suspend_guest, SCENARIO_ANY_GUEST},
    {LIBXL__OP_DOMAIN_CONSOLE_TTY, LIBXL__OP_DOMAIN_CONSOLE_TTY, fill_console, SCENARIO_ANY_GUEST},
    {LIBXL__OP_RETRIEVE_DOMAIN_CONFIGURATION, LIBXL__OP_RETRIEVE_DOMAIN_CONFIGURATION, fill_retrieve,
     SCENARIO_ANY_GUEST},
    {LIBXL__OP_DOMAIN_TEARDOWN, LIBXL__OP_DOMAIN_DESTROY, NULL, SCENARIO_ANY_GUEST},
    {LIBXL__OP_DISK_EJECT, LIBXL__OP_DISK_EJECT, fill_disk_eject, SCENARIO_ANY_GUEST},
    {LIBXL__OP_DOMAIN_SET_NAME, LIBXL__OP_DOMAIN_SET_NAME, fill_set_name, SCENARIO_ANY_GUEST},
    {LIBXL__OP_DOMAIN_GET_MEMORY_TARGET, LIBXL__OP_DOMAIN_GET_MEMORY_TARGET, fill_get_target,
     SCENARIO_ANY_GUEST},
    {LIBXL__OP_DOMAIN_SET_MEMORY, LIBXL__OP_DOMAIN_SET_MEMORY, fill_set_memory, SCENARIO_PVH},
    {LIBXL__OP_DOMAIN_WAIT_MEMORY, LIBXL__OP_DOMAIN_WAIT_MEMORY, fill_wait_memory, SCENARIO_ANY_GUEST},
    {LIBXL__OP_HOST_WAIT_FREE_MEMORY, LIBXL__OP_HOST_WAIT_FREE_MEMORY, fill_wait_free_memory,
     SCENARIO_ANY_GUEST},
    {LIBXL__OP_DOMAIN_SET_MAX_MEMORY, LIBXL__OP_DOMAIN_SET_MAX_MEMORY, fill_set_max, SCENARIO_ANY_GUEST},
    {LIBXL__OP_SET_VCPUONLINE, LIBXL__OP_SET_VCPUONLINE, fill_set_online, SCENARIO_ANY_GUEST},
    {LIBXL__OP_DOMAIN_SEND_SYSRQ, LIBXL__OP_DOMAIN_SEND_SYSRQ, fill_sysrq, SCENARIO_ANY_GUEST},
    {LIBXL__OP_DOMAIN_CORE_DUMP, LIBXL__OP_DOMAIN_CORE_DUMP, fill_core_dump, SCENARIO_ANY_GUEST},
    {LIBXL__OP_DOMAIN_QMP, LIBXL__OP_DOMAIN_QMP, fill_qmp, SCENARIO_WITH_QEMU},
    {LIBXL__OP_QEMU_MONITOR_COMMAND, LIBXL__OP_QEMU_MONITOR_COMMAND, fill_monitor, SCENARIO_WITH_QEMU},
    {LIBXL__OP_CDROM_INSERT, LIBXL__OP_CDROM_INSERT, fill_cdrom_insert, SCENARIO_WITH_CD},
    {LIBXL__OP_CDROM_EJECT, LIBXL__OP_CDROM_EJECT, fill_cdrom_eject, SCENARIO_WITH_CD},
    {LIBXL__OP_STORE_READ, LIBXL__OP_STORE_READ, fill_store_read, SCENARIO_ANY_GUEST},
    {LIBXL__OP_STORE_LIST, LIBXL__OP_STORE_LIST, fill_store_list, SCENARIO_ANY_GUEST},
    {LIBXL__OP_STORE_WRITE, LIBXL__OP_STORE_WRITE, fill_store_write, SCENARIO_ANY_GUEST},
    {LIBXL__OP_HOST_LIST_CPUPOOLS, LIBXL__OP_HOST_LIST_CPUPOOLS, fill_list_cpupools, SCENARIO_ANY_GUEST},
    {LIBXL__OP_HOST_CREATE_CPUPOOL, LIBXL__OP_HOST_CREATE_CPUPOOL, fill_create_cpupool,
     SCENARIO_WITHOUT_POOL},
    {LIBXL__OP_HOST_DESTROY_CPUPOOL, LIBXL__OP_HOST_DESTROY_CPUPOOL, fill_destroy_cpupool,
     SCENARIO_WITH_POOL},
    {LIBXL__OP_HOST_RENAME_CPUPOOL, LIBXL__OP_HOST_RENAME_CPUPOOL, fill_rename_cpupool, SCENARIO_ANY_GUEST},
    {LIBXL__OP_DOMAIN_STATISTICS, LIBXL__OP_DOMAIN_STATISTICS, fill_statistics, SCENARIO_ANY_GUEST},
    {LIBXL__OP_DOMAIN_RESUME, LIBXL__OP_DOMAIN_RESUME, fill_resume, SCENARIO_HVM_SUSPENDED},
    {LIBXL__OP_DOMAIN_RECOVER, LIBXL__OP_DOMAIN_RECOVER, fill_recover, SCENARIO_HVM_SUSPENDED},
    {LIBXL__OP_DOMAIN_SUSPEND, LIBXL__OP_DOMAIN_SUSPEND, fill_save, SCENARIO_OBEDIENT},
    {LIBXL__OP_DOMAIN_SAVE, LIBXL__OP_DOMAIN_SAVE, fill_save, SCENARIO_HVM},
    {LIBXL__OP_DOMAIN_RESTORE, LIBXL__OP_DOMAIN_RESTORE, fill_restore, SCENARIO_SAVED},
    {LIBXL__OP_DOMAIN_MIGRATE, LIBXL__OP_DOMAIN_MIGRATE, fill_migrate, SCENARIO_OBEDIENT},
    {LIBXL__OP_DOMAIN_RECEIVE, LIBXL__OP_DOMAIN_RECEIVE, fill_receive, SCENARIO_SAVED},
};

bool scenario_is_phase(unsigned operation, unsigned phase, const char *name)
{
    return strcmp(libxl__operations[operation].phases->list[phase].name, name) == 0;
}

/* Returns the scenario of an operation. Some phases wait only in special cases, and have a scenario of
 * their own. */
struct scenario scenario_of(unsigned operation, unsigned phase)
{
    if (operation == LIBXL__OP_DEVICE_MODEL && scenario_is_phase(operation, phase, "configure"))
        return (struct scenario){operation, LIBXL__OP_DOMAIN_CREATE_NEW, fill_create_screen,
                                 SCENARIO_NO_GUEST};
    if (operation == LIBXL__OP_DEVICE_DISK_ADD && scenario_is_phase(operation, phase, "model"))
        return (struct scenario){operation, operation, fill_qdisk_add, SCENARIO_ANY_GUEST};
    if (operation == LIBXL__OP_DEVICE_DETACH && scenario_is_phase(operation, phase, "released"))
        return (struct scenario){operation, LIBXL__OP_DEVICE_DISK_DESTROY, fill_disk_destroy,
                                 SCENARIO_WITH_DISK};
    if (operation == LIBXL__OP_DEVICE_DETACH && scenario_is_phase(operation, phase, "gone"))
        return (struct scenario){operation, LIBXL__OP_DEVICE_NIC_REMOVE, fill_nic_remove, SCENARIO_WITH_NIC};
    if (operation == LIBXL__OP_DOMAIN_TEARDOWN && scenario_is_phase(operation, phase, "devices"))
        return (struct scenario){operation, LIBXL__OP_DOMAIN_DESTROY, NULL, SCENARIO_WITH_DISK};
    if (operation == LIBXL__OP_PCI_DETACH && scenario_is_phase(operation, phase, "released"))
        return (struct scenario){operation, LIBXL__OP_DEVICE_PCI_DESTROY, fill_pci_destroy,
                                 SCENARIO_WITH_TWO_PCI};
    for (size_t i = 0; i < sizeof(scenarios) / sizeof(*scenarios); i++)
        if (scenarios[i].operation == operation)
            return scenarios[i];
    if (libxl__operations[operation].args_size != sizeof(libxl_domid))
        fail_msg("%s: the sweep needs a scenario for it", libxl__operations[operation].name);
    return (struct scenario){.operation = operation, .started_by = operation, .guest = SCENARIO_ANY_GUEST};
}

struct scenario scenario_of_hvm(unsigned operation)
{
    return (struct scenario){operation, LIBXL__OP_DOMAIN_CREATE_NEW, fill_create_hvm, SCENARIO_NO_GUEST};
}

void scenario_fill(const struct scenario *scenario, struct subject *s, void *args)
{
    if (scenario->fill)
        scenario->fill(s, args);
    else
        *(libxl_domid *)args = s->guest;
}

void scenario_dispose(struct subject *s)
{
    free(s->results.name);
    libxl_blob_dispose(&s->results.value);
    libxl_string_list_dispose(&s->results.names);
    libxl_unfinished_list_dispose(&s->results.unfinished);
#define DISPOSE(NAME, name) libxl_##name##_list_dispose(&s->results.name##s);
    LISTED(DISPOSE)
#undef DISPOSE
    libxl_device_status_list_dispose(&s->results.devices);
    libxl_domain_config_dispose(&s->results.config);
    libxl_domain_counters_list_dispose(&s->results.counters);
    libxl_cpupool_list_dispose(&s->results.pools);
    libxl_pci_list_dispose(&s->results.pcis);
}
