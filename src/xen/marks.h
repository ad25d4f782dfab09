/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Marks of unfinished domains. A creation writes LIBXL__MARKS/UUID before it makes the domain, and removes it when the domain
 * is complete or has been taken down. The mark of a process that has ended shows that its creation was not finished.
 *
 * A mark says which process makes the domain: "PID START WHERE TIME". START is the start time of the process in clock ticks
 * (proc(5)), because a process id is used again. WHERE is the boot and the namespace of process ids in which both mean
 * something. TIME is that of the mark, in milliseconds since the boot. PID 0: the process has given the domain up.
 *
 * Call all functions with the context locked.
 */
#ifndef LIBXL__MARKS_H
#define LIBXL__MARKS_H

#include "xs.h"

#define LIBXL__MARKS "/tool/aioxen/unfinished"

enum {
    LIBXL__MARK_PATH = sizeof(LIBXL__MARKS "/") + LIBXL_UUID_FMTLEN, /* octets of a mark's path */
    LIBXL__MARK_TEXT = 160,                                          /* at most, of a mark's text */
};

/* What a context has found out about its process. Part of libxl__xen. */
typedef struct libxl__marker {
    uint32_t pid; /* 0: not known yet */
    unsigned long long start;
    char where[64];
} libxl__marker;

/* The value of /local/domain/N, which tells the tree of a domain that this library makes from those of other toolstacks. */
#define LIBXL__TREE_OWNER "aioxen"

/* Each of these adds one request. The reserve of the second is LIBXL__MARK_PATH, that of the third also LIBXL__MARK_TEXT. */
void libxl__mark_write(libxl__xs_batch *batch, const libxl_uuid *uuid);
void libxl__mark_remove(libxl__xs_batch *batch, const libxl_uuid *uuid);
void libxl__mark_give_up(libxl__xs_batch *batch, const libxl_uuid *uuid);

/* Makes the text of a mark of this process, or, with pid 0, of one that it has given up. */
void libxl__mark_text(libxl_ctx *ctx, bool given_up, char text[LIBXL__MARK_TEXT]);

/* What a mark says. */
typedef struct libxl__mark {
    uint32_t pid;
    bool left; /* the creation does not go on: its process has ended or has given it up */
    uint64_t age_ms;
} libxl__mark;

/*
 * Reads a mark's text. A process of another boot or another namespace of process ids cannot be looked at: its mark is not
 * `left`. Returns false if the text is no mark.
 */
bool libxl__mark_read(libxl_ctx *ctx, const char *text, libxl__mark *mark);

#endif
