/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writes a domain's memory to a file, on a worker. Call the functions with the context locked. */
#ifndef LIBXL__CORE_DUMP_H
#define LIBXL__CORE_DUMP_H

#include <stdatomic.h>

#include "ao.h"
#include "worker.h"

/*
 * The dump of one domain's memory. Embed this in the operation's state; zero-initialise it and set the
 * inputs.
 */
typedef struct libxl__core_dump {
    libxl__job job;
    /* The operation sets this to stop the job. The job then ends at its next step. */
    atomic_bool cancel;
    /* The number of octets written so far; the operation may read it at any time. */
    _Atomic(uint64_t) written;
    /* The inputs. The operation keeps the path valid until the job is done. */
    uint32_t domid;
    const char *path;
    /* The results are valid once the job is done. */
    int errnoval;    /* the result: 0, or the errno of the failure; after a failure the file was removed */
    bool of_file;    /* the failed call was on the file, not a hypercall */
    char words[256]; /* libxenguest's message about the failure; may be empty */
} libxl__core_dump;

/* Opens the lane of the dumps. Called once, while the context is made. */
void libxl__core_dump_open(libxl_ctx *ctx);
/*
 * Submits the job. The operation is woken when the job is done. Returns 0, or FAIL, recorded in ao, if no job
 * was submitted.
 */
int libxl__core_dump_start(libxl__ao *ao, libxl__core_dump *dump);

#endif
