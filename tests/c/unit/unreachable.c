/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The connection to xenstored is lost for longer than an undo or a destruction waits for it. The undo leaves
 * nodes in xenstore, and the operation's message names these nodes. The library removes the nodes when the
 * connection is back.
 */
#include "core.h"

#include "simulation.h"
#include "xen.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- a connection that is lost and comes back */

/* This function replaces the function that connects to xenstored. It always fails. xenstored itself runs
 * and keeps its nodes. */
static int refuse_to_connect(libxl_ctx *ctx)
{
    (void)ctx;
    return ECONNREFUSED;
}

struct cut {
    const libxl__xs_transport *working;
    libxl__xs_transport broken;
};

/* Cuts the connection to xenstored until mend_connection(). Caller holds the lock. */
static void cut_locked(libxl_ctx *ctx, struct cut *cut)
{
    cut->working = ctx->xen->transport;
    cut->broken = *cut->working;
    cut->broken.connect = refuse_to_connect;
    ctx->xen->transport = &cut->broken;
    libxl__xs_link_lost(ctx, ECONNRESET);
}

static void cut_connection(libxl_ctx *ctx, struct cut *cut)
{
    libxl__ctx_lock(ctx);
    cut_locked(ctx, cut);
    libxl__ctx_leave(ctx);
}

static void mend_connection(libxl_ctx *ctx, const struct cut *cut)
{
    libxl__ctx_lock(ctx);
    ctx->xen->transport = cut->working;
    libxl__ctx_leave(ctx);
}

/* Returns the number of operations in progress, including those that go on in the background. */
static int in_progress(libxl_ctx *ctx)
{
    int count;
    libxl_operation_info *list = libxl_ao_list(ctx, &count);
    libxl_operation_info_list_free(list, count);
    return count;
}

/* Processes the context until no operation is in progress. */
static void wait_until_idle(libxl_ctx *ctx)
{
    enum { LIMIT_MS = 20000 };
    for (uint64_t end = now_ms() + scaled_ms(LIMIT_MS); in_progress(ctx); sleep_ms(5)) {
        libxl_ctx_process(ctx);
        if (now_ms() > end)
            fail_msg("an operation is still in progress");
    }
}

static bool exists(const char *path)
{
    char *value = fixture_node(path);
    free(value);
    return value != NULL;
}

static void mark_of(const libxl_uuid *uuid, char path[LIBXL__MARK_PATH])
{
    snprintf(path, LIBXL__MARK_PATH, LIBXL__MARK_FMT, LIBXL__MARK_OF(*uuid));
}

/* ---- creations */

struct moment {
    const char *phase;
    struct cut cut;
    bool reached;
};

static int cut_in_phase(libxl__ao *ao, libxl__phase_moment moment, void *user)
{
    struct moment *m = user;
    if (moment != LIBXL__PHASE_WAITING || m->reached || strcmp(libxl__phase_of(ao)->name, m->phase) != 0)
        return 0;
    m->reached = true;
    cut_locked(ao->ctx, &m->cut);
    return 0;
}

static void a_creation_removes_its_nodes_when_the_connection_is_back(scene *s)
{
    /* The phase `name` is not tested. In this phase a creation with a given UUID reads first, and has written
     * nothing. */
    static const char *const phases[] = {"build", "introduce", "console"};
    for (size_t i = 0; i < sizeof(phases) / sizeof(*phases); i++) {
        struct moment m = {.phase = phases[i]};
        char mark[LIBXL__MARK_PATH];
        libxl_domid domid;
        libxl_ctx *ctx = open_context();
        libxl_domain_config config = guest_config("b");
        libxl_uuid_generate(&config.c_info.uuid);
        mark_of(&config.c_info.uuid, mark);
        simulate("xenconsoled stop"); /* Without xenconsoled, the phase `console` must wait. */
        libxl__ctx_set_phase_hook(ctx, cut_in_phase, &m);
        assert_int_equal(libxl_domain_create_new(ctx, &config, &domid, NULL, NULL), ERROR_NO_XENSTORE);
        assert_true(m.reached);
        assert_non_null(strstr(libxl_error_message(), mark));
        assert_non_null(strstr(libxl_error_message(), "tried again every second"));
        assert_int_equal(in_progress(ctx), 1);
        simulate("xenconsoled cont");
        mend_connection(ctx, &m.cut);
        wait_until_idle(ctx);
        assert_false(exists(mark));
        fixture_check_world(&s->before);
        libxl_domain_config_dispose(&config);
        assert_int_equal(libxl_ctx_free(ctx), 0);
    }
}

/* Two creations use the same UUID. The nodes of the second domain stay when the nodes of the first domain
 * are removed. */
static void a_new_creation_with_the_same_uuid_keeps_its_nodes(scene *s)
{
    struct moment m = {.phase = "console"};
    char vm[64];
    libxl_domid domid;
    libxl_ctx *ctx = open_context();
    libxl_domain_config config = guest_config("b");
    libxl_uuid_generate(&config.c_info.uuid);
    snprintf(vm, sizeof(vm), "/vm/" LIBXL_UUID_FMT "/name", LIBXL_UUID_BYTES(config.c_info.uuid));
    simulate("xenconsoled stop");
    libxl__ctx_set_phase_hook(ctx, cut_in_phase, &m);
    assert_int_equal(libxl_domain_create_new(ctx, &config, &domid, NULL, NULL), ERROR_NO_XENSTORE);
    simulate("xenconsoled cont");
    assert_true(exists(vm));
    assert_int_equal(libxl_domain_create_new(s->ctx, &config, &domid, NULL, NULL), 0);
    mend_connection(ctx, &m.cut);
    wait_until_idle(ctx);
    assert_true(exists(vm));
    assert_int_equal(libxl_ctx_free(ctx), 0);
    libxl_domain_config_dispose(&config);
    destroy(s, domid);
}

/* ---- a soft reset */

/* The connection is lost before the reset has changed the domain. So the undo only has to remove the mark. */
static void a_reset_removes_its_mark_when_the_connection_is_back(scene *s)
{
    struct moment m = {.phase = "list"};
    char mark[LIBXL__MARK_PATH];
    libxl_domid domid;
    libxl_dominfo info;
    libxl_shutdown_reason reason;
    libxl_ctx *ctx = open_context();
    libxl_domain_config made = guest_config_pvh("kb"), config;
    assert_int_equal(libxl_domain_create_new(s->ctx, &made, &domid, NULL, NULL), 0);
    assert_int_equal(libxl_domain_unpause(s->ctx, domid, NULL), 0);
    assert_int_equal(libxl_domain_wait_shutdown(s->ctx, domid, &reason, NULL), 0);
    assert_int_equal(libxl_retrieve_domain_configuration(s->ctx, domid, &config, NULL), 0);
    assert_int_equal(libxl_domain_info(s->ctx, &info, domid), 0);
    mark_of(&info.uuid, mark);
    libxl__ctx_set_phase_hook(ctx, cut_in_phase, &m);
    assert_int_equal(libxl_domain_soft_reset(ctx, &config, domid, NULL, NULL), ERROR_NO_XENSTORE);
    assert_true(m.reached);
    assert_non_null(strstr(libxl_error_message(), mark));
    assert_true(exists(mark));
    mend_connection(ctx, &m.cut);
    wait_until_idle(ctx);
    assert_false(exists(mark));
    assert_int_equal(libxl_domain_info(ctx, &info, domid), 0);
    assert_int_equal(libxl_ctx_free(ctx), 0);
    libxl_domain_config_dispose(&made);
    libxl_domain_config_dispose(&config);
    destroy(s, domid);
}

/* ---- a connection that breaks again and again */

struct lines {
    xentoollog_logger vtable;
    int about_connection;
};

static void count_line(xentoollog_logger *logger, xentoollog_level level, int errnoval, const char *context,
                       const char *format, va_list values)
{
    struct lines *lines = (struct lines *)logger;
    char text[256];
    (void)errnoval, (void)context;
    vsnprintf(text, sizeof(text), format, values);
    lines->about_connection += level >= XTL_NOTICE && strstr(text, "xenstored, ");
}

static void ignore_progress(xentoollog_logger *logger, const char *context, const char *doing, int percent,
                            unsigned long done, unsigned long total)
{
    (void)logger, (void)context, (void)doing, (void)percent, (void)done, (void)total;
}

/* Each new connection is lost immediately. So the delay before the next attempt grows, and the library
 * logs only one loss. */
static void a_connection_that_breaks_again_and_again_is_logged_once(scene *s)
{
    enum { LOSSES = 5 };
    struct lines lines = {.vtable = {.vmessage = count_line, .progress = ignore_progress}};
    const char *text = getenv("AIOXEN_TEST_FLAGS");
    libxl_ctx *ctx;
    assert_int_equal(libxl_ctx_alloc(&ctx, LIBXL_VERSION, text ? (unsigned)atoi(text) : 0, &lines.vtable), 0);
    uint64_t delay = 0;
    for (int i = 0; i < LOSSES; i++) {
        libxl__ctx_lock(ctx);
        libxl__xs_link_lost(ctx, EPIPE);
        assert_true(ctx->xen->link.delay > delay);
        delay = ctx->xen->link.delay;
        libxl__ctx_leave(ctx);
        for (bool up = false; !up; sleep_ms(1)) {
            libxl_ctx_process(ctx);
            libxl__ctx_lock(ctx);
            up = libxl__xs_link_is_up(ctx);
            libxl__ctx_unlock(ctx);
        }
    }
    assert_in_range(lines.about_connection, 1, 2);
    assert_int_equal(libxl_ctx_free(ctx), 0);
    (void)s;
}

/* ---- destructions */

static void a_destruction_removes_the_nodes_when_the_connection_is_back(scene *s)
{
    struct cut cut;
    char tree[64];
    libxl_ctx *ctx = open_context();
    libxl_domid domid = guest_new(ctx, "b", true);
    snprintf(tree, sizeof(tree), "/local/domain/%u", domid);
    cut_connection(ctx, &cut);
    assert_int_equal(libxl_domain_destroy(ctx, domid, NULL), ERROR_NO_XENSTORE);
    assert_non_null(strstr(libxl_error_message(), tree));
    assert_non_null(strstr(libxl_error_message(), "/vm/"));
    assert_non_null(strstr(libxl_error_message(), "tried again every second"));
    assert_int_equal(libxl_domain_destroy(ctx, domid, NULL), ERROR_DOMAIN_NOTFOUND);
    assert_true(exists(tree));
    mend_connection(ctx, &cut);
    wait_until_idle(ctx);
    fixture_check_world(&s->before);
    assert_int_equal(libxl_ctx_free(ctx), 0);
}

static int refuse_memory(libxl_ctx *ctx, libxl__xs_batch *batch)
{
    (void)ctx, (void)batch;
    return ERROR_NOMEM;
}

/* libxenstore allocates memory for each request, so a request can fail for lack of memory. */
static void a_destruction_removes_the_nodes_when_there_is_memory(scene *s)
{
    char tree[64];
    libxl_ctx *ctx = open_context();
    libxl_domid domid = guest_new(ctx, "b", true);
    snprintf(tree, sizeof(tree), "/local/domain/%u", domid);
    const libxl__xs_transport *working = ctx->xen->transport;
    libxl__xs_transport broken = *working;
    broken.run = refuse_memory;
    ctx->xen->transport = &broken;
    assert_int_equal(libxl_domain_destroy(ctx, domid, NULL), ERROR_NOMEM);
    assert_non_null(strstr(libxl_error_message(), tree));
    assert_true(exists(tree));
    ctx->xen->transport = working;
    wait_until_idle(ctx);
    fixture_check_world(&s->before);
    assert_int_equal(libxl_ctx_free(ctx), 0);
}

/* The context is freed before the connection is back. */
static void closing_does_not_wait_for_the_connection(scene *s)
{
    struct cut cut;
    libxl_dominfo info;
    libxl_ctx *ctx = open_context();
    libxl_domid domid = guest_new(ctx, "b", true);
    assert_int_equal(libxl_domain_info(ctx, &info, domid), 0);
    cut_connection(ctx, &cut);
    assert_int_equal(libxl_domain_destroy(ctx, domid, NULL), ERROR_NO_XENSTORE);
    assert_int_equal(libxl_ctx_free(ctx), 0);
    fixture_remove_nodes(domid, &info.uuid); /* This call fails the test if the nodes are gone. */
    (void)s;
}

/* The connection works again, but the library has not yet tried again to remove the nodes. */
static void closing_makes_a_last_attempt(scene *s)
{
    struct cut cut;
    libxl_ctx *ctx = open_context();
    libxl_domid domid = guest_new(ctx, "b", true);
    cut_connection(ctx, &cut);
    assert_int_equal(libxl_domain_destroy(ctx, domid, NULL), ERROR_NO_XENSTORE);
    mend_connection(ctx, &cut);
    char *name = NULL;
    for (; libxl_domain_get_name(ctx, 0, &name, NULL); sleep_ms(1))
        libxl_ctx_process(ctx);
    free(name);
    assert_int_equal(libxl_ctx_free(ctx), 0);
    fixture_check_world(&s->before);
}

static const body bodies[] = {
    BODY(a_creation_removes_its_nodes_when_the_connection_is_back, NO_CONTEXT),
    BODY(a_new_creation_with_the_same_uuid_keeps_its_nodes, RUNS_ONCE),
    BODY(a_reset_removes_its_mark_when_the_connection_is_back, RUNS_ONCE),
    BODY(a_connection_that_breaks_again_and_again_is_logged_once, NO_CONTEXT),
    BODY(a_destruction_removes_the_nodes_when_the_connection_is_back, NO_CONTEXT),
    BODY(a_destruction_removes_the_nodes_when_there_is_memory, NO_CONTEXT),
    BODY(closing_does_not_wait_for_the_connection, NO_CONTEXT),
    BODY(closing_makes_a_last_attempt, NO_CONTEXT),
};

HARNESS_MAIN(bodies)
