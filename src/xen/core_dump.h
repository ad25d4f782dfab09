/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writes a domain's memory to a file, on a worker. Call the functions with the context locked. */
#ifndef LIBXL__CORE_DUMP_H
#define LIBXL__CORE_DUMP_H

#include <stdatomic.h>

#include "ao.h"
#include "worker.h"

/* A dump. Embed this in the operation's state; zero-initialise it and set the inputs. */
typedef struct libxl__core_dump {
    libxl__job job;
    /* Set by the operation: the job then ends at its next step. */
    atomic_bool cancel;
    _Atomic(uint64_t) written; /* the number of octets so far; the operation may read it at any time */
    /* Inputs. The operation keeps the path valid until the job is done. */
    uint32_t domid;
    const char *path;
    /* Results. They are valid once the job is done. */
    int errnoval;    /* 0, or the errno of the failure; the file was removed in that case */
    bool of_file;    /* errnoval comes from the file, not from the hypervisor */
    char words[256]; /* libxenguest's reason for a failure; may be empty */
} libxl__core_dump;

/* Called once, while the context is made. */
void libxl__core_dump_open(libxl_ctx *ctx);
/* Submits the job. The operation is woken when the job is done. Errors: FAIL, recorded in ao. */
int libxl__core_dump_start(libxl__ao *ao, libxl__core_dump *dump);

#endif
