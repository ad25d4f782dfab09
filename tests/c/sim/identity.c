/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A domid that is given to another domain while one is taken down: what is another's stays. */
#include "harness.h"
#include "replace.h"
#include "simulation.h"

#include <stdio.h>
#include <stdlib.h>

/* As whoever has made it would. */
static void name_it(libxl_domid domid, const char *name)
{
    char path[64];
    snprintf(path, sizeof(path), "/local/domain/%u%s", domid, name ? "/name" : "");
    fixture_write(path, name);
}

static void assert_untouched(libxl_domid domid, const libxl_uuid *uuid)
{
    assert_true(domain_exists(domid, uuid));
    char *name = guest_node(domid, "name");
    assert_non_null(name);
    assert_string_equal(name, "another");
    free(name);
}

/* Its destruction stands in line behind others that take long. */
static void a_domain_destroyed_by_others_first_takes_no_other_with_it(scene *s)
{
    enum { LANE = 16, SLOW_MS = 1000 };
    libxl_domid slow[LANE], domid = guest(s, "b", true);
    op *destroying[LANE];
    for (int i = 0; i < LANE; i++)
        slow[i] = guest(s, "b", true);
    fault_add("domctl.destroydomain:1-%d:%dms", LANE, SLOW_MS);
    for (int i = 0; i < LANE; i++)
        destroying[i] = START(s, libxl_domain_destroy, s->ctx, slow[i], how);
    op *last = START(s, libxl_domain_destroy, s->ctx, domid, how);
    for (uint64_t end = now_ms() + SLOW_MS / 3; now_ms() < end;)
        pump(s, 10); /* the workers have the others */
    const libxl_uuid another = replace_domain(domid);
    name_it(domid, "another");
    assert_int_equal(op_result(last), 0);
    assert_untouched(domid, &another);
    for (int i = 0; i < LANE; i++)
        assert_int_equal(op_result(destroying[i]), 0);
    faults_clear();
    destroy(s, domid);
}

/* Its creation finds out when its domid is another's already: nobody waits meanwhile. */
static void a_creation_that_is_undone_takes_no_other_with_it(scene *s)
{
    libxl_domid made, domid;
    libxl_domid before = guest(s, "b", false);
    libxl_domain_config config = guest_config("b");
    simulate("xenconsoled stop");
    op *creating = START(s, libxl_domain_create_new, s->ctx, &config, &made, how, NULL);
    domid = before + 1; /* domids are given in turn */
    wait_node(s, domid, "name", config.c_info.name);
    const libxl_uuid another = replace_domain(domid);
    name_it(domid, "another");
    simulate("xenconsoled cont");
    assert_int_equal(op_result(creating), ERROR_DOMAIN_DESTROYED);
    assert_untouched(domid, &another);
    libxl_domain_config_dispose(&config);
    destroy(s, domid);
    destroy(s, before);
}

static const body bodies[] = {
    BODY(a_domain_destroyed_by_others_first_takes_no_other_with_it, RUNS_ONCE),
    BODY(a_creation_that_is_undone_takes_no_other_with_it, RUNS_ONCE),
};

HARNESS_MAIN(bodies)
