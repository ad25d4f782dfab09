/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A copy operation, and a peer that writes to the copy's source and reads from its sink. The peer times its writes
 * by the progress of the copy. For unit tests.
 */
#ifndef PEER_H
#define PEER_H

#include "core.h"

/* ---- the copy operation; its `user` is a struct copying */

enum { COPY_LIMIT_MS = 30 };

struct copying {
    libxl_ctx *ctx;
    int from, to;
    const char *prefix;
    size_t prefix_length;
    libxl__copy *copy; /* while the operation runs, else NULL; guarded by the context's lock */
    uint64_t copied;   /* valid once the copy has ended */
};

extern const libxl__ao_class copy_class, limited_copy_class;

/* The number of octets copied so far; -1 before the start and after the end. Any thread may call this; it takes the lock. */
int64_t copy_progress(struct copying *c);

/* ---- sources and sinks */

enum { PIPE_HOLDS = 65536 };
enum kind { PIPE, SOCKET, PTY, REGULAR, KINDS };

/* The copy uses `ours`, the peer `theirs`. For a regular file both are the same descriptor. */
struct ends {
    int ours, theirs;
};

/* Opens both ends. If `source`, `ours` is the reading end. */
struct ends open_ends(enum kind kind, bool source);
void close_theirs(struct ends *e);
void close_ends(struct ends *e);

/* Returns `length` recognisable octets, which the caller frees. */
char *pattern(size_t length, unsigned seed);

/* ---- the peer */

/* When the peer writes the data and ends the source, in relation to the copy's progress. */
enum order { ALL_BEFORE, DATA_BEFORE, DATA_WAITED_FOR, END_WAITED_FOR, ORDERS };
enum ending { CLOSED, SHUT_DOWN, SHUT_DOWN_AND_CLOSED };

struct peer {
    struct copying copying;
    struct ends source, sink;
    const char *data;
    size_t length;
    enum order order;
    enum ending ending;
    char *got; /* `count` octets have arrived at the sink */
    size_t room, count;
    pthread_t feeding, collecting;
};

/* Opens the ends. The caller has set prefix, data, order and ending. */
void begin_peer(struct peer *p, enum kind source, enum kind sink);
/* The bodies of the peer's threads: feed() writes its data to the source, collect() reads its sink. */
void *feed(void *peer);
void *collect(void *peer);
/* Opens the ends, copies, and closes them; returns the copy's result. */
int run_peer(scene *s, struct peer *p, enum kind source, enum kind sink);
/* Fails the test unless exactly the prefix and the data have arrived. Frees what arrived. */
void check_peer(struct peer *p);

#endif
