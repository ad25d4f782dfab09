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
    atomic_bool cancel;        /* the operation sets it to end the job at its next step */
    _Atomic(uint64_t) written; /* octets; the operation may read it at any time */
    /* Inputs. The operation keeps the path valid until the job is done. */
    uint32_t domid;
    const char *path;
    /* Results, once the job is done. */
    int errnoval;    /* 0, or why the dump has failed; the file was removed then */
    bool of_file;    /* the file has failed, not the hypervisor */
    char words[256]; /* libxenguest's reason; may be empty */
} libxl__core_dump;

/* Called once, while the context is made. */
void libxl__core_dump_open(libxl_ctx *ctx);
/* Submits the job. The operation is woken when it is done. Errors: FAIL, recorded in ao. */
int libxl__core_dump_start(libxl__ao *ao, libxl__core_dump *dump);

#endif
