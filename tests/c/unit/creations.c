/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Many creations at once succeed, and many destructions too. The number of requests to xenstored for
 * each operation does not grow with the number of operations. The test counts answers of xenstored and
 * measures no time.
 *
 * AIOXEN_CREATIONS is the largest number of creations. The default is 160.
 */
#include "core.h"

#include "xen.h"

#include <stdio.h>
#include <stdlib.h>

enum { USUAL = 160, TIMES = 4 };

struct crowd {
    libxl_ctx *ctx;
    int count;
    libxl_domid *domids;
};

struct answers {
    double creation, destruction; /* The answers of xenstored for each domain. */
};

static uint32_t answers_so_far(libxl_ctx *ctx)
{
    libxl__ctx_lock(ctx);
    const uint32_t answers = libxl__xs_answers(ctx);
    libxl__ctx_unlock(ctx);
    return answers;
}

/* Waits until all operations have succeeded. `before` is the number of answers of xenstored before the
 * operations. Returns the number of answers since then, divided by the number of operations. */
static double wait_for_all(const struct crowd *c, uint32_t before)
{
    for (int i = 0; i < c->count; i++)
        assert_int_equal(core_result(c->ctx, NULL), 0);
    return (double)(answers_so_far(c->ctx) - before) / c->count;
}

static double create_all(struct crowd *c)
{
    const uint32_t before = answers_so_far(c->ctx);
    for (int i = 0; i < c->count; i++) {
        const libxl_asyncop_how how = {.u.for_event = (uint64_t)i + 1};
        libxl_domain_config config = guest_config("b");
        assert_int_equal(libxl_domain_create_new(c->ctx, &config, &c->domids[i], &how, NULL),
                         ERROR_ASYNC_INPROGRESS);
        libxl_domain_config_dispose(&config);
    }
    return wait_for_all(c, before);
}

static double destroy_all(struct crowd *c)
{
    const uint32_t before = answers_so_far(c->ctx);
    for (int i = 0; i < c->count; i++) {
        const libxl_asyncop_how how = {.u.for_event = (uint64_t)i + 1};
        assert_int_equal(libxl_domain_destroy(c->ctx, c->domids[i], &how), ERROR_ASYNC_INPROGRESS);
    }
    return wait_for_all(c, before);
}

static struct answers measure(int count)
{
    struct crowd c = {
        .ctx = open_context(), .count = count, .domids = calloc((size_t)count, sizeof(libxl_domid))};
    struct answers answers;
    assert_non_null(c.domids);
    answers.creation = create_all(&c);
    answers.destruction = destroy_all(&c);
    printf("%d creations at once: %.1f requests for each; %.1f for each destruction\n", count,
           answers.creation, answers.destruction);
    assert_int_equal(libxl_ctx_free(c.ctx), 0);
    free(c.domids);
    return answers;
}

static void the_requests_for_each_domain_do_not_grow(scene *s)
{
    const char *text = getenv("AIOXEN_CREATIONS");
    const int most = text ? atoi(text) : USUAL;
    const struct answers few = measure(most / TIMES), many = measure(most);
    assert_true(many.creation < 1.1 * few.creation);
    assert_true(many.destruction < 1.1 * few.destruction);
    (void)s;
}

static const body bodies[] = {
    BODY(the_requests_for_each_domain_do_not_grow, NO_CONTEXT),
};

HARNESS_MAIN(bodies)
