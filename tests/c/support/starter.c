/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns: nothing. The test owns the struct starter and every object in it. */
#include "pci.h"
#include "starter.h"

#include "saving.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static int start_create(struct starter *s)
{
    return libxl_domain_create_new(s->ctx, &s->config, &s->made, NULL, NULL);
}

/* Starts waiting for the guest's end. The guest does not stop, so only the time limit ends the operation. */
static int start_wait_shutdown(struct starter *s)
{
    libxl_shutdown_reason reason;
    libxl_ao_set_limit(s->ctx, NULL, STARTER_WAIT_MS);
    const int rc = libxl_domain_wait_shutdown(s->ctx, s->guest, &reason, NULL);
    libxl_ao_set_limit(s->ctx, NULL, STARTER_LIMIT_MS);
    return rc;
}

static int start_wait_gone(struct starter *s)
{
    libxl_ao_set_limit(s->ctx, NULL, STARTER_WAIT_MS);
    const int rc = libxl_domain_wait_gone(s->ctx, s->guest, NULL);
    libxl_ao_set_limit(s->ctx, NULL, STARTER_LIMIT_MS);
    return rc;
}

static int start_get_info(struct starter *s)
{
    libxl_dominfo info;
    return libxl_domain_get_info(s->ctx, s->guest, &info, NULL);
}

static int start_check_uuid(struct starter *s)
{
    libxl_uuid uuid;
    libxl_uuid_generate(&uuid);
    const int rc = libxl_domain_check_uuid(s->ctx, s->guest, &uuid, NULL);
    return rc == ERROR_DOMAIN_GONE ? 0 : rc;
}

static int start_list(struct starter *s)
{
    libxl_dominfo_list list;
    const int rc = libxl_domain_list(s->ctx, &list, NULL);
    libxl_dominfo_list_dispose(&list);
    return rc;
}

static int start_get_name(struct starter *s)
{
    char *name = NULL;
    const int rc = libxl_domain_get_name(s->ctx, s->guest, &name, NULL);
    free(name);
    return rc;
}

static int start_find(struct starter *s)
{
    libxl_domid domid;
    return libxl_domain_find(s->ctx, "Domain-0", &domid, NULL);
}

static int start_host_info(struct starter *s)
{
    libxl_physinfo info;
    return libxl_host_info(s->ctx, &info, NULL);
}

static int start_host_version(struct starter *s)
{
    libxl_version_info info;
    const int rc = libxl_host_version(s->ctx, &info, NULL);
    libxl_version_info_dispose(&info);
    return rc;
}

static int start_list_unfinished(struct starter *s)
{
    libxl_unfinished_list list;
    const int rc = libxl_domain_list_unfinished(s->ctx, &list, NULL);
    libxl_unfinished_list_dispose(&list);
    return rc;
}

/* Starts the removal of an unfinished domain with a UUID that no domain has. */
static int start_remove_unfinished(struct starter *s)
{
    libxl_uuid uuid;
    libxl_uuid_generate(&uuid);
    const int rc = libxl_domain_remove_unfinished(s->ctx, &uuid, NULL);
    return rc == ERROR_NOTFOUND ? 0 : rc;
}

/* Starts the resumption of an unfinished save with a UUID that no domain has. */
static int start_resume_unfinished(struct starter *s)
{
    libxl_uuid uuid;
    libxl_uuid_generate(&uuid);
    const int rc = libxl_domain_resume_unfinished(s->ctx, &uuid, NULL);
    return rc == ERROR_NOTFOUND ? 0 : rc;
}

/* ---- domains that run */

/* Defines the function start_NAME. The result `out` of the call has the type `type`. start_NAME disposes
 * of `out`. */
#define STARTS(name, type, call)                                                                             \
    static int start_##name(struct starter *s)                                                               \
    {                                                                                                        \
        libxl_##type out;                                                                                    \
        const int rc = call;                                                                                 \
        libxl_##type##_dispose(&out);                                                                        \
        return rc;                                                                                           \
    }
/* Defines the function start_NAME for a call without a result, or with a result that owns no memory. */
#define STARTS_PLAIN(name, declarations, call)                                                               \
    static int start_##name(struct starter *s)                                                               \
    {                                                                                                        \
        declarations;                                                                                        \
        return call;                                                                                         \
    }

static uint8_t one = 1;
static const libxl_bitmap first = {.size = 1, .map = &one};
static const libxl_domain_sched_params share = {.weight = 300, .cap = -1};
static libxl_sched_params of_vcpu = {.period = -1, .budget = -1};
static const libxl_vcpu_sched_params of_vcpus = {.num_vcpus = 1, .vcpus = &of_vcpu};
static const libxl_sched_credit_params credit = {.tslice_ms = 30, .ratelimit_us = 1000};
static const libxl_sched_credit2_params credit2 = {.ratelimit_us = 1000};

STARTS(list_vcpus, vcpu_list, libxl_domain_list_vcpus(s->ctx, s->guest, &out, NULL))
STARTS(get_nodes, bitmap, libxl_domain_get_node_affinity(s->ctx, s->guest, &out, NULL))
STARTS(get_vcpu_sched, vcpu_sched_params, libxl_domain_get_vcpu_sched_params(s->ctx, s->guest, &out, NULL))
STARTS(topology, cputopology_list, libxl_host_cpu_topology(s->ctx, &out, NULL))
STARTS(numa, numainfo_list, libxl_host_numa(s->ctx, &out, NULL))
STARTS(retrieve, domain_config, libxl_retrieve_domain_configuration(s->ctx, s->guest, &out, NULL))
STARTS_PLAIN(set_affinity, (void)0,
             libxl_domain_set_vcpu_affinity(s->ctx, s->guest, &first, NULL, 0, false, NULL))
STARTS_PLAIN(set_nodes, (void)0, libxl_domain_set_node_affinity(s->ctx, s->guest, &first, NULL))
STARTS_PLAIN(get_sched, libxl_domain_sched_params out,
             libxl_domain_get_sched_params(s->ctx, s->guest, &out, NULL))
STARTS_PLAIN(set_sched, (void)0, libxl_domain_set_sched_params(s->ctx, s->guest, &share, NULL))
STARTS_PLAIN(set_vcpu_sched, (void)0, libxl_domain_set_vcpu_sched_params(s->ctx, s->guest, &of_vcpus, NULL))
STARTS_PLAIN(scheduler, libxl_scheduler out, libxl_host_scheduler(s->ctx, &out, NULL))
STARTS_PLAIN(get_credit, libxl_sched_credit_params out, libxl_sched_get_credit_params(s->ctx, 0, &out, NULL))
STARTS_PLAIN(set_credit, (void)0, libxl_sched_set_credit_params(s->ctx, 0, &credit, NULL))
STARTS_PLAIN(get_credit2, libxl_sched_credit2_params out,
             libxl_sched_get_credit2_params(s->ctx, 0, &out, NULL))
STARTS_PLAIN(set_credit2, (void)0, libxl_sched_set_credit2_params(s->ctx, 0, &credit2, NULL))
STARTS_PLAIN(trigger, (void)0, libxl_send_trigger(s->ctx, s->guest, LIBXL_TRIGGER_NMI, 0, NULL))
STARTS_PLAIN(debug_keys, (void)0, libxl_host_send_debug_keys(s->ctx, "h", NULL))
STARTS_PLAIN(free_memory, uint64_t out, libxl_host_free_memory(s->ctx, &out, NULL))

STARTS(statistics, domain_counters_list, libxl_domain_statistics(s->ctx, true, true, &out, NULL))
STARTS_PLAIN(memory_needed, uint64_t out, libxl_host_memory_needed(s->ctx, &s->config, &out, NULL))
STARTS(list_cpupools, cpupool_list, libxl_host_list_cpupools(s->ctx, &out, NULL))
STARTS(free_cpus, bitmap, libxl_host_free_cpus(s->ctx, &out, NULL))
STARTS(pci_topology, pcitopology_list, libxl_host_pci_topology(s->ctx, &out, NULL))
STARTS_PLAIN(rename_cpupool, (void)0, libxl_host_rename_cpupool(s->ctx, 0, "Pool-0", NULL))
STARTS_PLAIN(set_cpupool, (void)0, libxl_domain_set_cpupool(s->ctx, s->guest, 0, NULL))
STARTS_PLAIN(add_cpus, libxl_bitmap none = {.size = 0}, libxl_host_add_cpupool_cpus(s->ctx, 0, &none, NULL))
STARTS_PLAIN(remove_cpus, libxl_bitmap none = {.size = 0},
             libxl_host_remove_cpupool_cpus(s->ctx, 0, &none, NULL))

/* These return NI on a simulated host, which has no such feature. */
#define STARTS_WITHOUT(name, declarations, call)                                                             \
    static int start_##name(struct starter *s)                                                               \
    {                                                                                                        \
        declarations;                                                                                        \
        const int rc = call;                                                                                 \
        return rc == ERROR_NI ? 0 : rc;                                                                      \
    }
STARTS_WITHOUT(flask_enforcing, bool out, libxl_host_flask_enforcing(s->ctx, &out, NULL))
STARTS_WITHOUT(flask_set, (void)0, libxl_host_flask_set_enforcing(s->ctx, true, NULL))
static const libxl_blob policy = {.size = 1, .data = &one};
STARTS_WITHOUT(flask_load, (void)0, libxl_host_flask_load(s->ctx, &policy, NULL))
STARTS_WITHOUT(flask_label, char *out, libxl_host_flask_label(s->ctx, 1, &out, NULL))
STARTS_WITHOUT(flask_number, uint32_t out, libxl_host_flask_number(s->ctx, "x", &out, NULL))
STARTS(console_ring, blob, libxl_host_console_ring(s->ctx, true, &out, NULL))
STARTS_WITHOUT(set_parameters, (void)0, libxl_host_set_parameters(s->ctx, "a=1", NULL))
STARTS_WITHOUT(psr_cmt, libxl_psr_cmt_info out, libxl_host_psr_cmt(s->ctx, &out, NULL))
STARTS_WITHOUT(psr_cache_size, uint32_t out, libxl_host_psr_cache_size(s->ctx, 0, &out, NULL))
STARTS_WITHOUT(psr_hw_info, libxl_psr_hw_info_list out,
               libxl_host_psr_hw_info(s->ctx, LIBXL_PSR_FEAT_TYPE_CAT, 3, &out, NULL))
STARTS_WITHOUT(psr_attach, (void)0, libxl_domain_psr_attach(s->ctx, s->guest, NULL))
STARTS_WITHOUT(psr_detach, (void)0, libxl_domain_psr_detach(s->ctx, s->guest, NULL))
STARTS_WITHOUT(psr_attached, bool out, libxl_domain_psr_attached(s->ctx, s->guest, &out, NULL))
STARTS_WITHOUT(psr_sample, libxl_psr_sample out,
               libxl_domain_psr_sample(s->ctx, s->guest, LIBXL_PSR_CMT_TYPE_CACHE_OCCUPANCY, 0, &out, NULL))
STARTS_WITHOUT(psr_get, uint64_t out,
               libxl_domain_psr_get(s->ctx, s->guest, LIBXL_PSR_CBM_TYPE_L3_CBM, 0, &out, NULL))
STARTS_WITHOUT(psr_set, (void)0,
               libxl_domain_psr_set(s->ctx, s->guest, LIBXL_PSR_CBM_TYPE_L3_CBM, &first, 1, NULL))

enum { STARTER_POOL = 6 };

/*
 * Creates an empty cpupool. Destroys it before, if an earlier call has left it, and afterwards. If the
 * creation fails, nothing follows, because a later call would replace the error message.
 */
static int start_create_cpupool(struct starter *s)
{
    uint32_t poolid = STARTER_POOL;
    libxl_host_destroy_cpupool(s->ctx, poolid, NULL);
    const int rc =
        libxl_host_create_cpupool(s->ctx, "p", LIBXL_SCHEDULER_UNKNOWN, NULL, NULL, poolid, &poolid, NULL);
    if (!rc)
        libxl_host_destroy_cpupool(s->ctx, STARTER_POOL, NULL);
    return rc;
}

static int start_destroy_cpupool(struct starter *s)
{
    uint32_t poolid = STARTER_POOL;
    libxl_host_create_cpupool(s->ctx, "p", LIBXL_SCHEDULER_UNKNOWN, NULL, NULL, poolid, &poolid, NULL);
    return libxl_host_destroy_cpupool(s->ctx, STARTER_POOL, NULL);
}

/* These return DEVICE_MODEL, because the guest has no QEMU. */
#define STARTS_WITHOUT_QEMU(name, call)                                                                      \
    static int start_##name(struct starter *s)                                                               \
    {                                                                                                        \
        char *out = NULL;                                                                                    \
        const int rc = call;                                                                                 \
        free(out);                                                                                           \
        return rc == ERROR_DEVICE_MODEL ? 0 : rc;                                                            \
    }
STARTS_WITHOUT_QEMU(qmp, libxl_domain_qmp(s->ctx, s->guest, "query-status", NULL, &out, NULL))
STARTS_WITHOUT_QEMU(monitor, libxl_qemu_monitor_command(s->ctx, s->guest, "info block", &out, NULL))

/* These return INVAL, because the guest is not HVM. */
static int start_cdrom_insert(struct starter *s)
{
    libxl_device_disk disk;
    libxl_device_disk_init(&disk);
    disk.vdev = (char *)"hdc";
    const int rc = libxl_cdrom_insert(s->ctx, s->guest, &disk, NULL);
    return rc == ERROR_INVAL ? 0 : rc;
}

static int start_cdrom_eject(struct starter *s)
{
    const int rc = libxl_cdrom_eject(s->ctx, s->guest, "hdc", false, NULL);
    return rc == ERROR_INVAL ? 0 : rc;
}

STARTS_PLAIN(core_dump, (void)0, libxl_domain_core_dump(s->ctx, s->guest, "/tmp/core-of-starter", NULL))
STARTS_PLAIN(set_name, (void)0, libxl_domain_set_name(s->ctx, s->guest, "renamed", NULL, NULL))
STARTS_PLAIN(get_target, uint64_t out, libxl_domain_get_memory_target(s->ctx, s->guest, &out, NULL))
STARTS_PLAIN(set_memory, uint64_t out,
             libxl_domain_set_memory(s->ctx, s->guest, 4 << 10, false, true, true, &out, NULL))
STARTS_PLAIN(wait_memory, uint64_t out, libxl_domain_wait_memory(s->ctx, s->guest, 100, &out, NULL))
STARTS_PLAIN(wait_free_memory, uint64_t out, libxl_host_wait_free_memory(s->ctx, 1, 0, &out, NULL))
STARTS_PLAIN(set_max, (void)0, libxl_domain_set_max_memory(s->ctx, s->guest, 5 << 10, NULL))
STARTS_PLAIN(set_online, (void)0, libxl_set_vcpuonline(s->ctx, s->guest, &first, NULL))
STARTS_PLAIN(sysrq, (void)0, libxl_domain_send_sysrq(s->ctx, s->guest, "h", false, NULL))

#define IMAGE "/run/disk.img"

static libxl_device_disk starter_disk(void)
{
    libxl_device_disk disk;
    libxl_device_disk_init(&disk);
    disk.vdev = (char *)"xvda";
    disk.pdev_path = (char *)IMAGE;
    return disk;
}

static void make_image(void)
{
    const int fd = open(IMAGE, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0 && !ftruncate(fd, 1 << 20));
    close(fd);
}

static libxl_device_p9 starter_p9(void)
{
    libxl_device_p9 p9;
    libxl_device_p9_init(&p9);
    p9.tag = (char *)"share";
    p9.path = (char *)"/";
    p9.devid = 0;
    return p9;
}

#define STARTER_DEVICE(T)                                                                                    \
    static libxl_device_##T starter_##T(void)                                                                \
    {                                                                                                        \
        libxl_device_##T device;                                                                             \
        libxl_device_##T##_init(&device);                                                                    \
        device.devid = 0;                                                                                    \
        return device;                                                                                       \
    }
STARTER_DEVICE(vfb)
STARTER_DEVICE(vkb)
STARTER_DEVICE(vtpm)
STARTER_DEVICE(vdispl)
STARTER_DEVICE(vsnd)
STARTER_DEVICE(pvcallsif)

#define STARTS_DEVICE(T)                                                                                     \
    static int start_##T##_add(struct starter *s)                                                            \
    {                                                                                                        \
        libxl_device_##T device = starter_##T();                                                             \
        const int rc = libxl_device_##T##_add(s->ctx, s->guest, &device, NULL);                              \
        if (!rc)                                                                                             \
            libxl_device_##T##_destroy(s->ctx, s->guest, &device, NULL);                                     \
        return rc;                                                                                           \
    }                                                                                                        \
    static int start_##T##_remove(struct starter *s)                                                         \
    {                                                                                                        \
        libxl_device_##T device = starter_##T();                                                             \
        libxl_device_##T##_add(s->ctx, s->guest, &device, NULL);                                             \
        return libxl_device_##T##_remove(s->ctx, s->guest, &device, NULL);                                   \
    }                                                                                                        \
    static int start_##T##_destroy(struct starter *s)                                                        \
    {                                                                                                        \
        libxl_device_##T device = starter_##T();                                                             \
        libxl_device_##T##_add(s->ctx, s->guest, &device, NULL);                                             \
        return libxl_device_##T##_destroy(s->ctx, s->guest, &device, NULL);                                  \
    }
STARTS_DEVICE(disk)
STARTS_DEVICE(p9)
STARTS_DEVICE(vfb)
STARTS_DEVICE(vkb)
STARTS_DEVICE(vtpm)
STARTS_DEVICE(vdispl)
STARTS_DEVICE(vsnd)
STARTS_DEVICE(pvcallsif)

static int start_disk_safe_remove(struct starter *s)
{
    libxl_device_disk disk = starter_disk();
    libxl_device_disk_add(s->ctx, s->guest, &disk, NULL);
    return libxl_device_disk_safe_remove(s->ctx, s->guest, &disk, NULL);
}

static int start_wait_connected(struct starter *s)
{
    libxl_device_disk disk = starter_disk();
    libxl_device_disk_add(s->ctx, s->guest, &disk, NULL);
    return libxl_device_wait_connected(s->ctx, s->guest, "vbd", 51712, NULL);
}

STARTS(pci_assignable, pci_list, libxl_host_pci_assignable(s->ctx, &out, NULL))
STARTS(pci_list, pci_list, libxl_domain_list_pcis(s->ctx, s->guest, &out, NULL))

static int start_assignable_add(struct starter *s)
{
    libxl_device_pci pci = pci_of(2, 0);
    const int rc = libxl_host_pci_assignable_add(s->ctx, &pci, true, NULL);
    if (!rc)
        libxl_host_pci_assignable_remove(s->ctx, &pci, true, NULL);
    return rc;
}

static int start_assignable_remove(struct starter *s)
{
    libxl_device_pci pci = pci_of(2, 0);
    libxl_host_pci_assignable_add(s->ctx, &pci, true, NULL);
    return libxl_host_pci_assignable_remove(s->ctx, &pci, true, NULL);
}

static int start_pci_add(struct starter *s)
{
    libxl_device_pci pci = pci_of(1, 0);
    pci.seize = true;
    const int rc = libxl_device_pci_add(s->ctx, s->guest, &pci, NULL);
    if (!rc)
        libxl_device_pci_destroy(s->ctx, s->guest, &pci, NULL);
    if (!rc)
        libxl_host_pci_assignable_remove(s->ctx, &pci, true, NULL);
    return rc;
}

static int start_pci_remove(struct starter *s)
{
    libxl_device_pci pci = pci_of(1, 0);
    pci.seize = true;
    libxl_device_pci_add(s->ctx, s->guest, &pci, NULL);
    const int rc = libxl_device_pci_remove(s->ctx, s->guest, &pci, NULL);
    if (!rc)
        libxl_host_pci_assignable_remove(s->ctx, &pci, true, NULL);
    return rc;
}

static int start_pci_destroy(struct starter *s)
{
    libxl_device_pci pci = pci_of(1, 0);
    pci.seize = true;
    libxl_device_pci_add(s->ctx, s->guest, &pci, NULL);
    const int rc = libxl_device_pci_destroy(s->ctx, s->guest, &pci, NULL);
    if (!rc)
        libxl_host_pci_assignable_remove(s->ctx, &pci, true, NULL);
    return rc;
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

#define START_LIST(NAME, name)                                                                               \
    static int start_list_##name##s(struct starter *s)                                                       \
    {                                                                                                        \
        libxl_##name##_list list;                                                                            \
        const int rc = libxl_domain_list_##name##s(s->ctx, s->guest, &list, NULL);                           \
        libxl_##name##_list_dispose(&list);                                                                  \
        return rc;                                                                                           \
    }
LISTED(START_LIST)
#undef START_LIST

static int start_list_devices(struct starter *s)
{
    libxl_device_status_list list;
    const int rc = libxl_domain_list_devices(s->ctx, s->guest, &list, NULL);
    libxl_device_status_list_dispose(&list);
    return rc;
}

static int start_console(struct starter *s)
{
    char *path = NULL;
    const int rc = libxl_domain_console_tty(s->ctx, s->guest, 0, LIBXL_CONSOLE_TYPE_UNKNOWN, &path, NULL);
    free(path);
    return rc;
}

static libxl_device_nic starter_nic(void)
{
    libxl_device_nic nic;
    libxl_device_nic_init(&nic);
    nic.devid = 0;
    return nic;
}

static int start_nic_add(struct starter *s)
{
    libxl_device_nic nic = starter_nic();
    const int rc = libxl_device_nic_add(s->ctx, s->guest, &nic, NULL);
    if (!rc)
        libxl_device_nic_destroy(s->ctx, s->guest, &nic, NULL);
    libxl_device_nic_dispose(&nic);
    return rc;
}

static int start_nic_remove(struct starter *s)
{
    libxl_device_nic nic = starter_nic();
    libxl_device_nic_add(s->ctx, s->guest, &nic, NULL);
    return libxl_device_nic_remove(s->ctx, s->guest, &nic, NULL);
}

static int start_nic_destroy(struct starter *s)
{
    libxl_device_nic nic = starter_nic();
    libxl_device_nic_add(s->ctx, s->guest, &nic, NULL);
    return libxl_device_nic_destroy(s->ctx, s->guest, &nic, NULL);
}

#define STORE_NODE "/tool/starter"

static libxl_blob starter_value = {.size = 1, .data = (uint8_t *)"x"};
static libxl_store_permissions starter_permissions;

STARTS_PLAIN(store_write, (void)0, libxl_store_write(s->ctx, STORE_NODE, &starter_value, NULL, NULL))
STARTS_PLAIN(store_remove, (void)0, libxl_store_remove(s->ctx, STORE_NODE, NULL))
STARTS_PLAIN(store_set_permissions, (void)0,
             libxl_store_set_permissions(s->ctx, "/tool", &starter_permissions, NULL))
STARTS(store_read, blob, libxl_store_read(s->ctx, "/tool", &out, NULL))
STARTS(store_list, string_list, libxl_store_list(s->ctx, "/tool", &out, NULL))
STARTS(store_get_permissions, store_permissions, libxl_store_get_permissions(s->ctx, "/tool", &out, NULL))

static int start_store_commit(struct starter *s)
{
    libxl_store_step step = {.action = LIBXL_STORE_ACTION_REMOVE, .path = (char *)STORE_NODE};
    const libxl_store_steps steps = {.num_steps = 1, .steps = &step};
    return libxl_store_commit(s->ctx, &steps, NULL);
}

/* ---- saved domains */

static int start_resume(struct starter *s)
{
    return libxl_domain_resume(s->ctx, s->guest, 1, NULL);
}

static int start_suspend(struct starter *s)
{
    return libxl_domain_suspend(s->ctx, s->guest, saving_sink(), 0, NULL);
}

static int start_save(struct starter *s)
{
    return libxl_domain_save(s->ctx, s->guest, saving_sink(), 0, NULL, NULL);
}

static int start_migrate(struct starter *s)
{
    return libxl_domain_migrate(s->ctx, s->guest, saving_receiver(), saving_sink(), 0, NULL, NULL);
}

static int start_receive(struct starter *s)
{
    return libxl_domain_receive(s->ctx, saving_sender(), saving_sink(), 0, &s->made, NULL);
}

static int start_restore(struct starter *s)
{
    return libxl_domain_restore(s->ctx, saving_source(), NULL, &s->made, NULL, NULL);
}

static int (*const starters[LIBXL__OP_COUNT])(struct starter *s) = {
    [LIBXL__OP_DOMAIN_CREATE_NEW] = start_create,
    [LIBXL__OP_DOMAIN_RESUME] = start_resume,
    [LIBXL__OP_DOMAIN_SUSPEND] = start_suspend,
    [LIBXL__OP_DOMAIN_SAVE] = start_save,
    [LIBXL__OP_DOMAIN_RESTORE] = start_restore,
    [LIBXL__OP_DOMAIN_MIGRATE] = start_migrate,
    [LIBXL__OP_DOMAIN_RECEIVE] = start_receive,
    [LIBXL__OP_DOMAIN_WAIT_SHUTDOWN] = start_wait_shutdown,
    [LIBXL__OP_DOMAIN_WAIT_GONE] = start_wait_gone,
    [LIBXL__OP_DOMAIN_GET_INFO] = start_get_info,
    [LIBXL__OP_DOMAIN_CHECK_UUID] = start_check_uuid,
    [LIBXL__OP_DOMAIN_LIST] = start_list,
    [LIBXL__OP_DOMAIN_GET_NAME] = start_get_name,
    [LIBXL__OP_DOMAIN_FIND] = start_find,
    [LIBXL__OP_HOST_INFO] = start_host_info,
    [LIBXL__OP_HOST_VERSION] = start_host_version,
    [LIBXL__OP_DOMAIN_LIST_UNFINISHED] = start_list_unfinished,
    [LIBXL__OP_DOMAIN_REMOVE_UNFINISHED] = start_remove_unfinished,
    [LIBXL__OP_DOMAIN_RESUME_UNFINISHED] = start_resume_unfinished,
    [LIBXL__OP_DOMAIN_LIST_VCPUS] = start_list_vcpus,
    [LIBXL__OP_DOMAIN_SET_VCPU_AFFINITY] = start_set_affinity,
    [LIBXL__OP_DOMAIN_SET_NODE_AFFINITY] = start_set_nodes,
    [LIBXL__OP_DOMAIN_GET_NODE_AFFINITY] = start_get_nodes,
    [LIBXL__OP_DOMAIN_GET_SCHED_PARAMS] = start_get_sched,
    [LIBXL__OP_DOMAIN_SET_SCHED_PARAMS] = start_set_sched,
    [LIBXL__OP_DOMAIN_GET_VCPU_SCHED_PARAMS] = start_get_vcpu_sched,
    [LIBXL__OP_DOMAIN_SET_VCPU_SCHED_PARAMS] = start_set_vcpu_sched,
    [LIBXL__OP_HOST_SCHEDULER] = start_scheduler,
    [LIBXL__OP_SCHED_GET_CREDIT_PARAMS] = start_get_credit,
    [LIBXL__OP_SCHED_SET_CREDIT_PARAMS] = start_set_credit,
    [LIBXL__OP_SCHED_GET_CREDIT2_PARAMS] = start_get_credit2,
    [LIBXL__OP_SCHED_SET_CREDIT2_PARAMS] = start_set_credit2,
    [LIBXL__OP_SEND_TRIGGER] = start_trigger,
    [LIBXL__OP_HOST_SEND_DEBUG_KEYS] = start_debug_keys,
    [LIBXL__OP_HOST_FREE_MEMORY] = start_free_memory,
    [LIBXL__OP_HOST_CPU_TOPOLOGY] = start_topology,
    [LIBXL__OP_HOST_NUMA] = start_numa,
    [LIBXL__OP_HOST_FLASK_ENFORCING] = start_flask_enforcing,
    [LIBXL__OP_HOST_FLASK_SET_ENFORCING] = start_flask_set,
    [LIBXL__OP_HOST_FLASK_LOAD] = start_flask_load,
    [LIBXL__OP_HOST_FLASK_LABEL] = start_flask_label,
    [LIBXL__OP_HOST_FLASK_NUMBER] = start_flask_number,
    [LIBXL__OP_HOST_CONSOLE_RING] = start_console_ring,
    [LIBXL__OP_HOST_SET_PARAMETERS] = start_set_parameters,
    [LIBXL__OP_HOST_PSR_CMT] = start_psr_cmt,
    [LIBXL__OP_HOST_PSR_CACHE_SIZE] = start_psr_cache_size,
    [LIBXL__OP_HOST_PSR_HW_INFO] = start_psr_hw_info,
    [LIBXL__OP_DOMAIN_PSR_ATTACH] = start_psr_attach,
    [LIBXL__OP_DOMAIN_PSR_DETACH] = start_psr_detach,
    [LIBXL__OP_DOMAIN_PSR_ATTACHED] = start_psr_attached,
    [LIBXL__OP_DOMAIN_PSR_SAMPLE] = start_psr_sample,
    [LIBXL__OP_DOMAIN_PSR_GET] = start_psr_get,
    [LIBXL__OP_DOMAIN_PSR_SET] = start_psr_set,
    [LIBXL__OP_HOST_LIST_CPUPOOLS] = start_list_cpupools,
    [LIBXL__OP_HOST_CREATE_CPUPOOL] = start_create_cpupool,
    [LIBXL__OP_HOST_DESTROY_CPUPOOL] = start_destroy_cpupool,
    [LIBXL__OP_HOST_RENAME_CPUPOOL] = start_rename_cpupool,
    [LIBXL__OP_HOST_ADD_CPUPOOL_CPUS] = start_add_cpus,
    [LIBXL__OP_HOST_REMOVE_CPUPOOL_CPUS] = start_remove_cpus,
    [LIBXL__OP_HOST_FREE_CPUS] = start_free_cpus,
    [LIBXL__OP_DOMAIN_SET_CPUPOOL] = start_set_cpupool,
    [LIBXL__OP_HOST_PCI_TOPOLOGY] = start_pci_topology,
    [LIBXL__OP_HOST_PCI_ASSIGNABLE] = start_pci_assignable,
    [LIBXL__OP_HOST_PCI_ASSIGNABLE_ADD] = start_assignable_add,
    [LIBXL__OP_HOST_PCI_ASSIGNABLE_REMOVE] = start_assignable_remove,
    [LIBXL__OP_DEVICE_PCI_ADD] = start_pci_add,
    [LIBXL__OP_DEVICE_PCI_REMOVE] = start_pci_remove,
    [LIBXL__OP_DEVICE_PCI_DESTROY] = start_pci_destroy,
    [LIBXL__OP_DOMAIN_LIST_PCIS] = start_pci_list,
    [LIBXL__OP_DOMAIN_STATISTICS] = start_statistics,
    [LIBXL__OP_DOMAIN_CORE_DUMP] = start_core_dump,
    [LIBXL__OP_DOMAIN_QMP] = start_qmp,
    [LIBXL__OP_CDROM_INSERT] = start_cdrom_insert,
    [LIBXL__OP_CDROM_EJECT] = start_cdrom_eject,
    [LIBXL__OP_QEMU_MONITOR_COMMAND] = start_monitor,
    [LIBXL__OP_HOST_MEMORY_NEEDED] = start_memory_needed,
    [LIBXL__OP_DOMAIN_SET_NAME] = start_set_name,
    [LIBXL__OP_DOMAIN_GET_MEMORY_TARGET] = start_get_target,
    [LIBXL__OP_DOMAIN_SET_MEMORY] = start_set_memory,
    [LIBXL__OP_DOMAIN_SET_MAX_MEMORY] = start_set_max,
    [LIBXL__OP_DOMAIN_WAIT_MEMORY] = start_wait_memory,
    [LIBXL__OP_HOST_WAIT_FREE_MEMORY] = start_wait_free_memory,
    [LIBXL__OP_SET_VCPUONLINE] = start_set_online,
    [LIBXL__OP_DOMAIN_SEND_SYSRQ] = start_sysrq,
    [LIBXL__OP_DEVICE_DISK_SAFE_REMOVE] = start_disk_safe_remove,
    [LIBXL__OP_DEVICE_WAIT_CONNECTED] = start_wait_connected,
#define LIST_STARTER(NAME, name) [LIBXL__OP_DOMAIN_LIST_##NAME##S] = start_list_##name##s,
    LISTED(LIST_STARTER)
#undef LIST_STARTER
        [LIBXL__OP_DOMAIN_LIST_DEVICES] = start_list_devices,
    [LIBXL__OP_RETRIEVE_DOMAIN_CONFIGURATION] = start_retrieve,
    [LIBXL__OP_DOMAIN_CONSOLE_TTY] = start_console,
    [LIBXL__OP_STORE_READ] = start_store_read,
    [LIBXL__OP_STORE_LIST] = start_store_list,
    [LIBXL__OP_STORE_GET_PERMISSIONS] = start_store_get_permissions,
    [LIBXL__OP_STORE_WRITE] = start_store_write,
    [LIBXL__OP_STORE_REMOVE] = start_store_remove,
    [LIBXL__OP_STORE_SET_PERMISSIONS] = start_store_set_permissions,
    [LIBXL__OP_STORE_COMMIT] = start_store_commit,
#define ROWS(NAME, name)                                                                                     \
    [LIBXL__OP_DEVICE_##NAME##_ADD] = start_##name##_add,                                                    \
    [LIBXL__OP_DEVICE_##NAME##_REMOVE] = start_##name##_remove,                                              \
    [LIBXL__OP_DEVICE_##NAME##_DESTROY] = start_##name##_destroy,
    ROWS(DISK, disk) ROWS(NIC, nic) ROWS(P9, p9) ROWS(VFB, vfb) ROWS(VKB, vkb) ROWS(VTPM, vtpm)
        ROWS(VDISPL, vdispl) ROWS(VSND, vsnd) ROWS(PVCALLSIF, pvcallsif)
#undef ROWS
};

bool starter_is_hidden(unsigned operation)
{
    return operation == LIBXL__OP_DOMAIN_TEARDOWN || operation == LIBXL__OP_DISK_EJECT ||
           operation == LIBXL__OP_DEVICE_DETACH || operation == LIBXL__OP_DEVICE_MODEL ||
           operation == LIBXL__OP_DEVICE_EVENTS || operation == LIBXL__OP_DOMAIN_RECOVER ||
           operation == LIBXL__OP_DOMAIN_SUSPEND_GUEST || operation == LIBXL__OP_DOMAIN_RESTORE_INCOMING ||
           operation == LIBXL__OP_DEVICE_CHANNEL_ADD || operation == LIBXL__OP_DEVICE_PCIS_ADD ||
           operation == LIBXL__OP_PCI_DETACH;
}

int starter_run(struct starter *s, unsigned operation)
{
    s->made = LIBXL_DOMID_INVALID;
    const libxl__ao_class *cls = &libxl__operations[operation];
    if (starters[operation])
        return starters[operation](s);
    if (cls->args_size != sizeof(libxl_domid))
        fail_msg("%s: starter.c needs a row for it", cls->name);
    libxl__ao *ao;
    const int rc = libxl__ao_create(s->ctx, cls, s->guest, NULL, &ao);
    if (rc)
        return rc;
    *(libxl_domid *)libxl__ao_args(ao) = s->guest;
    return libxl__ao_start(ao);
}

bool starter_takes_pci(unsigned operation)
{
    return operation == LIBXL__OP_DEVICE_PCI_ADD || operation == LIBXL__OP_DEVICE_PCI_REMOVE ||
           operation == LIBXL__OP_DEVICE_PCI_DESTROY || operation == LIBXL__OP_HOST_PCI_ASSIGNABLE_ADD ||
           operation == LIBXL__OP_HOST_PCI_ASSIGNABLE_REMOVE;
}

/* Makes a guest that can have PCI devices. */
static libxl_domid able_guest(libxl_ctx *ctx)
{
    libxl_domid domid = LIBXL_DOMID_INVALID;
    libxl_domain_config config = guest_config("b");
    config.c_info.passthrough = LIBXL_PASSTHROUGH_ENABLED;
    assert_int_equal(libxl_domain_create_new(ctx, &config, &domid, NULL, NULL), 0);
    assert_int_equal(libxl_domain_unpause(ctx, domid, NULL), 0);
    libxl_domain_config_dispose(&config);
    return domid;
}

/* Makes sure that there is a guest that runs. */
static void prepare_guest(struct starter *s, libxl_ctx *ctx, unsigned operation)
{
    libxl_dominfo info;
    if (s->guest && !starter_takes_pci(operation) && !libxl_domain_info(ctx, &info, s->guest) &&
        !info.shutdown && !info.dying) {
        while (info.paused && !libxl_domain_unpause(ctx, s->guest, NULL) &&
               !libxl_domain_info(ctx, &info, s->guest))
            ;
        return;
    }
    if (s->guest)
        libxl_domain_destroy(ctx, s->guest, NULL);
    const bool obeys = operation == LIBXL__OP_DOMAIN_SHUTDOWN || operation == LIBXL__OP_DOMAIN_REBOOT;
    s->guest = saving_is(operation)           ? saving_guest(ctx, "l")
               : starter_takes_pci(operation) ? able_guest(ctx)
                                              : guest_new(ctx, obeys ? "l" : "b", true);
}

void starter_prepare(struct starter *s, libxl_ctx *ctx, unsigned operation)
{
    make_image();
    if (saving_is(operation)) {
        saving_prepare(ctx);
        saving_settle();
    }
    prepare_guest(s, ctx, operation);
    if (operation == LIBXL__OP_DOMAIN_RESUME)
        assert_int_equal(libxl_domain_suspend_only(ctx, s->guest, NULL), 0);
}
