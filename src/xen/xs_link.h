/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The state of the context's connection to xenstored, and its renewal after a loss. A transport
 * (xs_transport.h) connects and disconnects; this file decides when.
 *
 *            open, or the delay is over              xenstored has answered
 *   DOWN  ------------------------------->  PROVING  ---------------------->  UP
 *     ^                                        |                               |
 *     +------ no answer within a second -------+------ connection broken ------+
 *
 * Requests are accepted while the connection is PROVING or UP. When the connection is lost, all requests
 * without an answer fail with NO_XENSTORE. Operations that wait for nodes fail with NO_XENSTORE, too. While
 * the connection is DOWN, new requests fail with NO_XENSTORE. When the connection is UP again, the context's
 * own watches are registered again.
 *
 * The delay between attempts to connect grows. If a connection is lost within a second after it was UP, it
 * counts as a failed attempt.
 *
 * Call all functions with the context locked, unless the comment says otherwise.
 */
#ifndef LIBXL__XS_LINK_H
#define LIBXL__XS_LINK_H

#include "loop.h"
#include "timer.h"

typedef enum libxl__xs_link_state {
    LIBXL__XS_DOWN,
    LIBXL__XS_PROVING,
    LIBXL__XS_UP,
} libxl__xs_link_state;

/*
 * An observer is called each time the connection becomes UP. Embed this in the user's state. It must stay
 * valid until libxl__xs_unobserve.
 */
typedef struct libxl__xs_observer libxl__xs_observer;
struct libxl__xs_observer {
    /*
     * Called with the context locked when the connection becomes UP. May start operations. `again`: the
     * connection was UP before, so changes in xenstore may have been missed.
     */
    void (*connected)(libxl_ctx *ctx, libxl__xs_observer *observer, bool again);
    LIST_ENTRY(libxl__xs_observer) link;
};

typedef struct libxl__xs_link {
    libxl__xs_link_state state;
    bool was_up;  /* the connection was UP at least once since the context was made */
    bool refused; /* the first attempt to connect has failed at once, because xenstored does not run */
    /* The errno of the last loss or of the last failed attempt to connect. */
    int errnoval;
    /* PROVING: not connected yet, because xenstored's queue of new connections is full. */
    bool waits_for_room;
    uint64_t give_up; /* PROVING: the time when the wait for xenstored's answer ends, in ns, monotonic. */
    uint64_t delay;   /* DOWN: the time until the next attempt to connect, in ns */
    /*
     * Ends the wait for an answer, and starts the next attempt to connect. Never stopped, so that setting it
     * needs no memory.
     */
    libxl__timer timer;
    uint64_t up_at; /* The time when the connection was last UP, in ns, monotonic. */
    libxl__recurring losses;
    bool loss_logged; /* the last loss of the connection is in the log */
    /* The time when the connection was last lost after it was UP, in ns, monotonic; 0: never. */
    uint64_t lost_at;
    libxl__waiter *opener; /* the thread that waits in libxl__xs_link_open; NULL: no thread waits there */
    char address[120];     /* the address of xenstored, for messages; set by the transport */
    uint32_t answers;      /* the number of answers that xenstored has given, modulo 2^32 */
    LIST_HEAD(, libxl__xs_observer) observers;
    /* The batches that wait for the connection; first in, first out. */
    TAILQ_HEAD(, libxl__xs_batch) deferred;
} libxl__xs_link;

/*
 * Defers an idle batch if the connection was lost less than a second ago. Returns whether the batch was
 * deferred. libxl__xs_run_deferred is called for the batch when the connection is up again. If an attempt to
 * connect fails when that second is over, libxl__xs_run_deferred is called, too.
 */
bool libxl__xs_link_defer(libxl_ctx *ctx, struct libxl__xs_batch *batch);
/* Removes a deferred batch from the list of deferred batches. The batch is idle then. */
void libxl__xs_link_forget(libxl_ctx *ctx, struct libxl__xs_batch *batch);
/*
 * In xs.c. Runs a batch that was deferred. If `connected` is false, ends the batch with NO_XENSTORE instead.
 */
void libxl__xs_run_deferred(struct libxl__xs_batch *batch, bool connected);

/*
 * Connects to xenstored. Call unlocked, while the context is made, when the transport is open. If `wait` is
 * true, waits until xenstored has answered, for a second at most. If `wait` is false, returns at once;
 * requests are then queued until xenstored answers or the second is over. Errors, with a message:
 * NO_XENSTORE, PERMISSION, FAIL, NOMEM.
 */
int libxl__xs_link_open(libxl_ctx *ctx, bool wait);
/* Disconnects. Call unlocked, while the context is freed, before the transport is closed. */
void libxl__xs_link_close(libxl_ctx *ctx);

/* Returns whether the connection is down, so that requests are refused. */
bool libxl__xs_link_is_down(const libxl_ctx *ctx);
/* Returns whether xenstored has answered on this connection. */
bool libxl__xs_link_is_up(const libxl_ctx *ctx);

/*
 * Returns the number of answers that xenstored has given so far, modulo 2^32. If the number grows, xenstored
 * works.
 */
uint32_t libxl__xs_answers(const libxl_ctx *ctx);
/* A transport calls this for each answer. */
void libxl__xs_link_answered(libxl_ctx *ctx);

/* A transport calls this when xenstored has answered for the first time on this connection. */
void libxl__xs_link_proved(libxl_ctx *ctx);
/* A transport calls this when the connection has broken. This function calls the transport's `disconnect`. */
void libxl__xs_link_lost(libxl_ctx *ctx, int errnoval);

/* Registers an observer. The observer's `connected` must be set. */
void libxl__xs_observe(libxl_ctx *ctx, libxl__xs_observer *observer);
/* Removes an observer. The observer is not called again. */
void libxl__xs_unobserve(libxl__xs_observer *observer);

#endif
