/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Events, and how a program's main loop and the library meet.
 *
 * The canonical loops (each is a test in tests/c):
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
 * A descriptor that is readable (level-triggered) while the library has something to do or an event
 * that no one has taken; after the last one has been taken it may be so for one more look. It stays the
 * library's and the same for the context's whole life: watch it with epoll, poll, select or any event
 * library; never read it.
 */
int libxl_ctx_fd(libxl_ctx *ctx);

/* Does whatever is ready and runs callbacks that are due; never blocks. 0, or FAIL. */
int libxl_ctx_process(libxl_ctx *ctx);

/*
 * Makes every libxl_event_wait that is under way return ERROR_NOT_READY now, and the next one of each thread that has
 * not returned from one, of whatever context, since: what a thread looks at before it waits, it looks at again.
 * Async-signal-safe: no.
 */
void libxl_ctx_wake(libxl_ctx *ctx);

/* ------------------------------------------------------------------ events, many at a time */

/*
 * An event laid flat. `value` is the rc of OPERATION_COMPLETE and the reason of DOMAIN_SHUTDOWN, else 0.
 * `event` is NULL unless there is more to it (a message, a vdev): then it is the whole event, the caller
 * owns it and frees it with libxl_event_free.
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
 * One step as libxl_ctx_process, then moves up to `max` events, in order of occurrence, to `records`. While events are
 * queued, the step looks at descriptors every second time only. The cost is that of the events taken. Returns their
 * number, or a negative error.
 */
int libxl_event_take(libxl_ctx *ctx, libxl_event_record *records, int max);

/* ------------------------------------------------------------------ events, one at a time */

#define LIBXL_EVENTMASK_ALL (~(uint64_t)0)
/* Bit n of a mask stands for type n; the highest one for all types from 63 on. */
#define LIBXL_EVENTMASK(type) ((uint64_t)1 << ((type) < 63 ? (type) : 63))

/* Whether an event is wanted. Called with the context locked: it looks at the event and nothing else. */
typedef int libxl_event_predicate(const libxl_event *event, void *user);

/*
 * The predicate for events of one for_user, to which `user` points (libxl_ev_user *). The library knows it: taking
 * by it costs the same however many other events are queued. Any thread.
 */
libxl_event_predicate libxl_event_is_for;

/*
 * The oldest event whose type's bit is in `typemask` and that `predicate` (NULL: all) wants; the caller
 * owns it. ERROR_NOT_READY if there is none.
 */
int libxl_event_check(libxl_ctx *ctx, libxl_event **event_out, uint64_t typemask,
                      libxl_event_predicate *predicate, void *predicate_user);

/*
 * The same, but waits, and meanwhile does the library's work; so it does now and then for who always finds an event.
 * ERROR_NOT_READY after libxl_ctx_wake.
 */
int libxl_event_wait(libxl_ctx *ctx, libxl_event **event_out, uint64_t typemask,
                     libxl_event_predicate *predicate, void *predicate_user);

/* The same, at most `milliseconds` (< 0: for ever): then ERROR_TIMEDOUT. */
int libxl_event_wait_limit(libxl_ctx *ctx, libxl_event **event_out, uint64_t typemask,
                           libxl_event_predicate *predicate, void *predicate_user, int milliseconds);

/* NULL is fine. */
void libxl_event_free(libxl_ctx *ctx, libxl_event *event);

/*
 * The application's own receiver: events whose type's bit is in the mask are given to event_occurs, which
 * owns them, instead of being queued. Called with no lock held, on a thread that is inside a call of this
 * library; it may call the library. `disaster` is told when events of `type` (0: of several types, or of any)
 * may have been missed. The structure stays the application's and valid; NULL ends it. Not to be called while
 * another call is under way.
 */
typedef struct libxl_event_hooks {
    uint64_t event_occurs_mask;
    void (*event_occurs)(void *user, libxl_event *event);
    void (*disaster)(void *user, libxl_event_type type, const char *message, int errnoval);
} libxl_event_hooks;

void libxl_event_register_callbacks(libxl_ctx *ctx, const libxl_event_hooks *hooks, void *user);

/* ------------------------------------------------------------------ event generators */

/*
 * Each libxl_evenable_X starts a kind of event, with `user` as its for_user; libxl_evdisable_X ends it;
 * events that have occurred before are still delivered.
 */

typedef struct libxl__evgen libxl_evgen_domain_death;
typedef struct libxl__evgen libxl_evgen_domain_lifecycle;
typedef struct libxl__evgen_disk_eject libxl_evgen_disk_eject;

/* DOMAIN_SHUTDOWN, then DOMAIN_DEATH (perhaps only that) of one domain, each once: libxl's pair. */
int libxl_evenable_domain_death(libxl_ctx *ctx, uint32_t domid, libxl_ev_user user,
                                libxl_evgen_domain_death **evgen_out);
void libxl_evdisable_domain_death(libxl_ctx *ctx, libxl_evgen_domain_death *evgen);

/*
 * DOMAIN_SHUTDOWN, DOMAIN_DYING and DOMAIN_GONE of one domain, or of all (LIBXL_DOMID_ALL: those that exist
 * and those that will). SHUTDOWN may be missing when a domain is destroyed while it runs; DYING and GONE
 * always come, in this order. What has happened before the call is told too, except of LIBXL_DOMID_ALL's
 * domains that are gone already. ERROR_DOMAIN_NOTFOUND: no such domain now. ERROR_INVAL: domid can be no domain's.
 */
int libxl_evenable_domain_lifecycle(libxl_ctx *ctx, uint32_t domid, libxl_ev_user user,
                                    libxl_evgen_domain_lifecycle **evgen_out);
void libxl_evdisable_domain_lifecycle(libxl_ctx *ctx, libxl_evgen_domain_lifecycle *evgen);

/*
 * DISK_EJECT each time the guest ejects the medium of the virtual disk `vdev` ("xvda", "hdc", ...), of which
 * the event has a copy. ERROR_INVAL: no such name, or domid can be no domain's. It ends with the domain.
 */
int libxl_evenable_disk_eject(libxl_ctx *ctx, uint32_t domid, const char *vdev, libxl_ev_user user,
                              libxl_evgen_disk_eject **evgen_out);
void libxl_evdisable_disk_eject(libxl_ctx *ctx, libxl_evgen_disk_eject *evgen);

/* ------------------------------------------------------------------ libxl's ways into a main loop */

/*
 * For a program with an event library of its own. The library registers one descriptor (libxl_ctx_fd, POLLIN)
 * when something first has to be waited for, and deregisters it in libxl_ctx_free; it never registers a
 * timeout. A hook that fails returns ERROR_OSEVENT_REG_FAIL or any positive number, which the call that
 * needed it returns unchanged. The hooks must not call the library;
 * *hooks stays the application's and valid. When the descriptor is readable the program calls
 * libxl_osevent_occurred_fd with the for_libxl it was given.
 */
typedef struct libxl_osevent_hooks {
    int (*fd_register)(void *user, int fd, void **for_app_registration_out, short events, void *for_libxl);
    int (*fd_modify)(void *user, int fd, void **for_app_registration_update, short events);
    void (*fd_deregister)(void *user, int fd, void *for_app_registration);
    int (*timeout_register)(void *user, void **for_app_registration_out, struct timeval abs, void *for_libxl);
    int (*timeout_modify)(void *user, void **for_app_registration_update, struct timeval abs);
    void (*timeout_deregister)(void *user, void *for_app_registration);
} libxl_osevent_hooks;

/* Once for each context, before anything is waited for. */
void libxl_osevent_register_hooks(libxl_ctx *ctx, const libxl_osevent_hooks *hooks, void *user);

/* Occurrences that come late, repeatedly or for nothing are harmless. Not from within a hook. */
void libxl_osevent_occurred_fd(libxl_ctx *ctx, void *for_libxl, int fd, short events, short revents);
void libxl_osevent_occurred_timeout(libxl_ctx *ctx, void *for_libxl);

/*
 * For poll(2): stores the descriptors to poll, and lowers *timeout_upd (ms, -1: none) where the library
 * has a deadline. There is one descriptor, libxl_ctx_fd, whatever is going on. *nfds_io: room in, number
 * out; ERROR_BUFFERFULL if there is no room.
 */
int libxl_osevent_beforepoll(libxl_ctx *ctx, int *nfds_io, struct pollfd *fds, int *timeout_upd,
                             struct timeval now);
void libxl_osevent_afterpoll(libxl_ctx *ctx, int nfds, const struct pollfd *fds, struct timeval now);

/* ------------------------------------------------------------------ children */

/*
 * libxl's agreement about SIGCHLD. This library follows its children by pidfd, reaps them and no others, and
 * installs no signal handler: whatever is agreed, nothing has to be done. _reaped always says
 * ERROR_UNKNOWN_CHILD.
 */
typedef enum {
    libxl_sigchld_owner_libxl,
    libxl_sigchld_owner_mainloop,
    libxl_sigchld_owner_libxl_always,
    libxl_sigchld_owner_libxl_always_selective_reap,
} libxl_sigchld_owner;

typedef struct {
    libxl_sigchld_owner chldowner;
    pid_t (*fork_replacement)(void *user);
    int (*reaped_callback)(pid_t pid, int status, void *user);
} libxl_childproc_hooks;

void libxl_childproc_setmode(libxl_ctx *ctx, const libxl_childproc_hooks *hooks, void *user);
int libxl_childproc_reaped(libxl_ctx *ctx, pid_t pid, int status);
void libxl_childproc_sigchld_occurred(libxl_ctx *ctx);

#ifdef __cplusplus
}
#endif

#endif /* LIBXL_EVENT_H */
