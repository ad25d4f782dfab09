/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libxl's synchronous functions for running domains. Included by libxl.h.
 *
 * Each function runs an operation of this library and waits for it. The function's comment begins with the
 * operation's name. The operation can also be called asynchronously. Any thread may call the functions. They
 * return 0 or the operation's error, for which libxl_error_message has the reason. While a function waits,
 * callbacks and event hooks may run on the calling thread, as in any synchronous call.
 */
#ifndef LIBXL_RUNNING_H
#define LIBXL_RUNNING_H

/* ------------------------------------------------------------------ virtual processors */

/*
 * Runs domain_list_vcpus. Returns an array of the domain's virtual processors, and stores their number in
 * *nb_vcpu. Stores the number of the host's processors in *nr_cpus_out. The caller frees the array with
 * libxl_vcpuinfo_list_free. Returns NULL after an error.
 */
libxl_vcpuinfo *libxl_list_vcpu(libxl_ctx *ctx, uint32_t domid, int *nb_vcpu, int *nr_cpus_out);
void libxl_vcpuinfo_list_free(libxl_vcpuinfo *list, int nr_vcpus);

/*
 * Runs domain_set_vcpu_affinity. cpumap_hard NULL: the hard affinity does not change. cpumap_soft NULL: the
 * soft affinity does not change.
 */
int libxl_set_vcpuaffinity(libxl_ctx *ctx, uint32_t domid, uint32_t vcpuid, const libxl_bitmap *cpumap_hard,
                           const libxl_bitmap *cpumap_soft);
/* Like libxl_set_vcpuaffinity, but overrides a temporary affinity. */
int libxl_set_vcpuaffinity_force(libxl_ctx *ctx, uint32_t domid, uint32_t vcpuid,
                                 const libxl_bitmap *cpumap_hard, const libxl_bitmap *cpumap_soft);
/*
 * Like libxl_set_vcpuaffinity, for the first max_vcpus virtual processors. If the affinity of one virtual
 * processor cannot be set, the affinities of the other virtual processors are still set.
 */
int libxl_set_vcpuaffinity_all(libxl_ctx *ctx, uint32_t domid, unsigned int max_vcpus,
                               const libxl_bitmap *cpumap_hard, const libxl_bitmap *cpumap_soft);

/*
 * Run domain_set_node_affinity and domain_get_node_affinity. The caller initialises *nodemap and disposes of
 * it.
 */
int libxl_domain_set_nodeaffinity(libxl_ctx *ctx, uint32_t domid, libxl_bitmap *nodemap);
int libxl_domain_get_nodeaffinity(libxl_ctx *ctx, uint32_t domid, libxl_bitmap *nodemap);

/* ------------------------------------------------------------------ schedulers */

/* The values for parameters that are not to be changed. */
#define LIBXL_DOMAIN_SCHED_PARAM_WEIGHT_DEFAULT    -1
#define LIBXL_DOMAIN_SCHED_PARAM_CAP_DEFAULT       -1
#define LIBXL_DOMAIN_SCHED_PARAM_PERIOD_DEFAULT    -1
#define LIBXL_DOMAIN_SCHED_PARAM_SLICE_DEFAULT     -1
#define LIBXL_DOMAIN_SCHED_PARAM_LATENCY_DEFAULT   -1
#define LIBXL_DOMAIN_SCHED_PARAM_EXTRATIME_DEFAULT -1
#define LIBXL_DOMAIN_SCHED_PARAM_BUDGET_DEFAULT    -1
#define LIBXL_SCHED_PARAM_VCPU_INDEX_DEFAULT       -1

/* Runs host_scheduler. Returns a libxl_scheduler, or a negative error. */
int libxl_get_scheduler(libxl_ctx *ctx);

/*
 * Run sched_get_credit_params, sched_set_credit_params, sched_get_credit2_params, sched_set_credit2_params.
 */
int libxl_sched_credit_params_get(libxl_ctx *ctx, uint32_t poolid, libxl_sched_credit_params *scinfo);
int libxl_sched_credit_params_set(libxl_ctx *ctx, uint32_t poolid, libxl_sched_credit_params *scinfo);
int libxl_sched_credit2_params_get(libxl_ctx *ctx, uint32_t poolid, libxl_sched_credit2_params *scinfo);
int libxl_sched_credit2_params_set(libxl_ctx *ctx, uint32_t poolid, libxl_sched_credit2_params *scinfo);

/* Run domain_get_sched_params and domain_set_sched_params. */
int libxl_domain_sched_params_get(libxl_ctx *ctx, uint32_t domid, libxl_domain_sched_params *params);
int libxl_domain_sched_params_set(libxl_ctx *ctx, uint32_t domid, const libxl_domain_sched_params *params);

/*
 * Run domain_get_vcpu_sched_params. libxl_vcpu_sched_params_get fills in the elements of params->vcpus. The
 * vcpuid of an element names the virtual processor. If params->vcpus has no elements, it becomes an array of
 * all virtual processors. libxl_vcpu_sched_params_get_all always returns all virtual processors.
 */
int libxl_vcpu_sched_params_get(libxl_ctx *ctx, uint32_t domid, libxl_vcpu_sched_params *params);
int libxl_vcpu_sched_params_get_all(libxl_ctx *ctx, uint32_t domid, libxl_vcpu_sched_params *params);
/*
 * Run domain_set_vcpu_sched_params. libxl_vcpu_sched_params_set_all needs exactly one element in
 * params->vcpus, and applies it to all virtual processors.
 */
int libxl_vcpu_sched_params_set(libxl_ctx *ctx, uint32_t domid, const libxl_vcpu_sched_params *params);
int libxl_vcpu_sched_params_set_all(libxl_ctx *ctx, uint32_t domid, const libxl_vcpu_sched_params *params);

/* ------------------------------------------------------------------ names, memory, requests */

/*
 * Runs domain_set_name. old_name NULL: the old name is not checked. Returns INVAL, as libxl does, if another
 * domain has the new name.
 */
int libxl_domain_rename(libxl_ctx *ctx, uint32_t domid, const char *old_name, const char *new_name);

/*
 * Gives a domain, usually one that has stopped, the name info->name followed by `name_suffix`, and the UUID
 * new_uuid. Then a new domain can have the former name and UUID. The domain must have the name info->name. An
 * operation that has begun before with the former UUID ends as if the domain was destroyed. Unlike libxl, this
 * also changes the UUID that the hypervisor has. After an error the domain is unchanged. Runs domain_set_name
 * and store_commit. Blocks. Errors: INVAL (a value is missing, the domain has another name, or another domain
 * has the new name), CONFLICT (there are nodes of the new UUID), those of the two operations.
 */
int libxl_domain_preserve(libxl_ctx *ctx, uint32_t domid, libxl_domain_create_info *info,
                          const char *name_suffix, libxl_uuid new_uuid);

/* Runs domain_set_memory, but does not wait for the guest: returns as soon as the target is set. */
int libxl_set_memory_target(libxl_ctx *ctx, uint32_t domid, int64_t target_memkb, int relative, int enforce);
/* Run domain_get_memory_target and domain_set_max_memory. Sizes are in KiB. */
int libxl_get_memory_target(libxl_ctx *ctx, uint32_t domid, uint64_t *out_target);
int libxl_domain_setmaxmem(libxl_ctx *ctx, uint32_t domid, uint64_t target_memkb);

/*
 * Runs domain_wait_memory. Returns FAIL, as libxl does, if the domain's memory differs from the target and has
 * not changed for `wait_secs`.
 */
int libxl_wait_for_memory_target(libxl_ctx *ctx, uint32_t domid, int wait_secs);
/*
 * Runs host_wait_free_memory. Returns NOMEM, as libxl does, if the host has less free memory after `wait_secs`.
 * `domid` is not used.
 */
int libxl_wait_for_free_memory(libxl_ctx *ctx, uint32_t domid, uint64_t memory_kb, int wait_secs);

/* Runs domain_send_sysrq, but does not wait for the guest: returns as soon as the request is in xenstore. */
int libxl_send_sysrq(libxl_ctx *ctx, uint32_t domid, char sysrq);

/* ------------------------------------------------------------------ the host */

/* Runs host_send_debug_keys. */
int libxl_send_debug_keys(libxl_ctx *ctx, char *keys);

/* Runs host_free_memory. Stores the free memory in KiB. */
int libxl_get_free_memory(libxl_ctx *ctx, uint64_t *memkb);

/* Runs host_memory_needed. Unlike libxl, does not change the configuration. domid_for_logging is not used. */
int libxl_domain_need_memory(libxl_ctx *ctx, libxl_domain_config *config, uint32_t domid_for_logging,
                             uint64_t *need_memkb);

/*
 * Run host_cpu_topology and host_numa. Each returns an array and stores the number of its elements. The
 * caller frees the array with the next function below. Returns NULL after an error.
 */
libxl_cputopology *libxl_get_cpu_topology(libxl_ctx *ctx, int *nb_cpu_out);
void libxl_cputopology_list_free(libxl_cputopology *list, int nb_cpu);
libxl_numainfo *libxl_get_numainfo(libxl_ctx *ctx, int *nr);
void libxl_numainfo_list_free(libxl_numainfo *list, int nr);

/*
 * Run host_info. Return the greatest possible number of the host's processors, the number of online
 * processors, and the greatest possible number of NUMA nodes. After an error the result is negative.
 */
int libxl_get_max_cpus(libxl_ctx *ctx);
int libxl_get_online_cpus(libxl_ctx *ctx);
int libxl_get_max_nodes(libxl_ctx *ctx);

/*
 * Make an empty bitmap for max_cpus processors or for max_nodes nodes; 0: for the greatest number that the
 * host can have. Return 0, INVAL or NOMEM.
 */
int libxl_cpu_bitmap_alloc(libxl_ctx *ctx, libxl_bitmap *cpumap, int max_cpus);
int libxl_node_bitmap_alloc(libxl_ctx *ctx, libxl_bitmap *nodemap, int max_nodes);

/* ------------------------------------------------------------------ the prototypes of earlier versions of libxl */

#if defined(LIBXL_API_VERSION) && LIBXL_API_VERSION < 0x040500
#define libxl_set_vcpuaffinity(ctx, domid, vcpuid, map)                                                      \
    libxl_set_vcpuaffinity((ctx), (domid), (vcpuid), (map), NULL)
#define libxl_set_vcpuaffinity_all(ctx, domid, max_vcpus, map)                                               \
    libxl_set_vcpuaffinity_all((ctx), (domid), (max_vcpus), (map), NULL)
#endif

#if defined(LIBXL_API_VERSION) && LIBXL_API_VERSION < 0x041300
/* In libxl 4.12 and older the configuration was a libxl_domain_build_info. */
static inline int libxl__domain_need_memory_0x041200(libxl_ctx *ctx, const libxl_domain_build_info *b_info,
                                                     uint64_t *need_memkb)
{
    libxl_domain_config config;
    libxl_domain_config_init(&config); /* config is not disposed of, because it owns no memory */
    config.c_info.type = b_info->type;
    config.b_info.max_vcpus = b_info->max_vcpus;
    config.b_info.target_memkb = b_info->target_memkb;
    config.b_info.max_memkb = b_info->max_memkb;
    config.b_info.shadow_memkb = b_info->shadow_memkb;
    return libxl_domain_need_memory(ctx, &config, LIBXL_DOMID_INVALID, need_memkb);
}
#endif

#if defined(LIBXL_API_VERSION) && LIBXL_API_VERSION < 0x040800
static inline int libxl__domain_need_memory_0x040700(libxl_ctx *ctx, const libxl_domain_build_info *b_info,
                                                     uint32_t *need_memkb)
{
    uint64_t kb;
    int rc = libxl__domain_need_memory_0x041200(ctx, b_info, &kb);
    if (!rc)
        *need_memkb = (uint32_t)kb;
    return rc;
}
#define libxl_domain_need_memory libxl__domain_need_memory_0x040700
#elif defined(LIBXL_API_VERSION) && LIBXL_API_VERSION < 0x041300
#define libxl_domain_need_memory libxl__domain_need_memory_0x041200
#endif

#if defined(LIBXL_API_VERSION) && LIBXL_API_VERSION < 0x040800
/* In libxl 4.7 and older sizes of memory in KiB had 32 bits. */
static inline int libxl__get_free_memory_0x040700(libxl_ctx *ctx, uint32_t *memkb)
{
    uint64_t kb;
    int rc = libxl_get_free_memory(ctx, &kb);
    if (!rc)
        *memkb = (uint32_t)kb;
    return rc;
}
static inline int libxl__get_memory_target_0x040700(libxl_ctx *ctx, uint32_t domid, uint32_t *out_target)
{
    uint64_t kb;
    int rc = libxl_get_memory_target(ctx, domid, &kb);
    if (!rc)
        *out_target = (uint32_t)kb;
    return rc;
}
#define libxl_get_free_memory   libxl__get_free_memory_0x040700
#define libxl_get_memory_target libxl__get_memory_target_0x040700
#endif

/* ------------------------------------------------------------------ saved domains */

/*
 * domain_restore under libxl's name: restores a domain from a stream of libxl_domain_suspend. `d_config` is the
 * domain's configuration, because such a stream has none. `send_back_fd` is ignored: libxl uses it only for a
 * stream with checkpoints. `params` NULL: a stream of version 2. *domid is the new domain; after an error it
 * is LIBXL_DOMID_INVALID. The errors are those of libxl_domain_restore, and NI (a stream with checkpoints, or of
 * version 1).
 */
int libxl_domain_create_restore(libxl_ctx *ctx, libxl_domain_config *d_config, uint32_t *domid,
                                int restore_fd, int send_back_fd, const libxl_domain_restore_params *params,
                                const libxl_asyncop_how *ao_how,
                                const libxl_asyncprogress_how *aop_console_how);

/* Returns NI: this library does not replicate domains. Starts nothing, so no completion follows. */
int libxl_domain_remus_start(libxl_ctx *ctx, libxl_domain_remus_info *info, uint32_t domid, int send_fd,
                             int recv_fd, const libxl_asyncop_how *ao_how);

#endif /* LIBXL_RUNNING_H */
