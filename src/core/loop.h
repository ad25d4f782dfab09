/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The loop: what is watched, who waits, and what runs next.
 *
 *      application's poll  ->  outer epoll = libxl_ctx_fd          readable: work to do, or events queued
 *                                |       \
 *      leader's poll   ->     inner epoll  eventfd "events queued"
 *                             |   |   \
 *                           fds timerfd eventfd "look again"
 *
 * Of the threads that wait inside the library one, the leader, polls; the others sleep on conditions of their
 * own and are woken for what they wait for, or to take over the lead.
 */
#ifndef LIBXL__LOOP_H
#define LIBXL__LOOP_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/queue.h>

#include <libxl.h>

/* The structure of which `pointer` is a member. */
#define LIBXL__CONTAINER(pointer, type, member) ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

/* ---- a descriptor that is watched */

typedef struct libxl__fd libxl__fd;

/* Called under the lock, which it keeps, with the EPOLL* bits that are up. May register and deregister anything. */
typedef void libxl__fd_callback(libxl_ctx *ctx, libxl__fd *fd, uint32_t revents);

struct libxl__fd { /* all zero: not registered */
    libxl__fd_callback *callback;
    LIST_ENTRY(libxl__fd) link;
    struct epoll_event *ready_entry; /* in loop.found, as long as it is to be called; or NULL */
    int fd;                          /* the registrant's to close, after deregistering */
    int polled; /* the same, or our own duplicate where another registration has the number already */
    bool registered;
    bool internal;      /* the context's, not an operation's: not counted */
    bool close_on_fork; /* set by a registrant that has opened it: the child of a fork closes its copy */
};

/* ---- a thread that waits */

typedef struct libxl__waiter {
    pthread_cond_t cond;
    bool woken;     /* its condition may have become true */
    bool following; /* asleep on cond */
    TAILQ_ENTRY(libxl__waiter) link;

    /* for threads that wait for an event: which; NULL predicate: all of the mask */
    uint64_t typemask;
    libxl_event_predicate *predicate;
    void *predicate_user;
} libxl__waiter;

TAILQ_HEAD(libxl__waiters, libxl__waiter);
LIST_HEAD(libxl__registered_fds, libxl__fd);

enum { LIBXL__READY_AT_ONCE = 1024 };

typedef struct libxl__loop {
    int outer, inner;
    libxl__fd look_again; /* eventfd: something for the leader that is no descriptor of its own */
    int events_fd;        /* eventfd: readable while events are queued */
    bool look_again_pending;
    bool outer_in_use; /* the application has asked for the outer descriptor */
    bool events_shown; /* events_fd says that events are queued */
    struct libxl__registered_fds registered;
    struct libxl__waiters waiters;
    libxl__waiter *leader;
    uint32_t descriptors;                           /* registered, besides the context's own */
    struct epoll_event ready[LIBXL__READY_AT_ONCE]; /* by the look that is under way */
} libxl__loop;

/* Everything below: the context locked, unless it says otherwise. */

/* Errors: FAIL, with nothing left open. */
int libxl__loop_open(libxl_ctx *ctx);
void libxl__loop_close(libxl_ctx *ctx);
/* In the child of a fork, not locked: closes its copies of what the library has opened. */
void libxl__loop_postfork(libxl_ctx *ctx);

/* Watches `number` for `events` (EPOLLIN ...); several may watch one number, each for its own. Errors: FAIL,
 * and *fd is as before. */
int libxl__fd_register(libxl_ctx *ctx, libxl__fd *fd, int number, uint32_t events,
                       libxl__fd_callback *callback);
/* Watches for other events. */
void libxl__fd_modify(libxl_ctx *ctx, libxl__fd *fd, uint32_t events);
/* Not registered: nothing happens. Afterwards callback is not called again. */
void libxl__fd_deregister(libxl_ctx *ctx, libxl__fd *fd);
/* Those that are registered so far are the context's own. */
void libxl__fds_mark_internal(libxl_ctx *ctx);

/* Calls the callbacks of what is ready; never blocks. Errors: FAIL. */
int libxl__loop_dispatch(libxl_ctx *ctx);

/* Makes the polling thread, inside or outside, come and look. */
void libxl__loop_look_again(libxl_ctx *ctx);

/* The outer descriptor, for the application: from now on it tells of queued events, too. */
int libxl__loop_use_outer(libxl_ctx *ctx);

/* Shows on the outer descriptor, which the application has asked for, that events are queued, if there are any. When the
 * lock is given up: what is taken before that, by who made it happen, costs no system call. */
void libxl__loop_show_events(libxl_ctx *ctx);

/*
 * Someone has looked for events and found none: the descriptor says so. Not when the last one is taken: a busy
 * application, which has the next operation completed before it looks again, pays two system calls less each time,
 * and an idle one looks once more than it needs to.
 */
void libxl__loop_hide_events(libxl_ctx *ctx);

/*
 * Waiting: begin, then `while (!condition) wait`, then end. One wait gives up the lock, polls or sleeps until
 * something may have changed or `deadline` (ns, monotonic; 0: none) has passed, and runs what is due,
 * application callbacks included. Errors of wait: FAIL, the loop is broken.
 */
void libxl__waiter_begin(libxl_ctx *ctx, libxl__waiter *waiter);
int libxl__waiter_wait(libxl_ctx *ctx, libxl__waiter *waiter, uint64_t deadline);
void libxl__waiter_end(libxl_ctx *ctx, libxl__waiter *waiter);

/* Its condition may have become true. */
void libxl__waiter_wake(libxl_ctx *ctx, libxl__waiter *waiter);

/* Lets another waiting thread poll while this one is busy with the application's code. */
void libxl__loop_hand_over(libxl_ctx *ctx);

#endif
