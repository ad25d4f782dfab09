/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tests the decoder of the wire protocol against a hostile xenstored, which is called the peer. The tests use
 * batches of each mode, and watches. The input chooses the requests of the library's users and the messages
 * of the peer. The peer sends right and wrong answers, events, raw octets, and messages in parts. It may also
 * hang up. These conditions must hold:
 *
 *   - each operation that waits for a batch completes exactly once, whatever the peer sends;
 *   - each value that a batch has read is a string, and a failed batch has one of the errors that xs.h names;
 *   - the callback of a watch that was removed is not called;
 *   - after the close no watch, descriptor or memory is left.
 *
 * Owns: the peer's socket, the watches and the batches of a run. Only one thread uses them.
 */
#include "bytes.h"
#include "hostile.h"
#include "world.h"

#include "xen.h"

#include <stdlib.h>
#include <string.h>

#include <xen/io/xs_wire.h>

enum {
    ASKS = 32,
    WATCHES = 16,
    REQUESTS = 6,
    HELD = 16 << 10,
    MOST_COMMANDS = 300,
    REQUIRED_RC = ERROR_DOMAIN_DESTROYED
};

/* An operation that runs one batch. */
struct ask {
    bool used, started, taken_back;
    int completions;
    libxl__xs_batch *batch;
    libxl__xs_request *reads[REQUESTS];
    libxl__ao *ao; /* The operation's record. NULL: the operation has ended. */
};

struct watched {
    bool added;
    libxl__watch *watch; /* The watch. NULL: it was removed. */
};

static struct {
    bytes input;
    libxl_ctx *ctx;
    struct ask asks[ASKS];
    struct watched watches[WATCHES];
    int commands;
    bool memory_was_short;
} run;

/* ---- batches */

static void completed(struct ask *a, int rc)
{
    CHECK(a->started && !a->completions++);
    CHECK(rc <= 0 && rc != ERROR_ASYNC_INPROGRESS);
}

static const char *any_path(void)
{
    static char longest[XENSTORE_PAYLOAD_MAX + 100];
    static const char *const paths[] = {"/a", "/local/domain/1/name", "", "@x", "/with space", longest};
    memset(longest, 'l', sizeof(longest) - 1);
    return paths[next_below(&run.input, sizeof(paths) / sizeof(*paths))];
}

static void add_request(struct ask *a, int index)
{
    static const libxl__xs_perms perms[] = {LIBXL__XS_INHERITS, LIBXL__XS_GUEST_READS, LIBXL__XS_GUESTS};
    const unsigned what = next_byte(&run.input);
    const libxl__xs_perms p = perms[what / 8 % 3];
    const char *const path = any_path();
    switch (what % 8) {
    case 0:
    case 1: a->reads[index] = libxl__xs_read(a->batch, "%s", path); break;
    case 2: libxl__xs_write(a->batch, p, any_path(), "%s", path); break;
    case 3: libxl__xs_permit(a->batch, LIBXL__XS_GUESTS, "%s", path); break;
    case 4: libxl__xs_remove(a->batch, "%s", path); break;
    case 5: libxl__xs_require(a->batch, REQUIRED_RC, what & 64 ? any_path() : NULL, "%s", path); break;
    case 6: libxl__xs_require_domain(a->batch, what & 64 ? &(libxl_uuid){{1}} : &(libxl_uuid){{0}}); break;
    case 7: libxl__xs_introduce(a->batch, what, what); break;
    }
}

/* Runs the operation's batch. In one of four cases the function first reserves the batch's memory. */
static int run_batch(libxl__ao *ao, struct ask *a)
{
    const unsigned how = next_byte(&run.input);
    a->batch = libxl__xs_batch_new(ao, 1);
    if (!a->batch)
        return ERROR_NOMEM;
    if (how % 4 == 3) {
        int rc = libxl__xs_reserve(a->batch, REQUESTS * 2, (size_t)REQUESTS * 2 * XENSTORE_PAYLOAD_MAX);
        if (rc)
            return rc;
    }
    for (unsigned i = 0; i < how / 4 % (REQUESTS + 1); i++)
        add_request(a, (int)i);
    int rc = libxl__xs_run(a->batch, how & 128 ? LIBXL__XS_TRANSACTION : LIBXL__XS_ONE_BY_ONE);
    return rc ? rc : LIBXL__AO_WAIT;
}

static void check_values(const struct ask *a)
{
    for (int i = 0; i < REQUESTS; i++)
        if (a->reads[i] && libxl__xs_value(a->reads[i]))
            CHECK(strlen(libxl__xs_value(a->reads[i])) <= XENSTORE_PAYLOAD_MAX);
}

static int ask_body(libxl__ao *ao, void *args)
{
    struct ask *a = *(struct ask **)args;
    a->ao = ao;
    if (!a->batch)
        return run_batch(ao, a);
    libxl__xs_advances(a->batch);
    if (a->taken_back)
        return 0;
    if (!libxl__xs_done(a->batch))
        return LIBXL__AO_WAIT;
    check_values(a);
    const int rc = libxl__xs_result(a->batch);
    CHECK(rc == libxl__xs_rc(a->batch));
    CHECK(rc == 0 || rc == ERROR_XENSTORE || rc == ERROR_PERMISSION || rc == ERROR_INVAL ||
          rc == ERROR_NOMEM || rc == ERROR_NO_XENSTORE || rc == REQUIRED_RC);
    CHECK(!rc || (ao->message && ao->message[0]) || run.memory_was_short);
    return rc;
}

static void forget(void *args)
{
    (*(struct ask **)args)->ao = NULL;
}

static const libxl__ao_class ask_class = {
    .name = "ask", .body = ask_body, .dispose = forget, .args_size = sizeof(struct ask *), .slow = true};

static void completion_callback(libxl_ctx *ctx, int rc, void *user)
{
    (void)ctx;
    completed(user, rc);
}

static libxl_asyncop_how how_of(struct ask *a)
{
    return (libxl_asyncop_how){.callback = completion_callback, .u.for_callback = a};
}

static void start_ask(void)
{
    struct ask *a = run.asks;
    while (a < run.asks + ASKS && a->used)
        a++;
    if (a == run.asks + ASKS)
        return;
    a->used = true;
    const libxl_asyncop_how how = how_of(a);
    libxl__ao *ao;
    if (libxl__ao_create(run.ctx, &ask_class, 1, &how, &ao))
        return;
    *(struct ask **)libxl__ao_args(ao) = a;
    a->started = true;
    const int rc = libxl__ao_start(ao);
    if (rc != ERROR_ASYNC_INPROGRESS)
        completed(a, rc); /* The operation was refused, so no callback may follow. */
}

static struct ask *any_ask(void)
{
    return &run.asks[next_below(&run.input, ASKS)];
}

static void abort_ask(void)
{
    const libxl_asyncop_how how = how_of(any_ask());
    libxl_ao_abort(run.ctx, &how);
}

static void take_ask_back(void)
{
    struct ask *a = any_ask();
    libxl__ctx_lock(run.ctx);
    if (a->ao && a->batch && !libxl__xs_done(a->batch) && libxl__xs_take_back(a->batch)) {
        a->taken_back = true;
        libxl__ao_wake(a->ao);
    }
    libxl__ctx_leave(run.ctx);
}

/* ---- watches */

static void remove_watch(struct watched *w)
{
    libxl__watch *watch = w->watch;
    w->watch = NULL;
    libxl__watch_remove(run.ctx, watch);
}

static void fired(libxl_ctx *ctx, void *user, bool failed)
{
    struct watched *w = user;
    (void)ctx;
    CHECK(w->watch || !w->added);
    if (!failed && w->watch && next_byte(&run.input) == 1)
        remove_watch(w);
}

static void add_watch(void)
{
    struct watched *w = &run.watches[next_below(&run.input, WATCHES)];
    const bool own = next_below(&run.input, 2);
    if (w->watch)
        return;
    libxl__ctx_lock(run.ctx);
    w->added = false;
    const int rc = libxl__watch_add(run.ctx, "@x", fired, w, own, &w->watch);
    w->added = !rc;
    CHECK(!rc == !!w->watch);
    libxl__ctx_leave(run.ctx);
}

static void use_watch(bool early)
{
    struct watched *w = &run.watches[next_below(&run.input, WATCHES)];
    libxl__ctx_lock(run.ctx);
    if (w->watch && early)
        libxl__watch_fire_early(run.ctx, w->watch);
    else
        remove_watch(w);
    libxl__ctx_leave(run.ctx);
}

/* ---- commands */

static void answer_all(unsigned most)
{
    bytes nothing = {NULL, NULL};
    for (unsigned i = 0; i < most; i++)
        peer_answer(&nothing, 0);
}

static void send_event(unsigned way)
{
    const struct watched *w = &run.watches[next_below(&run.input, WATCHES)];
    peer_send_event(&run.input, way, w->watch ? libxl__watch_token_of(w->watch).text : "0.1");
}

static void command(void)
{
    const unsigned what = next_byte(&run.input), way = what >> 4;
    switch (what & 15) {
    case 0:
    case 1: libxl_ctx_process(run.ctx); break;
    case 2:
    case 3: start_ask(); break;
    case 4: abort_ask(); break;
    case 5: take_ask_back(); break;
    case 6: peer_answer(&run.input, way); break;
    case 7: answer_all(way + 1); break;
    case 8: send_event(way); break;
    case 9: peer_send_raw(&run.input, way); break;
    case 10:
        if (way == 15)
            peer_hang_up();
        else
            peer_send_held();
        break;
    case 11: add_watch(); break;
    case 12: use_watch(false); break;
    case 13: use_watch(true); break;
    case 14: world_advance(LIBXL__MILLISECONDS(next_byte(&run.input) * 16)); break;
    case 15:
        run.memory_was_short = true;
        world_fail_allocation(next_byte(&run.input));
        break;
    }
    peer_receive();
}

/* ---- the beginning and the end */

static void let_all_end(void)
{
    peer_hang_up();
}

static void open_context(void)
{
    CHECK(libxl__ctx_create(&run.ctx, NULL) == 0);
    run.ctx->xen = calloc(1, sizeof(*run.ctx->xen));
    run.ctx->xen->transport = &libxl__xs_wire;
    CHECK(run.ctx->xen->transport->open(run.ctx) == 0);
    CHECK(libxl__xs_link_open(run.ctx, false) == 0);
    libxl__fds_mark_internal(run.ctx);
}

static void close_context(void)
{
    libxl_ctx *ctx = run.ctx;
    CHECK(libxl__ctx_drain(ctx) == 0);
    for (int i = 0; i < WATCHES; i++)
        if (run.watches[i].watch)
            remove_watch(&run.watches[i]);
    CHECK(ctx->loop.descriptors == 0 && ctx->xen->watches.count == 0);
    libxl__xs_link_close(ctx);
    ctx->xen->transport->close(ctx);
    libxl__watches_close(ctx);
    free(ctx->xen);
    libxl__ctx_destroy(ctx);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    peer_begin();
    memset(&run, 0, sizeof(run));
    run.input = (bytes){data, data + size};
    world_begin(let_all_end);
    open_context();
    while (bytes_left(&run.input) && run.commands++ < MOST_COMMANDS)
        command();
    world_allow_allocations();
    if (size & 1)
        let_all_end();
    close_context();
    peer_hang_up();
    for (int i = 0; i < ASKS; i++)
        CHECK(!run.asks[i].ao && run.asks[i].completions == run.asks[i].started);
    return 0;
}
