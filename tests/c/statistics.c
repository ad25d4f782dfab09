/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libxl_domain_statistics() returns the counters of every domain. */
#include "harness.h"

#include <stdlib.h>

/* Returns the domain's entry in the list, or NULL if the list has no such entry. */
static const libxl_domain_counters *find(const libxl_domain_counters_list *list, libxl_domid domid)
{
    for (int i = 0; i < list->num_domains; i++)
        if (list->domains[i].info.domid == domid)
            return &list->domains[i];
    return NULL;
}

static void all_domains_are_described(scene *s)
{
    libxl_domain_counters_list list;
    const libxl_domid spins = guest(s, "s", true), paused = guest(s, "b", false);
    assert_int_equal(RUN(s, libxl_domain_statistics(s->ctx, true, true, &list, how)), 0);
    assert_int_equal(list.domains[0].info.domid, 0);
    for (int i = 1; i < list.num_domains; i++)
        assert_true(list.domains[i - 1].info.domid < list.domains[i].info.domid);
    const libxl_domain_counters *of_spinning = find(&list, spins), *of_paused = find(&list, paused);
    assert_non_null(of_spinning);
    assert_non_null(of_paused);
    assert_int_equal(of_spinning->num_vcpus, 1);
    assert_true(of_spinning->vcpus[0].online);
    assert_true(of_paused->info.paused);
    assert_in_range(of_paused->info.current_memkb, 3 << 10, 4 << 10);
    assert_int_equal(of_paused->num_disks, 0);
    const uint64_t before = of_spinning->vcpus[0].cpu_time;
    libxl_domain_counters_list_dispose(&list);
    sleep_ms(20);
    assert_int_equal(RUN(s, libxl_domain_statistics(s->ctx, true, true, &list, how)), 0);
    assert_true(find(&list, spins)->vcpus[0].cpu_time > before);
    assert_true(find(&list, spins)->info.cpu_time >= find(&list, spins)->vcpus[0].cpu_time / 2);
    libxl_domain_counters_list_dispose(&list);
    destroy(s, spins);
    destroy(s, paused);
}

static void what_is_not_wanted_is_left_out(scene *s)
{
    libxl_domain_counters_list list;
    const libxl_domid domid = guest(s, "b", false);
    assert_int_equal(RUN(s, libxl_domain_statistics(s->ctx, false, false, &list, how)), 0);
    assert_non_null(find(&list, domid));
    for (int i = 0; i < list.num_domains; i++)
        assert_int_equal(list.domains[i].num_vcpus + list.domains[i].num_disks + list.domains[i].num_nics, 0);
    libxl_domain_counters_list_dispose(&list);
    destroy(s, domid);
}

static void an_abort_leaves_nothing(scene *s)
{
    libxl_domain_counters_list list;
    op *o = START(s, libxl_domain_statistics, s->ctx, true, true, &list, how);
    libxl_ao_abort(s->ctx, &o->how); /* The operation may end before it is aborted. */
    const int rc = op_result(o);
    assert_true(rc == 0 || rc == ERROR_ABORTED);
    libxl_domain_counters_list_dispose(&list);
}

static const body bodies[] = {
    BODY(all_domains_are_described),
    BODY(what_is_not_wanted_is_left_out),
    BODY(an_abort_leaves_nothing, ASYNCHRONOUS),
};

HARNESS_MAIN(bodies)
