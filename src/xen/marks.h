/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Marks of unfinished domains. A mark is the node LIBXL__MARKS/XX/UUID. A creation writes the mark before it
 * makes the domain. It removes the mark when the domain is complete or was destroyed. A mark whose process
 * has ended shows that the creation was not finished. A soft reset marks its domain in the same way.
 *
 * The value of a mark is "PID START WHERE TIME DOMID HANDLE":
 *
 *    PID    the id of the process that makes the domain; 0: the process has given up the domain
 *    START  the start time of the process in clock ticks (proc(5)), because process ids are reused
 *    WHERE  identifies the boot and the namespace of process ids in which PID and START are valid
 *    TIME   the time at which the mark was written, in milliseconds since the boot
 *    DOMID  the domid of the domain; "-" as long as the domid is not known
 *    HANDLE the random UUID with which the hypervisor makes the domain; "-": none. No domain of another
 *           program has this UUID. If the configuration has a UUID, another program may use the same UUID. So
 *           the domain gets this UUID only after the mark has the domid. "reset": the domain DOMID with the UUID
 *           of the mark is being reset.
 *
 * Call all functions with the context locked.
 */
#ifndef LIBXL__MARKS_H
#define LIBXL__MARKS_H

#include "ao.h"
#include "xs.h"

/*
 * The parent node of all marks, and the path of one mark. The marks are divided into groups. The name of a
 * group, XX, is two hexadecimal digits. When a node is removed, xenstored reads the parent node once for each
 * guest, so the parent must have few children. An empty group is not removed.
 */
#define LIBXL__MARKS    "/tool/aioxen/unfinished"
#define LIBXL__MARK_FMT LIBXL__MARKS "/%02x/" LIBXL_UUID_FMT
#define LIBXL__MARK_OF(uuid)                                                                                 \
    libxl__mark_group(&(uuid)), LIBXL_UUID_BYTES(uuid) /* the arguments of LIBXL__MARK_FMT */

/* Returns the number of a mark's group: the exclusive or of all octets of the UUID. Needs no lock. */
static inline unsigned libxl__mark_group(const libxl_uuid *uuid)
{
    unsigned group = 0;
    for (size_t i = 0; i < sizeof(uuid->uuid); i++)
        group ^= uuid->uuid[i];
    return group;
}

enum {
    /* The length of a mark's path, in octets. */
    LIBXL__MARK_PATH = sizeof(LIBXL__MARKS "/XX/") + LIBXL_UUID_FMTLEN,
    /* The greatest length of a mark's value, in octets. */
    LIBXL__MARK_TEXT = 208,
};

/* The words PID, START and WHERE for marks of this process. Each context reads them from the system once. */
typedef struct libxl__marker {
    uint32_t pid; /* the word PID; 0: the words have not been read yet */
    unsigned long long start;
    char where[64];
} libxl__marker;

/*
 * The value of the node /local/domain/N of a domain that this library makes. Nodes of domains that other
 * toolstacks make have other values.
 */
#define LIBXL__TREE_OWNER "aioxen"

/*
 * Each of the following functions adds one request to the batch. A request of libxl__mark_remove needs
 * LIBXL__MARK_PATH octets of the memory that libxl__xs_reserve reserves. A request of another function needs
 * LIBXL__MARK_PATH + LIBXL__MARK_TEXT octets. `domid` may be LIBXL_DOMID_INVALID, and `handle` may be NULL. The
 * functions cannot fail: if there is no memory, libxl__xs_run fails.
 */

/* Writes the mark of this process. */
void libxl__mark_write(libxl__xs_batch *batch, const libxl_uuid *uuid, uint32_t domid,
                       const libxl_uuid *handle);
/* Removes the mark. */
void libxl__mark_remove(libxl__xs_batch *batch, const libxl_uuid *uuid);
/* Writes the mark of a soft reset. `given_up` true: the process has given up the domain. */
void libxl__mark_reset(libxl__xs_batch *batch, const libxl_uuid *uuid, bool given_up, uint32_t domid);
/*
 * Requires that the domain with this UUID has no mark. Otherwise the batch fails with BUSY: a process makes or resets
 * the domain.
 */
void libxl__mark_require_none(libxl__xs_batch *batch, const libxl_uuid *uuid);
/* Returns BUSY, recorded in ao, after libxl__mark_require_none has made a batch fail. */
int libxl__mark_busy(libxl__ao *ao, uint32_t domid);
/* Writes a mark that says that this process has given up the domain. */
void libxl__mark_give_up(libxl__xs_batch *batch, const libxl_uuid *uuid, uint32_t domid,
                         const libxl_uuid *handle);

/* Writes the value of a mark of this process into `text`. `given_up` true: the word PID is 0. */
void libxl__mark_text(libxl_ctx *ctx, bool given_up, uint32_t domid, const libxl_uuid *handle,
                      char text[LIBXL__MARK_TEXT]);

/* The contents of a mark. */
typedef struct libxl__mark {
    uint32_t pid, domid; /* domid: LIBXL_DOMID_INVALID if the mark has no domid */
    libxl_uuid handle;   /* the nil UUID if the mark has no handle */
    bool resets;         /* the domain existed before, and is being reset */
    /*
     * The process that has written the mark has ended or has given up the domain. So the creation will not be
     * finished.
     */
    bool left;
    bool runs; /* the process that has written the mark runs, and has not given up the domain */
    bool own;  /* this process has written the mark, and has not given up the domain */
    uint64_t age_ms;
} libxl__mark;

/*
 * Parses the value of a mark. The state of a process of another boot, or of another namespace of process ids,
 * is not known: `left` is false then. Returns true, or false if the text is not the value of a mark.
 */
bool libxl__mark_read(libxl_ctx *ctx, const char *text, libxl__mark *mark);

#endif
