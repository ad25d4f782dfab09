/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: the batches and their requests, from libxl__xs_batch_new on. The context's lock guards them.
 *
 * A batch belongs to its operation until it is run, to the transport while it is running, and then to the
 * operation again. If the operation frees a batch that is running, the batch is detached from the operation,
 * and libxl__xs_batch_ended frees it later.
 */
#include "xen.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- making and freeing batches */

/* Frees the memory of a batch. Must not use batch->ao, because the operation may have been freed already. */
static void free_memory(libxl_ctx *ctx, libxl__xs_batch *batch)
{
    libxl__xs_request *request;
    STAILQ_FOREACH (request, &batch->requests, link)
        free(request->found);
    libxl__gc_end(&batch->gc);
    if (batch->spare)
        libxl__xs_spare_put(ctx);
    else
        free(batch);
}

static void release_reserve(libxl_ctx *ctx, libxl__xs_batch *batch)
{
    if (batch->has_reserve)
        ctx->xen->transport->release(ctx, batch);
    batch->has_reserve = false;
}

/* Withdraws the batch if it is queued or deferred. Returns true if the batch is idle afterwards. */
static bool withdraw(libxl_ctx *ctx, libxl__xs_batch *batch)
{
    if (batch->deferred)
        libxl__xs_link_forget(ctx, batch);
    else if (batch->state == LIBXL__XS_UNDER_WAY && ctx->xen->transport->withdraw(ctx, batch))
        batch->state = LIBXL__XS_IDLE;
    return batch->state == LIBXL__XS_IDLE;
}

/*
 * The stop function of the batch's source. It is called when the operation ends or frees the batch. If the
 * transport is running the batch, libxl__xs_batch_ended frees it later.
 */
static void batch_stop(libxl_ctx *ctx, libxl__source *source)
{
    libxl__xs_batch *batch = (libxl__xs_batch *)source;
    release_reserve(ctx, batch);
    if (withdraw(ctx, batch) || libxl__xs_done(batch))
        free_memory(ctx, batch);
}

libxl__xs_batch *libxl__xs_batch_new(libxl__ao *ao, uint32_t domid)
{
    libxl__xs_batch *batch = calloc(1, sizeof(*batch));
    if (!batch)
        return NULL;
    batch->ao = ao;
    batch->domid = domid;
    STAILQ_INIT(&batch->requests);
    libxl__gc_begin(&batch->gc, batch->memory, sizeof(batch->memory));
    libxl__xs_batch_attach(batch);
    return batch;
}

void libxl__xs_batch_attach(libxl__xs_batch *batch)
{
    libxl__source_attach(batch->ao, &batch->source, batch_stop);
}

void libxl__xs_batch_free(libxl__xs_batch *batch)
{
    if (batch)
        libxl__source_stop(batch->ao->ctx, &batch->source);
}

void libxl__xs_set_backend(libxl__xs_batch *batch, uint32_t backend_domid)
{
    batch->backend = backend_domid;
}

/* Adds a request. `path` must be in the batch's gc. NULL: there was no memory for the path. */
static libxl__xs_request *add_for(libxl__xs_batch *batch, libxl__xs_kind kind, const char *path)
{
    libxl__xs_request *request = path ? libxl__gc_alloc(&batch->gc, sizeof(*request)) : NULL;
    if (!request) {
        batch->out_of_memory = true;
        return NULL;
    }
    request->kind = kind;
    request->path = path;
    STAILQ_INSERT_TAIL(&batch->requests, request, link);
    return request;
}

__attribute__((format(printf, 3, 0))) static libxl__xs_request *
add(libxl__xs_batch *batch, libxl__xs_kind kind, const char *path, va_list args)
{
    return add_for(batch, kind, libxl__gc_vprintf(&batch->gc, path, args));
}

/*
 * Declares the variable `request` and adds a request. The path is formatted from the variable arguments of
 * the enclosing function.
 */
#define ADD(request, batch, kind, path)                                                                      \
    libxl__xs_request *request;                                                                              \
    do {                                                                                                     \
        va_list args;                                                                                        \
        va_start(args, path);                                                                                \
        request = add(batch, kind, path, args);                                                              \
        va_end(args);                                                                                        \
    } while (0)

static const char *copy(libxl__xs_batch *batch, const char *value)
{
    const char *copied = libxl__gc_printf(&batch->gc, "%s", value);
    batch->out_of_memory |= !copied;
    return copied;
}

libxl__xs_request *libxl__xs_read(libxl__xs_batch *batch, const char *path, ...)
{
    ADD(request, batch, LIBXL__XS_READ, path);
    return request;
}

libxl__xs_request *libxl__xs_list(libxl__xs_batch *batch, uint32_t offset, const char *path, ...)
{
    ADD(request, batch, LIBXL__XS_LIST, path);
    if (request)
        request->offset = offset;
    return request;
}

void libxl__xs_write(libxl__xs_batch *batch, libxl__xs_perms perms, const char *value, const char *path, ...)
{
    ADD(request, batch, LIBXL__XS_WRITE, path);
    if (!request)
        return;
    request->value = copy(batch, value);
    if (perms != LIBXL__XS_INHERITS && (request = add_for(batch, LIBXL__XS_PERMIT, request->path)))
        request->perms = perms;
}

void libxl__xs_permit(libxl__xs_batch *batch, libxl__xs_perms perms, const char *path, ...)
{
    ADD(request, batch, LIBXL__XS_PERMIT, path);
    if (request)
        request->perms = perms;
}

void libxl__xs_remove(libxl__xs_batch *batch, const char *path, ...)
{
    ADD(request, batch, LIBXL__XS_REMOVE, path);
    (void)request;
}

const char *libxl__xs_text(libxl__xs_batch *batch, const char *format, va_list args)
{
    const char *text = libxl__gc_vprintf(&batch->gc, format, args);
    batch->out_of_memory |= !text;
    return text ? text : "";
}

void libxl__xs_prune(libxl__xs_batch *batch, uint32_t levels, const char *path, ...)
{
    ADD(request, batch, LIBXL__XS_PRUNE, path);
    if (!request)
        return;
    request->levels = levels;
    request->current = libxl__gc_printf(&batch->gc, "%s", request->path);
    batch->out_of_memory |= !request->current;
}

void libxl__xs_prune_begin(libxl__xs_request *request)
{
    /* `current` has room for the path, because it was made as a copy of it. */
    memcpy(request->current, request->path, strlen(request->path) + 1);
    request->climbed = 0;
    request->removing = false;
}

bool libxl__xs_climb(libxl__xs_request *request)
{
    char *slash = strrchr(request->current, '/');
    if (++request->climbed >= request->levels || !slash || slash == request->current)
        return false;
    *slash = 0;
    return true;
}

libxl__xs_request *libxl__xs_require(libxl__xs_batch *batch, int rc, const char *value, const char *path, ...)
{
    ADD(request, batch, LIBXL__XS_REQUIRE, path);
    if (!request)
        return NULL;
    request->rc = rc;
    request->value = value ? copy(batch, value) : NULL;
    return request;
}

libxl__xs_request *libxl__xs_require_absent(libxl__xs_batch *batch, int rc, const char *path, ...)
{
    ADD(request, batch, LIBXL__XS_REQUIRE, path);
    if (!request)
        return NULL;
    request->rc = rc;
    request->absent = true;
    return request;
}

/* Adds a request that requires that the `vm` node of the batch's domain is missing or names this UUID. */
static void require_vm(libxl__xs_batch *batch, const libxl_uuid *uuid)
{
    const char *path = libxl__gc_printf(&batch->gc, "/local/domain/%u/vm", batch->domid);
    libxl__xs_request *request = add_for(batch, LIBXL__XS_REQUIRE, path);
    if (!request)
        return;
    request->rc = ERROR_DOMAIN_DESTROYED;
    request->optional = true;
    request->value = libxl__gc_printf(&batch->gc, "/vm/" LIBXL_UUID_FMT, LIBXL_UUID_BYTES(*uuid));
    batch->out_of_memory |= !request->value;
}

void libxl__xs_require_domain(libxl__xs_batch *batch, const libxl_uuid *uuid)
{
    libxl__xs_require(batch, ERROR_DOMAIN_DESTROYED, NULL, "/local/domain/%u/domid", batch->domid);
    if (!libxl_uuid_is_nil(uuid))
        require_vm(batch, uuid);
}

__attribute__((format(printf, 2, 3))) static libxl__xs_request *add_introduce(libxl__xs_batch *batch,
                                                                              const char *path, ...)
{
    ADD(request, batch, LIBXL__XS_INTRODUCE, path);
    return request;
}

void libxl__xs_introduce(libxl__xs_batch *batch, unsigned long gfn, uint32_t port)
{
    libxl__xs_request *request = add_introduce(batch, "domain %u", batch->domid);
    if (!request)
        return;
    request->gfn = gfn;
    request->port = port;
}

/* ---- called by the transports */

unsigned libxl__xs_owners(const libxl__xs_batch *batch, libxl__xs_perms perms, uint32_t owners[2])
{
    const bool guests = perms == LIBXL__XS_GUESTS || perms == LIBXL__XS_FRONTEND;
    owners[0] = guests ? batch->domid : perms == LIBXL__XS_BACKEND ? batch->backend : 0;
    owners[1] = perms == LIBXL__XS_FRONTEND ? batch->backend : batch->domid;
    return perms == LIBXL__XS_GUESTS || perms == LIBXL__XS_OURS ? 1 : 2;
}

bool libxl__xs_met(libxl__xs_request *request, const char *value, size_t length)
{
    length = value ? strnlen(value, length) : 0;
    request->vacant = !length;
    if (request->absent)
        return !value;
    if (!value)
        return request->optional;
    return !request->value ||
           (strlen(request->value) == length && memcmp(request->value, value, length) == 0);
}

bool libxl__xs_vacant(const libxl__xs_request *request)
{
    return request->vacant;
}

void libxl__xs_failed(libxl__xs_batch *batch, const libxl__xs_request *request, int errnoval)
{
    if (batch->rc)
        return;
    batch->rc = libxl__errno_rc(LIBXL__CALL_ASK_STORE, errnoval);
    if (request && request->kind == LIBXL__XS_REQUIRE && errnoval == ENOENT)
        batch->rc = request->rc;
    batch->message = libxl__gc_printf(&batch->gc, "xenstore: %s: %s", request ? request->path : "transaction",
                                      errnoval == ENOTCONN ? LIBXL__XS_LOST : strerror(errnoval));
}

void libxl__xs_batch_ended(libxl_ctx *ctx, libxl__xs_batch *batch)
{
    batch->state = LIBXL__XS_DONE;
    if (batch->source.ao)
        libxl__source_fire(&batch->source);
    else
        free_memory(ctx, batch);
}

/* ---- running */

/* Passes the batch to the transport. Returns 0 or an error, without a message. */
static int start(libxl__xs_batch *batch, libxl__xs_mode mode)
{
    if (batch->out_of_memory)
        return ERROR_NOMEM;
    libxl_ctx *ctx = batch->ao->ctx;
    release_reserve(ctx, batch);
    batch->mode = mode;
    batch->state = LIBXL__XS_UNDER_WAY;
    batch->ended_seen = ctx->xen->transactions.ended;
    int rc = ctx->xen->transport->run(ctx, batch);
    if (rc)
        batch->state = LIBXL__XS_IDLE;
    return rc;
}

/* Records an error that concerns the whole batch in ao. */
static int record_error(libxl__xs_batch *batch, int rc)
{
    return rc ? libxl__ao_fail(batch->ao, rc, "xenstore: %s", libxl_error_describe(rc)) : 0;
}

int libxl__xs_reserve(libxl__xs_batch *batch, uint32_t requests, size_t octets)
{
    libxl_ctx *ctx = batch->ao->ctx;
    /* For the alignment of a request, of its path and of its value. */
    const size_t slack = 4 * sizeof(void *);
    int rc = libxl__gc_reserve(&batch->gc, requests * (sizeof(libxl__xs_request) + slack) + octets);
    if (!rc)
        rc = ctx->xen->transport->reserve(ctx, batch, requests, octets);
    batch->has_reserve = !rc;
    return record_error(batch, rc);
}

int libxl__xs_run(libxl__xs_batch *batch, libxl__xs_mode mode)
{
    return record_error(batch, start(batch, mode));
}

static void end_unrun(libxl__xs_batch *batch, int rc)
{
    batch->rc = rc;
    batch->message = libxl__gc_printf(&batch->gc, "xenstore: %s", libxl_error_describe(rc));
    batch->state = LIBXL__XS_DONE;
}

void libxl__xs_run_anyway(libxl__xs_batch *batch, libxl__xs_mode mode)
{
    if (!batch->out_of_memory && libxl__xs_link_defer(batch->ao->ctx, batch)) {
        batch->mode = mode;
        return;
    }
    const int rc = start(batch, mode);
    if (rc)
        end_unrun(batch, rc);
}

void libxl__xs_run_deferred(libxl__xs_batch *batch, bool connected)
{
    const int rc = connected ? start(batch, batch->mode) : ERROR_NO_XENSTORE;
    if (!rc)
        return;
    end_unrun(batch, rc);
    libxl__source_fire(&batch->source);
}

bool libxl__xs_take_back(libxl__xs_batch *batch)
{
    libxl_ctx *ctx = batch->ao->ctx;
    return withdraw(ctx, batch) || ctx->xen->transport->uncommitted(batch);
}

bool libxl__xs_advances(libxl__xs_batch *batch)
{
    const libxl_ctx *ctx = batch->ao->ctx;
    const uint32_t before = batch->ended_seen;
    batch->ended_seen = ctx->xen->transactions.ended;
    return ctx->xen->transport->is_queued(ctx, batch) && batch->ended_seen != before;
}

bool libxl__xs_done(const libxl__xs_batch *batch)
{
    return batch->state == LIBXL__XS_DONE;
}

int libxl__xs_rc(const libxl__xs_batch *batch)
{
    assert(libxl__xs_done(batch));
    return batch->rc;
}

int libxl__xs_result(libxl__xs_batch *batch)
{
    assert(libxl__xs_done(batch));
    if (!batch->rc)
        return 0;
    return libxl__ao_fail(batch->ao, batch->rc, "%s", batch->message ? batch->message : "xenstore");
}

const char *libxl__xs_value(const libxl__xs_request *request)
{
    return request->found;
}

const char *libxl__xs_names(const libxl__xs_request *request, size_t *size_out, const char **version_out)
{
    if (!request->found)
        return NULL;
    const size_t version = strnlen(request->found, request->found_size);
    *version_out = request->found;
    *size_out = version < request->found_size ? request->found_size - version - 1 : 0;
    return *size_out ? request->found + version + 1 : "";
}
