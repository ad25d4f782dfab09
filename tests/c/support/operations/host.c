/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The rows of the operations of idl/host_operations.idl: cpupools, and the resources that processors share.
 * Owns: nothing.
 */
#include "operations.h"

static uint8_t one = 1;
static const libxl_bitmap first = {.size = 1, .map = &one};
static const libxl_blob policy = {.size = 1, .data = &one};

/* ---- cpupools */

enum { STARTER_POOL = 6 };

STARTS(list_cpupools, cpupool_list, libxl_host_list_cpupools(s->ctx, &out, NULL))
FILLS(list_cpupools, host_list_cpupools, args->out.list = &s->results.pools)

static int create_pool(struct starter *s)
{
    uint32_t poolid = STARTER_POOL;
    return libxl_host_create_cpupool(s->ctx, "p", LIBXL_SCHEDULER_UNKNOWN, NULL, NULL, poolid, &poolid, NULL);
}

/*
 * Destroys the cpupool that an earlier call of this function may have left, creates an empty cpupool, and destroys it.
 * Returns at once if the creation fails, because another library call would replace the error message.
 */
static int start_create_cpupool(struct starter *s)
{
    libxl_host_destroy_cpupool(s->ctx, STARTER_POOL, NULL);
    const int rc = create_pool(s);
    if (!rc)
        libxl_host_destroy_cpupool(s->ctx, STARTER_POOL, NULL);
    return rc;
}
FILLS(create_cpupool, host_create_cpupool, args->in.name = strdup("p"), args->in.wanted = SCENARIO_POOL,
      args->out.poolid = &s->results.domid)

static int start_destroy_cpupool(struct starter *s)
{
    create_pool(s);
    return libxl_host_destroy_cpupool(s->ctx, STARTER_POOL, NULL);
}
FILLS(destroy_cpupool, host_destroy_cpupool, args->in.poolid = SCENARIO_POOL)

STARTS_PLAIN(rename_cpupool, (void)0, libxl_host_rename_cpupool(s->ctx, 0, "Pool-0", NULL))
FILLS(rename_cpupool, host_rename_cpupool, args->in.name = strdup("Pool-0"))

STARTS_PLAIN(add_cpus, libxl_bitmap none = {.size = 0}, libxl_host_add_cpupool_cpus(s->ctx, 0, &none, NULL))
STARTS_PLAIN(remove_cpus, libxl_bitmap none = {.size = 0},
             libxl_host_remove_cpupool_cpus(s->ctx, 0, &none, NULL))
STARTS(free_cpus, bitmap, libxl_host_free_cpus(s->ctx, &out, NULL))
STARTS_PLAIN(set_cpupool, (void)0, libxl_domain_set_cpupool(s->ctx, s->guest, 0, NULL))

/* ---- the host */

STARTS(pci_topology, pcitopology_list, libxl_host_pci_topology(s->ctx, &out, NULL))
STARTS(console_ring, blob, libxl_host_console_ring(s->ctx, true, &out, NULL))

/* These operations return NI on a simulated host, which does not have the features that they use. */
#define STARTS_NI(name, declarations, call) STARTS_WITHOUT(name, ERROR_NI, declarations, call)
STARTS_NI(flask_enforcing, bool out, libxl_host_flask_enforcing(s->ctx, &out, NULL))
STARTS_NI(flask_set, (void)0, libxl_host_flask_set_enforcing(s->ctx, true, NULL))
STARTS_NI(flask_load, (void)0, libxl_host_flask_load(s->ctx, &policy, NULL))
STARTS_NI(flask_label, char *out, libxl_host_flask_label(s->ctx, 1, &out, NULL))
STARTS_NI(flask_number, uint32_t out, libxl_host_flask_number(s->ctx, "x", &out, NULL))
STARTS_NI(set_parameters, (void)0, libxl_host_set_parameters(s->ctx, "a=1", NULL))
STARTS_NI(psr_cmt, libxl_psr_cmt_info out, libxl_host_psr_cmt(s->ctx, &out, NULL))
STARTS_NI(psr_cache_size, uint32_t out, libxl_host_psr_cache_size(s->ctx, 0, &out, NULL))
STARTS_NI(psr_hw_info, libxl_psr_hw_info_list out,
          libxl_host_psr_hw_info(s->ctx, LIBXL_PSR_FEAT_TYPE_CAT, 3, &out, NULL))
STARTS_NI(psr_attach, (void)0, libxl_domain_psr_attach(s->ctx, s->guest, NULL))
STARTS_NI(psr_detach, (void)0, libxl_domain_psr_detach(s->ctx, s->guest, NULL))
STARTS_NI(psr_attached, bool out, libxl_domain_psr_attached(s->ctx, s->guest, &out, NULL))
STARTS_NI(psr_sample, libxl_psr_sample out,
          libxl_domain_psr_sample(s->ctx, s->guest, LIBXL_PSR_CMT_TYPE_CACHE_OCCUPANCY, 0, &out, NULL))
STARTS_NI(psr_get, uint64_t out,
          libxl_domain_psr_get(s->ctx, s->guest, LIBXL_PSR_CBM_TYPE_L3_CBM, 0, &out, NULL))
STARTS_NI(psr_set, (void)0,
          libxl_domain_psr_set(s->ctx, s->guest, LIBXL_PSR_CBM_TYPE_L3_CBM, &first, 1, NULL))

static const struct operation_row rows[] = {
    {SWEPT(HOST_LIST_CPUPOOLS, list_cpupools, fill_list_cpupools, ANY_GUEST)},
    {SWEPT(HOST_CREATE_CPUPOOL, create_cpupool, fill_create_cpupool, WITHOUT_POOL)},
    {SWEPT(HOST_DESTROY_CPUPOOL, destroy_cpupool, fill_destroy_cpupool, WITH_POOL)},
    {SWEPT(HOST_RENAME_CPUPOOL, rename_cpupool, fill_rename_cpupool, ANY_GUEST)},
    {STARTED(HOST_ADD_CPUPOOL_CPUS, add_cpus)},
    {STARTED(HOST_REMOVE_CPUPOOL_CPUS, remove_cpus)},
    {STARTED(HOST_FREE_CPUS, free_cpus)},
    {STARTED(DOMAIN_SET_CPUPOOL, set_cpupool)},
    {STARTED(HOST_PCI_TOPOLOGY, pci_topology)},
    {STARTED(HOST_FLASK_ENFORCING, flask_enforcing)},
    {STARTED(HOST_FLASK_SET_ENFORCING, flask_set)},
    {STARTED(HOST_FLASK_LOAD, flask_load)},
    {STARTED(HOST_FLASK_LABEL, flask_label)},
    {STARTED(HOST_FLASK_NUMBER, flask_number)},
    {STARTED(HOST_CONSOLE_RING, console_ring)},
    {STARTED(HOST_SET_PARAMETERS, set_parameters)},
    {STARTED(HOST_PSR_CMT, psr_cmt)},
    {STARTED(HOST_PSR_CACHE_SIZE, psr_cache_size)},
    {STARTED(HOST_PSR_HW_INFO, psr_hw_info)},
    {STARTED(DOMAIN_PSR_ATTACH, psr_attach)},
    {STARTED(DOMAIN_PSR_DETACH, psr_detach)},
    {STARTED(DOMAIN_PSR_ATTACHED, psr_attached)},
    {STARTED(DOMAIN_PSR_SAMPLE, psr_sample)},
    {STARTED(DOMAIN_PSR_GET, psr_get)},
    {STARTED(DOMAIN_PSR_SET, psr_set)},
};
OPERATION_FAMILY(host_operations);
