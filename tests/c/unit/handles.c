/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The handles to the hypervisor. The tests check which thread uses which handle. */
#include "core.h"

#include "simulation.h"
#include "xen.h"

struct caller {
    libxl_ctx *ctx;
    xc_interface *first, *again;
    int rc;
};

static void *ask(void *argument)
{
    struct caller *c = argument;
    libxl_physinfo info;
    c->first = libxl__xch(c->ctx);
    c->rc = libxl_host_info(c->ctx, &info, NULL);
    c->again = libxl__xch(c->ctx);
    return NULL;
}

/* Runs ask() on `count` threads at once. */
static void ask_on_threads(libxl_ctx *ctx, struct caller *callers, int count)
{
    pthread_t threads[2 * LIBXL__HANDLES];
    for (int i = 0; i < count; i++) {
        callers[i] = (struct caller){.ctx = ctx};
        pthread_create(&threads[i], NULL, ask, &callers[i]);
    }
    for (int i = 0; i < count; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(callers[i].rc, 0);
        assert_ptr_equal(callers[i].first, callers[i].again);
    }
}

static void each_of_a_few_threads_has_its_own_handle(scene *s)
{
    struct caller callers[LIBXL__HANDLES];
    libxl_ctx *ctx = open_context();
    (void)s;
    ask_on_threads(ctx, callers, LIBXL__HANDLES);
    for (int i = 0; i < LIBXL__HANDLES; i++)
        for (int j = 0; j < i; j++)
            assert_ptr_not_equal(callers[i].first, callers[j].first);
    libxl_ctx_free(ctx);
}

static void many_threads_share_a_few_handles(scene *s)
{
    struct caller callers[2 * LIBXL__HANDLES];
    libxl_ctx *ctx = open_context();
    (void)s;
    ask_on_threads(ctx, callers, 2 * LIBXL__HANDLES);
    for (int i = 0; i < 2 * LIBXL__HANDLES; i++) {
        bool known = false;
        for (int slot = 0; slot < LIBXL__HANDLES; slot++)
            known = known || callers[i].first == ctx->xen->handles.of[slot];
        assert_true(known);
    }
    libxl_ctx_free(ctx);
}

static void the_opening_thread_uses_the_first_handle_only(scene *s)
{
    libxl_physinfo info;
    libxl_ctx *ctx = open_context();
    (void)s;
    assert_int_equal(libxl_host_info(ctx, &info, NULL), 0);
    assert_ptr_equal(libxl__xch(ctx), ctx->xen->handles.of[0]);
    for (int slot = 1; slot < LIBXL__HANDLES; slot++)
        assert_null(ctx->xen->handles.of[slot]);
    libxl_ctx_free(ctx);
}

/* Sometimes no further handle can be opened, for lack of descriptors or privileges. In this case all
 * threads share the first handle. */
static void threads_share_if_no_handle_can_be_opened(scene *s)
{
    struct caller callers[LIBXL__HANDLES];
    libxl_ctx *ctx = open_context();
    const int rule = fault_add("xencall_open:EMFILE");
    (void)s;
    for (int i = 0; i < 2; i++) {
        ask_on_threads(ctx, callers, LIBXL__HANDLES);
        for (int j = 0; j < LIBXL__HANDLES; j++)
            assert_ptr_equal(callers[j].first, ctx->xen->handles.of[0]);
        /* The library has tried once to open each further handle. */
        assert_int_equal(fault_hits(rule), LIBXL__HANDLES - 1);
    }
    libxl_ctx_free(ctx);
}

static const body bodies[] = {
    BODY(each_of_a_few_threads_has_its_own_handle, NO_CONTEXT),
    BODY(many_threads_share_a_few_handles, NO_CONTEXT),
    BODY(the_opening_thread_uses_the_first_handle_only, NO_CONTEXT),
    BODY(threads_share_if_no_handle_can_be_opened, NO_CONTEXT),
};

HARNESS_MAIN(bodies)
