/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs a copy operation and a peer, for unit tests. The peer writes to the copy's source and reads from the
 * copy's sink. The peer times its writes by the progress of the copy.
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
    /* The copy while the operation runs, else NULL. The context's lock guards this member. */
    libxl__copy *copy;
    uint64_t copied; /* The number of octets that were copied. Valid when the copy has ended. */
};

extern const libxl__ao_class copy_class, limited_copy_class;

/* Returns the number of octets copied so far. Returns -1 before the start and after the end. Any thread
 * may call this. Takes the context's lock. */
int64_t copy_progress(struct copying *c);

/* ---- sources and sinks */

enum { PIPE_HOLDS = 65536 };
enum kind { PIPE, SOCKET, PTY, REGULAR, KINDS };

/* The two ends of a source or a sink. The copy uses `ours`, and the peer uses `theirs`. For a regular file
 * both are the same descriptor. */
struct ends {
    int ours, theirs;
};

/* Opens and returns both ends. If `source` is true, `ours` is the reading end; else the writing end. */
struct ends open_ends(enum kind kind, bool source);
void close_theirs(struct ends *e);
void close_ends(struct ends *e);

/* Returns `length` recognisable octets, which the caller frees. */
char *pattern(size_t length, unsigned seed);

/* ---- the peer */

/* The moments at which the peer writes the data and ends the source, in relation to the copy's progress. */
enum order { ALL_BEFORE, DATA_BEFORE, DATA_WAITED_FOR, END_WAITED_FOR, ORDERS };
enum ending { CLOSED, SHUT_DOWN, SHUT_DOWN_AND_CLOSED };

struct peer {
    struct copying copying;
    struct ends source, sink;
    const char *data;
    size_t length;
    enum order order;
    enum ending ending;
    char *got; /* The data that has arrived at the sink: `count` octets in a buffer of `room` octets. */
    size_t room, count;
    pthread_t feeding, collecting;
};

/* begin_peer() opens the ends and starts the peer's threads. The caller has set the members prefix, data,
 * order and ending. */
void begin_peer(struct peer *p, enum kind source, enum kind sink);
/* The bodies of the peer's threads: feed() writes its data to the source, collect() reads its sink. */
void *feed(void *peer);
void *collect(void *peer);
/* Opens the ends, runs the copy, and closes the ends. Returns the copy's result. */
int run_peer(scene *s, struct peer *p, enum kind source, enum kind sink);
/* Fails the test unless exactly the prefix and the data have arrived. Frees what arrived. */
void check_peer(struct peer *p);

#endif
