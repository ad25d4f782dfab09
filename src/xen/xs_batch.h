/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a batch of requests consists of. For xs.c and the transports; operations use xs.h. The batch is its operation's until
 * it is run, then the transport's, then the operation's again. The context's lock guards it, except while a worker has it.
 */
#ifndef LIBXL__XS_BATCH_H
#define LIBXL__XS_BATCH_H

#include "xs.h"

typedef enum libxl__xs_kind {
    LIBXL__XS_READ,
    LIBXL__XS_WRITE,
    LIBXL__XS_PERMIT,
    LIBXL__XS_REMOVE,
    LIBXL__XS_REQUIRE,
    LIBXL__XS_INTRODUCE
} libxl__xs_kind;

struct libxl__xs_request {
    libxl__xs_kind kind;
    libxl__xs_perms perms; /* PERMIT: not INHERITS */
    bool optional;         /* REQUIRE: a missing node will do */
    int rc;                /* REQUIRE: the error */
    const char *path;
    const char *value; /* WRITE; REQUIRE: what the node is to hold, NULL: anything */
    unsigned long gfn; /* INTRODUCE */
    uint32_t port;
    char *found; /* READ, REQUIRE: malloc'ed, ends with a zero octet; NULL: no node */
    STAILQ_ENTRY(libxl__xs_request) link;
};

struct libxl__xs_batch {
    libxl__source source; /* first; not attached if the batch has been given up */
    libxl__ao *ao;
    libxl__gc gc;
    uint32_t domid;
    libxl__xs_mode mode;
    enum { LIBXL__XS_IDLE, LIBXL__XS_UNDER_WAY, LIBXL__XS_DONE } state;
    bool out_of_memory;
    bool has_reserve; /* what follows is reserved at the transport */
    uint32_t reserved;
    size_t reserved_octets;
    uint32_t ended; /* of others: libxl__xs_advances */
    int rc;
    const char *message; /* in gc */
    STAILQ_HEAD(, libxl__xs_request) requests;
    libxl__job job; /* for xs_lib.c */
    /* for xs_wire.c */
    bool waits; /* it is in libxl__transactions.waiting */
    TAILQ_ENTRY(libxl__xs_batch) line;
    bool begun; /* the transaction's id has been asked for and given */
    uint32_t unanswered, transaction;
    _Alignas(16) char memory[256]; /* the first of gc */
};

/* The transactions of xs_wire.c: those that are open, and those that wait until one of them has ended. */
typedef struct libxl__transactions {
    uint32_t open;
    uint32_t ended; /* so far, modulo 2^32; for xs_lib.c: batches */
    TAILQ_HEAD(, libxl__xs_batch) waiting;
} libxl__transactions;

#endif
