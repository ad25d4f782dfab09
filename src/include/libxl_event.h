/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Events, and how a program's main loop works together with the library. Included by libxl.h.
 *
 * There are three usual kinds of loop. tests/c has a test for each:
 *
 *   a thread of its own  for (;;) { libxl_event_wait(ctx, &event, LIBXL_EVENTMASK_ALL, NULL, NULL); ... }
 *   any event loop       watch libxl_ctx_fd(ctx) for reading; when it is readable, repeat
 *                            n = libxl_event_take(ctx, records, N);
 *                        until n < N; a program with callbacks only calls libxl_ctx_process(ctx) instead
 *   poll(2)              libxl_osevent_beforepoll, poll, libxl_osevent_afterpoll, libxl_event_check
 */
#ifndef LIBXL_EVENT_H
#define LIBXL_EVENT_H

#include <libxl.h>

#include <poll.h>
#include <sys/time.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ------------------------------------------------------------------ one descriptor, one step */

/*
 * Returns the context's descriptor. It is readable (level-triggered) while the library has work to do and while
 * events are queued. After the last event was taken, it may stay readable until the library's next step
 * (libxl_ctx_process). The descriptor belongs to the library and stays the same as long as the context exists. Watch
 * it with epoll, poll, select or any event library. Never read it or close it.
 */
int libxl_ctx_fd(libxl_ctx *ctx);

/*
 * Makes one step: does the work that is ready, and runs the pending callbacks. Never blocks. If there is much
 * work, this function returns after a few milliseconds, and the context's descriptor stays readable. Returns
 * 0 or FAIL.
 */
int libxl_ctx_process(libxl_ctx *ctx);

/*
 * Ends waiting: every libxl_event_wait and libxl_event_wait_limit that is waiting returns ERROR_NOT_READY at
 * once. A thread that does not wait now may have checked its condition just before this call. So the next wait
 * of such a thread on this context also returns ERROR_NOT_READY at once. The exception is a thread that has
 * returned from a wait (on any context) since this call: it waits as usual. Must not be called from a signal
 * handler.
 */
void libxl_ctx_wake(libxl_ctx *ctx);

/* ------------------------------------------------------------------ events, many at a time */

/*
 * An event as a flat record. `value` is the rc of an OPERATION_COMPLETE or the reason of a DOMAIN_SHUTDOWN;
 * for all other types it is 0. `event` is NULL if the record contains all data of the event. If the event has
 * more data, for example a message or a vdev, `event` points to the event. The caller owns that event and
 * frees it with libxl_event_free.
 */
typedef struct libxl_event_record {
    uint64_t for_user;
    struct libxl_event *event;
    uint32_t type; /* the event's type, a value of libxl_event_type */
    uint32_t domid;
    int32_t value;
    libxl_uuid domuuid;
} libxl_event_record;

/*
 * Makes one step like libxl_ctx_process. Then moves up to `max` events to `records`, in the order in which
 * they occurred. Never blocks. While events are queued, only every second call checks the descriptors. The
 * cost depends on the number of events that are taken, not on the number of events that are queued. Returns
 * the number of records, or a negative error.
 */
int libxl_event_take(libxl_ctx *ctx, libxl_event_record *records, int max);

/* ------------------------------------------------------------------ events, one at a time */

#define LIBXL_EVENTMASK_ALL (~(uint64_t)0)
/* The bit of an event type in a mask. All types from 63 on share the highest bit. */
#define LIBXL_EVENTMASK(type) ((uint64_t)1 << ((type) < 63 ? (type) : 63))

/*
 * A predicate returns 0 if the caller of a wait does not want this event, and another value if the caller
 * wants it. The library calls the predicate with the context locked. So a predicate must not call the
 * library, and should only read the event.
 */
typedef int libxl_event_predicate(const libxl_event *event, void *user);

/*
 * A predicate that selects the events with one value of for_user. `user` points to this value, a
 * libxl_ev_user. The library finds these events by an index, so the cost does not depend on the number of
 * other queued events.
 */
libxl_event_predicate libxl_event_is_for;

/*
 * Takes the oldest queued event whose type is in `typemask` and that `predicate` selects. `predicate` NULL:
 * all events are selected. Stores the event in *event_out. The caller owns it and frees it with
 * libxl_event_free. Never blocks. Returns 0, or NOT_READY if there is no such event.
 */
int libxl_event_check(libxl_ctx *ctx, libxl_event **event_out, uint64_t typemask,
                      libxl_event_predicate *predicate, void *predicate_user);

/*
 * Like libxl_event_check, but waits for such an event. The waiting thread does the library's work, so
 * callbacks may run on it. Any number of threads may wait. Returns 0, NOT_READY after libxl_ctx_wake, or
 * FAIL.
 */
int libxl_event_wait(libxl_ctx *ctx, libxl_event **event_out, uint64_t typemask,
                     libxl_event_predicate *predicate, void *predicate_user);

/*
 * Like libxl_event_wait, but waits `milliseconds` at most, and then returns TIMEDOUT. A negative number means
 * no limit.
 */
int libxl_event_wait_limit(libxl_ctx *ctx, libxl_event **event_out, uint64_t typemask,
                           libxl_event_predicate *predicate, void *predicate_user, int milliseconds);

/* Frees an event that the application owns. NULL is allowed. */
void libxl_event_free(libxl_ctx *ctx, libxl_event *event);

/*
 * The application's event hook. Events whose type is in event_occurs_mask are passed to event_occurs and are not
 * queued. event_occurs then owns the events. event_occurs is called on a thread that is inside a call of this
 * library. No lock is held, so event_occurs may call the library. It may be NULL if the mask is 0.
 *
 * `disaster` is called when events of the type `type` may have been lost. If `type` is 0, events of any type may have
 * been lost. `disaster` may be NULL. It must not call the library.
 */
typedef struct libxl_event_hooks {
    uint64_t event_occurs_mask;
#if defined(LIBXL_API_VERSION) && LIBXL_API_VERSION == 0x040200
    void (*event_occurs)(void *user, const libxl_event *event);
#else
    void (*event_occurs)(void *user, libxl_event *event);
#endif
    void (*disaster)(void *user, libxl_event_type type, const char *message, int errnoval);
} libxl_event_hooks;

/*
 * Sets the application's event hook, which replaces an earlier one. *hooks is not copied and must remain valid while
 * it is set. `hooks` NULL removes the hook. While this function runs, no other thread may be inside a call on this
 * context. Must not be called in a callback or hook.
 */
void libxl_event_register_callbacks(libxl_ctx *ctx, const libxl_event_hooks *hooks, void *user);

/* ------------------------------------------------------------------ event generators */

/*
 * Event generators. Each libxl_evenable_X starts to generate events with for_user = `user`, and stores the
 * generator in *evgen_out. It makes hypercalls and does not block. libxl_evdisable_X stops this and frees the
 * generator. Events that have occurred before are still delivered. libxl_ctx_free frees all generators. Each
 * libxl_evenable_X returns 0 or an error. The common errors are NOMEM, CLOSED, PERMISSION, NO_XENSTORE,
 * XENSTORE, FAIL, and the number that the application's fd_register hook returned.
 */

typedef struct libxl__evgen libxl_evgen_domain_death;
typedef struct libxl__evgen libxl_evgen_domain_lifecycle;
typedef struct libxl__evgen_disk_eject libxl_evgen_disk_eject;
typedef struct libxl__evgen_devices libxl_evgen_devices;
typedef struct libxl__evgen_store_watch libxl_evgen_store_watch;

/*
 * Generates two events for one domain: DOMAIN_SHUTDOWN, and later DOMAIN_DEATH. If the domain is destroyed
 * while it runs, DOMAIN_SHUTDOWN may be missing. Errors besides the common ones: INVAL (the domid is
 * reserved), DOMAIN_NOTFOUND (no domain has this domid).
 */
int libxl_evenable_domain_death(libxl_ctx *ctx, uint32_t domid, libxl_ev_user user,
                                libxl_evgen_domain_death **evgen_out);
void libxl_evdisable_domain_death(libxl_ctx *ctx, libxl_evgen_domain_death *evgen);

/*
 * Generates DOMAIN_SHUTDOWN, DOMAIN_DYING and DOMAIN_GONE for one domain. With LIBXL_DOMID_ALL, generates
 * them for all existing and future domains. If a domain is destroyed while it runs, DOMAIN_SHUTDOWN may be
 * missing. DOMAIN_DYING and DOMAIN_GONE always occur, in this order. If a domain exists that was shut down or
 * dying before this call, the events for this domain are generated, too. Errors besides the common ones:
 * INVAL (the domid is reserved), DOMAIN_NOTFOUND (no domain has this domid).
 */
int libxl_evenable_domain_lifecycle(libxl_ctx *ctx, uint32_t domid, libxl_ev_user user,
                                    libxl_evgen_domain_lifecycle **evgen_out);
void libxl_evdisable_domain_lifecycle(libxl_ctx *ctx, libxl_evgen_domain_lifecycle *evgen);

/*
 * Generates DISK_EJECT each time the guest ejects the medium of the virtual disk `vdev` ("xvda", "hdc", ...).
 * `vdev` is copied, and each event has a copy of it. No events are generated after the domain's end. Errors
 * besides the common ones: INVAL (`vdev` is not the name of a virtual disk, or the domid is reserved).
 */
int libxl_evenable_disk_eject(libxl_ctx *ctx, uint32_t domid, const char *vdev, libxl_ev_user user,
                              libxl_evgen_disk_eject **evgen_out);
void libxl_evdisable_disk_eject(libxl_ctx *ctx, libxl_evgen_disk_eject *evgen);

/*
 * Generates DEVICE_CONNECTED, DEVICE_FAILED and DEVICE_GONE for all devices of one domain, including devices
 * that other toolstacks have added. With LIBXL_DOMID_ALL, generates them for all existing and future domains.
 * A device that is connected already is reported, too. Several quick changes of a device are reported as one
 * change. DEVICE_MODEL_ENDED is generated when the QEMU of a domain has ended although the domain was not
 * destroyed. DOMAIN_EVENTS_LOST is generated after the connection to xenstored was lost. Errors besides the
 * common ones: INVAL (the domid is reserved), DOMAIN_NOTFOUND (no domain has this domid).
 */
int libxl_evenable_devices(libxl_ctx *ctx, uint32_t domid, libxl_ev_user user,
                           libxl_evgen_devices **evgen_out);
void libxl_evdisable_devices(libxl_ctx *ctx, libxl_evgen_devices *evgen);

/* The greatest number of STORE_CHANGED events of one generator that wait to be taken. */
#define LIBXL_STORE_CHANGES_MAX 1024

/*
 * Generates STORE_CHANGED each time the node `path` of xenstore, or a node below it, has changed. The first event
 * comes when xenstored has the watch; its path is `path`. The application reads a node after it has taken an event,
 * so it needs no event for each change: while an event with a path waits to be taken, no further event with this path
 * is generated. If more than LIBXL_STORE_CHANGES_MAX events wait, further changes are dropped, and one
 * STORE_CHANGES_LOST is generated in their place. STORE_CHANGES_LOST is also generated after the connection to
 * xenstored was lost. `path` is copied. It may be @introduceDomain or @releaseDomain. The node need not exist. If
 * xenstored refuses the watch, the last event is a STORE_CHANGES_LOST with the error in rc. Errors besides the common
 * ones: INVAL (`path` is no path of xenstore).
 */
int libxl_evenable_store_watch(libxl_ctx *ctx, const char *path, libxl_ev_user user,
                               libxl_evgen_store_watch **evgen_out);
void libxl_evdisable_store_watch(libxl_ctx *ctx, libxl_evgen_store_watch *evgen);

/* ------------------------------------------------------------------ libxl's interface to main loops */

/*
 * The hooks through which the library uses the application's main loop. The library registers one descriptor,
 * libxl_ctx_fd for POLLIN, when it first has to wait for something. It deregisters the descriptor in
 * libxl_ctx_free. It never modifies the registration and never registers a timeout. When the descriptor is
 * readable, the application calls libxl_osevent_occurred_fd with the for_libxl that fd_register got. A hook
 * that fails returns ERROR_OSEVENT_REG_FAIL or any positive number. The call that needed the registration
 * then returns this value. Hooks run on a thread that is inside a call of this library, and must not call the
 * library.
 */
typedef struct libxl_osevent_hooks {
    int (*fd_register)(void *user, int fd, void **for_app_registration_out, short events, void *for_libxl);
    int (*fd_modify)(void *user, int fd, void **for_app_registration_update, short events);
    void (*fd_deregister)(void *user, int fd, void *for_app_registration);
    int (*timeout_register)(void *user, void **for_app_registration_out, struct timeval abs, void *for_libxl);
    int (*timeout_modify)(void *user, void **for_app_registration_update, struct timeval abs);
    void (*timeout_deregister)(void *user, void *for_app_registration);
} libxl_osevent_hooks;

/*
 * Sets the hooks. Call this at most once for each context, before any operation or event generator is
 * started. *hooks is not copied and must remain valid until libxl_ctx_free has returned.
 */
void libxl_osevent_register_hooks(libxl_ctx *ctx, const libxl_osevent_hooks *hooks, void *user);

/*
 * Makes one step like libxl_ctx_process. The application calls this when the library's descriptor is ready. A
 * late, repeated or needless call is harmless. A hook must not call it.
 */
void libxl_osevent_occurred_fd(libxl_ctx *ctx, void *for_libxl, int fd, short events, short revents);

/* Does nothing, because the library never registers a timeout. */
void libxl_osevent_occurred_timeout(libxl_ctx *ctx, void *for_libxl);

/*
 * For programs that use poll(2): stores the descriptors to poll in `fds`. There is only one, libxl_ctx_fd. On
 * entry *nfds_io is the number of elements of `fds`; on return it is the number of descriptors. `fds` may be
 * NULL if *nfds_io is 0. *timeout_upd does not change, because the descriptor becomes readable when a
 * deadline is reached. Returns 0, or BUFFERFULL if `fds` has no element.
 */
int libxl_osevent_beforepoll(libxl_ctx *ctx, int *nfds_io, struct pollfd *fds, int *timeout_upd,
                             struct timeval now);

/* Called after poll(2). If the library's descriptor is ready, makes one step like libxl_ctx_process. */
void libxl_osevent_afterpoll(libxl_ctx *ctx, int nfds, const struct pollfd *fds, struct timeval now);

/* ------------------------------------------------------------------ children */

/*
 * In libxl, these values say whether the application or the library handles SIGCHLD. This library does not
 * need SIGCHLD. It follows its own children by pidfd, reaps only its own children, and installs no signal
 * handler. The following types and functions exist for programs that were written for libxl. They have no
 * effect.
 */
typedef enum {
    libxl_sigchld_owner_libxl,
    libxl_sigchld_owner_mainloop,
    libxl_sigchld_owner_libxl_always,
    libxl_sigchld_owner_libxl_always_selective_reap,
} libxl_sigchld_owner;

typedef struct {
    libxl_sigchld_owner chldowner;
    pid_t (*fork_replacement)(void *user);                     /* never called */
    int (*reaped_callback)(pid_t pid, int status, void *user); /* never called */
} libxl_childproc_hooks;

/* Does nothing. `hooks` may be NULL. */
void libxl_childproc_setmode(libxl_ctx *ctx, const libxl_childproc_hooks *hooks, void *user);

/*
 * Returns UNKNOWN_CHILD. The library reaps its own children, so a child that the application has reaped was
 * not one of these.
 */
int libxl_childproc_reaped(libxl_ctx *ctx, pid_t pid, int status);

/* Does nothing. */
void libxl_childproc_sigchld_occurred(libxl_ctx *ctx);

/*
 * Gives up a child's copy of a context after fork(2). Call this in the child, if the child continues without
 * exec. The child must not call any other function on that context, neither before nor after this call.
 * Closes the child's copies of the descriptors, except those that libxenctrl has opened. Does not affect the
 * parent's context.
 */
void libxl_postfork_child_noexec(libxl_ctx *ctx);

#ifdef __cplusplus
}
#endif

#endif /* LIBXL_EVENT_H */
