/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The layout of a batch of xenstore requests. Only xs.c, xs_requests.c, xs_spare.c, the transports and await.c use it.
 * Operations use xs.h.
 *
 * A batch belongs to its operation until it is run. Then the batch belongs to the transport until it has
 * ended. Afterwards it belongs to the operation again. The context's lock guards the batch. There is one
 * exception: while the thread of xs_caller.c carries out the batch, only that thread uses the batch, and the
 * thread takes no lock.
 */
#ifndef LIBXL__XS_BATCH_H
#define LIBXL__XS_BATCH_H

#include "xs.h"

typedef enum libxl__xs_kind {
    LIBXL__XS_READ,
    LIBXL__XS_READ_PERMISSIONS,
    LIBXL__XS_LIST,
    LIBXL__XS_WRITE,
    LIBXL__XS_PERMIT,
    LIBXL__XS_WRITE_PERMISSIONS,
    LIBXL__XS_REMOVE,
    LIBXL__XS_PRUNE,
    LIBXL__XS_REQUIRE,
    LIBXL__XS_REQUIRE_NAMES,
    LIBXL__XS_INTRODUCE,
    LIBXL__XS_RELEASE,
    LIBXL__XS_RESUME
} libxl__xs_kind;

/*
 * One request. Some members are used by one kind of request only. The comment of such a member begins with
 * the kind. Paths and values are in the batch's memory, the member `gc`.
 */
struct libxl__xs_request {
    libxl__xs_kind kind;
    libxl__xs_perms perms; /* PERMIT: the permissions that the node gets; never INHERITS */
    bool optional;         /* REQUIRE: a missing node passes the check */
    bool absent;           /* REQUIRE: the node must not exist */
    bool vacant;           /* REQUIRE: the node was found missing or empty */
    bool exact;            /* REQUIRE: the value may contain zero octets, and all octets are compared */
    int rc;                /* REQUIRE, REQUIRE_NAMES: the error if the check fails */
    const char *path;
    /*
     * WRITE: the new value. WRITE_PERMISSIONS: the permissions. REQUIRE: the value that the node must hold;
     * NULL: any value. REQUIRE_NAMES: the names that the node must have.
     */
    const char *value;
    size_t size;       /* the size of `value`, without the terminating zero, in octets */
    unsigned long gfn; /* INTRODUCE: the frame of the xenstore ring */
    uint32_t port;     /* INTRODUCE: the event channel of the ring */
    /* LIST, REQUIRE_NAMES: the position in the list of names from which to read, in octets. */
    uint32_t offset;
    uint32_t part;   /* REQUIRE_NAMES: the number of octets from `offset` on that this request must compare */
    uint32_t levels; /* PRUNE: the greatest number of nodes to remove */
    uint32_t climbed; /* PRUNE: the number of nodes that were removed */
    char *current;    /* PRUNE: the path of the node that is examined */
    bool removing;    /* PRUNE: `current` was found empty, and the request to remove it was sent */
    /*
     * READ, READ_PERMISSIONS: the octets that were read, malloc'ed, with a terminating zero; NULL: the node is
     * missing. LIST: the names.
     */
    char *found;
    size_t found_size; /* the size of `found`, without the terminating zero, in octets */
    STAILQ_ENTRY(libxl__xs_request) link;
};

typedef enum libxl__xs_call_kind {
    LIBXL__XS_CONNECT,
    LIBXL__XS_PING,
    LIBXL__XS_BATCH,
    LIBXL__XS_ADD,  /* the call registers a watch */
    LIBXL__XS_DROP, /* the call unregisters a watch */
} libxl__xs_call_kind;

typedef enum libxl__xs_call_state {
    LIBXL__XS_CALL_IDLE,
    LIBXL__XS_CALL_QUEUED,
    LIBXL__XS_CALL_RUNNING, /* being made, or made but not yet taken by the context */
    LIBXL__XS_CALL_DONE
} libxl__xs_call_state;

/* A call of libxenstore. Only xs_lib.c, xs_caller.c and xs_calls.c use it. The lock in xs_caller.c guards `state`. */
typedef struct libxl__xs_call {
    libxl__xs_call_kind kind;
    libxl__xs_call_state state;
    /* The call's errno, valid once the call is done; 0: success; ENOTCONN: the connection is lost. */
    int errnoval;
    STAILQ_ENTRY(libxl__xs_call) link;
} libxl__xs_call;

struct libxl__xs_batch {
    /*
     * Must be first. If the operation frees the batch while the transport is running the batch, the source is
     * detached.
     */
    libxl__source source;
    libxl__ao *ao;
    libxl__gc gc;
    uint32_t domid, backend;
    libxl__xs_mode mode;
    enum { LIBXL__XS_IDLE, LIBXL__XS_UNDER_WAY, LIBXL__XS_DONE } state;
    /* The batch is in libxl__xs_link.deferred and waits for the connection; `state` is UNDER_WAY. */
    bool deferred;
    bool out_of_memory;   /* there was no memory to add a request */
    bool for_application; /* the application has named the nodes */
    /* The batch is the context's spare batch, so its memory and its reservation are kept. */
    bool spare;
    bool has_reserve;       /* the transport keeps `reserved` messages for this batch */
    uint32_t reserved;      /* the number of reserved messages */
    size_t reserved_octets; /* the length of the reserved messages without their headers */
    uint32_t ended_seen;    /* the value of libxl__transactions.ended at the last libxl__xs_advances */
    int rc;                 /* the first error; 0: no request has failed */
    uint32_t repeats;       /* the number of times that the transaction was repeated */
    bool contended;         /* the transaction was given up after LIBXL__XS_MOST_REPEATS repetitions */
    const char *message;    /* the message of the error `rc`, in the batch's memory */
    STAILQ_HEAD(, libxl__xs_request) requests;
    libxl__xs_call call; /* the call that carries out the batch; used by xs_lib.c only */
    /* The members from here to `transaction` are used by xs_wire.c only. */
    bool queued; /* the batch is in libxl__transactions.waiting */
    TAILQ_ENTRY(libxl__xs_batch) queue_link;
    TAILQ_ENTRY(libxl__xs_batch) deferred_link;
    bool start_answered;           /* xenstored has answered the start of the transaction */
    uint32_t unanswered;           /* the number of messages that xenstored has not answered yet */
    uint32_t transaction;          /* xenstored's id of the open transaction; 0: no transaction is open */
    _Alignas(16) char memory[256]; /* `gc` uses this memory before it allocates more */
};

/*
 * The transactions of a context. xs_wire.c limits the number of transactions that are open at the same time,
 * and queues the other transactions. Only one open transaction at a time sends its requests.
 */
typedef struct libxl__transactions {
    /* The open transaction that is sending its requests. It has not sent its end yet. NULL: none. */
    libxl__xs_batch *active;
    libxl__xs_batch *next; /* the open transaction that waits until `active` has sent its end; NULL: none */
    uint32_t open;
    /*
     * The number of transactions that have ended, modulo 2^32. With xs_lib.c: the number of batches that have
     * ended.
     */
    uint32_t ended;
    TAILQ_HEAD(, libxl__xs_batch) waiting; /* the queued transactions; first in, first out */
} libxl__transactions;

/* The spare batch of a context. xs_spare.c owns it. */
typedef struct libxl__xs_spare {
    libxl__xs_batch *batch; /* the spare batch; NULL: it was never reserved */
    bool in_use;
    uint32_t uses;                        /* the number of times that an operation has returned the batch */
    TAILQ_HEAD(, libxl__xs_turn) waiting; /* the operations that wait for the batch; first in, first out */
} libxl__xs_spare;

/*
 * In xs_requests.c. Translates permissions to domids. Stores the owner of the node in owners[0]. If another
 * domain may read the node, stores that domain in owners[1]. Returns the number of stored domids: 1 or 2. The
 * thread of xs_caller.c may call it, too.
 */
unsigned libxl__xs_owners(const libxl__xs_batch *batch, libxl__xs_perms perms, uint32_t owners[2]);

/* For PRUNE: makes the request's path the `current` node. */
void libxl__xs_prune_begin(libxl__xs_request *request);
/*
 * For PRUNE: call this when `current` was removed. Makes the parent the `current` node. Returns true if the
 * parent may be removed, otherwise false.
 */
bool libxl__xs_climb(libxl__xs_request *request);

/*
 * Called by xs.c when the operation frees the spare batch. Keeps the batch, and wakes the next operation in
 * the queue.
 */
void libxl__xs_spare_put(libxl_ctx *ctx);
/*
 * Called while the context is freed, for a batch that the thread of xs_caller.c will free. If the batch is
 * the spare batch, makes sure that the context does not free it a second time.
 */
void libxl__xs_spare_leave(libxl_ctx *ctx, libxl__xs_batch *batch);
/* In xs.c. Attaches a new batch to its operation as a source. */
void libxl__xs_batch_attach(libxl__xs_batch *batch);
/*
 * `open` prepares the queue while the context is made. `close` frees the spare batch while the context is
 * freed.
 */
void libxl__xs_spare_open(libxl_ctx *ctx);
void libxl__xs_spare_close(libxl_ctx *ctx);

#endif
