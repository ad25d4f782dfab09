/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Events, and how a program's main loop and the library work together. Included by libxl.h.
 *
 * The usual loops (each is a test in tests/c):
 *
 *   own thread      for (;;) { libxl_event_wait(ctx, &event, LIBXL_EVENTMASK_ALL, NULL, NULL); ... }
 *   any event loop  watch libxl_ctx_fd(ctx) for reading; when it is readable:
 *                       n = libxl_event_take(ctx, records, N);   until n < N
 *                   or, with callbacks only, libxl_ctx_process(ctx)
 *   poll(2)         libxl_osevent_beforepoll, poll, libxl_osevent_afterpoll, libxl_event_check
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
 * Returns the context's descriptor. It is readable (level-triggered) while the library has work to do and
 * while events are queued; it may stay readable for one more step after the last event was taken. The
 * descriptor is the same for the context's whole life and belongs to the library: watch it with epoll, poll,
 * select or any event library, and never read or close it.
 */
int libxl_ctx_fd(libxl_ctx *ctx);

/*
 * Does one step: does the work that is ready and runs the pending callbacks. Never blocks. If there is much
 * work, returns after a few milliseconds, and the descriptor stays readable. Returns 0, or FAIL.
 */
int libxl_ctx_process(libxl_ctx *ctx);

/*
 * Ends waiting: every libxl_event_wait and libxl_event_wait_limit under way returns ERROR_NOT_READY at once.
 * A thread that is not in one of these functions gets ERROR_NOT_READY from its next call of one of them on
 * this context, if none of its waits, on any context, has returned since libxl_ctx_wake. So the thread checks
 * its condition again, even if it has checked it just before the wake. Must not be called from a signal
 * handler.
 */
void libxl_ctx_wake(libxl_ctx *ctx);

/* ------------------------------------------------------------------ events, many at a time */

/*
 * An event as a flat record. `value` is the rc of OPERATION_COMPLETE and the reason of DOMAIN_SHUTDOWN,
 * otherwise 0. `event` is NULL if the record holds the whole event. An event that carries more, such as a
 * message or a vdev, is in `event`; the caller owns it and frees it with libxl_event_free.
 */
typedef struct libxl_event_record {
    uint64_t for_user;
    struct libxl_event *event;
    uint32_t type; /* libxl_event_type */
    uint32_t domid;
    int32_t value;
    libxl_uuid domuuid;
} libxl_event_record;

/*
 * Does one step as libxl_ctx_process, then moves up to `max` events to `records`, in order of occurrence.
 * Never blocks. While events are queued, only every second call checks the descriptors. The cost grows with
 * the number of events that are taken, not with the number that are queued. Returns the number of records, or
 * a negative error.
 */
int libxl_event_take(libxl_ctx *ctx, libxl_event_record *records, int max);

/* ------------------------------------------------------------------ events, one at a time */

#define LIBXL_EVENTMASK_ALL (~(uint64_t)0)
/* The bit of an event type in a mask. All types from 63 on share the highest bit. */
#define LIBXL_EVENTMASK(type) ((uint64_t)1 << ((type) < 63 ? (type) : 63))

/*
 * Returns whether an event is wanted; 0 means no. The library calls a predicate with the context locked. So a
 * predicate must not call the library, and should only read the event.
 */
typedef int libxl_event_predicate(const libxl_event *event, void *user);

/*
 * A predicate that selects the events with one value of for_user. `user` points to this value (libxl_ev_user
 * *). The library finds such events by an index, so the cost does not depend on how many other events are
 * queued.
 */
libxl_event_predicate libxl_event_is_for;

/*
 * Takes the oldest queued event whose type is in `typemask` and that `predicate` wants. A NULL predicate
 * wants all events. Stores the event in *event_out; the caller owns it and frees it with libxl_event_free.
 * Never blocks. Returns 0, or NOT_READY if there is no such event.
 */
int libxl_event_check(libxl_ctx *ctx, libxl_event **event_out, uint64_t typemask,
                      libxl_event_predicate *predicate, void *predicate_user);

/*
 * As libxl_event_check, but waits for such an event. The waiting thread does the library's work, so callbacks
 * may run on it. Any number of threads may wait. Returns 0; NOT_READY after libxl_ctx_wake; FAIL.
 */
int libxl_event_wait(libxl_ctx *ctx, libxl_event **event_out, uint64_t typemask,
                     libxl_event_predicate *predicate, void *predicate_user);

/*
 * As libxl_event_wait, but waits at most `milliseconds`, then returns TIMEDOUT. A negative number means no
 * limit.
 */
int libxl_event_wait_limit(libxl_ctx *ctx, libxl_event **event_out, uint64_t typemask,
                           libxl_event_predicate *predicate, void *predicate_user, int milliseconds);

/* Frees an event that the application owns. NULL is allowed. */
void libxl_event_free(libxl_ctx *ctx, libxl_event *event);

/*
 * The application's event hook. Events whose type is in event_occurs_mask are passed to event_occurs instead
 * of being queued; event_occurs owns them. event_occurs is called on a thread that is inside a call of this
 * library, with no lock held, and may call the library. It may be NULL if the mask is 0. `disaster` is called
 * when events of `type` may have been lost (0: events of any type). It may be NULL, and must not call the
 * library.
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
 * Sets the application's event hook, and replaces an earlier one. *hooks is not copied and must remain valid
 * while it is set. NULL removes the hook. No other call on this context may be under way, in another thread
 * or around this one.
 */
void libxl_event_register_callbacks(libxl_ctx *ctx, const libxl_event_hooks *hooks, void *user);

/* ------------------------------------------------------------------ event generators */

/*
 * Each libxl_evenable_X starts the generation of events with for_user = `user`, and stores the generator in
 * *evgen_out. It makes hypercalls and does not block. libxl_evdisable_X ends the generation and frees the
 * generator. Events that occurred before are still delivered. libxl_ctx_free ends all generators. Each
 * libxl_evenable_X returns 0 or an error. The common errors are NOMEM, CLOSED, PERMISSION, NO_XENSTORE,
 * XENSTORE, FAIL, and the number that the application's fd_register hook returned.
 */

typedef struct libxl__evgen libxl_evgen_domain_death;
typedef struct libxl__evgen libxl_evgen_domain_lifecycle;
typedef struct libxl__evgen_disk_eject libxl_evgen_disk_eject;

/*
 * Generates DOMAIN_SHUTDOWN and then DOMAIN_DEATH of one domain, each once. A domain that is destroyed while
 * it runs may have only DOMAIN_DEATH. INVAL: no domain can have this domid. DOMAIN_NOTFOUND: no domain has it
 * now.
 */
int libxl_evenable_domain_death(libxl_ctx *ctx, uint32_t domid, libxl_ev_user user,
                                libxl_evgen_domain_death **evgen_out);
void libxl_evdisable_domain_death(libxl_ctx *ctx, libxl_evgen_domain_death *evgen);

/*
 * Generates DOMAIN_SHUTDOWN, DOMAIN_DYING and DOMAIN_GONE of one domain. With LIBXL_DOMID_ALL, generates them
 * for all existing and future domains. A domain that is destroyed while it runs may have no DOMAIN_SHUTDOWN.
 * DOMAIN_DYING and DOMAIN_GONE always occur, in this order. For a domain that still exists, what happened
 * before this call is reported, too. INVAL: no domain can have this domid. DOMAIN_NOTFOUND: no domain has it
 * now.
 */
int libxl_evenable_domain_lifecycle(libxl_ctx *ctx, uint32_t domid, libxl_ev_user user,
                                    libxl_evgen_domain_lifecycle **evgen_out);
void libxl_evdisable_domain_lifecycle(libxl_ctx *ctx, libxl_evgen_domain_lifecycle *evgen);

/*
 * Generates DISK_EJECT each time the guest ejects the medium of the virtual disk `vdev` ("xvda", "hdc", ...).
 * The name is copied, and each event has a copy. The generation ends with the domain. INVAL: `vdev` is not
 * the name of a virtual disk, or no domain can have this domid.
 */
int libxl_evenable_disk_eject(libxl_ctx *ctx, uint32_t domid, const char *vdev, libxl_ev_user user,
                              libxl_evgen_disk_eject **evgen_out);
void libxl_evdisable_disk_eject(libxl_ctx *ctx, libxl_evgen_disk_eject *evgen);

/* ------------------------------------------------------------------ libxl's interface to main loops */

/*
 * The hooks that the library calls to use the application's main loop. The library registers one descriptor,
 * libxl_ctx_fd for POLLIN, when it first has to wait for something, and deregisters it in libxl_ctx_free. The
 * library never modifies the registration and never registers a timeout. When the descriptor is readable, the
 * application calls libxl_osevent_occurred_fd with the for_libxl of the registration. A hook that fails
 * returns ERROR_OSEVENT_REG_FAIL or any positive number; the call that needed the registration returns that
 * number. Hooks run on a thread that is inside a call of this library and must not call the library.
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
 * Call this when the library's descriptor is ready. Does one step, as libxl_ctx_process. A late, repeated or
 * needless call is harmless. A hook must not call it.
 */
void libxl_osevent_occurred_fd(libxl_ctx *ctx, void *for_libxl, int fd, short events, short revents);

/* Does nothing, because no timeout is ever registered. */
void libxl_osevent_occurred_timeout(libxl_ctx *ctx, void *for_libxl);

/*
 * For poll(2): stores the descriptors to poll in `fds`. There is only one, libxl_ctx_fd. *nfds_io is the room
 * in `fds` on entry, and the number of descriptors on return. *timeout_upd is not changed, because the
 * descriptor becomes readable when a deadline is reached. Returns 0, or BUFFERFULL if there is no room. `fds`
 * may be NULL if *nfds_io is 0.
 */
int libxl_osevent_beforepoll(libxl_ctx *ctx, int *nfds_io, struct pollfd *fds, int *timeout_upd,
                             struct timeval now);

/* After poll(2): does one step, as libxl_ctx_process, if the library's descriptor is ready. */
void libxl_osevent_afterpoll(libxl_ctx *ctx, int nfds, const struct pollfd *fds, struct timeval now);

/* ------------------------------------------------------------------ children */

/*
 * libxl's choices of who handles SIGCHLD. This library follows its own children by pidfd, reaps only them,
 * and installs no signal handler. So it does not need SIGCHLD. The functions below exist for programs that
 * call them, and change nothing.
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

/* Returns UNKNOWN_CHILD: a child that the application has reaped was not the library's. */
int libxl_childproc_reaped(libxl_ctx *ctx, pid_t pid, int status);

/* Does nothing. */
void libxl_childproc_sigchld_occurred(libxl_ctx *ctx);

/*
 * Gives up the copy of the context that a child of fork(2) has. The child calls this if it goes on without
 * exec. No other function may be called on that copy, neither before nor after. Closes the child's copies of
 * the descriptors, except those that libxenctrl has opened. Does not affect the parent's context.
 */
void libxl_postfork_child_noexec(libxl_ctx *ctx);

#ifdef __cplusplus
}
#endif

#endif /* LIBXL_EVENT_H */
