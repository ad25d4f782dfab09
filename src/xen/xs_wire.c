/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The transport that speaks xenstored's wire protocol: batches, transactions and watches. Owns no memory:
 * batches belong to xs.c, watches to watch.c, the socket to wire.c. The context's lock guards everything.
 *
 * All requests of a batch are sent at once. A transaction takes two more round trips: one for its start,
 * which is answered with the transaction's id, and one for its end. Memory for the message that ends the
 * transaction is reserved before the start is sent. Without this memory the transaction could stay open in
 * xenstored.
 *
 * A transaction sends its requests only after the previous transaction has sent its end. The reason is that
 * two transactions conflict if both change the same node, for example by adding a child. One of the two would
 * have to be repeated.
 *
 * xenstored searches all open transactions of the connection at each request in a transaction. So at most
 * MAX_OPEN transactions are open. One of them sends its requests, and the others wait. Further transactions
 * are queued.
 */
#include "wire_request.h"
#include "xen.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <xen/io/xs_wire.h>

enum {
    MAX_OPEN = 2,        /* one transaction sends its requests, and the next one is already started */
    NUMBERS_OCTETS = 64, /* the greatest size of the numbers and terminating zeros in a request */
    END_OCTETS = 16,     /* enough for the body of the message that ends a transaction */
};

/* ---- running batches */

static libxl__wire_answered batch_answered;

/*
 * Counts a message that is about to be put, and returns its libxl__wire_expected. `request` is NULL for the
 * start and the end of a transaction.
 */
static libxl__wire_expected expect(libxl__xs_batch *batch, libxl__xs_request *request)
{
    batch->unanswered++;
    return (libxl__wire_expected){.answered = batch_answered, .owner = batch, .request = request};
}

/*
 * Call begin_to_put before messages are put, and end_to_put afterwards. The spare batch has reserved memory
 * for its messages. begin_to_put releases this reservation, and end_to_put makes it again.
 */
static void begin_to_put(libxl_ctx *ctx, const libxl__xs_batch *batch)
{
    if (batch->spare)
        libxl__wire_release(ctx, batch->reserved, batch->reserved_octets);
}

static void end_to_put(libxl_ctx *ctx, const libxl__xs_batch *batch)
{
    if (batch->spare)
        libxl__wire_renew(ctx, batch->reserved, batch->reserved_octets);
}

/*
 * Checks the result of libxl__wire_put. A message that could not be put does not count as unanswered. Returns
 * rc.
 */
static int check_put(libxl__xs_batch *batch, int rc)
{
    if (rc)
        batch->unanswered--;
    return rc;
}

/*
 * Puts a request. Returns true. If the request cannot be put, the batch fails, and this function returns
 * false.
 */
static bool put_request(libxl_ctx *ctx, libxl__xs_batch *batch, libxl__xs_request *request)
{
    const int rc = check_put(batch, libxl__wire_put_request(ctx, expect(batch, request), batch, request));
    if (rc)
        libxl__xs_failed(batch, request, rc == ERROR_NOMEM ? ENOMEM : E2BIG);
    return !rc;
}

/*
 * Puts all requests of the batch. Does nothing if the batch's operation has freed it. If a request cannot be
 * put, the batch fails and the remaining requests are not put.
 */
static void put_requests(libxl_ctx *ctx, libxl__xs_batch *batch)
{
    libxl__xs_request *request;
    if (!batch->source.ao)
        return;
    begin_to_put(ctx, batch);
    STAILQ_FOREACH (request, &batch->requests, link) {
        if (request->kind == LIBXL__XS_PRUNE && batch->mode == LIBXL__XS_ONE_BY_ONE)
            continue;
        if (request->kind == LIBXL__XS_PRUNE)
            libxl__xs_prune_begin(request);
        if (!put_request(ctx, batch, request))
            break;
    }
    end_to_put(ctx, batch);
}

/*
 * Reserves the message that ends the transaction. The spare batch needs no reservation, because its own
 * reserve includes this message.
 */
static int reserve_end(libxl_ctx *ctx, const libxl__xs_batch *batch)
{
    return batch->spare ? 0 : libxl__wire_reserve(ctx, 1, END_OCTETS);
}

static void release_end(libxl_ctx *ctx, const libxl__xs_batch *batch)
{
    if (!batch->spare)
        libxl__wire_release(ctx, 1, END_OCTETS);
}

/*
 * Puts the message that starts the transaction. If that fails, the batch fails, and no message is unanswered.
 */
static void start_transaction(libxl_ctx *ctx, libxl__xs_batch *batch)
{
    batch->start_answered = false;
    batch->transaction = 0;
    begin_to_put(ctx, batch);
    int rc = reserve_end(ctx, batch);
    if (!rc) {
        rc =
            check_put(batch, libxl__wire_put(ctx, expect(batch, NULL), XS_TRANSACTION_START, 0,
                                             LIBXL__WIRE_TEXT(""), LIBXL__WIRE_NOTHING, LIBXL__WIRE_NOTHING));
        if (rc)
            release_end(ctx, batch);
    }
    end_to_put(ctx, batch);
    if (rc)
        libxl__xs_failed(batch, NULL, ENOMEM);
}

/*
 * Ends the transaction after all its requests were answered. Aborts the transaction if the batch has failed
 * or was freed by its operation. Otherwise commits the transaction. Returns true if the message was put, so
 * that an answer will arrive. Returns false if no transaction is open or the message could not be put.
 */
static bool end_transaction(libxl_ctx *ctx, libxl__xs_batch *batch)
{
    const bool commit = !batch->rc && batch->source.ao;
    const uint32_t transaction = batch->transaction;
    if (!transaction)
        return false;
    release_end(ctx, batch);
    batch->transaction = 0;
    if (libxl__xs_link_is_down(ctx))
        return false;
    begin_to_put(ctx, batch);
    int rc = check_put(batch, libxl__wire_put(ctx, expect(batch, NULL), XS_TRANSACTION_END, transaction,
                                              LIBXL__WIRE_TEXT(commit ? "T" : "F"), LIBXL__WIRE_NOTHING,
                                              LIBXL__WIRE_NOTHING));
    end_to_put(ctx, batch);
    assert(!rc); /* cannot fail, because start_transaction has reserved this message */
    (void)rc;
    return true;
}

/* Reads the id of a transaction: digits and a terminating zero. Returns 0 for any other answer. */
static uint32_t transaction_id(const char *body, size_t length)
{
    size_t digits = strspn(length && !body[length - 1] ? body : "", "0123456789");
    return digits && digits + 1 == length ? (uint32_t)strtoul(body, NULL, 10) : 0;
}

static void start_was_answered(libxl_ctx *ctx, libxl__xs_batch *batch, int errnoval, const char *body,
                               size_t length)
{
    libxl__transactions *all = &ctx->xen->transactions;
    batch->start_answered = true;
    batch->transaction = errnoval ? 0 : transaction_id(body, length);
    if (!batch->transaction) {
        release_end(ctx, batch);
        libxl__xs_failed(batch, NULL, errnoval ? errnoval : EPROTO);
    } else if (all->active) {
        all->next = batch;
    } else {
        all->active = batch;
        put_requests(ctx, batch);
    }
}

/*
 * Returns whether the transaction must be repeated. xenstored answers EAGAIN if another client has changed a
 * node that the transaction has used. xenstored has then carried out no part of the transaction.
 */
static bool end_was_answered(libxl__xs_batch *batch, int errnoval)
{
    if (errnoval == EAGAIN && !batch->rc && batch->source.ao && batch->repeats < LIBXL__XS_MOST_REPEATS) {
        batch->repeats++;
        return true;
    }
    if (errnoval)
        libxl__xs_failed(batch, NULL, errnoval);
    return false;
}

static void enqueue(libxl_ctx *ctx, libxl__xs_batch *batch)
{
    batch->queued = true;
    TAILQ_INSERT_TAIL(&ctx->xen->transactions.waiting, batch, queue_link);
}

/*
 * Counts a transaction that has ended, and starts queued transactions. If the transaction of a batch cannot
 * be started, the batch ends at once.
 */
static void start_queued(libxl_ctx *ctx)
{
    libxl__transactions *all = &ctx->xen->transactions;
    libxl__xs_batch *batch;
    all->open--;
    all->ended++;
    while (all->open < MAX_OPEN && (batch = TAILQ_FIRST(&all->waiting))) {
        TAILQ_REMOVE(&all->waiting, batch, queue_link);
        batch->queued = false;
        start_transaction(ctx, batch);
        if (batch->unanswered)
            all->open++;
        else
            libxl__xs_batch_ended(ctx, batch);
    }
}

/*
 * Queues a transaction for repetition, behind the other queued transactions. A guest that changes its nodes
 * all the time can make one transaction repeat again and again. The other transactions must not wait for it.
 */
static void repeat_later(libxl_ctx *ctx, libxl__xs_batch *batch)
{
    enqueue(ctx, batch);
    start_queued(ctx);
}

static void end_batch(libxl_ctx *ctx, libxl__xs_batch *batch)
{
    const bool transaction = batch->mode == LIBXL__XS_TRANSACTION;
    libxl__xs_batch_ended(ctx, batch);
    if (transaction)
        start_queued(ctx);
}

static void all_answered(libxl_ctx *ctx, libxl__xs_batch *batch);

/*
 * Called when the active transaction has sent its end. Makes the next transaction the active one, and puts
 * its requests.
 */
static void pass_turn(libxl_ctx *ctx)
{
    libxl__transactions *all = &ctx->xen->transactions;
    libxl__xs_batch *batch = all->active = all->next;
    all->next = NULL;
    if (!batch)
        return;
    if (libxl__xs_link_is_down(ctx))
        libxl__xs_failed(batch, NULL, ENOTCONN);
    else
        put_requests(ctx, batch);
    if (!batch->unanswered)
        all_answered(ctx, batch);
}

/*
 * Called when all messages of a batch are answered. Sends the end of the batch's transaction. If no transaction is
 * open, or if the end cannot be sent, ends the batch.
 */
static void all_answered(libxl_ctx *ctx, libxl__xs_batch *batch)
{
    const bool ended = !end_transaction(ctx, batch);
    if (batch == ctx->xen->transactions.active)
        pass_turn(ctx);
    if (ended)
        end_batch(ctx, batch);
}

/*
 * Handles the answer to a message of a batch. A transaction's answers arrive in this order: the start
 * (`request` is NULL and start_answered is false), the requests, the end (`request` is NULL). A batch without
 * a transaction has only requests.
 */
static void batch_answered(libxl_ctx *ctx, void *owner, libxl__xs_request *request, int errnoval,
                           const char *body, size_t length)
{
    libxl__xs_batch *batch = owner;
    batch->unanswered--;
    if (request) {
        libxl__wire_request_answered(batch, request, errnoval, body, length);
        if (request->kind == LIBXL__XS_PRUNE && libxl__wire_prune_goes_on(batch, request, errnoval, length))
            put_request(ctx, batch, request);
    } else if (!batch->start_answered)
        start_was_answered(ctx, batch, errnoval, body, length);
    else if (end_was_answered(batch, errnoval)) {
        repeat_later(ctx, batch);
        return;
    }
    if (!batch->unanswered && batch != ctx->xen->transactions.next)
        all_answered(ctx, batch);
}

static int run(libxl_ctx *ctx, libxl__xs_batch *batch)
{
    libxl__transactions *all = &ctx->xen->transactions;
    if (libxl__xs_link_is_down(ctx))
        return ERROR_NO_XENSTORE;
    if (batch->mode == LIBXL__XS_ONE_BY_ONE) {
        put_requests(ctx, batch);
    } else if (all->open < MAX_OPEN) {
        all->open++;
        start_transaction(ctx, batch);
    } else {
        enqueue(ctx, batch);
        return 0;
    }
    if (batch->unanswered)
        libxl__wire_send_soon(ctx);
    else
        end_batch(ctx, batch); /* the batch is empty, or its first message could not be put */
    return 0;
}

static int reserve(libxl_ctx *ctx, libxl__xs_batch *batch, uint32_t requests, size_t octets)
{
    batch->reserved = requests;
    batch->reserved_octets = octets + (size_t)requests * NUMBERS_OCTETS;
    return libxl__wire_reserve(ctx, batch->reserved, batch->reserved_octets);
}

static void release(libxl_ctx *ctx, libxl__xs_batch *batch)
{
    libxl__wire_release(ctx, batch->reserved, batch->reserved_octets);
}

static bool is_queued(const libxl_ctx *ctx, const libxl__xs_batch *batch)
{
    (void)ctx;
    return batch->queued && !batch->start_answered;
}

static bool withdraw(libxl_ctx *ctx, libxl__xs_batch *batch)
{
    if (!batch->queued)
        return false; /* the batch's messages were put already */
    TAILQ_REMOVE(&ctx->xen->transactions.waiting, batch, queue_link);
    return true;
}

static bool uncommitted(const libxl__xs_batch *batch)
{
    return batch->mode == LIBXL__XS_TRANSACTION && batch->state == LIBXL__XS_UNDER_WAY &&
           (!batch->start_answered || batch->transaction);
}

/* ---- registering watches */

static void watch_added(libxl_ctx *ctx, void *owner, libxl__xs_request *request, int errnoval,
                        const char *body, size_t length)
{
    (void)request, (void)body, (void)length;
    libxl__watch *watch = owner;
    if (watch->callback && errnoval != ENOTCONN) /* watch.c handles a watch whose connection was lost */
        libxl__watch_added(ctx, watch, errnoval);
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
                           LIBXL__WIRE_TEXT(watch->path), LIBXL__WIRE_TEXT(token.text),
                           type == XS_WATCH && watch->depth ? LIBXL__WIRE_TEXT("1") : LIBXL__WIRE_NOTHING);
}

static int add_watch(libxl_ctx *ctx, libxl__watch *watch)
{
    if (libxl__xs_link_is_down(ctx))
        return ERROR_NO_XENSTORE;
    int rc = put_watch(ctx, watch, XS_WATCH, watch_added);
    if (!rc)
        libxl__wire_send_soon(ctx);
    return rc;
}

static void remove_watch(libxl_ctx *ctx, libxl__watch *watch)
{
    if (libxl__xs_link_is_down(ctx))
        libxl__watch_free(ctx, watch);
    else if (!put_watch(ctx, watch, XS_UNWATCH, watch_removed))
        libxl__wire_send_soon(ctx);
    /*
     * If the message could not be put, xenstored keeps the watch until the context is freed. The watch's
     * events are ignored.
     */
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
    .connect = libxl__wire_connect,
    .receive = libxl__wire_receive,
    .disconnect = libxl__wire_disconnect,
    .postfork = libxl__wire_postfork,
    .reserve = reserve,
    .release = release,
    .run = run,
    .is_queued = is_queued,
    .withdraw = withdraw,
    .uncommitted = uncommitted,
    .add_watch = add_watch,
    .remove_watch = remove_watch,
};
