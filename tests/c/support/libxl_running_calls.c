/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Like libxl_calls.c, this file is a program written for libxl. It calls the functions for domains that run.
 * tests/libxl compiles the program against Debian's headers and against aioxen's. tests/c/libxl_client runs
 * the program.
 */
#include <stdlib.h>

#include <libxl.h>
#include <libxl_utils.h>

#include "libxl_calls.h"

#if defined(LIBXL_API_VERSION) && LIBXL_API_VERSION < 0x040500
#define AFFINITY(function, ctx, domid, vcpu, hard) function(ctx, domid, vcpu, hard)
#else
#define AFFINITY(function, ctx, domid, vcpu, hard) function(ctx, domid, vcpu, hard, NULL)
#endif

#if defined(LIBXL_API_VERSION) && LIBXL_API_VERSION < 0x041300
#define WITHOUT_HOW(function, ...) function(__VA_ARGS__)
#else
#define WITHOUT_HOW(function, ...) function(__VA_ARGS__, NULL)
#endif

#if defined(LIBXL_API_VERSION) && LIBXL_API_VERSION < 0x040800
typedef uint32_t kib;
#else
typedef uint64_t kib;
#endif

enum { NOBODY = 0x7000 };

static const char *types(libxl_ctx *ctx)
{
    libxl_trigger trigger;
    CALLS_OF_STRUCT(vcpuinfo);
    CALLS_OF_STRUCT(sched_params);
    CALLS_OF_STRUCT(vcpu_sched_params);
    CALLS_OF_STRUCT(cputopology);
    CALLS_OF_STRUCT(numainfo);
    CHECK(!libxl_trigger_from_string("nmi", &trigger) && trigger == LIBXL_TRIGGER_NMI);
    CHECK(!strcmp(libxl_trigger_to_string(trigger), "nmi"));
    return NULL;
}

/* Uses the two types of schedulers for which libxl has no dispose function. Returns NULL, or the condition
 * that did not hold. */
static const char *types_of_schedulers(libxl_ctx *ctx)
{
    libxl_sched_credit_params credit, credit_copy;
    libxl_sched_credit2_params credit2, credit2_copy;
    libxl_sched_credit_params_init(&credit);
    libxl_sched_credit2_params_init(&credit2);
    libxl_sched_credit_params_copy(ctx, &credit_copy, &credit);
    libxl_sched_credit2_params_copy(ctx, &credit2_copy, &credit2);
    char *json = libxl_sched_credit_params_to_json(ctx, &credit_copy);
    CHECK(json && !libxl_sched_credit_params_from_json(ctx, &credit, json));
    free(json);
    json = libxl_sched_credit2_params_to_json(ctx, &credit2_copy);
    CHECK(json && !libxl_sched_credit2_params_from_json(ctx, &credit2, json));
    free(json);
    return NULL;
}

static const char *vcpus(libxl_ctx *ctx, uint32_t domid)
{
    int count, cpus;
    libxl_bitmap set;
    libxl_vcpuinfo *list = libxl_list_vcpu(ctx, domid, &count, &cpus);
    CHECK(list && count == 1 && cpus == libxl_get_max_cpus(ctx));
    CHECK(libxl_bitmap_test(&list[0].cpumap, 0));
    libxl_vcpuinfo_list_free(list, count);
    CHECK(!libxl_list_vcpu(ctx, NOBODY, &count, &cpus));
    libxl_bitmap_init(&set);
    CHECK(!libxl_cpu_bitmap_alloc(ctx, &set, 0));
    libxl_bitmap_set_any(&set);
    CHECK(!AFFINITY(libxl_set_vcpuaffinity, ctx, domid, 0, &set));
    CHECK(!AFFINITY(libxl_set_vcpuaffinity_all, ctx, domid, 1, &set));
    CHECK(AFFINITY(libxl_set_vcpuaffinity_all, ctx, domid, 2, &set));
    CHECK(!libxl_set_vcpuaffinity_force(ctx, domid, 0, &set, NULL));
    CHECK(libxl_set_vcpuaffinity_force(ctx, domid, 0, NULL, NULL) == ERROR_INVAL);
    libxl_bitmap_dispose(&set);
    CHECK(WITHOUT_HOW(libxl_send_trigger, ctx, NOBODY, LIBXL_TRIGGER_NMI, 0));
    char *output;
    CHECK(WITHOUT_HOW(libxl_qemu_monitor_command, ctx, NOBODY, "info block", &output));
    return NULL;
}

#if defined(LIBXL_API_VERSION) && LIBXL_API_VERSION < 0x040400
#define RESTORE(ctx, config, domid, fd, params)                                                              \
    libxl_domain_create_restore(ctx, config, domid, fd, NULL, NULL)
#elif defined(LIBXL_API_VERSION) && LIBXL_API_VERSION < 0x040700
#define RESTORE(ctx, config, domid, fd, params)                                                              \
    libxl_domain_create_restore(ctx, config, domid, fd, params, NULL, NULL)
#else
#define RESTORE(ctx, config, domid, fd, params)                                                              \
    libxl_domain_create_restore(ctx, config, domid, fd, -1, params, NULL, NULL)
#endif

/* Uses the functions for saved domains. None of the calls succeeds. */
static const char *saved(libxl_ctx *ctx)
{
    uint32_t made;
    libxl_domain_config config;
    libxl_domain_restore_params params, copy;
    libxl_domain_config_init(&config);
    libxl_domain_restore_params_init(&params);
    CHECK(params.stream_version == 1);
    params.stream_version = 2;
    libxl_domain_restore_params_copy(ctx, &copy, &params);
    char *json = libxl_domain_restore_params_to_json(ctx, &copy);
    CHECK(json && !libxl_domain_restore_params_from_json(ctx, &params, json));
    free(json);
    CHECK(RESTORE(ctx, &config, &made, -1, &params));
    libxl_domain_restore_params_dispose(&params);
    libxl_domain_restore_params_dispose(&copy);
    libxl_domain_config_dispose(&config);
    CHECK(libxl_domain_suspend(ctx, NOBODY, -1, LIBXL_SUSPEND_LIVE | LIBXL_SUSPEND_DEBUG, NULL));
    CHECK(libxl_domain_suspend_only(ctx, NOBODY, NULL));
    CHECK(libxl_domain_resume(ctx, NOBODY, 1, NULL));
    return NULL;
}

static const char *nodes(libxl_ctx *ctx, uint32_t domid)
{
    libxl_bitmap set;
    libxl_bitmap_init(&set);
    CHECK(!libxl_node_bitmap_alloc(ctx, &set, 0));
    CHECK(!libxl_domain_get_nodeaffinity(ctx, domid, &set) && libxl_bitmap_test(&set, 0));
    CHECK(!libxl_domain_set_nodeaffinity(ctx, domid, &set));
    libxl_bitmap_dispose(&set);
    return NULL;
}

static const char *schedulers(libxl_ctx *ctx, uint32_t domid)
{
    libxl_domain_sched_params params;
    libxl_sched_credit_params credit;
    libxl_sched_credit2_params credit2;
    libxl_vcpu_sched_params of_vcpus;
    libxl_domain_sched_params_init(&params);
    libxl_sched_credit_params_init(&credit);
    libxl_sched_credit2_params_init(&credit2);
    libxl_vcpu_sched_params_init(&of_vcpus);
    CHECK(libxl_get_scheduler(ctx) == LIBXL_SCHEDULER_CREDIT2);
    CHECK(!libxl_domain_sched_params_get(ctx, domid, &params) && params.sched == LIBXL_SCHEDULER_CREDIT2);
    params.weight = 300;
    CHECK(!libxl_domain_sched_params_set(ctx, domid, &params));
    params.weight = LIBXL_DOMAIN_SCHED_PARAM_WEIGHT_DEFAULT;
    CHECK(!libxl_domain_sched_params_set(ctx, domid, &params));
    CHECK(!libxl_domain_sched_params_get(ctx, domid, &params) && params.weight == 300);
    CHECK(!libxl_sched_credit2_params_get(ctx, 0, &credit2));
    CHECK(!libxl_sched_credit2_params_set(ctx, 0, &credit2));
    CHECK(libxl_sched_credit_params_get(ctx, 0, &credit));
    CHECK(libxl_sched_credit_params_set(ctx, 0, &credit));
    CHECK(libxl_vcpu_sched_params_get(ctx, domid, &of_vcpus) == ERROR_INVAL);
    CHECK(libxl_vcpu_sched_params_get_all(ctx, domid, &of_vcpus) == ERROR_INVAL);
    CHECK(libxl_vcpu_sched_params_set(ctx, domid, &of_vcpus) == ERROR_INVAL);
    CHECK(libxl_vcpu_sched_params_set_all(ctx, domid, &of_vcpus) == ERROR_INVAL);
    return NULL;
}

static const char *host(libxl_ctx *ctx)
{
    int count;
    kib free_kb;
    char keys[] = "h";
    libxl_cputopology *topology = libxl_get_cpu_topology(ctx, &count);
    CHECK(topology && count == libxl_get_max_cpus(ctx));
    libxl_cputopology_list_free(topology, count);
    libxl_numainfo *numa = libxl_get_numainfo(ctx, &count);
    CHECK(numa && count == libxl_get_max_nodes(ctx) && numa[0].size != LIBXL_NUMAINFO_INVALID_ENTRY);
    libxl_numainfo_list_free(numa, count);
    CHECK(libxl_get_online_cpus(ctx) > 0);
    CHECK(!libxl_get_free_memory(ctx, &free_kb) && free_kb);
    CHECK(!libxl_send_debug_keys(ctx, keys));
    return NULL;
}

static const char *settings(libxl_ctx *ctx, uint32_t domid)
{
    kib target;
    libxl_bitmap set;
    char *name = libxl_domid_to_name(ctx, domid);
    CHECK(name && !libxl_domain_rename(ctx, domid, name, "renamed"));
    CHECK(libxl_domain_rename(ctx, domid, name, "again") == ERROR_INVAL);
    CHECK(libxl_domain_rename(ctx, domid, NULL, "Domain-0") == ERROR_INVAL);
    CHECK(!libxl_domain_rename(ctx, domid, NULL, name));
    CHECK(libxl_domain_preserve(ctx, 0x7000, &(libxl_domain_create_info){.name = name}, "-kept",
                                (libxl_uuid){.uuid = {1}}));
    free(name);
    CHECK(!libxl_get_memory_target(ctx, domid, &target) && target);
    CHECK(!libxl_set_memory_target(ctx, domid, (int64_t)target, 0, 1));
    CHECK(!libxl_set_memory_target(ctx, domid, 0, 1, 0));
    CHECK(!libxl_wait_for_memory_target(ctx, domid, 1));
    CHECK(!libxl_wait_for_free_memory(ctx, domid, 1, 0));
    CHECK(libxl_wait_for_free_memory(ctx, domid, 0xfffffff0u, 0) == ERROR_NOMEM);
    CHECK(!libxl_domain_setmaxmem(ctx, domid, target));
    CHECK(libxl_domain_setmaxmem(ctx, domid, 1) == ERROR_INVAL);
    libxl_bitmap_init(&set);
    CHECK(!libxl_bitmap_alloc(ctx, &set, 1));
    libxl_bitmap_set(&set, 0);
    CHECK(!WITHOUT_HOW(libxl_set_vcpuonline, ctx, domid, &set));
    libxl_bitmap_dispose(&set);
    CHECK(!libxl_send_sysrq(ctx, domid, 'h'));
    libxl_domain_remus_info remus;
    libxl_domain_remus_info_init(&remus);
    CHECK(libxl_domain_remus_start(ctx, &remus, NOBODY, -1, -1, NULL));
    libxl_domain_remus_info_dispose(&remus);
    CHECK(libxl_domain_core_dump(ctx, NOBODY, "/tmp/core", NULL));
    return NULL;
}

/* Checks the memory of a PV domain with 363 MiB, at most 726 MiB, and four vcpus. The values are those of
 * libxl 4.17. Returns NULL, or the condition that did not hold. */
static const char *memory(libxl_ctx *ctx)
{
    libxl_domain_config config;
    kib need = 0;
    libxl_domain_config_init(&config);
    config.c_info.type = LIBXL_DOMAIN_TYPE_PV;
    libxl_domain_build_info_init_type(&config.b_info, LIBXL_DOMAIN_TYPE_PV);
    config.b_info.max_vcpus = 4;
    config.b_info.target_memkb = 363 << 10;
    config.b_info.max_memkb = 726 << 10;
#if defined(LIBXL_API_VERSION) && LIBXL_API_VERSION < 0x041300
    CHECK(!libxl_domain_need_memory(ctx, &config.b_info, &need));
#else
    CHECK(!libxl_domain_need_memory(ctx, &config, INVALID_DOMID, &need));
#endif
    CHECK(need == 380928);
    libxl_domain_config_dispose(&config);
    return NULL;
}

const char *libxl_running_calls(libxl_ctx *ctx, uint32_t domid)
{
    const char *(*const of_domain[])(libxl_ctx *, uint32_t) = {vcpus, nodes, schedulers, settings};
    const char *failed = types(ctx);
    if (!failed)
        failed = types_of_schedulers(ctx);
    if (!failed)
        failed = host(ctx);
    if (!failed)
        failed = memory(ctx);
    if (!failed)
        failed = saved(ctx);
    for (size_t i = 0; !failed && i < sizeof(of_domain) / sizeof(of_domain[0]); i++)
        failed = of_domain[i](ctx, domid);
    return failed;
}
