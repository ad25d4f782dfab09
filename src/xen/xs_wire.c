/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: nothing; batches and watches are their users'. Guarded by the context's lock.
 *
 * Requests and watches by xenstored's wire protocol. All requests of a batch are sent at once; a transaction
 * takes two more round trips, for its beginning and its end. Room for its end is held from its beginning on: for
 * want of memory it would stay open in xenstored. At each request in a transaction xenstored looks through all that
 * the connection has open, so only a few are at a time.
 */
#include "wire.h"
#include "xen.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xen/io/xs_wire.h>

enum {
    AT_ONCE = 16,
    MOST_NUMBERS = 64, /* octets of a request's numbers and separators */
    END_OCTETS = 16,   /* of the message that ends a transaction */
};

/* ---- batches */

static libxl__wire_answered batch_answered;

static libxl__wire_expected expect(libxl__xs_batch *batch, libxl__xs_request *request)
{
    batch->unanswered++;
    return (libxl__wire_expected){.answered = batch_answered, .owner = batch, .request = request};
}

static int put_perms(libxl_ctx *ctx, libxl__xs_batch *batch, libxl__xs_request *request)
{
    char owner[16], reader[16];
    snprintf(owner, sizeof(owner), "n%u", request->perms == LIBXL__XS_GUESTS ? batch->domid : 0);
    snprintf(reader, sizeof(reader), "r%u", batch->domid);
    return libxl__wire_put(ctx, expect(batch, request), XS_SET_PERMS, batch->transaction,
                           LIBXL__WIRE_TEXT(request->path), LIBXL__WIRE_TEXT(owner),
                           request->perms == LIBXL__XS_GUEST_READS ? LIBXL__WIRE_TEXT(reader)
                                                                   : LIBXL__WIRE_NOTHING);
}

static int put_request(libxl_ctx *ctx, libxl__xs_batch *batch, libxl__xs_request *request)
{
    const uint32_t tx = batch->transaction;
    char domid[16], gfn[24], port[16];
    switch (request->kind) {
    case LIBXL__XS_READ:
    case LIBXL__XS_REQUIRE:
        free(request->found);
        request->found = NULL;
        return libxl__wire_put(ctx, expect(batch, request), XS_READ, tx, LIBXL__WIRE_TEXT(request->path),
                               LIBXL__WIRE_NOTHING, LIBXL__WIRE_NOTHING);
    case LIBXL__XS_REMOVE:
        return libxl__wire_put(ctx, expect(batch, request), XS_RM, tx, LIBXL__WIRE_TEXT(request->path),
                               LIBXL__WIRE_NOTHING, LIBXL__WIRE_NOTHING);
    case LIBXL__XS_WRITE:
        return libxl__wire_put(ctx, expect(batch, request), XS_WRITE, tx, LIBXL__WIRE_TEXT(request->path),
                               LIBXL__WIRE_VALUE(request->value), LIBXL__WIRE_NOTHING);
    case LIBXL__XS_PERMIT: return put_perms(ctx, batch, request);
    case LIBXL__XS_INTRODUCE:
        snprintf(domid, sizeof(domid), "%u", batch->domid);
        snprintf(gfn, sizeof(gfn), "%lu", request->gfn);
        snprintf(port, sizeof(port), "%u", request->port);
        return libxl__wire_put(ctx, expect(batch, request), XS_INTRODUCE, tx, LIBXL__WIRE_TEXT(domid),
                               LIBXL__WIRE_TEXT(gfn), LIBXL__WIRE_TEXT(port));
    }
    return ERROR_INVAL;
}

/* What could not be put is not expected either. */
static int took(libxl__xs_batch *batch, int rc)
{
    if (rc)
        batch->unanswered--;
    return rc;
}

static void put_requests(libxl_ctx *ctx, libxl__xs_batch *batch)
{
    libxl__xs_request *request;
    STAILQ_FOREACH (request, &batch->requests, link) {
        int rc = took(batch, put_request(ctx, batch, request));
        if (rc) {
            libxl__xs_failed(batch, request, rc == ERROR_NOMEM ? ENOMEM : E2BIG);
            return;
        }
    }
}

static void begin_transaction(libxl_ctx *ctx, libxl__xs_batch *batch)
{
    batch->begun = false;
    batch->transaction = 0;
    int rc = libxl__wire_reserve(ctx, 1, END_OCTETS);
    if (!rc) {
        rc = took(batch, libxl__wire_put(ctx, expect(batch, NULL), XS_TRANSACTION_START, 0,
                                         LIBXL__WIRE_TEXT(""), LIBXL__WIRE_NOTHING, LIBXL__WIRE_NOTHING));
        if (rc)
            libxl__wire_release(ctx, 1, END_OCTETS);
    }
    if (rc)
        libxl__xs_failed(batch, NULL, ENOMEM);
}

/* A transaction's requests have been answered: it is ended. Whether there is an answer to come. */
static bool end(libxl_ctx *ctx, libxl__xs_batch *batch)
{
    const bool keep = !batch->rc && batch->source.ao;
    if (!batch->transaction || libxl__wire_lost(ctx))
        return false;
    libxl__wire_release(ctx, 1, END_OCTETS);
    int rc = took(batch, libxl__wire_put(ctx, expect(batch, NULL), XS_TRANSACTION_END, batch->transaction,
                                         LIBXL__WIRE_TEXT(keep ? "T" : "F"), LIBXL__WIRE_NOTHING,
                                         LIBXL__WIRE_NOTHING));
    assert(!rc); /* its room was reserved */
    (void)rc;
    batch->transaction = 0;
    return true;
}

static void answer_to_request(libxl__xs_batch *batch, libxl__xs_request *request, int errnoval,
                              const char *body, size_t length)
{
    const bool reads = request->kind == LIBXL__XS_READ || request->kind == LIBXL__XS_REQUIRE;
    if (reads && !errnoval && !(request->found = strndup(body, length)))
        errnoval = ENOMEM;
    if (request->kind == LIBXL__XS_REQUIRE && (!errnoval || errnoval == ENOENT))
        errnoval = libxl__xs_unmet(request) ? ENOENT : 0;
    if (errnoval == ENOENT && (request->kind == LIBXL__XS_READ || request->kind == LIBXL__XS_REMOVE))
        errnoval = 0;
    if (errnoval)
        libxl__xs_failed(batch, request, errnoval);
}

/* Digits and a zero octet; 0: it is not that. */
static uint32_t transaction_id(const char *body, size_t length)
{
    size_t digits = strspn(length && !body[length - 1] ? body : "", "0123456789");
    return digits && digits + 1 == length ? (uint32_t)strtoul(body, NULL, 10) : 0;
}

static void answer_to_beginning(libxl_ctx *ctx, libxl__xs_batch *batch, int errnoval, const char *body,
                                size_t length)
{
    batch->begun = true;
    batch->transaction = errnoval ? 0 : transaction_id(body, length);
    if (batch->transaction) {
        put_requests(ctx, batch);
        return;
    }
    libxl__wire_release(ctx, 1, END_OCTETS);
    libxl__xs_failed(batch, NULL, errnoval ? errnoval : EPROTO);
}

/* Whether it is to be made again: somebody else has changed what we read. */
static bool answer_to_end(libxl__xs_batch *batch, int errnoval)
{
    if (errnoval && errnoval != EAGAIN)
        libxl__xs_failed(batch, NULL, errnoval);
    return errnoval == EAGAIN && !batch->rc && batch->source.ao;
}

static void line_up(libxl_ctx *ctx, libxl__xs_batch *batch)
{
    batch->waits = true;
    TAILQ_INSERT_TAIL(&ctx->xen->transactions.waiting, batch, line);
}

/* A transaction has ended: another's turn. One that cannot begin ends, too. */
static void next(libxl_ctx *ctx)
{
    libxl__transactions *all = &ctx->xen->transactions;
    libxl__xs_batch *batch;
    all->open--;
    all->ended++;
    while (all->open < AT_ONCE && (batch = TAILQ_FIRST(&all->waiting))) {
        TAILQ_REMOVE(&all->waiting, batch, line);
        batch->waits = false;
        begin_transaction(ctx, batch);
        if (batch->unanswered)
            all->open++;
        else
            libxl__xs_batch_ended(batch);
    }
}

/* Behind the others: a guest that never leaves its node alone must not hold them up. */
static void make_again(libxl_ctx *ctx, libxl__xs_batch *batch)
{
    line_up(ctx, batch);
    next(ctx);
}

static void over(libxl_ctx *ctx, libxl__xs_batch *batch)
{
    const bool transaction = batch->mode == LIBXL__XS_TRANSACTION;
    libxl__xs_batch_ended(batch);
    if (transaction)
        next(ctx);
}

/*
 * In order: a transaction's beginning (no request, nothing sent yet but this), its requests, its end (no
 * request, and batch->transaction 0 again). One by one: requests only.
 */
static void batch_answered(libxl_ctx *ctx, void *owner, libxl__xs_request *request, int errnoval,
                           const char *body, size_t length)
{
    libxl__xs_batch *batch = owner;
    batch->unanswered--;
    if (request)
        answer_to_request(batch, request, errnoval, body, length);
    else if (!batch->begun)
        answer_to_beginning(ctx, batch, errnoval, body, length);
    else if (answer_to_end(batch, errnoval)) {
        make_again(ctx, batch);
        return;
    }
    if (!batch->unanswered && !end(ctx, batch))
        over(ctx, batch);
}

static int run(libxl_ctx *ctx, libxl__xs_batch *batch)
{
    libxl__transactions *all = &ctx->xen->transactions;
    if (libxl__wire_lost(ctx))
        return ERROR_NO_XENSTORE;
    if (batch->mode == LIBXL__XS_ONE_BY_ONE) {
        put_requests(ctx, batch);
    } else if (all->open < AT_ONCE) {
        all->open++;
        begin_transaction(ctx, batch);
    } else {
        line_up(ctx, batch);
        return 0;
    }
    if (batch->unanswered)
        libxl__wire_send_soon(ctx);
    else
        over(ctx, batch); /* there was nothing to do, or nothing could be done */
    return 0;
}

static int reserve(libxl_ctx *ctx, libxl__xs_batch *batch, uint32_t requests, size_t octets)
{
    batch->reserved = requests;
    batch->reserved_octets = octets + (size_t)requests * MOST_NUMBERS;
    return libxl__wire_reserve(ctx, batch->reserved, batch->reserved_octets);
}

static void release(libxl_ctx *ctx, libxl__xs_batch *batch)
{
    libxl__wire_release(ctx, batch->reserved, batch->reserved_octets);
}

static bool withdraw(libxl_ctx *ctx, libxl__xs_batch *batch)
{
    if (!batch->waits)
        return false; /* it has been sent, and not refused yet */
    TAILQ_REMOVE(&ctx->xen->transactions.waiting, batch, line);
    return true;
}

/* ---- watches */

static void watch_added(libxl_ctx *ctx, void *owner, libxl__xs_request *request, int errnoval,
                        const char *body, size_t length)
{
    (void)request, (void)body, (void)length;
    libxl__watch *watch = owner;
    if (watch->callback && errnoval != ESHUTDOWN)
        libxl__watch_added(ctx, watch, !errnoval);
}

static void watch_removed(libxl_ctx *ctx, void *owner, libxl__xs_request *request, int errnoval,
                          const char *body, size_t length)
{
    (void)request, (void)errnoval, (void)body, (void)length;
    libxl__watch_free(ctx, owner);
}

static int put_watch(libxl_ctx *ctx, libxl__watch *watch, uint32_t type, libxl__wire_answered *answered)
{
    const libxl__watch_token token = libxl__watch_token_of(watch);
    return libxl__wire_put(ctx, (libxl__wire_expected){.answered = answered, .owner = watch}, type, 0,
                           LIBXL__WIRE_TEXT(watch->path), LIBXL__WIRE_TEXT(token.text), LIBXL__WIRE_NOTHING);
}

static int add_watch(libxl_ctx *ctx, libxl__watch *watch)
{
    if (libxl__wire_lost(ctx))
        return ERROR_NO_XENSTORE;
    int rc = put_watch(ctx, watch, XS_WATCH, watch_added);
    if (!rc)
        libxl__wire_send_soon(ctx);
    return rc;
}

static void remove_watch(libxl_ctx *ctx, libxl__watch *watch)
{
    if (libxl__wire_lost(ctx))
        libxl__watch_free(ctx, watch);
    else if (!put_watch(ctx, watch, XS_UNWATCH, watch_removed))
        libxl__wire_send_soon(ctx);
    /* else it stays, deaf, until the context is closed */
}

static int open_wire(libxl_ctx *ctx)
{
    TAILQ_INIT(&ctx->xen->transactions.waiting);
    return libxl__wire_open(ctx);
}

const libxl__xs_transport libxl__xs_wire = {
    .in_order = true,
    .open = open_wire,
    .close = libxl__wire_close,
    .postfork = libxl__wire_postfork,
    .reserve = reserve,
    .release = release,
    .run = run,
    .withdraw = withdraw,
    .add_watch = add_watch,
    .remove_watch = remove_watch,
};
