/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The loop: the registered descriptors, and the threads that wait inside the library.
 *
 *      application's poll  ->  outer epoll = libxl_ctx_fd          readable: work to do, or events queued
 *                                |       \
 *      leader's poll   ->     inner epoll  eventfd "events queued"
 *                             |   |   \
 *                           fds timerfd eventfd "look again"
 *
 * One of the waiting threads is the leader: it polls the inner epoll. The others are followers: each sleeps on a
 * condition variable of its own. A follower is woken when its condition may have become true, or when it must become
 * the leader.
 *
 * Call every function in this header with the context locked, unless the comment says otherwise. Any thread
 * may call the functions, but a worker must not wait. The embedded structures belong to the caller: a
 * libxl__fd must live until it is deregistered, a libxl__waiter until libxl__waiter_end.
 */
#ifndef LIBXL__LOOP_H
#define LIBXL__LOOP_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/queue.h>

#include <libxl.h>

#include "log.h"

/* Converts a pointer to a structure's member into a pointer to the structure. */
#define LIBXL__CONTAINER(pointer, type, member) ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

/* ---- a registered descriptor */

typedef struct libxl__fd libxl__fd;

/*
 * Called with the context locked; must not unlock it. `revents` contains the EPOLL* bits that are set. The
 * callback may register and deregister any descriptor.
 */
typedef void libxl__fd_callback(libxl_ctx *ctx, libxl__fd *fd, uint32_t revents);

struct libxl__fd { /* A registered descriptor. Zero-initialise it: it is not registered then. */
    libxl__fd_callback *callback;
    LIST_ENTRY(libxl__fd) link;
    /* The descriptor's entry in loop.ready until the callback is called; NULL: none. */
    struct epoll_event *ready_entry;
    /* The descriptor; belongs to the user of this structure, who closes it after libxl__fd_deregister. */
    int fd;
    /*
     * The descriptor in the inner epoll. It is `fd`, or a duplicate of `fd` if `fd` was registered already.
     * The loop owns the duplicate.
     */
    int polled;
    bool registered;
    /*
     * The descriptor belongs to the context, not to an operation. libxl__loop.descriptors does not count it.
     */
    bool internal;
    /* The library has opened `fd`. So the child of a fork closes its copy of `fd`. */
    bool close_on_fork;
};

/* ---- a turn: the work that one call does before it returns, or before it polls again */

/*
 * A turn lasts a millisecond. The work that is left after a turn is done in the next turn. Until then the
 * context's descriptor stays readable, and a waiting thread does not sleep. So the work for other operations
 * delays a call only by one turn. The lock is released between two turns.
 */
typedef struct libxl__turn { /* One turn of the loop. Zero-initialise it. */
    uint32_t steps;
    bool over;
    /*
     * The time when the turn ends, in ns, monotonic; 0: the clock has not been read; UINT64_MAX: the turn
     * never ends.
     */
    uint64_t until;
} libxl__turn;

/* The number of steps after which a turn reads the clock again; a step takes microseconds. */
enum { LIBXL__STEPS_PER_CLOCK = 16 };

/* ---- a waiting thread */

typedef struct libxl__waiter {
    pthread_cond_t cond;
    bool woken;     /* the thread's condition may have become true; set by libxl__waiter_wake */
    bool following; /* the thread is a follower: it sleeps on `cond` */
    /* The thread is inside a delivery. Then it makes only deliveries of `ao`, so that callbacks do not nest. */
    bool inside;
    /* The operation that the thread waits for; NULL: the thread does not wait for one operation. */
    struct libxl__ao *ao;
    TAILQ_ENTRY(libxl__waiter) link;
    /* The entry in libxl__loop.followers, valid while `following` is true. */
    TAILQ_ENTRY(libxl__waiter) follower_link;

    /*
     * The events that the thread waits for. typemask 0: the thread waits for no event. predicate NULL: the
     * thread waits for every event of the mask.
     */
    uint64_t typemask;
    libxl_event_predicate *predicate;
    void *predicate_user;
} libxl__waiter;

TAILQ_HEAD(libxl__waiters, libxl__waiter);
LIST_HEAD(libxl__registered_fds, libxl__fd);

enum { LIBXL__READY_AT_ONCE = 1024 };

typedef struct libxl__loop {
    int outer, inner;        /* the descriptors of the two epolls; loop.c explains why there are two */
    libxl__fd look_again;    /* the eventfd that makes the leader's poll return; see libxl__loop_look_again */
    int events_fd;           /* an eventfd that is readable while events are queued */
    bool look_again_pending; /* the eventfd of `look_again` is readable */
    /* The application has called libxl_ctx_fd or another function that uses `outer`. */
    bool outer_in_use;
    bool events_shown; /* the eventfd events_fd is readable */
    struct libxl__registered_fds registered;
    struct libxl__waiters waiters;   /* all threads that wait for events */
    struct libxl__waiters followers; /* the threads that sleep; the longest sleeper is first */
    libxl__waiter *leader;           /* the waiter whose thread polls now; NULL: none */
    uint32_t descriptors;            /* the number of registered descriptors that are not internal */
    /*
     * Deliveries are pending that the waiting thread cannot make, because it is inside a delivery. Another
     * thread must make these deliveries.
     */
    bool undelivered;
    /* Limits the log lines about failed system calls on the library's own descriptors. */
    libxl__recurring failures;
    /* Set by tests: a turn ends after this number of steps; 0: a turn ends after a millisecond. */
    uint32_t turn_steps;
    /* The number of steps and of elements visited by searches since the context was created; for tests. */
    uint64_t steps;
    /* The descriptors that epoll_wait has found ready; filled and used by libxl__loop_dispatch. */
    struct epoll_event ready[LIBXL__READY_AT_ONCE];
} libxl__loop;

/*
 * Opens the epolls and the eventfds. Called once, while the context is created. Returns 0 or FAIL. After an
 * error no descriptor is left open.
 */
int libxl__loop_open(libxl_ctx *ctx);
/* Closes the loop's descriptors. Called once, unlocked, while the context is destroyed. */
void libxl__loop_close(libxl_ctx *ctx);
/* Called unlocked, in the child of a fork. Closes the child's copies of the descriptors that the library opened. */
void libxl__loop_postfork(libxl_ctx *ctx);

/*
 * Registers the descriptor `number` for `events` (EPOLLIN ...). A descriptor may be registered several times,
 * each time with its own events and callback. Returns 0 or FAIL. After an error *fd is unchanged.
 */
int libxl__fd_register(libxl_ctx *ctx, libxl__fd *fd, int number, uint32_t events,
                       libxl__fd_callback *callback);
/*
 * Keeps a descriptor of the library, which is not polled, in the list of descriptors, so that the child of a fork
 * closes its copy. libxl__fd_deregister takes it out of the list.
 */
void libxl__fd_hold(libxl_ctx *ctx, libxl__fd *fd, int number);
/* Replaces the events of a registered descriptor. */
void libxl__fd_modify(libxl_ctx *ctx, libxl__fd *fd, uint32_t events);
/*
 * Deregisters fd. The callback of fd is not called again. Does nothing if fd is not registered. Does not
 * close the descriptor.
 */
void libxl__fd_deregister(libxl_ctx *ctx, libxl__fd *fd);
/* Marks a registered descriptor as internal. */
void libxl__fd_mark_internal(libxl_ctx *ctx, libxl__fd *fd);
/* Marks all descriptors that are registered now as internal. Called once, at the end of libxl__ctx_create. */
void libxl__fds_mark_internal(libxl_ctx *ctx);

/*
 * Counts a step of the turn. Returns true if the turn goes on. Returns false if the turn is over; the caller
 * must then defer its remaining work to the next turn.
 */
bool libxl__turn_goes_on(libxl_ctx *ctx, libxl__turn *turn);

/* Calls the callbacks of the ready descriptors. Never blocks. Errors: FAIL. */
int libxl__loop_dispatch(libxl_ctx *ctx);

/*
 * Makes the polls of the leader and of the application return, so that their threads run the runnable
 * operations. Workers may call it.
 */
void libxl__loop_look_again(libxl_ctx *ctx);

/*
 * Returns the descriptor of the outer epoll, for libxl_ctx_fd. From this call on, the descriptor is also readable
 * while events are queued.
 */
int libxl__loop_use_outer(libxl_ctx *ctx);

/*
 * Makes the outer epoll readable if events are queued, or if another thread must make deliveries. Called
 * just before the lock is released. So an event that is queued and taken while the lock is held costs no
 * system call.
 */
void libxl__loop_show_events(libxl_ctx *ctx);

/*
 * Makes the outer epoll unreadable if no events are queued. Called when a search has found no event.
 * This function is not called when the last event is taken. This saves two system calls if another event is
 * queued soon. Its cost is that an application that has taken all events searches once more and finds none.
 */
void libxl__loop_hide_events(libxl_ctx *ctx);

/*
 * A thread waits by calling begin, then `while (!condition) wait`, then end. The thread must not be a worker.
 * Each wait does this:
 * - It runs the runnable operations and makes the pending deliveries, which call application code. Inside a
 *   delivery, it makes only the deliveries of `ao`.
 * - It releases the lock, and polls or sleeps until the condition may have changed or `deadline` has passed
 *   (ns, monotonic; 0: no deadline).
 * - It locks the context, and runs operations and makes deliveries again.
 * Errors of wait: FAIL if polling fails.
 */
void libxl__waiter_begin(libxl_ctx *ctx, libxl__waiter *waiter);
int libxl__waiter_wait(libxl_ctx *ctx, libxl__waiter *waiter, uint64_t deadline);
void libxl__waiter_end(libxl_ctx *ctx, libxl__waiter *waiter);

/*
 * Makes the waiter's wait return. Call it when the waiter's condition may have changed. Workers may call it.
 */
void libxl__waiter_wake(libxl_ctx *ctx, libxl__waiter *waiter);

/* If there is no leader, wakes a follower, which becomes the leader. A thread calls this when it stops waiting, and
 * before it runs application code. */
void libxl__loop_hand_over(libxl_ctx *ctx);

#endif
