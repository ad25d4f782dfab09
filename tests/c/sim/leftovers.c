/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A creation fails, and the hypervisor refuses to destroy the creation's domain. The error reports the domain
 * that is left, and the context tries again to destroy it. */
#include "harness.h"
#include "simulation.h"

#include <stdio.h>
#include <stdlib.h>

/* Returns whether the context is destroying a domain in the background. If so, stores the domid in *domid. */
static bool teardown_goes_on(libxl_ctx *ctx, libxl_domid *domid)
{
    int count;
    bool found = false;
    libxl_operation_info *list = libxl_ao_list(ctx, &count);
    for (int i = 0; i < count; i++)
        if (strcmp(list[i].operation, "domain_teardown") == 0 &&
            list[i].state == LIBXL_OPERATION_STATE_BACKGROUND) {
            *domid = list[i].domid;
            found = true;
        }
    libxl_operation_info_list_free(list, count);
    return found;
}

static op *fail_to_create(scene *s, int rc)
{
    static libxl_domid unused;
    libxl_domain_config config = guest_config("b");
    op *o = START(s, libxl_domain_create_new, s->ctx, &config, &unused, how, NULL);
    assert_int_equal(op_result(o), rc);
    libxl_domain_config_dispose(&config);
    return o;
}

static void a_refused_destruction_is_tried_again(scene *s)
{
    libxl_domid domid = 0;
    char stays[32];
    fault_add("memory_op.populate_physmap:1:ENOMEM");
    fault_add("domctl.destroydomain:1-2:EBUSY");
    op *o = fail_to_create(s, ERROR_NO_MEMORY_FOR_GUEST);
    assert_true(teardown_goes_on(s->ctx, &domid));
    snprintf(stays, sizeof(stays), "domain %u stays: ", domid);
    assert_non_null(strstr(o->message, stays));
    assert_non_null(strstr(o->message, "destroying domain"));
    for (uint64_t end = now_ms() + scaled_ms(10000); teardown_goes_on(s->ctx, &domid) && now_ms() < end;)
        pump(s, 10);
    assert_false(teardown_goes_on(s->ctx, &domid));
    faults_clear();
    fixture_check_world(&s->before);
}

/* When the context is freed, the library stops trying to destroy the domain. */
static void a_context_with_a_leftover_can_be_freed(scene *s)
{
    libxl_ctx *ctx = open_context();
    libxl_domid domid = 0;
    struct fixture before;
    libxl_domain_config config = guest_config("b");
    (void)s;
    fixture_begin(&before);
    fault_add("memory_op.populate_physmap:1:ENOMEM");
    fault_add("domctl.destroydomain:EBUSY");
    assert_int_equal(libxl_domain_create_new(ctx, &config, &domid, NULL, NULL), ERROR_NO_MEMORY_FOR_GUEST);
    libxl_domain_config_dispose(&config);
    assert_true(teardown_goes_on(ctx, &domid));
    assert_int_equal(libxl_ctx_free(ctx), 0);
    faults_clear();
    fixture_clean(&before);
}

static const body bodies[] = {
    BODY(a_refused_destruction_is_tried_again, ALONE | SLOW),
    BODY(a_context_with_a_leftover_can_be_freed, NO_CONTEXT),
};

HARNESS_MAIN(bodies)
