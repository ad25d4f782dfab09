/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Adds requests to a batch, and returns their results. Also has functions by which the transports handle
 * requests.
 *
 * Owns: nothing beyond the batch. The context's lock guards a batch, except while the thread of xs_caller.c
 * carries it out.
 */
#include "xen.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xen/io/xs_wire.h>

/* ---- adding requests to a batch */

void libxl__xs_set_backend(libxl__xs_batch *batch, uint32_t backend_domid)
{
    batch->backend = backend_domid;
}

/*
 * Adds a request, and returns it. `path` must be in the batch's memory; NULL: there was no memory for the path.
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

/* Copies the value of a request. `size` is the value's size in octets. */
static void copy(libxl__xs_batch *batch, libxl__xs_request *request, const void *value, size_t size)
{
    char *copied = libxl__gc_alloc(&batch->gc, size + 1);
    batch->out_of_memory |= !copied;
    if (copied && size)
        memcpy(copied, value, size);
    request->value = copied;
    request->size = size;
}

/* Adds a request with a value of `size` octets. The path is no format. */
static libxl__xs_request *add_octets(libxl__xs_batch *batch, libxl__xs_kind kind, const void *value,
                                     size_t size, const char *path)
{
    libxl__xs_request *request = add_for(batch, kind, libxl__gc_printf(&batch->gc, "%s", path));
    if (request)
        copy(batch, request, value, size);
    return request;
}

libxl__xs_request *libxl__xs_read(libxl__xs_batch *batch, const char *path, ...)
{
    ADD(request, batch, LIBXL__XS_READ, path);
    return request;
}

libxl__xs_request *libxl__xs_read_permissions(libxl__xs_batch *batch, const char *path)
{
    return add_for(batch, LIBXL__XS_READ_PERMISSIONS, libxl__gc_printf(&batch->gc, "%s", path));
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
    copy(batch, request, value, strlen(value));
    if (perms != LIBXL__XS_INHERITS && (request = add_for(batch, LIBXL__XS_PERMIT, request->path)))
        request->perms = perms;
}

void libxl__xs_write_octets(libxl__xs_batch *batch, const void *value, size_t size, const char *path)
{
    add_octets(batch, LIBXL__XS_WRITE, value, size, path);
}

void libxl__xs_write_permissions(libxl__xs_batch *batch, const char *permissions, size_t size,
                                 const char *path)
{
    add_octets(batch, LIBXL__XS_WRITE_PERMISSIONS, permissions, size, path);
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
    /* `current` has room for the path, because `current` was made as a copy of the path. */
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
    if (value)
        copy(batch, request, value, strlen(value));
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

void libxl__xs_require_octets(libxl__xs_batch *batch, int rc, const void *value, size_t size,
                              const char *path)
{
    libxl__xs_request *request = add_octets(batch, LIBXL__XS_REQUIRE, value, size, path);
    if (!request)
        return;
    request->rc = rc;
    request->exact = true;
}

/* Returns the size of the names that are compared with one message of xenstored, in octets. */
static size_t part_of(const char *names, size_t size)
{
    enum { MOST = XENSTORE_PAYLOAD_MAX - 64 }; /* the message also has the version of the list */
    size_t part = 0, name;
    while (part < size && part + (name = strlen(names + part) + 1) <= MOST)
        part += name;
    return part;
}

/*
 * Adds a request for each message that xenstored needs for the list. All of them are sent before the first answer. A
 * request that is sent after an answer would reach xenstored after the changes of the batch.
 */
void libxl__xs_require_names(libxl__xs_batch *batch, int rc, const char *names, size_t size, const char *path)
{
    libxl__xs_request *request = add_octets(batch, LIBXL__XS_REQUIRE_NAMES, names, size, path);
    while (request && !batch->out_of_memory) {
        const char *value = request->value;
        const size_t offset = request->offset, part = part_of(value + offset, size - offset);
        request->rc = rc;
        request->part = (uint32_t)part;
        if (!part || offset + part == size)
            return;
        request = add_for(batch, LIBXL__XS_REQUIRE_NAMES, request->path);
        if (!request)
            return;
        request->value = value;
        request->size = size;
        request->offset = (uint32_t)(offset + part);
    }
}

void libxl__xs_require_vm(libxl__xs_batch *batch, const char *vm)
{
    libxl__xs_require(batch, ERROR_DOMAIN_DESTROYED, NULL, "/local/domain/%u/domid", batch->domid);
    libxl__xs_request *request =
        vm ? libxl__xs_require(batch, ERROR_DOMAIN_DESTROYED, vm, "/local/domain/%u/vm", batch->domid) : NULL;
    if (request)
        request->optional = true;
}

void libxl__xs_require_domain(libxl__xs_batch *batch, const libxl_uuid *uuid)
{
    char vm[LIBXL_UUID_FMTLEN + 5];
    snprintf(vm, sizeof(vm), "/vm/" LIBXL_UUID_FMT, LIBXL_UUID_BYTES(*uuid));
    libxl__xs_require_vm(batch, libxl_uuid_is_nil(uuid) ? NULL : vm);
}

/* `path` only names the request in messages. */
__attribute__((format(printf, 3, 4))) static libxl__xs_request *
add_about_domain(libxl__xs_batch *batch, libxl__xs_kind kind, const char *path, ...)
{
    ADD(request, batch, kind, path);
    return request;
}

void libxl__xs_introduce(libxl__xs_batch *batch, unsigned long gfn, uint32_t port)
{
    libxl__xs_request *request = add_about_domain(batch, LIBXL__XS_INTRODUCE, "domain %u", batch->domid);
    if (!request)
        return;
    request->gfn = gfn;
    request->port = port;
}

void libxl__xs_release(libxl__xs_batch *batch)
{
    (void)add_about_domain(batch, LIBXL__XS_RELEASE, "domain %u", batch->domid);
}

void libxl__xs_resume(libxl__xs_batch *batch)
{
    (void)add_about_domain(batch, LIBXL__XS_RESUME, "domain %u", batch->domid);
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
    if (!request->exact)
        length = value ? strnlen(value, length) : 0;
    request->vacant = !length;
    if (request->absent)
        return !value;
    if (!value)
        return request->optional;
    return !request->value || (request->size == length && memcmp(request->value, value, length) == 0);
}

bool libxl__xs_has_names(const libxl__xs_request *request, const char *names, size_t size, bool last)
{
    const size_t rest = request->size - request->offset;
    if (size > rest || memcmp(request->value + request->offset, names, size) != 0)
        return false;
    return last ? size == rest : size >= request->part && request->part < rest;
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

const char *libxl__xs_octets(const libxl__xs_request *request, size_t *size_out)
{
    *size_out = request->found ? request->found_size : 0;
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
