/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: batches and all that is in them. A batch belongs to its operation (locked) until it is run, to the
 * xenstore lane while it is under way, then to the operation again; one that is given up meanwhile is freed
 * by the lane.
 */
#include "xen.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

typedef enum kind { READ, WRITE, REMOVE, REQUIRE, INTRODUCE } kind;

struct libxl__xs_request {
    kind kind;
    libxl__xs_perms perms;
    int rc; /* REQUIRE: the error */
    const char *path, *value;
    unsigned long gfn; /* INTRODUCE */
    uint32_t port;
    char *found; /* READ: malloc'ed by libxenstore */
    STAILQ_ENTRY(libxl__xs_request) link;
};

struct libxl__xs_batch {
    libxl__source source; /* first: stop gives the batch up */
    libxl__job job;
    libxl__ao *ao;
    libxl__gc gc;
    uint32_t domid;
    libxl__xs_mode mode;
    bool out_of_memory;
    int rc;
    char *message;
    STAILQ_HEAD(, libxl__xs_request) requests;
};

static libxl__xs_batch *batch_of_job(libxl__job *job)
{
    return (libxl__xs_batch *)((char *)job - offsetof(libxl__xs_batch, job));
}

/* ---- building */

static void free_batch(libxl_ctx *ctx, libxl__job *job)
{
    (void)ctx;
    libxl__xs_batch *batch = batch_of_job(job);
    libxl__xs_request *request;
    STAILQ_FOREACH(request, &batch->requests, link)
    free(request->found);
    libxl__gc_end(&batch->gc);
    free(batch);
}

static void give_up(libxl_ctx *ctx, libxl__source *source)
{
    libxl__job_orphan(ctx, &((libxl__xs_batch *)source)->job);
}

libxl__xs_batch *libxl__xs_batch_new(libxl__ao *ao, uint32_t domid)
{
    libxl__xs_batch *batch = calloc(1, sizeof(*batch));
    if (!batch)
        return NULL;
    batch->ao = ao;
    batch->domid = domid;
    batch->job.orphaned = free_batch;
    STAILQ_INIT(&batch->requests);
    libxl__source_attach(ao, &batch->source, give_up);
    return batch;
}

void libxl__xs_batch_free(libxl__xs_batch *batch)
{
    if (batch)
        libxl__source_stop(batch->ao->ctx, &batch->source);
}

__attribute__((format(printf, 3, 0))) static libxl__xs_request *add(libxl__xs_batch *batch, kind kind,
                                                                    const char *path, va_list args)
{
    libxl__xs_request *request = libxl__gc_alloc(&batch->gc, sizeof(*request));
    const char *text = libxl__gc_vprintf(&batch->gc, path, args);
    if (!request || !text) {
        batch->out_of_memory = true;
        return NULL;
    }
    request->kind = kind;
    request->path = text;
    STAILQ_INSERT_TAIL(&batch->requests, request, link);
    return request;
}

#define ADD(request, batch, kind, path)                                                                      \
    libxl__xs_request *request;                                                                              \
    do {                                                                                                     \
        va_list args;                                                                                        \
        va_start(args, path);                                                                                \
        request = add(batch, kind, path, args);                                                              \
        va_end(args);                                                                                        \
    } while (0)

libxl__xs_request *libxl__xs_read(libxl__xs_batch *batch, const char *path, ...)
{
    ADD(request, batch, READ, path);
    return request;
}

void libxl__xs_write(libxl__xs_batch *batch, libxl__xs_perms perms, const char *value, const char *path, ...)
{
    ADD(request, batch, WRITE, path);
    if (!request)
        return;
    request->perms = perms;
    request->value = libxl__gc_printf(&batch->gc, "%s", value);
    batch->out_of_memory |= !request->value;
}

void libxl__xs_remove(libxl__xs_batch *batch, const char *path, ...)
{
    ADD(request, batch, REMOVE, path);
    (void)request;
}

void libxl__xs_require(libxl__xs_batch *batch, int rc, const char *path, ...)
{
    ADD(request, batch, REQUIRE, path);
    if (request)
        request->rc = rc;
}

__attribute__((format(printf, 2, 3))) static libxl__xs_request *add_introduce(libxl__xs_batch *batch,
                                                                              const char *path, ...)
{
    ADD(request, batch, INTRODUCE, path);
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

/* ---- on the lane, not locked: the batch is ours alone */

static bool set_perms(struct xs_handle *xs, xs_transaction_t transaction, const libxl__xs_batch *batch,
                      const libxl__xs_request *request)
{
    struct xs_permissions perms[2] = {{.id = 0, .perms = XS_PERM_NONE},
                                      {.id = batch->domid, .perms = XS_PERM_READ}};
    switch (request->perms) {
    case LIBXL__XS_OURS: return xs_set_permissions(xs, transaction, request->path, perms, 1);
    case LIBXL__XS_GUEST_READS: break;
    case LIBXL__XS_GUESTS:
        perms[0].id = batch->domid;
        return xs_set_permissions(xs, transaction, request->path, perms, 1);
    case LIBXL__XS_GUESTS_WE_READ:
        perms[0].id = batch->domid;
        perms[1].id = 0;
        break;
    }
    return xs_set_permissions(xs, transaction, request->path, perms, 2);
}

static bool make(struct xs_handle *xs, xs_transaction_t transaction, libxl__xs_batch *batch,
                 libxl__xs_request *request)
{
    unsigned length;
    switch (request->kind) {
    case READ:
        free(request->found);
        request->found = xs_read(xs, transaction, request->path, &length);
        return request->found || errno == ENOENT;
    case REQUIRE: {
        char *found = xs_read(xs, transaction, request->path, &length);
        free(found);
        return found;
    }
    case WRITE:
        return xs_write(xs, transaction, request->path, request->value, (unsigned)strlen(request->value)) &&
               set_perms(xs, transaction, batch, request);
    case REMOVE: return xs_rm(xs, transaction, request->path) || errno == ENOENT;
    case INTRODUCE: return xs_introduce_domain(xs, batch->domid, request->gfn, request->port);
    }
    return false;
}

static void failed(libxl__xs_batch *batch, const libxl__xs_request *request, const char *what)
{
    int saved = errno;
    batch->rc = saved == EACCES || saved == EPERM ? ERROR_PERMISSION : ERROR_XENSTORE;
    if (request && request->kind == REQUIRE && saved == ENOENT)
        batch->rc = request->rc;
    batch->message =
        libxl__gc_printf(&batch->gc, "xenstore: %s: %s", request ? request->path : what, strerror(saved));
}

static void make_all(struct xs_handle *xs, xs_transaction_t transaction, libxl__xs_batch *batch)
{
    libxl__xs_request *request;
    STAILQ_FOREACH(request, &batch->requests, link)
    if (!make(xs, transaction, batch, request)) {
        failed(batch, request, NULL);
        return;
    }
}

static void make_transaction(struct xs_handle *xs, libxl__xs_batch *batch)
{
    bool again;
    do {
        batch->rc = 0;
        again = false;
        xs_transaction_t transaction = xs_transaction_start(xs);
        if (transaction == XBT_NULL) {
            failed(batch, NULL, "starting a transaction");
            return;
        }
        make_all(xs, transaction, batch);
        if (!xs_transaction_end(xs, transaction, batch->rc != 0) && !batch->rc) {
            again = errno == EAGAIN; /* somebody else has changed what we read */
            if (!again)
                failed(batch, NULL, "ending a transaction");
        }
    } while (again);
}

static void work(libxl_ctx *ctx, libxl__job *job)
{
    libxl__xs_batch *batch = batch_of_job(job);
    struct xs_handle *xs = ctx->xen->requests;
    if (batch->mode == LIBXL__XS_TRANSACTION)
        make_transaction(xs, batch);
    else
        make_all(xs, XBT_NULL, batch);
}

/* ---- running */

int libxl__xs_run(libxl__xs_batch *batch, libxl__xs_mode mode)
{
    if (batch->out_of_memory)
        return ERROR_NOMEM;
    batch->mode = mode;
    batch->job.work = work;
    return libxl__job_submit(batch->ao->ctx, batch->ao, &batch->job, LIBXL__LANE_XENSTORE);
}

bool libxl__xs_done(const libxl__xs_batch *batch)
{
    return batch->job.state == LIBXL__JOB_DONE;
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
