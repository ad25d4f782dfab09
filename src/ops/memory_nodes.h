/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The nodes of a domain's memory, which domain_memory.c and memory_wait.c read. Call the functions with the context
 * locked, unless a comment says otherwise. The batch belongs to the operation.
 */
#ifndef LIBXL__MEMORY_NODES_H
#define LIBXL__MEMORY_NODES_H

#include "xen.h"
#include "xs.h"

enum {
    LIBXL__PAGE_KB = 4,
    /*
     * The greatest difference between the target and the domain's memory at which the target counts as
     * reached, in KiB.
     */
    LIBXL__MEMORY_REACHED_KB = 1024,
};
#define LIBXL__MEMORY_MOST_KB (16ull << 30) /* 16 TiB, the limit of the hypervisor's address space */

typedef struct libxl__memory_nodes {
    libxl__xs_batch *batch;
    libxl__xs_request *target, *static_max;
    libxl__xs_request *videoram; /* reads memory/videoram; NULL: the domain is not HVM */
    xc_domaininfo_t info;
    uint64_t target_kb, max_kb; /* Results. If there is no maximum, max_kb is LIBXL__MEMORY_MOST_KB. */
    uint64_t video_kb;          /* a result: the memory of an HVM guest's graphics card */
} libxl__memory_nodes;

/*
 * Starts to read the nodes of the operation's domain. Returns LIBXL__AO_WAIT, or an error: NOMEM, and those of
 * libxl__hv_info and libxl__xs_run.
 */
int libxl__memory_nodes_start(libxl__ao *ao, libxl__memory_nodes *nodes);
/*
 * Returns LIBXL__AO_WAIT until xenstored has answered. Then stores the results and returns 0, or returns an error of
 * libxl__xs_result.
 */
int libxl__memory_nodes_poll(libxl__memory_nodes *nodes);

/* Returns the difference of two sizes. Any thread may call it. */
static inline uint64_t libxl__memory_distance(uint64_t a, uint64_t b)
{
    return a > b ? a - b : b - a;
}

#endif
