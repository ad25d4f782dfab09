/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Makes the calls of libxenstore. Owns: nothing. The functions run on the thread of xs_caller.c and take no lock: the
 * thread has the handles and the call's batch or watch to itself.
 */
#include "xs_calls.h"
#include "xen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xenstore.h>

static bool set_perms(struct xs_handle *xs, xs_transaction_t transaction, const libxl__xs_batch *batch,
                      const libxl__xs_request *request)
{
    uint32_t owners[2];
    const unsigned count = libxl__xs_owners(batch, request->perms, owners);
    struct xs_permissions perms[2] = {{.id = owners[0], .perms = XS_PERM_NONE},
                                      {.id = owners[1], .perms = XS_PERM_READ}};
    return xs_set_permissions(xs, transaction, request->path, perms, count);
}

/*
 * Stores the names of a node's children in the form of xenstored's answer to XS_DIRECTORY_PART: the generation
 * count of the node, the names, and an empty name. xenstored sends a long list in several answers, and a changed
 * generation count shows that the list has changed between two answers. libxenstore returns the whole list at
 * once, so this count is always "0". Returns true, or false with errno.
 */
static bool list(struct xs_handle *xs, xs_transaction_t transaction, libxl__xs_request *request)
{
    unsigned count = 0;
    size_t size = 3; /* the size of "0" and of the empty name */
    free(request->found);
    request->found = NULL;
    char **names = xs_directory(xs, transaction, request->path, &count);
    if (!names)
        return errno == ENOENT;
    for (unsigned i = 0; i < count; i++)
        size += strlen(names[i]) + 1;
    request->found = calloc(1, size + 1);
    if (request->found) {
        char *at = stpcpy(request->found, "0") + 1;
        for (unsigned i = 0; i < count; i++)
            at = stpcpy(at, names[i]) + 1;
    }
    request->found_size = size;
    free(names);
    errno = ENOMEM;
    return request->found;
}

/* Keeps the permissions of a node as xenstored writes them. Returns true, or false with errno. */
static bool read_permissions(struct xs_handle *xs, xs_transaction_t transaction, libxl__xs_request *request)
{
    enum { LONGEST = 16 }; /* enough for a letter, a domid and a zero octet */
    unsigned count = 0;
    free(request->found);
    request->found = NULL;
    struct xs_permissions *perms = xs_get_permissions(xs, transaction, request->path, &count);
    if (!perms)
        return errno == ENOENT;
    char *at = request->found = calloc(count + 1, LONGEST);
    for (unsigned i = 0; at && i < count; i++)
        at += snprintf(at, LONGEST, "%c%u", "nrwb"[perms[i].perms & (XS_PERM_READ | XS_PERM_WRITE)],
                       perms[i].id) +
              1;
    request->found_size = at ? (size_t)(at - request->found) : 0;
    free(perms);
    errno = ENOMEM;
    return at;
}

static bool write_permissions(struct xs_handle *xs, xs_transaction_t transaction,
                              const libxl__xs_request *request)
{
    unsigned count = 0;
    for (size_t at = 0; at < request->size; at += strlen(request->value + at) + 1)
        count++;
    struct xs_permissions *perms = calloc(count + 1, sizeof(*perms));
    if (!perms)
        return false;
    const char *text = request->value;
    for (unsigned i = 0; i < count; i++, text += strlen(text) + 1)
        perms[i] = (struct xs_permissions){.id = (unsigned)strtoul(text + 1, NULL, 10),
                                           .perms = *text == 'n'   ? XS_PERM_NONE
                                                    : *text == 'r' ? XS_PERM_READ
                                                    : *text == 'w' ? XS_PERM_WRITE
                                                                   : XS_PERM_READ | XS_PERM_WRITE};
    const bool ok = xs_set_permissions(xs, transaction, request->path, perms, count);
    const int error = errno;
    free(perms);
    errno = error;
    return ok;
}

/*
 * Compares the names of a node's children with those that the node must have. The request for the first part
 * compares the whole list. Returns true, or false with errno.
 */
static bool require_names(struct xs_handle *xs, xs_transaction_t transaction,
                          const libxl__xs_request *request)
{
    unsigned count = 0, i = 0;
    size_t at = 0;
    if (request->offset)
        return true;
    char **names = xs_directory(xs, transaction, request->path, &count);
    if (!names)
        return false;
    for (; i < count && at < request->size && strcmp(names[i], request->value + at) == 0; i++)
        at += strlen(names[i]) + 1;
    free(names);
    errno = ENOENT;
    return i == count && at == request->size;
}

static bool prune(struct xs_handle *xs, xs_transaction_t transaction, libxl__xs_request *request)
{
    libxl__xs_prune_begin(request);
    do {
        unsigned count = 0;
        char **names = xs_directory(xs, transaction, request->current, &count);
        if (!names && errno != ENOENT)
            return false;
        const bool gone = !names;
        free(names);
        if (count)
            return true;
        if (!gone && !xs_rm(xs, transaction, request->current))
            return false;
    } while (libxl__xs_climb(request));
    return true;
}

/* Carries out a request. Returns true, or false with errno. */
static bool carry_out(struct xs_handle *xs, xs_transaction_t transaction, const libxl__xs_batch *batch,
                      libxl__xs_request *request)
{
    unsigned length = 0;
    char *value;
    bool met;
    switch (request->kind) {
    case LIBXL__XS_READ:
        free(request->found);
        request->found = xs_read(xs, transaction, request->path, &length);
        request->found_size = length;
        return request->found || errno == ENOENT;
    case LIBXL__XS_REQUIRE:
        value = xs_read(xs, transaction, request->path, &length);
        if (!value && errno != ENOENT)
            return false;
        met = libxl__xs_met(request, value, length);
        free(value);
        errno = ENOENT;
        return met;
    case LIBXL__XS_READ_PERMISSIONS: return read_permissions(xs, transaction, request);
    case LIBXL__XS_WRITE_PERMISSIONS: return write_permissions(xs, transaction, request);
    case LIBXL__XS_REQUIRE_NAMES: return require_names(xs, transaction, request);
    case LIBXL__XS_LIST: return list(xs, transaction, request);
    case LIBXL__XS_WRITE:
        return xs_write(xs, transaction, request->path, request->value, (unsigned)request->size);
    case LIBXL__XS_PERMIT: return set_perms(xs, transaction, batch, request);
    case LIBXL__XS_REMOVE: return xs_rm(xs, transaction, request->path) || errno == ENOENT;
    case LIBXL__XS_PRUNE: return transaction == XBT_NULL || prune(xs, transaction, request);
    case LIBXL__XS_INTRODUCE: return xs_introduce_domain(xs, batch->domid, request->gfn, request->port);
    case LIBXL__XS_RELEASE: return xs_release_domain(xs, batch->domid);
    case LIBXL__XS_RESUME: return xs_resume_domain(xs, batch->domid);
    }
    return false;
}

/*
 * Returns the errno of a failed call, or ENOTCONN if the connection is lost. libxenstore closes its
 * descriptor after any error of the descriptor, so several errnos mean a lost connection.
 */
static int errno_of_call(void)
{
    static const int lost[] = {EPIPE, EBADF, ECONNRESET, EIO, ENOTCONN};
    for (size_t i = 0; i < sizeof(lost) / sizeof(*lost); i++)
        if (errno == lost[i])
            return ENOTCONN;
    return errno ? errno : EAGAIN;
}

/*
 * Returns the errno of a failed call with the handle for watches, or ENOTCONN if the connection is lost. A thread of
 * libxenstore reads the answers for this handle. If the connection is lost before the answer has come, the call fails
 * with EINVAL, as a request that xenstored refuses. Another request then fails, too.
 */
static int errno_of_watches(struct xs_handle *watches)
{
    unsigned length;
    if (errno != EINVAL)
        return errno_of_call();
    char *answer = xs_read(watches, XBT_NULL, "/", &length);
    free(answer);
    return answer ? EINVAL : ENOTCONN;
}

/* Carries out the requests until one fails. Returns 0 or the errno of the failed request. */
static int carry_out_all(struct xs_handle *xs, xs_transaction_t transaction, libxl__xs_batch *batch)
{
    libxl__xs_request *request;
    STAILQ_FOREACH (request, &batch->requests, link)
        if (!carry_out(xs, transaction, batch, request)) {
            const int error = errno_of_call();
            libxl__xs_failed(batch, request, error);
            return error;
        }
    return 0;
}

/*
 * Carries out the batch as a transaction. If another client changes a node that the transaction uses, repeats
 * the transaction, up to LIBXL__XS_MOST_REPEATS times. Returns 0 or an errno.
 */
static int carry_out_transaction(struct xs_handle *xs, libxl__xs_batch *batch)
{
    for (;;) {
        const xs_transaction_t transaction = xs_transaction_start(xs);
        int error = transaction == XBT_NULL ? errno_of_call() : carry_out_all(xs, transaction, batch);
        if (transaction != XBT_NULL && !xs_transaction_end(xs, transaction, error != 0) && !error)
            error = errno_of_call();
        /* Another client has changed a node that the transaction has used. */
        if (error == EAGAIN && !batch->rc && batch->repeats < LIBXL__XS_MOST_REPEATS) {
            batch->repeats++;
            continue;
        }
        if (error)
            libxl__xs_failed(batch, NULL, error);
        return error;
    }
}

static int make_batch(struct libxl__xs_handles *handles, libxl__xs_batch *batch)
{
    return batch->mode == LIBXL__XS_TRANSACTION ? carry_out_transaction(handles->requests, batch)
                                                : carry_out_all(handles->requests, XBT_NULL, batch);
}

void libxl__xs_close_handles(struct libxl__xs_handles *handles)
{
    if (handles->watches)
        xs_close(handles->watches);
    if (handles->requests)
        xs_close(handles->requests);
    handles->watches = handles->requests = NULL;
}

/*
 * Closes the handles, connects again, and waits until xenstored has answered a request. Returns 0 or an
 * errno.
 */
static int make_connect(struct libxl__xs_handles *handles)
{
    unsigned length;
    libxl__xs_close_handles(handles);
    errno = 0;
    handles->requests = xs_open(0);
    handles->watches = handles->requests ? xs_open(0) : NULL;
    const int fd = handles->watches ? xs_fileno(handles->watches) : -1;
    char *answer = fd < 0 ? NULL : xs_read(handles->requests, XBT_NULL, "/", &length);
    const int error = errno ? errno : EIO;
    if (fd >= 0)
        fcntl(fd, F_SETFD, FD_CLOEXEC);
    if (!answer)
        libxl__xs_close_handles(handles);
    free(answer);
    return answer ? 0 : error;
}

static int make_ping(struct libxl__xs_handles *handles)
{
    unsigned length;
    char *first = xs_read(handles->requests, XBT_NULL, "/", &length);
    char *second = first ? xs_read(handles->watches, XBT_NULL, "/", &length) : NULL;
    const int error = second ? 0 : first ? errno_of_watches(handles->watches) : errno_of_call();
    free(first);
    free(second);
    return error;
}

int libxl__xs_make_call(struct libxl__xs_handles *handles, libxl__xs_call *call)
{
    const libxl__watch *watch = libxl__watch_of_call(call);
    bool ok = false;
    errno = 0; /* xs_watch does not set errno if it cannot start its thread */
    switch (call->kind) {
    case LIBXL__XS_CONNECT: return make_connect(handles);
    case LIBXL__XS_PING: return make_ping(handles);
    case LIBXL__XS_BATCH: return make_batch(handles, LIBXL__CONTAINER(call, libxl__xs_batch, call));
    case LIBXL__XS_ADD:
        ok = xs_watch(handles->watches, watch->path, libxl__watch_token_of(watch).text);
        break;
    case LIBXL__XS_DROP:
        ok = xs_unwatch(handles->watches, watch->path, libxl__watch_token_of(watch).text);
        break;
    }
    return ok ? 0 : errno_of_watches(handles->watches);
}
