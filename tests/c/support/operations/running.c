/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The rows of the operations on running domains, and on the host's processors and memory
 * (idl/running_operations.idl). Owns: nothing. */
#include "operations.h"

#include "fixture.h"

#include <libxl_utils.h>

#include <stdio.h>

static uint8_t one = 1;
static const libxl_bitmap first = {.size = 1, .map = &one};
static const libxl_domain_sched_params share = {.weight = 300, .cap = -1};
static libxl_sched_params of_vcpu = {.period = -1, .budget = -1};
static const libxl_vcpu_sched_params of_vcpus = {.num_vcpus = 1, .vcpus = &of_vcpu};
static const libxl_sched_credit_params credit = {.tslice_ms = 30, .ratelimit_us = 1000};
static const libxl_sched_credit2_params credit2 = {.ratelimit_us = 1000};

/* ---- virtual processors and scheduling */

STARTS(list_vcpus, vcpu_list, libxl_domain_list_vcpus(s->ctx, s->guest, &out, NULL))
STARTS_PLAIN(set_affinity, (void)0,
             libxl_domain_set_vcpu_affinity(s->ctx, s->guest, &first, NULL, 0, false, NULL))
STARTS_PLAIN(set_nodes, (void)0, libxl_domain_set_node_affinity(s->ctx, s->guest, &first, NULL))
STARTS(get_nodes, bitmap, libxl_domain_get_node_affinity(s->ctx, s->guest, &out, NULL))
STARTS_PLAIN(get_sched, libxl_domain_sched_params out,
             libxl_domain_get_sched_params(s->ctx, s->guest, &out, NULL))
STARTS_PLAIN(set_sched, (void)0, libxl_domain_set_sched_params(s->ctx, s->guest, &share, NULL))
STARTS(get_vcpu_sched, vcpu_sched_params, libxl_domain_get_vcpu_sched_params(s->ctx, s->guest, &out, NULL))
STARTS_PLAIN(set_vcpu_sched, (void)0, libxl_domain_set_vcpu_sched_params(s->ctx, s->guest, &of_vcpus, NULL))
STARTS_PLAIN(scheduler, libxl_scheduler out, libxl_host_scheduler(s->ctx, &out, NULL))
STARTS_PLAIN(get_credit, libxl_sched_credit_params out, libxl_sched_get_credit_params(s->ctx, 0, &out, NULL))
STARTS_PLAIN(set_credit, (void)0, libxl_sched_set_credit_params(s->ctx, 0, &credit, NULL))
STARTS_PLAIN(get_credit2, libxl_sched_credit2_params out,
             libxl_sched_get_credit2_params(s->ctx, 0, &out, NULL))
STARTS_PLAIN(set_credit2, (void)0, libxl_sched_set_credit2_params(s->ctx, 0, &credit2, NULL))

STARTS_PLAIN(set_online, (void)0, libxl_set_vcpuonline(s->ctx, s->guest, &first, NULL))
FILLS_GUEST(set_online, set_vcpuonline, libxl_bitmap_alloc(NULL, &args->in.cpumap, 1),
            libxl_bitmap_set(&args->in.cpumap, 0))

/* ---- the host */

STARTS_PLAIN(debug_keys, (void)0, libxl_host_send_debug_keys(s->ctx, "h", NULL))
STARTS_PLAIN(free_memory, uint64_t out, libxl_host_free_memory(s->ctx, &out, NULL))
STARTS_PLAIN(memory_needed, uint64_t out, libxl_host_memory_needed(s->ctx, &s->config, &out, NULL))
STARTS(topology, cputopology_list, libxl_host_cpu_topology(s->ctx, &out, NULL))
STARTS(numa, numainfo_list, libxl_host_numa(s->ctx, &out, NULL))

/* ---- memory */

STARTS_PLAIN(get_target, uint64_t out, libxl_domain_get_memory_target(s->ctx, s->guest, &out, NULL))
FILLS_GUEST(get_target, domain_get_memory_target, args->out.memkb = &s->results.kb)

STARTS_PLAIN(set_memory, uint64_t out,
             libxl_domain_set_memory(s->ctx, s->guest, 4 << 10, false, true, true, &out, NULL))
/* The guest is PVH: the operation then also sets the guest's pool of memory that is populated on demand
 * (xc_domain_set_pod_target), which PV guests do not have. The guest has no balloon driver, so it does not reach
 * the target, and the operation waits until a fault ends it. */
FILLS_GUEST(set_memory, domain_set_memory, args->in.target_memkb = -(4 << 10),
            args->in.relative = args->in.wait = args->in.enforce = true, args->out.memkb = &s->results.kb)

STARTS_PLAIN(wait_memory, uint64_t out, libxl_domain_wait_memory(s->ctx, s->guest, 100, &out, NULL))
/* Gives the guest a target that it does not reach, because it has no balloon driver. */
static void fill_wait_memory(struct subject *s, void *p)
{
    libxl__domain_wait_memory_args *args = p;
    char path[64];
    snprintf(path, sizeof(path), "/local/domain/%u/memory/target", s->guest);
    fixture_write(path, "1024");
    args->in.domid = s->guest;
    args->in.idle_ms = 60000;
    args->out.memkb = &s->results.kb;
}

STARTS_PLAIN(wait_free_memory, uint64_t out, libxl_host_wait_free_memory(s->ctx, 1, 0, &out, NULL))
/* Waits for more memory than any host has. */
FILLS(wait_free_memory, host_wait_free_memory, args->in.memkb = 1ull << 60, args->in.limit_ms = 60000,
      args->out.free_memkb = &s->results.kb)

STARTS_PLAIN(set_max, (void)0, libxl_domain_set_max_memory(s->ctx, s->guest, 5 << 10, NULL))
FILLS_GUEST(set_max, domain_set_max_memory, args->in.max_memkb = 8 << 10)

/* ---- others */

STARTS_PLAIN(trigger, (void)0, libxl_send_trigger(s->ctx, s->guest, LIBXL_TRIGGER_NMI, 0, NULL))

STARTS_PLAIN(set_name, (void)0, libxl_domain_set_name(s->ctx, s->guest, "renamed", NULL, NULL))
FILLS_GUEST(set_name, domain_set_name, args->in.name = strdup("renamed"))

STARTS_PLAIN(sysrq, (void)0, libxl_domain_send_sysrq(s->ctx, s->guest, "h", false, NULL))
FILLS_GUEST(sysrq, domain_send_sysrq, args->in.sysrq = strdup("h"), args->in.wait = true)

STARTS(statistics, domain_counters_list, libxl_domain_statistics(s->ctx, true, true, &out, NULL))
FILLS(statistics, domain_statistics, args->in.vcpus = args->in.devices = true,
      args->out.list = &s->results.counters)

STARTS_PLAIN(core_dump, (void)0, libxl_domain_core_dump(s->ctx, s->guest, "/tmp/core-of-starter", NULL))
FILLS_GUEST(core_dump, domain_core_dump, args->in.filename = strdup("/tmp/core-of-sweep"))

/* These return DEVICE_MODEL, because the guest has no QEMU. */
STARTS_STRING(qmp, ERROR_DEVICE_MODEL, libxl_domain_qmp(s->ctx, s->guest, "query-status", NULL, &out, NULL))
FILLS_GUEST(qmp, domain_qmp, args->in.command = strdup("query-status"), args->out.answer = &s->results.name)
STARTS_STRING(monitor, ERROR_DEVICE_MODEL,
              libxl_qemu_monitor_command(s->ctx, s->guest, "info block", &out, NULL))
FILLS_GUEST(monitor, qemu_monitor_command, args->in.command_line = strdup("info block"),
            args->out.output = &s->results.name)

static const struct operation_row rows[] = {
    {STARTED(DOMAIN_LIST_VCPUS, list_vcpus)},
    {STARTED(DOMAIN_SET_VCPU_AFFINITY, set_affinity)},
    {STARTED(DOMAIN_SET_NODE_AFFINITY, set_nodes)},
    {STARTED(DOMAIN_GET_NODE_AFFINITY, get_nodes)},
    {STARTED(DOMAIN_GET_SCHED_PARAMS, get_sched)},
    {STARTED(DOMAIN_SET_SCHED_PARAMS, set_sched)},
    {STARTED(DOMAIN_GET_VCPU_SCHED_PARAMS, get_vcpu_sched)},
    {STARTED(DOMAIN_SET_VCPU_SCHED_PARAMS, set_vcpu_sched)},
    {STARTED(HOST_SCHEDULER, scheduler)},
    {STARTED(SCHED_GET_CREDIT_PARAMS, get_credit)},
    {STARTED(SCHED_SET_CREDIT_PARAMS, set_credit)},
    {STARTED(SCHED_GET_CREDIT2_PARAMS, get_credit2)},
    {STARTED(SCHED_SET_CREDIT2_PARAMS, set_credit2)},
    {STARTED(SEND_TRIGGER, trigger)},
    {STARTED(HOST_SEND_DEBUG_KEYS, debug_keys)},
    {STARTED(HOST_FREE_MEMORY, free_memory)},
    {STARTED(HOST_MEMORY_NEEDED, memory_needed)},
    {STARTED(HOST_CPU_TOPOLOGY, topology)},
    {STARTED(HOST_NUMA, numa)},
    {SWEPT(DOMAIN_SET_NAME, set_name, fill_set_name, ANY_GUEST)},
    {SWEPT(DOMAIN_GET_MEMORY_TARGET, get_target, fill_get_target, ANY_GUEST)},
    {SWEPT(DOMAIN_SET_MEMORY, set_memory, fill_set_memory, PVH)},
    {SWEPT(DOMAIN_WAIT_MEMORY, wait_memory, fill_wait_memory, ANY_GUEST)},
    {SWEPT(HOST_WAIT_FREE_MEMORY, wait_free_memory, fill_wait_free_memory, ANY_GUEST)},
    {SWEPT(DOMAIN_SET_MAX_MEMORY, set_max, fill_set_max, ANY_GUEST)},
    {SWEPT(SET_VCPUONLINE, set_online, fill_set_online, ANY_GUEST)},
    {SWEPT(DOMAIN_SEND_SYSRQ, sysrq, fill_sysrq, ANY_GUEST)},
    {SWEPT(DOMAIN_STATISTICS, statistics, fill_statistics, ANY_GUEST)},
    {SWEPT(DOMAIN_CORE_DUMP, core_dump, fill_core_dump, ANY_GUEST)},
    {SWEPT(DOMAIN_QMP, qmp, fill_qmp, WITH_QEMU)},
    {SWEPT(QEMU_MONITOR_COMMAND, monitor, fill_monitor, WITH_QEMU)},
};
OPERATION_FAMILY(running_operations);
