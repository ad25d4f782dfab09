/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* While the library removes a domain, another domain gets the same domid. The other domain and its
 * nodes stay. */
#include "harness.h"
#include "replace.h"
#include "simulation.h"

#include <stdio.h>
#include <stdlib.h>

/* Writes the domain's name. If `name` is NULL, removes all nodes of the domain. */
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

/* A destruction is queued behind slow destructions. Meanwhile another toolstack destroys the domain, and
 * another domain gets the domid. */
static void a_queued_destruction_does_not_hit_the_new_domain(scene *s)
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
        pump(s, 10); /* Meanwhile the workers start the slow destructions. */
    const libxl_uuid another = replace_domain(domid);
    name_it(domid, "another");
    assert_int_equal(op_result(last), 0);
    assert_untouched(domid, &another);
    for (int i = 0; i < LANE; i++)
        assert_int_equal(op_result(destroying[i]), 0);
    faults_clear();
    destroy(s, domid);
}

/* Another toolstack destroys the domain that a creation is making, and another domain gets the domid. No
 * thread is in the library at this time, so the creation notices the destruction later. */
static void the_undo_of_a_creation_does_not_hit_the_new_domain(scene *s)
{
    libxl_domid made, domid;
    libxl_domid before = guest(s, "b", false);
    libxl_domain_config config = guest_config("b");
    simulate("xenconsoled stop");
    op *creating = START(s, libxl_domain_create_new, s->ctx, &config, &made, how, NULL);
    domid = before + 1; /* Xen assigns domids in ascending order */
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

/* The first domain takes long to die. While it dies, another domain is made with the same UUID. */
static void a_second_destruction_of_a_dying_domain_leaves_the_new_one(scene *s)
{
    char path[64];
    libxl_domid first, second;
    libxl_domain_config configs[] = {guest_config("b"), guest_config("b")};
    libxl_dominfo info = {.dying = false};
    libxl_uuid_generate(&configs[0].c_info.uuid);
    configs[1].c_info.uuid = configs[0].c_info.uuid;
    assert_int_equal(RUN(s, libxl_domain_create_new(s->ctx, &configs[0], &first, how, NULL)), 0);
    fault_add("dying=1000");
    op *destroying = START(s, libxl_domain_destroy, s->ctx, first, how);
    for (; !info.dying; pump(s, 1))
        assert_int_equal(libxl_domain_info(s->ctx, &info, first), 0);
    assert_int_equal(RUN(s, libxl_domain_create_new(s->ctx, &configs[1], &second, how, NULL)), 0);
    assert_int_equal(RUN(s, libxl_domain_destroy(s->ctx, first, how)), 0);
    assert_int_equal(op_result(destroying), 0);
    faults_clear();
    snprintf(path, sizeof(path), "/vm/" LIBXL_UUID_FMT "/name", LIBXL_UUID_BYTES(configs[0].c_info.uuid));
    char *name = fixture_node(path);
    assert_non_null(name);
    assert_string_equal(name, configs[1].c_info.name);
    free(name);
    destroy(s, second);
    for (int i = 0; i < 2; i++)
        libxl_domain_config_dispose(&configs[i]);
}

static const body bodies[] = {
    BODY(a_queued_destruction_does_not_hit_the_new_domain, RUNS_ONCE),
    BODY(the_undo_of_a_creation_does_not_hit_the_new_domain, RUNS_ONCE),
    BODY(a_second_destruction_of_a_dying_domain_leaves_the_new_one, RUNS_ONCE),
};

HARNESS_MAIN(bodies)
