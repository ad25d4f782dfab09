/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Adds requests to a batch, and returns their results. Also has functions by which the transports handle
 * requests.
 *
 * Owns: nothing beyond the batch. The context's lock guards a batch, except while the thread of xs_caller.c carries it out.
 */
#include "xen.h"

#include <stdlib.h>
#include <string.h>

/* ---- adding requests to a batch */

void libxl__xs_set_backend(libxl__xs_batch *batch, uint32_t backend_domid)
{
    batch->backend = backend_domid;
}

/*
 * Adds a request, and returns it. `path` must be in the batch's gc; NULL: there was no memory for the path.
 * Returns NULL if there is no memory.
 */
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

/* ---- functions for the transports */

unsigned libxl__xs_owners(const libxl__xs_batch *batch, libxl__xs_perms perms, uint32_t owners[2])
{
    const bool guests = perms == LIBXL__XS_GUESTS || perms == LIBXL__XS_FRONTEND;
    owners[0] = guests ? batch->domid : perms == LIBXL__XS_BACKEND ? batch->backend : 0;
    owners[1] = perms == LIBXL__XS_FRONTEND ? batch->backend : batch->domid;
    return perms == LIBXL__XS_GUESTS ? 1 : 2;
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

/* ---- the results of requests */

bool libxl__xs_vacant(const libxl__xs_request *request)
{
    return request->vacant;
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
