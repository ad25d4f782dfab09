/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * aioxen: controlling Xen domains, asynchronously.
 *
 * This is the library's public header. The operations, types, events and errors are declared in idl/. The
 * headers _libxl_types.h and _libxl_operations.h, included below, are generated from the declarations in
 * idl/. A name that libxl also has keeps libxl's meaning and layout, and is declared in the header that
 * declares it in libxl. docs/libxl.md lists the differences.
 *
 * Threads: any thread may call any function, unless the function's comment says otherwise. Callbacks run on a
 * thread that is inside a call of this library. No lock is held during a callback, so it may call the library
 * again.
 */
#ifndef LIBXL_H
#define LIBXL_H

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <netinet/in.h>
#include <sys/wait.h>

#include <xen_list.h>
#include <xentoollog.h>

#include <libxl_uuid.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ------------------------------------------------------------------ what this library has */

/*
 * Macros for conditional compilation. Each macro stands for a feature that this library has and libxl does
 * not have. The comment of the macro names the feature.
 */
#define LIBXL_HAVE_AIOXEN           1 /* this library is aioxen */
#define LIBXL_HAVE_CTX_FD           1 /* libxl_ctx_fd, libxl_ctx_process */
#define LIBXL_HAVE_EVENT_TAKE       1 /* libxl_event_take */
#define LIBXL_HAVE_EVENT_IS_FOR     1 /* libxl_event_is_for */
#define LIBXL_HAVE_EVENT_WAIT_LIMIT 1 /* libxl_event_wait_limit, libxl_ctx_wake */
#define LIBXL_HAVE_AO_LIMIT         1 /* libxl_ao_set_limit */
#define LIBXL_HAVE_AO_LIST          1 /* libxl_ao_list, libxl_ao_set_progress */
#define LIBXL_HAVE_DOMAIN_LIFECYCLE 1 /* libxl_evenable_domain_lifecycle: APPEARED, SHUTDOWN, DYING, GONE */
#define LIBXL_HAVE_CTX_NO_WAIT      1 /* the flag LIBXL_CTX_NO_WAIT of libxl_ctx_alloc */
#define LIBXL_HAVE_UNFINISHED       1 /* libxl_domain_list_unfinished, libxl_domain_remove_unfinished */
#define LIBXL_HAVE_XL_FILES         1 /* libxl_domain_config_from_xl */
#define LIBXL_HAVE_LOG_QUEUE        1 /* libxl_log_queue_alloc */
#define LIBXL_HAVE_KEEP_PHASES      1 /* libxl_ctx_keep_phases */

#include <libxl_have.h>

/*
 * A program written for libxl may define LIBXL_API_VERSION before it includes this header: 0x040200 for libxl
 * 4.2, and so on. The program then gets the prototypes of that version of libxl, and its calls return 0
 * instead of ERROR_ASYNC_INPROGRESS.
 */
#if defined(LIBXL_API_VERSION) && LIBXL_API_VERSION == 0x040200
#undef LIBXL_HAVE_NONCONST_EVENT_OCCURS_EVENT_ARG
#endif
#if defined(LIBXL_API_VERSION) && LIBXL_API_VERSION < 0x040500
#undef LIBXL_HAVE_NONCONST_LIBXL_BASENAME_RETURN_VALUE
#undef LIBXL_HAVE_UUID_COPY_CTX_PARAM
#endif

/* ------------------------------------------------------------------ the basic types */

/* A domain's number. It is unique among the domains that exist. A later domain may have the same number. */
typedef uint32_t libxl_domid;
/* A number that the application chooses. Events carry it back to the application. */
typedef uint64_t libxl_ev_user;

/* The value of domid in operations and events that concern no domain. */
#define LIBXL_DOMID_INVALID (~(uint32_t)0)
/* A value of domid that means all domains. Only functions whose comment mentions this value accept it. */
#define LIBXL_DOMID_ALL (~(uint32_t)1)
/* libxl's name for LIBXL_DOMID_INVALID. */
#define INVALID_DOMID ~0

/*
 * The value in libxl_cputopology for a processor that is offline, and in libxl_numainfo for a node that does
 * not exist.
 */
#define LIBXL_CPUTOPOLOGY_INVALID_ENTRY (~(uint32_t)0)
#define LIBXL_NUMAINFO_INVALID_ENTRY    (~(uint32_t)0)
/* The value of a PCI device's node in libxl_pcitopology if the node is not known. */
#define LIBXL_PCITOPOLOGY_INVALID_ENTRY (~(uint32_t)0)

/* The number of bits of the bitmaps viridian_enable and viridian_disable. */
#define LIBXL_BUILDINFO_HVM_VIRIDIAN_ENABLE_DISABLE_WIDTH 64

/*
 * The default numbers of grant frames and maptrack frames in older versions of libxl. libxl 4.17 does not use them.
 */
#define LIBXL_MAX_GRANT_FRAMES_DEFAULT    32
#define LIBXL_MAX_MAPTRACK_FRAMES_DEFAULT 1024

#include <libxl_values.h>

/*
 * A word of an enumeration and its value. libxl converts enumerations by tables of this type. This library converts
 * them by libxl_T_to_string and libxl_T_from_string. The type exists for programs that use it.
 */
typedef struct {
    const char *s;
    int v;
} libxl_enum_string_table;

struct libxl_event;

/*
 * The type of the first member of libxl_event. The owner of an event may use this member to link the event
 * into a list of its own. The type has the same members as XEN_TAILQ_ENTRY(struct libxl_event), so the macros
 * XEN_TAILQ_* of <xen_list.h> can be used with events.
 */
typedef struct {
    struct libxl_event *tqe_next, **tqe_prev;
} libxl_ev_link;

/* ------------------------------------------------------------------ the context */

#define LIBXL_VERSION 0

/*
 * A flag for libxl_ctx_alloc. The context then calls libxenstore, on a thread of the library. Without this
 * flag it uses xenstored's protocol directly.
 */
#define LIBXL_CTX_LIBXENSTORE 1u

/*
 * A flag for libxl_ctx_alloc. The function then does not wait until xenstored answers. Operations that need
 * xenstored are queued until xenstored answers. If xenstored has not answered one second after
 * libxl_ctx_alloc, these operations fail with NO_XENSTORE.
 */
#define LIBXL_CTX_NO_WAIT 2u

/*
 * Opens a context, which connects to the hypervisor and to xenstored. Returns 0 and stores the context in
 * *ctx_out, or returns an error and sets *ctx_out to NULL. If xenstored has not answered after one second,
 * returns NO_XENSTORE.
 *
 * `version` must be LIBXL_VERSION. `flags` is 0, or any combination of LIBXL_CTX_LIBXENSTORE and
 * LIBXL_CTX_NO_WAIT. `logger` receives the messages; NULL: no messages are written. The caller owns the
 * logger, which must remain valid until libxl_ctx_free has returned.
 *
 * Errors: VERSION, INVAL, NOMEM, NO_HYPERVISOR, NO_XENSTORE, PERMISSION, FAIL.
 */
int libxl_ctx_alloc(libxl_ctx **ctx_out, int version, unsigned flags, xentoollog_logger *logger);

/*
 * Closes a context. New operations are refused with CLOSED. Operations in progress are aborted, and each
 * completion is delivered. Callbacks and event hooks run inside this call. Queued events are freed. Then the
 * worker threads end and all memory is freed. `ctx` may be NULL. While this function runs, no other thread
 * may be inside a call on this context. Returns 0 or an error. INVAL: the function was called in a callback
 * or while a callback runs. FAIL: polling has failed. After an error the context is not freed.
 */
int libxl_ctx_free(libxl_ctx *ctx);

/*
 * Returns the message of this thread's most recent failure. A failure is a call that returned an error, or
 * the operation whose callback is running. The message names the argument, field or path. If a message is
 * longer than 511 octets, "..." replaces its middle. Never returns NULL. The text is valid until this
 * thread's next call of the library.
 */
const char *libxl_error_message(void);

/*
 * The number of objects of each kind in a context, for tests and monitoring. An instant operation
 * (domain_pause, domain_get_info, ...) is counted only if it completes with an event.
 */
typedef struct libxl_counters {
    /* The number of operations that were started since the context was opened. */
    uint64_t operations_started;
    uint64_t operations_completed; /* the number of these operations that have completed, with any result */
    /* The number of these operations that have completed with ABORTED or TIMEDOUT. */
    uint64_t operations_aborted;
    uint32_t operations; /* the number of operations whose completion has not been delivered yet */
    uint32_t events;     /* the number of events that are queued and not taken */
    uint32_t timers;     /* the number of timers that are set */
    uint32_t watches;    /* the number of xenstore watches of operations and event generators */
    /* The number of descriptors that are watched for operations and event generators. */
    uint32_t descriptors;
    /* The number of jobs that are queued for worker threads or running on them. */
    uint32_t jobs;
    uint32_t threads; /* the number of worker threads */
    uint32_t evgens;  /* the number of event generators that are enabled */
} libxl_counters;

/* Stores the context's counters in *out. */
void libxl_ctx_counters(libxl_ctx *ctx, libxl_counters *out);

/* ------------------------------------------------------------------ how an operation completes */

/*
 * Every operation has a parameter `const libxl_asyncop_how *ao_how`, which says how the operation completes:
 *
 *   NULL              The call is synchronous: it returns the operation's result.
 *   callback != NULL  The call returns ERROR_ASYNC_INPROGRESS. callback(ctx, rc, u.for_callback) is called
 *                     exactly once, perhaps before the call returns.
 *   callback == NULL  The call returns ERROR_ASYNC_INPROGRESS. Exactly one OPERATION_COMPLETE event with
 *                     for_user = u.for_event follows; it may be queued before the call returns.
 *
 * If an asynchronous call returns any other value, the operation did not start, and no callback and no event
 * will follow. *ao_how and all inputs are copied. Results are written before the completion, so the memory
 * for the results must remain valid until the completion. A program that defines LIBXL_API_VERSION gets 0
 * instead of ERROR_ASYNC_INPROGRESS, as from libxl.
 */
typedef struct {
    void (*callback)(libxl_ctx *ctx, int rc, void *for_callback);
    union {
        libxl_ev_user for_event; /* the value for the event; used if callback is NULL */
        void *for_callback;      /* the value that is passed to callback */
    } u;
} libxl_asyncop_how;

/*
 * How an operation reports its progress. Operations that can report have a parameter of this type. Each
 * report is an event with for_user = for_event:
 *
 *   callback != NULL  callback(ctx, event, for_callback) is called with the event. The callback owns the event
 *                     and frees it with libxl_event_free.
 *   callback == NULL  The event is queued, or passed to the application's event hook.
 *
 * If the pointer to this structure is NULL, no progress is reported. Every report is delivered before the
 * operation's completion. The structure is copied.
 */
typedef struct {
    void (*callback)(libxl_ctx *ctx, struct libxl_event *event, void *for_callback);
    libxl_ev_user for_event; /* the value for the event; used with and without callback */
    void *for_callback;      /* the value that is passed to callback */
} libxl_asyncprogress_how;

/*
 * Asks an operation to stop, and does not wait until it has ended. `how` identifies the operation: *how must
 * equal the value with which the operation was started. If several operations have this value, the oldest of
 * them is stopped. So values should be unique. `how` NULL stops the synchronous calls of all other threads.
 * The operation's completion gives its result: ERROR_ABORTED, or another result if it was too late to stop.
 * Any thread may call this function. Returns 0 if this call has requested the stop, ERROR_ABORTED if a stop
 * was requested before, and ERROR_NOTFOUND if there is no such operation or it has completed.
 */
int libxl_ao_abort(libxl_ctx *ctx, const libxl_asyncop_how *how);

/*
 * Limits the time of a running operation to `milliseconds` from now. `how` identifies the operation, as for
 * libxl_ao_abort. When the time has passed, the operation is stopped as by an abort, and its result is
 * ERROR_TIMEDOUT. The operation completes at most a second later. If the undo has not ended at that time, the
 * undo goes on in the background, and libxl_ao_list shows it. The new limit replaces an earlier limit. 0
 * removes the limit. `how` NULL limits synchronous calls. The limit of a running call of another thread
 * begins now, and the limit of a later call begins when the call starts. Any thread may call this function.
 * Returns 0. Returns ERROR_NOTFOUND if there is no such operation or it has completed, and ERROR_NOMEM if
 * there is no memory.
 */
int libxl_ao_set_limit(libxl_ctx *ctx, const libxl_asyncop_how *how, unsigned milliseconds);

#include <_libxl_types.h>

/* libxl's second name of the type. */
typedef libxl_psr_cbm_type libxl_psr_type;

#include <_libxl_operations.h>

/* ------------------------------------------------------------------ operations in progress */

/*
 * Makes a running operation report its progress by OPERATION_PROGRESS events. `how` identifies the operation,
 * as for libxl_ao_abort. The operation reports its present phase at once, then each phase that it enters, and
 * the progress within a phase. All reports are delivered before the completion. The new request replaces an
 * earlier request. `progress` NULL ends the reports. Any thread may call this function. Returns 0 or an
 * error. ERROR_NOTFOUND: there is no such operation, or it has completed. ERROR_INVAL: `how` is NULL.
 * ERROR_NOMEM: there is no memory.
 */
int libxl_ao_set_progress(libxl_ctx *ctx, const libxl_asyncop_how *how,
                          const libxl_asyncprogress_how *progress);

/*
 * Makes the operations that are started from now on keep the phases that they enter. The first
 * libxl_ao_set_progress of such an operation then also reports the phases before the present one, with the
 * times when they were entered. So a program that requests reports when an initiator has returned gets every
 * phase. With `keep` false, operations do not keep the phases that they enter from now on. Any thread may call
 * this function.
 */
void libxl_ctx_keep_phases(libxl_ctx *ctx, bool keep);

/*
 * Lists the operations in progress: asynchronous operations, synchronous calls of other threads, and undos
 * that go on in the background after their operation has completed. Any thread may call this. Returns an
 * array of *nb_out elements, which the caller frees with libxl_operation_info_list_free. Returns NULL if
 * there is no memory for the array.
 */
libxl_operation_info *libxl_ao_list(libxl_ctx *ctx, int *nb_out);
/* Frees an array of `nb` elements from libxl_ao_list. `list` may be NULL. */
void libxl_operation_info_list_free(libxl_operation_info *list, int nb);

/* ------------------------------------------------------------------ libxl's synchronous queries */

/*
 * The following functions have libxl's names. They call the operations domain_get_info, domain_list,
 * host_info and host_version. They are synchronous, make a few hypercalls, and wait for nothing else.
 */

/*
 * Queries one domain. Returns 0 and fills in *info_out, which the caller disposes of. `info_out` NULL: only
 * checks that the domain exists. Errors: DOMAIN_NOTFOUND (the domain does not exist), INVAL, PERMISSION,
 * FAIL.
 */
int libxl_domain_info(libxl_ctx *ctx, libxl_dominfo *info_out, uint32_t domid);

/*
 * Returns an array of all domains, in order of domid, and stores their number in *nb_domain_out. The caller
 * frees the array with libxl_dominfo_list_free. After an error returns NULL and sets *nb_domain_out to 0.
 */
libxl_dominfo *libxl_list_domain(libxl_ctx *ctx, int *nb_domain_out);
void libxl_dominfo_list_free(libxl_dominfo *list, int nb_domain);

/*
 * Queries the host. Returns 0 and fills in *physinfo, which the caller disposes of. Errors: INVAL,
 * PERMISSION, FAIL.
 */
int libxl_get_physinfo(libxl_ctx *ctx, libxl_physinfo *physinfo);

/*
 * Returns the hypervisor's version, which belongs to the context and remains valid until libxl_ctx_free.
 * Returns NULL on an error.
 */
const libxl_version_info *libxl_get_version_info(libxl_ctx *ctx);

#include <libxl_console.h>
#include <libxl_running.h>
#include <libxl_host.h>
#include <_libxl_devices.h>
#include <libxl_xl.h>
#include <libxl_userdata.h>
#include <libxl_log.h>

/* libxl_domain_create_restore had no params in libxl 4.3 and older, and no send_back_fd in libxl 4.6 and older. */
#if defined(LIBXL_API_VERSION) && LIBXL_API_VERSION < 0x040400
static inline int libxl__domain_create_restore_0x040200(libxl_ctx *ctx, libxl_domain_config *d_config,
                                                        uint32_t *domid, int restore_fd,
                                                        const libxl_asyncop_how *ao_how,
                                                        const libxl_asyncprogress_how *aop_console_how)
{
    return libxl_domain_create_restore(ctx, d_config, domid, restore_fd, -1, NULL, ao_how, aop_console_how);
}
#define libxl_domain_create_restore libxl__domain_create_restore_0x040200
#elif defined(LIBXL_API_VERSION) && LIBXL_API_VERSION < 0x040700
static inline int libxl__domain_create_restore_0x040400(libxl_ctx *ctx, libxl_domain_config *d_config,
                                                        uint32_t *domid, int restore_fd,
                                                        const libxl_domain_restore_params *params,
                                                        const libxl_asyncop_how *ao_how,
                                                        const libxl_asyncprogress_how *aop_console_how)
{
    return libxl_domain_create_restore(ctx, d_config, domid, restore_fd, -1, params, ao_how, aop_console_how);
}
#define libxl_domain_create_restore libxl__domain_create_restore_0x040400
#endif
/* In libxl 4.12 and older these functions had no ao_how and were synchronous. */
#if defined(LIBXL_API_VERSION) && LIBXL_API_VERSION < 0x041300
static inline int libxl__send_trigger_0x041200(libxl_ctx *ctx, uint32_t domid, libxl_trigger trigger,
                                               uint32_t vcpuid)
{
    return libxl_send_trigger(ctx, domid, trigger, vcpuid, NULL);
}
static inline int libxl__set_vcpuonline_0x041200(libxl_ctx *ctx, uint32_t domid, const libxl_bitmap *cpumap)
{
    return libxl_set_vcpuonline(ctx, domid, cpumap, NULL);
}
static inline int libxl__qemu_monitor_command_0x041200(libxl_ctx *ctx, uint32_t domid,
                                                       const char *command_line, char **output)
{
    return libxl_qemu_monitor_command(ctx, domid, command_line, output, NULL);
}
#define LIBXL__SYNCHRONOUS(name)                                                                             \
    static inline int libxl__##name##_0x041200(libxl_ctx *ctx, uint32_t domid)                               \
    {                                                                                                        \
        return libxl_##name(ctx, domid, NULL);                                                               \
    }
#define LIBXL__SYNCHRONOUS_RESULT(name, type)                                                                \
    static inline int libxl__##name##_0x041200(libxl_ctx *ctx, uint32_t domid, type *out)                    \
    {                                                                                                        \
        return libxl_##name(ctx, domid, out, NULL);                                                          \
    }
LIBXL__SYNCHRONOUS_RESULT(retrieve_domain_configuration, libxl_domain_config)
LIBXL__SYNCHRONOUS(domain_pause)
LIBXL__SYNCHRONOUS(domain_unpause)
LIBXL__SYNCHRONOUS(domain_shutdown)
LIBXL__SYNCHRONOUS(domain_reboot)
#undef libxl_retrieve_domain_configuration
#define libxl_retrieve_domain_configuration libxl__retrieve_domain_configuration_0x041200
#undef libxl_domain_pause
#undef libxl_domain_unpause
#undef libxl_domain_shutdown
#undef libxl_domain_reboot
#define libxl_domain_pause    libxl__domain_pause_0x041200
#define libxl_domain_unpause  libxl__domain_unpause_0x041200
#define libxl_domain_shutdown libxl__domain_shutdown_0x041200
#define libxl_domain_reboot   libxl__domain_reboot_0x041200
#undef libxl_send_trigger
#undef libxl_set_vcpuonline
#undef libxl_qemu_monitor_command
#define libxl_qemu_monitor_command libxl__qemu_monitor_command_0x041200
#define libxl_send_trigger         libxl__send_trigger_0x041200
#define libxl_set_vcpuonline       libxl__set_vcpuonline_0x041200
#endif

#ifdef __cplusplus
}
#endif

#include <libxl_event.h>

#endif /* LIBXL_H */
