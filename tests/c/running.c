/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Virtual processors, schedulers and triggers of domains that run, and the host's processors and nodes. */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>

#include <libxl_utils.h>

static const libxl_domid UNKNOWN = 0x7000;

/* Creates a guest with this number of vcpus. */
static libxl_domid guest_with(scene *s, int vcpus)
{
    libxl_domain_config config = guest_config("b");
    libxl_domid domid;
    config.b_info.max_vcpus = vcpus;
    assert_int_equal(RUN(s, libxl_domain_create_new(s->ctx, &config, &domid, how, NULL)), 0);
    libxl_domain_config_dispose(&config);
    assert_int_equal(RUN(s, libxl_domain_unpause(s->ctx, domid, how)), 0);
    return domid;
}

/* ---- virtual processors */

static void vcpus_are_listed(scene *s)
{
    libxl_vcpu_list list;
    const libxl_domid domid = guest_with(s, 2);
    assert_int_equal(RUN(s, libxl_domain_list_vcpus(s->ctx, domid, &list, how)), 0);
    assert_int_equal(list.num_vcpus, 2);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(list.vcpus[i].vcpuid, i);
        assert_true(guest_has_all_cpus(s->ctx, &list.vcpus[i].cpumap));
        assert_true(guest_has_all_cpus(s->ctx, &list.vcpus[i].cpumap_soft));
    }
    assert_true(list.vcpus[0].online);
    assert_int_not_equal(list.vcpus[0].cpu, ~0u);
    assert_false(list.vcpus[1].online); /* The tiny guest starts no second processor. */
    assert_int_equal(list.vcpus[1].cpu, ~0u);
    libxl_vcpu_list_dispose(&list);
    destroy(s, domid);
}

static void an_affinity_is_set_for_one_vcpu_or_for_all(scene *s)
{
    libxl_vcpu_list list;
    libxl_bitmap first = guest_set_of(0), none = guest_set_of(0);
    const libxl_domid domid = guest_with(s, 2);
    assert_int_equal(RUN(s, libxl_domain_set_vcpu_affinity(s->ctx, domid, &first, NULL, 1, false, how)), 0);
    assert_int_equal(RUN(s, libxl_domain_list_vcpus(s->ctx, domid, &list, how)), 0);
    assert_true(guest_has_all_cpus(s->ctx, &list.vcpus[0].cpumap));
    assert_true(libxl_bitmap_count_set(&list.vcpus[1].cpumap) == 1 &&
                libxl_bitmap_test(&list.vcpus[1].cpumap, 0));
    assert_true(guest_has_all_cpus(s->ctx, &list.vcpus[1].cpumap_soft));
    libxl_vcpu_list_dispose(&list);
    assert_int_equal(RUN(s, libxl_domain_set_vcpu_affinity(s->ctx, domid, NULL, &first, ~0u, false, how)), 0);
    assert_int_equal(RUN(s, libxl_domain_list_vcpus(s->ctx, domid, &list, how)), 0);
    for (int i = 0; i < 2; i++)
        assert_true(libxl_bitmap_count_set(&list.vcpus[i].cpumap_soft) == 1 &&
                    libxl_bitmap_test(&list.vcpus[i].cpumap_soft, 0));
    assert_true(guest_has_all_cpus(s->ctx, &list.vcpus[0].cpumap));
    libxl_vcpu_list_dispose(&list);

    libxl_bitmap_reset(&none, 0);
    assert_int_equal(RUN(s, libxl_domain_set_vcpu_affinity(s->ctx, domid, &none, NULL, 0, false, how)),
                     ERROR_INVAL);
    assert_non_null(strstr(last_message(s), "hard: "));
    assert_int_equal(RUN(s, libxl_domain_set_vcpu_affinity(s->ctx, domid, NULL, NULL, 0, false, how)),
                     ERROR_INVAL);
    assert_int_equal(RUN(s, libxl_domain_set_vcpu_affinity(s->ctx, domid, &first, NULL, 2, false, how)),
                     ERROR_INVAL);
    assert_non_null(strstr(last_message(s), "vcpuid: "));
    libxl_bitmap_dispose(&first);
    libxl_bitmap_dispose(&none);
    destroy(s, domid);
}

static void the_node_affinity_is_set(scene *s)
{
    libxl_bitmap nodes = guest_set_of(0), found, wrong = guest_set_of(7);
    const libxl_domid domid = guest_with(s, 1);
    assert_int_equal(RUN(s, libxl_domain_set_node_affinity(s->ctx, domid, &nodes, how)), 0);
    assert_int_equal(RUN(s, libxl_domain_get_node_affinity(s->ctx, domid, &found, how)), 0);
    assert_true(libxl_bitmap_test(&found, 0));
    libxl_bitmap_dispose(&found);
    assert_int_equal(RUN(s, libxl_domain_set_node_affinity(s->ctx, domid, &wrong, how)), ERROR_INVAL);
    libxl_bitmap_dispose(&nodes);
    libxl_bitmap_dispose(&wrong);
    destroy(s, domid);
}

/* ---- schedulers */

static void weight_and_cap_are_set_one_by_one(scene *s)
{
    libxl_domain_sched_params params, found;
    const libxl_domid domid = guest_with(s, 1);
    assert_int_equal(RUN(s, libxl_domain_get_sched_params(s->ctx, domid, &found, how)), 0);
    assert_int_equal(found.weight, 256);
    assert_int_equal(found.cap, 0);
    assert_int_equal(found.period, -1);
    libxl_domain_sched_params_init(&params);
    params.weight = 512;
    assert_int_equal(RUN(s, libxl_domain_set_sched_params(s->ctx, domid, &params, how)), 0);
    params.weight = -1;
    params.cap = 50;
    params.sched = found.sched;
    assert_int_equal(RUN(s, libxl_domain_set_sched_params(s->ctx, domid, &params, how)), 0);
    assert_int_equal(RUN(s, libxl_domain_get_sched_params(s->ctx, domid, &found, how)), 0);
    assert_int_equal(found.weight, 512);
    assert_int_equal(found.cap, 50);
    destroy(s, domid);
}

static void wrong_parameters_are_refused(scene *s)
{
    libxl_vcpu_sched_params of_vcpus = {.num_vcpus = 0};
    const libxl_domid domid = guest_with(s, 1);
    const struct {
        libxl_domain_sched_params params;
        const char *message;
    } wrong[] = {
        {{.weight = 0, .cap = -1}, "params.weight: 0"},
        {{.weight = 65536, .cap = -1}, "params.weight: 65536"},
        {{.weight = -1, .cap = -2}, "params.cap: -2"},
        {{.weight = -1, .cap = -1, .period = 7}, "params.period: the scheduler credit2"},
        /* The cap is more processor time than the guest's vcpus can use. */
        {{.weight = -1, .cap = 10000}, "params: setting"},
        {{.sched = LIBXL_SCHEDULER_RTDS, .weight = -1, .cap = -1}, "params.sched: "},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        assert_int_equal(RUN(s, libxl_domain_set_sched_params(s->ctx, domid, &wrong[i].params, how)),
                         ERROR_INVAL);
        assert_non_null(strstr(last_message(s), wrong[i].message));
    }
    assert_int_equal(RUN(s, libxl_domain_get_vcpu_sched_params(s->ctx, domid, &of_vcpus, how)), ERROR_INVAL);
    assert_int_equal(RUN(s, libxl_domain_set_vcpu_sched_params(s->ctx, domid, &of_vcpus, how)), ERROR_INVAL);
    assert_non_null(strstr(last_message(s), "has no parameters for vcpus"));
    destroy(s, domid);
}

/* Only one thread runs this test, because it changes a parameter of pool 0, which has all processors of the
 * host. */
static void a_pool_has_parameters(scene *s)
{
    libxl_scheduler sched;
    libxl_sched_credit_params credit;
    libxl_sched_credit2_params before, params, found;
    assert_int_equal(RUN(s, libxl_host_scheduler(s->ctx, &sched, how)), 0);
    assert_int_equal(sched, LIBXL_SCHEDULER_CREDIT2);
    assert_int_equal(RUN(s, libxl_sched_get_credit2_params(s->ctx, 0, &before, how)), 0);
    params = before;
    params.ratelimit_us = 2000;
    assert_int_equal(RUN(s, libxl_sched_set_credit2_params(s->ctx, 0, &params, how)), 0);
    assert_int_equal(RUN(s, libxl_sched_get_credit2_params(s->ctx, 0, &found, how)), 0);
    assert_int_equal(found.ratelimit_us, 2000);
    assert_int_equal(RUN(s, libxl_sched_set_credit2_params(s->ctx, 0, &before, how)), 0);
    params.ratelimit_us = 1;
    assert_int_equal(RUN(s, libxl_sched_set_credit2_params(s->ctx, 0, &params, how)), ERROR_INVAL);
    assert_int_equal(RUN(s, libxl_sched_get_credit2_params(s->ctx, 77, &params, how)), ERROR_INVAL);
    assert_non_null(strstr(last_message(s), "cpupool 77"));
    libxl_sched_credit_params_init(&credit);
    assert_int_equal(RUN(s, libxl_sched_get_credit_params(s->ctx, 0, &credit, how)), ERROR_INVAL);
    assert_int_equal(RUN(s, libxl_sched_set_credit_params(s->ctx, 0, &credit, how)), ERROR_INVAL);
}

/* ---- triggers */

static void triggers_reach_the_hypervisor(scene *s)
{
    const libxl_domid domid = guest_with(s, 1);
    assert_int_equal(RUN(s, libxl_send_trigger(s->ctx, domid, LIBXL_TRIGGER_NMI, 0, how)), 0);
    assert_int_equal(RUN(s, libxl_send_trigger(s->ctx, domid, LIBXL_TRIGGER_NMI, 1, how)), ERROR_INVAL);
    assert_non_null(strstr(last_message(s), "vcpuid: "));
    /* A PV guest has no power button. */
    assert_int_equal(RUN(s, libxl_send_trigger(s->ctx, domid, LIBXL_TRIGGER_POWER, 0, how)), ERROR_INVAL);
    assert_int_equal(RUN(s, libxl_send_trigger(s->ctx, domid, LIBXL_TRIGGER_UNKNOWN, 0, how)), ERROR_INVAL);
    assert_non_null(strstr(last_message(s), "trigger: "));
    destroy(s, domid);
}

static void debug_keys_are_sent(scene *s)
{
    assert_int_equal(RUN(s, libxl_host_send_debug_keys(s->ctx, "h", how)), 0);
    assert_int_equal(RUN(s, libxl_host_send_debug_keys(s->ctx, "", how)), ERROR_INVAL);
    assert_non_null(strstr(last_message(s), "keys: empty"));
}

/* ---- the host, and domains that do not exist */

static void the_host_is_described(scene *s)
{
    libxl_cputopology_list cpus;
    libxl_numainfo_list nodes;
    libxl_physinfo info;
    uint64_t kb;
    assert_int_equal(RUN(s, libxl_host_info(s->ctx, &info, how)), 0);
    assert_int_equal(RUN(s, libxl_host_cpu_topology(s->ctx, &cpus, how)), 0);
    assert_int_equal(cpus.num_cpus, info.max_cpu_id + 1);
    assert_int_equal(RUN(s, libxl_host_numa(s->ctx, &nodes, how)), 0);
    assert_int_equal(nodes.num_nodes, info.nr_nodes);
    assert_true(nodes.nodes[0].size >= nodes.nodes[0].free);
    assert_int_equal(nodes.nodes[0].num_dists, nodes.num_nodes);
    assert_int_equal(nodes.nodes[0].dists[0], 10);
    assert_int_equal(RUN(s, libxl_host_free_memory(s->ctx, &kb, how)), 0);
    assert_in_range(kb, 1, info.total_pages * 4);
    libxl_cputopology_list_dispose(&cpus);
    libxl_numainfo_list_dispose(&nodes);
}

static void an_unknown_domain_is_named(scene *s)
{
    libxl_vcpu_list list;
    libxl_domain_sched_params params;
    libxl_vcpu_sched_params of_vcpus = {.num_vcpus = 0};
    libxl_bitmap set = guest_set_of(0), found;
    libxl_domain_sched_params_init(&params);
#define REFUSED(call)                                                                                        \
    assert_int_equal(RUN(s, call), ERROR_DOMAIN_NOTFOUND);                                                   \
    assert_non_null(strstr(last_message(s), "domid: there is no domain 28672"))
    REFUSED(libxl_domain_list_vcpus(s->ctx, UNKNOWN, &list, how));
    REFUSED(libxl_domain_set_vcpu_affinity(s->ctx, UNKNOWN, &set, NULL, ~0u, false, how));
    REFUSED(libxl_domain_set_node_affinity(s->ctx, UNKNOWN, &set, how));
    REFUSED(libxl_domain_get_node_affinity(s->ctx, UNKNOWN, &found, how));
    REFUSED(libxl_domain_get_sched_params(s->ctx, UNKNOWN, &params, how));
    REFUSED(libxl_domain_set_sched_params(s->ctx, UNKNOWN, &params, how));
    REFUSED(libxl_domain_get_vcpu_sched_params(s->ctx, UNKNOWN, &of_vcpus, how));
    REFUSED(libxl_domain_set_vcpu_sched_params(s->ctx, UNKNOWN, &of_vcpus, how));
    REFUSED(libxl_send_trigger(s->ctx, UNKNOWN, LIBXL_TRIGGER_NMI, 0, how));
#undef REFUSED
    libxl_bitmap_dispose(&set);
}

static const body bodies[] = {
    BODY(vcpus_are_listed),
    BODY(an_affinity_is_set_for_one_vcpu_or_for_all),
    BODY(the_node_affinity_is_set),
    BODY(weight_and_cap_are_set_one_by_one),
    BODY(wrong_parameters_are_refused),
    BODY(a_pool_has_parameters, ALONE),
    BODY(triggers_reach_the_hypervisor),
    BODY(debug_keys_are_sent),
    BODY(the_host_is_described),
    BODY(an_unknown_domain_is_named),
};

HARNESS_MAIN(bodies)
