/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The layout of a batch of xenstore requests. Only xs.c, xs_spare.c, the transports and await.c use it. Operations
 * use xs.h.
 *
 * A batch belongs to its operation until it is run, then to the transport until it has ended, then to the operation
 * again. The context's lock guards it. While the thread of xs_caller.c carries out the batch, only that thread uses
 * it, and takes no lock.
 */
#ifndef LIBXL__XS_BATCH_H
#define LIBXL__XS_BATCH_H

#include "xs.h"

typedef enum libxl__xs_kind {
    LIBXL__XS_READ,
    LIBXL__XS_LIST,
    LIBXL__XS_WRITE,
    LIBXL__XS_PERMIT,
    LIBXL__XS_REMOVE,
    LIBXL__XS_PRUNE,
    LIBXL__XS_REQUIRE,
    LIBXL__XS_INTRODUCE
} libxl__xs_kind;

/* One request. If only some kinds use a member, its comment names them. Paths and values lie in the batch's gc. */
struct libxl__xs_request {
    libxl__xs_kind kind;
    libxl__xs_perms perms; /* PERMIT; never INHERITS */
    bool optional;         /* REQUIRE: a missing node passes the check */
    bool absent;           /* REQUIRE: the node must not exist */
    bool vacant;           /* REQUIRE: the node is missing or empty */
    int rc;                /* REQUIRE: the error if the check fails */
    const char *path;
    const char *value; /* WRITE: the new value. REQUIRE: the value that the node must hold; NULL: any */
    unsigned long gfn; /* INTRODUCE: the frame of the xenstore ring */
    uint32_t port;     /* INTRODUCE: the event channel */
    uint32_t offset;   /* LIST: where in the list of names to begin, in octets */
    uint32_t levels;   /* PRUNE: the most nodes to remove */
    uint32_t climbed;  /* PRUNE: the number of nodes that were removed */
    char *current;     /* PRUNE: the node that is looked at */
    bool removing;     /* PRUNE: this node was empty, and its removal is sent */
    char
        *found; /* READ: the value, malloc'ed, with a terminating zero; NULL: no such node. LIST: the names */
    size_t found_size; /* LIST: the size of `found`, without the terminating zero */
    STAILQ_ENTRY(libxl__xs_request) link;
};

typedef enum libxl__xs_call_kind {
    LIBXL__XS_CONNECT,
    LIBXL__XS_PING,
    LIBXL__XS_BATCH,
    LIBXL__XS_ADD,  /* a watch */
    LIBXL__XS_DROP, /* a watch */
} libxl__xs_call_kind;

typedef enum libxl__xs_call_state {
    LIBXL__XS_CALL_IDLE,
    LIBXL__XS_CALL_QUEUED,
    LIBXL__XS_CALL_RUNNING, /* also if it has returned, until the context takes it */
    LIBXL__XS_CALL_DONE
} libxl__xs_call_state;

/* A call of libxenstore; only xs_lib.c and xs_caller.c use it. The lock of xs_caller.c guards `state`. */
typedef struct libxl__xs_call {
    libxl__xs_call_kind kind;
    libxl__xs_call_state state;
    int errnoval; /* valid once it is done. ENOTCONN: the connection is lost */
    STAILQ_ENTRY(libxl__xs_call) link;
} libxl__xs_call;

struct libxl__xs_batch {
    libxl__source
        source; /* must be first; detached if the operation has freed the batch while it was running */
    libxl__ao *ao;
    libxl__gc gc;
    uint32_t domid, backend;
    libxl__xs_mode mode;
    enum { LIBXL__XS_IDLE, LIBXL__XS_UNDER_WAY, LIBXL__XS_DONE } state;
    bool deferred; /* it is in libxl__xs_link.deferred: it waits for the connection; its state is UNDER_WAY */
    bool out_of_memory;     /* a request could not be added */
    bool spare;             /* it is the context's spare batch: its memory and its reserve stay */
    bool has_reserve;       /* the transport keeps the following reserve for this batch */
    uint32_t reserved;      /* messages */
    size_t reserved_octets; /* of these messages, without their headers */
    uint32_t ended_seen;    /* transactions.ended at the last libxl__xs_advances */
    int rc;                 /* the first error */
    const char *message;    /* of this error, in gc */
    STAILQ_HEAD(, libxl__xs_request) requests;
    libxl__xs_call call; /* used by xs_lib.c only */
    /* The members from here to `transaction` are used by xs_wire.c only. */
    bool queued; /* it is in libxl__transactions.waiting */
    TAILQ_ENTRY(libxl__xs_batch) queue_link;
    TAILQ_ENTRY(libxl__xs_batch) deferred_link;
    bool start_answered;           /* xenstored has answered the start of the transaction */
    uint32_t unanswered;           /* messages that xenstored has not answered yet */
    uint32_t transaction;          /* xenstored's id of the open transaction; 0: none is open */
    _Alignas(16) char memory[256]; /* the first memory of gc */
};

/* The transactions of a context. xs_wire.c limits how many are open at a time and queues the others. */
typedef struct libxl__transactions {
    uint32_t open;
    uint32_t ended; /* transactions that have ended so far, modulo 2^32; xs_lib.c counts all batches here */
    TAILQ_HEAD(, libxl__xs_batch) waiting; /* first in, first out */
} libxl__transactions;

/* The spare batch of a context, in xs_spare.c. */
typedef struct libxl__xs_spare {
    libxl__xs_batch *batch; /* NULL: it was never reserved */
    bool in_use;
    uint32_t uses;                        /* how often it was given back */
    TAILQ_HEAD(, libxl__xs_turn) waiting; /* for the batch; first in, first out */
} libxl__xs_spare;

/*
 * Stores the owner of a node with these permissions in owners[0], and the domain that may read it in owners[1].
 * Returns the number of entries: 1 or 2. In xs.c; the thread of xs_caller.c calls it, too.
 */
unsigned libxl__xs_owners(const libxl__xs_batch *batch, libxl__xs_perms perms, uint32_t owners[2]);

/* PRUNE: begins at the request's path. */
void libxl__xs_prune_begin(libxl__xs_request *request);
/* PRUNE: `current` was removed. Makes its parent `current`; returns false if that is not to be removed. */
bool libxl__xs_climb(libxl__xs_request *request);

/* Called by xs.c when the spare batch is freed: keeps it, and calls the next operation in the queue. */
void libxl__xs_spare_put(libxl_ctx *ctx);
/*
 * Disowns the batch if it is the spare batch, because the thread that carries it out will free it. Does nothing for
 * other batches. Called while the context is freed.
 */
void libxl__xs_spare_leave(libxl_ctx *ctx, libxl__xs_batch *batch);
/* In xs.c. Attaches a new batch to its operation as a source. */
void libxl__xs_batch_attach(libxl__xs_batch *batch);
/* Called while the context is made or freed. Prepares the queue; frees the spare batch. */
void libxl__xs_spare_open(libxl_ctx *ctx);
void libxl__xs_spare_close(libxl_ctx *ctx);

#endif
