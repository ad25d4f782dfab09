/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Automatic placement on a host with two NUMA nodes. The test needs the simulator, because it changes the
 * host's number of nodes. */
#include "harness.h"
#include "simulation.h"

#include <stdlib.h>

#include <libxl_utils.h>

static libxl_domid guest_of(scene *s, libxl_domain_config config)
{
    libxl_domid domid;
    assert_int_equal(RUN(s, libxl_domain_create_new(s->ctx, &config, &domid, how, NULL)), 0);
    libxl_domain_config_dispose(&config);
    return domid;
}

/* Returns the node on which a domain is placed. The domain's memory is on this node, and the domain's
 * vcpus prefer the node's processor. Returns -1 if the domain is not placed. */
static int node_of(scene *s, libxl_domid domid)
{
    libxl_bitmap nodes;
    libxl_vcpu_list list;
    assert_int_equal(RUN(s, libxl_domain_get_node_affinity(s->ctx, domid, &nodes, how)), 0);
    assert_int_equal(RUN(s, libxl_domain_list_vcpus(s->ctx, domid, &list, how)), 0);
    const bool single = libxl_bitmap_count_set(&nodes) == 1;
    const int node = !single ? -1 : libxl_bitmap_test(&nodes, 1) ? 1 : 0;
    for (int i = 0; i < list.num_vcpus; i++) {
        assert_true(libxl_bitmap_is_full(&list.vcpus[i].cpumap));
        if (single)
            assert_true(libxl_bitmap_count_set(&list.vcpus[i].cpumap_soft) == 1 &&
                        libxl_bitmap_test(&list.vcpus[i].cpumap_soft, node));
        else
            assert_true(libxl_bitmap_is_full(&list.vcpus[i].cpumap_soft));
    }
    libxl_bitmap_dispose(&nodes);
    libxl_vcpu_list_dispose(&list);
    return node;
}

static void guests_are_spread_over_the_nodes(scene *s)
{
    libxl_domid domids[4];
    int on[2] = {0, 0};
    simulate("nodes 2");
    for (int i = 0; i < 4; i++) {
        domids[i] = guest_of(s, guest_config("b"));
        assert_int_equal(RUN(s, libxl_domain_unpause(s->ctx, domids[i], how)), 0);
        const int node = node_of(s, domids[i]);
        assert_in_range(node, 0, 1);
        on[node]++;
    }
    assert_int_equal(on[0], 2);
    assert_int_equal(on[1], 2);
    for (int i = 0; i < 4; i++)
        destroy(s, domids[i]);
}

static void a_guest_that_fits_on_no_node_or_does_not_want_it_is_not_placed(scene *s)
{
    libxl_domain_config large = guest_config("b"), unplaced = guest_config("b"), pinned = guest_config("b");
    simulate("nodes 2");
    large.b_info.max_vcpus = 2; /* A node has one processor. */
    libxl_defbool_set(&unplaced.b_info.numa_placement, false);
    libxl_bitmap_alloc(s->ctx, &pinned.b_info.nodemap, 2);
    libxl_bitmap_set(&pinned.b_info.nodemap, 0);
    libxl_bitmap_set(&pinned.b_info.nodemap, 1);
    const libxl_domid domids[] = {guest_of(s, large), guest_of(s, unplaced), guest_of(s, pinned)};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(node_of(s, domids[i]), -1);
        destroy(s, domids[i]);
    }
}

static const body bodies[] = {
    BODY(guests_are_spread_over_the_nodes, ALONE),
    BODY(a_guest_that_fits_on_no_node_or_does_not_want_it_is_not_placed, ALONE),
};

HARNESS_MAIN(bodies)
