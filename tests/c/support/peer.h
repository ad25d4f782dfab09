/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A copy, and a peer that writes to its source and reads from its sink, at moments that it sees in the copy
 * itself. For unit tests.
 */
#ifndef PEER_H
#define PEER_H

#include "core.h"

/* ---- the operation: a copy, whose user is a struct copying */

enum { COPY_LIMIT_MS = 30 };

struct copying {
    libxl_ctx *ctx;
    int from, to;
    const char *prefix;
    size_t prefix_length;
    libxl__copy *copy; /* under way; NULL before and afterwards */
    uint64_t copied;   /* once it has ended */
};

extern const libxl__ao_class copy_class, limited_copy_class;

/* How much has been copied; before the start and after the end -1. Any thread. */
int64_t copy_progress(struct copying *c);

/* ---- what is copied from and to */

enum { PIPE_HOLDS = 65536 };
enum kind { PIPE, SOCKET, PTY, REGULAR, KINDS };

/* `ours` is given to the copy, `theirs` is the peer's; of a regular file both are the same. */
struct ends {
    int ours, theirs;
};

/* `source`: ours is the end to read from. */
struct ends open_ends(enum kind kind, bool source);
void close_theirs(struct ends *e);
void close_ends(struct ends *e);

/* Octets to recognise, freed by the caller. */
char *pattern(size_t length, unsigned seed);

/* ---- the peer */

/* When the source gets its data, and when its end. */
enum order { ALL_BEFORE, DATA_BEFORE, DATA_WAITED_FOR, END_WAITED_FOR, ORDERS };
enum ending { CLOSED, SHUT_DOWN, SHUT_DOWN_AND_CLOSED };

struct peer {
    struct copying copying;
    struct ends source, sink;
    const char *data;
    size_t length;
    enum order order;
    enum ending ending;
    char *got; /* what has come out, and how much */
    size_t room, count;
    pthread_t feeding, collecting;
};

/* Opens the ends. The caller has filled in prefix, data, order and ending. */
void begin_peer(struct peer *p, enum kind source, enum kind sink);
/* Its two threads: from a peer's data to its source, and from its sink to what it has got. */
void *feed(void *peer);
void *collect(void *peer);
/* Begins, copies from the one to the other, and closes; what became of it. */
int run_peer(scene *s, struct peer *p, enum kind source, enum kind sink);
/* Fails the test unless prefix and data have come, and nothing else. */
void check_peer(struct peer *p);

#endif
