/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Settings of a configuration that the hypervisor stores for a domain. They are processors, nodes, shares
 * of processor time, the clock, the CPUID and limits. */
#include "harness.h"

#include <stdlib.h>

#include <libxl_utils.h>
#include <xenctrl.h>
#include <xenguest.h>

/* ---- what is accepted */

typedef void change(libxl_domain_config *config);

static libxl_domid placed(scene *s, change *change)
{
    libxl_domain_config config = guest_config("b");
    libxl_domid domid = 0;
    config.b_info.max_vcpus = 2;
    change(&config);
    const int rc = RUN(s, libxl_domain_create_new(s->ctx, &config, &domid, how, NULL));
    if (rc)
        fail_msg("%d: %s", rc, last_message(s));
    libxl_domain_config_dispose(&config);
    return domid;
}

static bool is_set_of(const libxl_bitmap *set, int bit)
{
    return libxl_bitmap_count_set(set) == 1 && libxl_bitmap_test(set, bit);
}

static void with_affinities(libxl_domain_config *config)
{
    libxl_domain_build_info *info = &config->b_info;
    info->num_vcpu_hard_affinity = 2;
    info->vcpu_hard_affinity = calloc(2, sizeof(*info->vcpu_hard_affinity));
    /* The set is empty, so the configuration does not place vcpu 0. */
    libxl_bitmap_init(&info->vcpu_hard_affinity[0]);
    info->vcpu_hard_affinity[1] = guest_set_of(0);
    info->num_vcpu_soft_affinity = 1;
    info->vcpu_soft_affinity = calloc(1, sizeof(*info->vcpu_soft_affinity));
    info->vcpu_soft_affinity[0] = guest_set_of(0);
}

static void each_vcpu_has_its_affinity(scene *s)
{
    libxl_vcpu_list list;
    const libxl_domid domid = placed(s, with_affinities);
    assert_int_equal(RUN(s, libxl_domain_list_vcpus(s->ctx, domid, &list, how)), 0);
    assert_true(guest_has_all_cpus(s->ctx, &list.vcpus[0].cpumap));
    assert_true(is_set_of(&list.vcpus[0].cpumap_soft, 0));
    assert_true(is_set_of(&list.vcpus[1].cpumap, 0));
    assert_true(guest_has_all_cpus(s->ctx, &list.vcpus[1].cpumap_soft));
    libxl_vcpu_list_dispose(&list);
    destroy(s, domid);
}

static void with_cpumap(libxl_domain_config *config)
{
    config->b_info.cpumap = guest_set_of(0);
    config->b_info.nodemap = guest_set_of(0);
    config->b_info.avail_vcpus = guest_set_of(0);
}

static void all_vcpus_have_the_domain_s_affinity(scene *s)
{
    libxl_vcpu_list list;
    libxl_bitmap nodes;
    const libxl_domid domid = placed(s, with_cpumap);
    assert_int_equal(RUN(s, libxl_domain_list_vcpus(s->ctx, domid, &list, how)), 0);
    for (int i = 0; i < 2; i++)
        assert_true(is_set_of(&list.vcpus[i].cpumap, 0));
    libxl_vcpu_list_dispose(&list);
    assert_int_equal(RUN(s, libxl_domain_get_node_affinity(s->ctx, domid, &nodes, how)), 0);
    assert_true(is_set_of(&nodes, 0));
    libxl_bitmap_dispose(&nodes);
    wait_node(s, domid, "cpu/0/availability", "online");
    wait_node(s, domid, "cpu/1/availability", "offline");
    destroy(s, domid);
}

static void with_shares(libxl_domain_config *config)
{
    config->b_info.sched_params.weight = 1000;
    config->b_info.sched_params.cap = 75;
}

static void the_scheduler_has_the_parameters(scene *s)
{
    libxl_domain_sched_params params;
    const libxl_domid domid = placed(s, with_shares);
    assert_int_equal(RUN(s, libxl_domain_get_sched_params(s->ctx, domid, &params, how)), 0);
    assert_int_equal(params.weight, 1000);
    assert_int_equal(params.cap, 75);
    destroy(s, domid);
}

/* Sets a bit of the CPUID in the configuration. Bit 0 of ecx in leaf 1 is SSE3. */
static void with_cpuid(libxl_domain_config *config)
{
    static const char text[] =
        "{\"cpuid\": [{\"leaf\": 1, \"ecx\": \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx0\"}], \"msr\": []}";
    libxl_domain_build_info info;
    libxl_domain_build_info_init(&info);
    char *json = NULL;
    assert_true(asprintf(&json, "{\"cpuid\": %s}", text) > 0);
    assert_int_equal(libxl_domain_build_info_from_json(NULL, &info, json), 0);
    config->b_info.cpuid = info.cpuid;
    info.cpuid = NULL;
    libxl_domain_build_info_dispose(&info);
    free(json);
    config->b_info.tsc_mode = LIBXL_TSC_MODE_ALWAYS_EMULATE;
    config->b_info.rtc_timeoffset = 3600;
    libxl_defbool_set(&config->b_info.disable_migrate, true);
}

static uint32_t ecx_of_leaf_1(xc_interface *xch, uint32_t domid)
{
    uint32_t leaves = 0, msrs = 0;
    assert_int_equal(xc_cpu_policy_get_size(xch, &leaves, &msrs), 0);
    xen_cpuid_leaf_t *leaf = calloc(leaves, sizeof(*leaf));
    xen_msr_entry_t *msr = calloc(msrs, sizeof(*msr));
    xc_cpu_policy_t *policy = xc_cpu_policy_init();
    assert_true(leaf && msr && policy);
    assert_int_equal(xc_cpu_policy_get_domain(xch, domid, policy), 0);
    assert_int_equal(xc_cpu_policy_serialise(xch, policy, leaf, &leaves, msr, &msrs), 0);
    uint32_t ecx = 0;
    for (uint32_t i = 0; i < leaves; i++)
        if (leaf[i].leaf == 1)
            ecx = leaf[i].c;
    xc_cpu_policy_destroy(policy);
    free(leaf);
    free(msr);
    return ecx;
}

static void without_change(libxl_domain_config *config)
{
    (void)config;
}

static void the_guest_sees_the_processor_and_the_clock_that_it_is_given(scene *s)
{
    uint32_t mode = 0, khz, incarnation;
    uint64_t elapsed;
    xc_interface *xch = xc_interface_open(NULL, NULL, 0);
    const libxl_domid domid = placed(s, with_cpuid), plain = placed(s, without_change);
    assert_int_equal(ecx_of_leaf_1(xch, domid) & 1, 0);
    assert_int_equal(ecx_of_leaf_1(xch, plain) & 1, 1);
    assert_int_equal(xc_domain_get_tsc_info(xch, domid, &mode, &elapsed, &khz, &incarnation), 0);
    assert_int_equal(mode, 1);
    xc_interface_close(xch);
    destroy(s, domid);
    destroy(s, plain);
}

static void with_limits(libxl_domain_config *config)
{
    config->b_info.event_channels = 10;
    config->b_info.max_grant_frames = 10;
    config->b_info.max_maptrack_frames = 100;
    config->b_info.max_grant_version = 1;
}

static void smaller_limits_are_accepted(scene *s)
{
    const libxl_domid domid = placed(s, with_limits);
    destroy(s, domid);
}

/* ---- what is refused */

static void refused(scene *s, int rc, const char *message, change *change)
{
    libxl_domain_config config = guest_config("b");
    libxl_domid domid;
    change(&config);
    assert_int_equal(RUN(s, libxl_domain_create_new(s->ctx, &config, &domid, how, NULL)), rc);
    if (!strstr(last_message(s), message))
        fail_msg("'%s' does not contain '%s'", last_message(s), message);
    libxl_domain_config_dispose(&config);
}

static void one_event_channel(libxl_domain_config *config)
{
    config->b_info.event_channels = 1; /* xenstored and xenconsoled need two event channels. */
}

static void many_grant_frames(libxl_domain_config *config)
{
    config->b_info.max_grant_frames = 1 << 20;
}

static void no_processor(libxl_domain_config *config)
{
    config->b_info.cpumap = guest_set_of(0);
    libxl_bitmap_reset(&config->b_info.cpumap, 0);
}

static void affinity_of_no_vcpu(libxl_domain_config *config)
{
    with_affinities(config);
}

static void heavy(libxl_domain_config *config)
{
    config->b_info.sched_params.weight = 70000;
}

static void another_scheduler(libxl_domain_config *config)
{
    config->b_info.sched_params.sched = LIBXL_SCHEDULER_RTDS;
}

static void no_first_vcpu(libxl_domain_config *config)
{
    config->b_info.avail_vcpus = guest_set_of(1);
}

static void grants_of_version_3(libxl_domain_config *config)
{
    config->b_info.max_grant_version = 3;
}

static void no_such_pool(libxl_domain_config *config)
{
    config->c_info.poolid = 77;
}

static void wrong_settings_are_refused(scene *s)
{
    refused(s, ERROR_FAIL, "making event channels", one_event_channel);
    refused(s, ERROR_FAIL, "making the domain", many_grant_frames);
    refused(s, ERROR_INVAL, "d_config.b_info.cpumap", no_processor);
    refused(s, ERROR_INVAL, "d_config.b_info.vcpu_hard_affinity: ", affinity_of_no_vcpu);
    refused(s, ERROR_INVAL, "d_config.b_info.sched_params.weight: ", heavy);
    refused(s, ERROR_INVAL, "params.sched: ", another_scheduler);
    refused(s, ERROR_INVAL, "d_config.b_info.avail_vcpus: ", no_first_vcpu);
    refused(s, ERROR_INVAL, "d_config.b_info.max_grant_version: ", grants_of_version_3);
    refused(s, ERROR_INVAL, "d_config.c_info.poolid: ", no_such_pool);
}

static const body bodies[] = {
    BODY(each_vcpu_has_its_affinity),       BODY(all_vcpus_have_the_domain_s_affinity),
    BODY(the_scheduler_has_the_parameters), BODY(the_guest_sees_the_processor_and_the_clock_that_it_is_given),
    BODY(smaller_limits_are_accepted),      BODY(wrong_settings_are_refused),
};

HARNESS_MAIN(bodies)
