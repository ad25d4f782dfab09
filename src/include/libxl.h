/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * aioxen: controlling Xen domains, asynchronously.
 *
 * This is the public face of the library. What it can do (operations), what it gives (types) and
 * what it tells (events, errors) is declared in idl/ and generated into the two headers at the end.
 * Names are libxl's: a client of libxl's operation and event calls compiles against these headers.
 *
 * Threads: every function may be called from any thread, unless its comment says otherwise.
 * Callbacks run on a thread that is inside a call of this library, with no lock held; they may call
 * the library again.
 */
#ifndef LIBXL_H
#define LIBXL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <xentoollog.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What this library has beyond libxl, for conditional compilation (libxl's convention). */
#define LIBXL_HAVE_AIOXEN                          1 /* this is aioxen */
#define LIBXL_HAVE_CTX_FD                          1 /* libxl_ctx_fd, libxl_ctx_process */
#define LIBXL_HAVE_EVENT_TAKE                      1 /* libxl_event_take */
#define LIBXL_HAVE_EVENT_IS_FOR                    1 /* libxl_event_is_for */
#define LIBXL_HAVE_EVENT_WAIT_LIMIT                1 /* libxl_event_wait_limit, libxl_ctx_wake */
#define LIBXL_HAVE_AO_LIMIT                        1 /* libxl_ao_set_limit */
#define LIBXL_HAVE_DOMAIN_LIFECYCLE                1 /* libxl_evenable_domain_lifecycle: SHUTDOWN, DYING, GONE */
#define LIBXL_HAVE_AO_ABORT                        1
#define LIBXL_HAVE_ERROR_DOMAIN_NOTFOUND           1
#define LIBXL_HAVE_NONCONST_EVENT_OCCURS_EVENT_ARG 1

/* ------------------------------------------------------------------ the basic types */

typedef struct libxl__ctx libxl_ctx;
typedef uint32_t libxl_domid;
typedef uint64_t libxl_ev_user;

/* No domain: where an operation or an event has none. */
#define LIBXL_DOMID_INVALID (~(uint32_t)0)
/* Every domain: where one may be named. */
#define LIBXL_DOMID_ALL (~(uint32_t)1)

/* A domain's identity, 16 octets in big-endian order; all zero: none. */
typedef struct {
    unsigned char uuid[16];
} libxl_uuid;

#define LIBXL_UUID_FMT                                                                                       \
    "%02hhx%02hhx%02hhx%02hhx-%02hhx%02hhx-%02hhx%02hhx-%02hhx%02hhx-%02hhx%02hhx%02hhx%02hhx%02hhx%02hhx"
#define LIBXL_UUID_FMTLEN 36
#define LIBXL__UUID_BYTES(u)                                                                                 \
    u[0], u[1], u[2], u[3], u[4], u[5], u[6], u[7], u[8], u[9], u[10], u[11], u[12], u[13], u[14], u[15]
#define LIBXL_UUID_BYTES(arg) LIBXL__UUID_BYTES((arg).uuid)

void libxl_uuid_init(libxl_uuid *uuid);
void libxl_uuid_dispose(libxl_uuid *uuid);
/* 1 if all octets are zero, else 0. */
int libxl_uuid_is_nil(const libxl_uuid *uuid);
/* A random one (RFC 4122, version 4). */
void libxl_uuid_generate(libxl_uuid *uuid);
/* From its 36 characters, with or without the dashes: 0, or -1 and *uuid is unchanged. */
int libxl_uuid_from_string(libxl_uuid *uuid, const char *text);
void libxl_uuid_copy(libxl_ctx *ctx_or_null, libxl_uuid *dst, const libxl_uuid *src);
/* As memcmp. */
int libxl_uuid_compare(const libxl_uuid *a, const libxl_uuid *b);

/* For the library's own use inside libxl_event. */
typedef struct {
    struct libxl_event *tqe_next, **tqe_prev; /* as TAILQ_ENTRY(libxl_event) of <sys/queue.h> */
} libxl_ev_link;

/* ------------------------------------------------------------------ the context */

#define LIBXL_VERSION 0

/* For libxl_ctx_alloc: speak with xenstored by libxenstore, on a worker, instead of directly. */
#define LIBXL_CTX_LIBXENSTORE 1u

/*
 * Opens the hypervisor and xenstore. `version` is LIBXL_VERSION; `flags` is 0 or LIBXL_CTX_LIBXENSTORE.
 * `logger` (may be NULL: silent) is used until libxl_ctx_free and stays the caller's. Errors: VERSION, INVAL,
 * NOMEM, NO_HYPERVISOR, NO_XENSTORE, PERMISSION, FAIL; *ctx_out is then NULL and nothing is left behind.
 */
int libxl_ctx_alloc(libxl_ctx **ctx_out, int version, unsigned flags, xentoollog_logger *logger);

/*
 * Ordered close: refuses new operations (CLOSED), aborts those in flight, delivers every completion
 * (callbacks run inside this call; completion events that nobody has taken are dropped), ends the
 * workers, frees all. NULL is fine. No other call may be under way on another thread, and not from a
 * callback (INVAL).
 */
int libxl_ctx_free(libxl_ctx *ctx);

/*
 * In the child of a fork that will not exec: gives up the child's copy of the context. Only this may
 * be called there; it closes the child's descriptors, but those that libxenctrl has opened, which go with the child, and
 * touches nothing that is shared.
 */
void libxl_postfork_child_noexec(libxl_ctx *ctx);

/*
 * The words for the most recent failure that this thread was told of: by a call's return value, or by
 * the callback it is in. Names the field or the path; "..." stands for the middle of what is longer than 511
 * octets. Never NULL; valid until the thread's next call.
 */
const char *libxl_error_message(void);

/*
 * How many of each thing a context has alive, for tests and monitoring. Instant operations (pause, get_info, ...) are
 * counted only if they end in an event.
 */
typedef struct libxl_counters {
    uint64_t operations_started;   /* since the context was made */
    uint64_t operations_completed; /* of these, ended; whatever the result */
    uint64_t operations_aborted;   /* of these, ended as ABORTED or TIMEDOUT */
    uint32_t operations;           /* live: started, completion not delivered */
    uint32_t events;               /* queued, not taken */
    uint32_t timers;               /* armed */
    uint32_t watches;              /* xenstore watches registered, besides the context's own */
    uint32_t descriptors;          /* watched by operations and event generators */
    uint32_t jobs;                 /* queued for or running on workers */
    uint32_t threads;              /* workers alive */
    uint32_t evgens;               /* event generators enabled */
} libxl_counters;

void libxl_ctx_counters(libxl_ctx *ctx, libxl_counters *out);

/* ------------------------------------------------------------------ how an operation completes */

/*
 * Every operation has a parameter `const libxl_asyncop_how *ao_how`:
 *
 *   NULL              synchronous: the call returns the result.
 *   callback != NULL  the call returns ERROR_ASYNC_INPROGRESS; callback(ctx, rc, u.for_callback) is
 *                     called exactly once, perhaps before the call returns.
 *   callback == NULL  the call returns ERROR_ASYNC_INPROGRESS; exactly one OPERATION_COMPLETE event
 *                     with for_user = u.for_event follows, perhaps queued before the call returns.
 *
 * Any other return value: it did not start, and there will be no notification. *ao_how and all inputs
 * are copied. Results are written before the completion; their memory must stay valid until then.
 * Clients that define LIBXL_API_VERSION get 0 instead of ERROR_ASYNC_INPROGRESS, as from libxl.
 */
typedef struct libxl_asyncop_how {
    void (*callback)(libxl_ctx *ctx, int rc, void *for_callback);
    union {
        libxl_ev_user for_event; /* when callback is NULL */
        void *for_callback;      /* given to callback */
    } u;
} libxl_asyncop_how;

struct libxl_event;

/*
 * How an operation reports progress, where it has any: to a callback, which then owns the event, or
 * (callback NULL) as an event; discarded when the pointer to this is NULL. Every report is delivered
 * before the operation's completion.
 */
typedef struct libxl_asyncprogress_how {
    void (*callback)(libxl_ctx *ctx, struct libxl_event *event, void *for_callback);
    union {
        libxl_ev_user for_event;
        void *for_callback;
    } u;
} libxl_asyncprogress_how;

/*
 * Asks for an operation to be stopped; `how` has the value that the operation was started with (values
 * should be unique; of several alike the oldest is meant). Does not wait: the operation's own completion
 * says how it ended, ERROR_ABORTED or its real result where it was past stopping.
 * 0: requested. ERROR_NOTFOUND: none such, or it has completed. ERROR_ABORTED: requested already.
 * ERROR_INVAL: how is NULL.
 */
int libxl_ao_abort(libxl_ctx *ctx, const libxl_asyncop_how *how);

/*
 * Gives a running operation `milliseconds` from now to complete: then it is stopped as by an abort, and
 * its result is ERROR_TIMEDOUT. Replaces an earlier limit; 0 removes it. 0, or ERROR_NOTFOUND;
 * ERROR_INVAL: how is NULL.
 */
int libxl_ao_set_limit(libxl_ctx *ctx, const libxl_asyncop_how *how, unsigned milliseconds);

#include <_libxl_types.h>
#include <_libxl_operations.h>

/* ------------------------------------------------------------------ libxl's synchronous queries */

/*
 * The same as libxl_domain_get_info, libxl_domain_list, libxl_host_info and libxl_host_version under
 * libxl's names and calling conventions; none of them waits for anything but a hypercall.
 * libxl_list_domain returns an array of *nb_domain_out that libxl_dominfo_list_free frees, or NULL.
 * libxl_get_version_info returns a pointer that is valid as long as the context, or NULL.
 */
int libxl_domain_info(libxl_ctx *ctx, libxl_dominfo *info_out, uint32_t domid);
libxl_dominfo *libxl_list_domain(libxl_ctx *ctx, int *nb_domain_out);
void libxl_dominfo_list_free(libxl_dominfo *list, int nb_domain);
int libxl_get_physinfo(libxl_ctx *ctx, libxl_physinfo *physinfo);
const libxl_version_info *libxl_get_version_info(libxl_ctx *ctx);

#ifdef __cplusplus
}
#endif

#include <libxl_event.h>

#endif /* LIBXL_H */
