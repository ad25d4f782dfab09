/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Marks of unfinished domains. A creation writes LIBXL__MARKS/XX/UUID before it makes the domain, and removes it when
 * the domain is complete or has been taken down. If the process of a mark has ended, its creation was not finished.
 *
 * A mark says which process makes which domain: "PID START WHERE TIME DOMID". START is the start time of the process in clock
 * ticks (proc(5)), because a process id is used again. WHERE identifies the boot and the namespace of process ids in
 * which PID and START are valid. TIME is the time at which the mark was written, in milliseconds since the boot. PID
 * 0 means that the process has given the domain up. DOMID is "-" as long as the domain does not exist or is not known.
 * It is "*" if the creation has generated the UUID: then no domain of another program has this UUID.
 *
 * Call all functions with the context locked.
 */
#ifndef LIBXL__MARKS_H
#define LIBXL__MARKS_H

#include "xs.h"

/*
 * The marks are in groups XX. When a node is removed, xenstored reads the node above it once for each guest, so this
 * node must have few names. Groups stay when they are empty.
 */
#define LIBXL__MARKS    "/tool/aioxen/unfinished"
#define LIBXL__MARK_FMT LIBXL__MARKS "/%02x/" LIBXL_UUID_FMT
#define LIBXL__MARK_OF(uuid)                                                                                 \
    libxl__mark_group(&(uuid)), LIBXL_UUID_BYTES(uuid) /* the arguments of the format */

/* Returns the group of a mark: the exclusive or of the UUID's octets. Needs no lock. */
static inline unsigned libxl__mark_group(const libxl_uuid *uuid)
{
    unsigned group = 0;
    for (size_t i = 0; i < sizeof(uuid->uuid); i++)
        group ^= uuid->uuid[i];
    return group;
}

enum {
    LIBXL__MARK_PATH = sizeof(LIBXL__MARKS "/XX/") + LIBXL_UUID_FMTLEN, /* octets of a mark's path */
    LIBXL__MARK_TEXT = 160,                                             /* at most, of a mark's text */
};

/* In place of a domid: "-" and "*". */
#define LIBXL__MARK_NO_DOMID LIBXL_DOMID_INVALID
#define LIBXL__MARK_UNIQUE   (LIBXL_DOMID_INVALID - 1)

/* PID, START and WHERE of this process, read once per context. Part of libxl__xen. */
typedef struct libxl__marker {
    uint32_t pid; /* 0: not known yet */
    unsigned long long start;
    char where[64];
} libxl__marker;

/*
 * The value of /local/domain/N for a domain that this library makes. It distinguishes the domain's tree from those of
 * other toolstacks.
 */
#define LIBXL__TREE_OWNER "aioxen"

/*
 * Each of these adds one request to the batch. To reserve memory (libxl__xs_reserve), libxl__mark_remove needs
 * LIBXL__MARK_PATH octets. The others need LIBXL__MARK_PATH + LIBXL__MARK_TEXT octets.
 */
void libxl__mark_write(libxl__xs_batch *batch, const libxl_uuid *uuid, uint32_t domid);
void libxl__mark_remove(libxl__xs_batch *batch, const libxl_uuid *uuid);
void libxl__mark_give_up(libxl__xs_batch *batch, const libxl_uuid *uuid, uint32_t domid);

/* Writes the text of a mark of this process into `text`. The PID is 0 if `given_up` is true. */
void libxl__mark_text(libxl_ctx *ctx, bool given_up, uint32_t domid, char text[LIBXL__MARK_TEXT]);

/* The contents of a mark. */
typedef struct libxl__mark {
    uint32_t pid, domid;
    bool left; /* nobody will finish the creation: its process has ended or has given it up */
    uint64_t age_ms;
} libxl__mark;

/*
 * Reads a mark's text. The state of a process of another boot or another namespace of process ids is not known, so
 * `left` is false then. Returns false if the text is not a mark.
 */
bool libxl__mark_read(libxl_ctx *ctx, const char *text, libxl__mark *mark);

#endif
