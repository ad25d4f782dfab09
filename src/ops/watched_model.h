/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One QEMU that a generator of device events follows. device_models_watched.c finds out which domains have one.
 * Call all functions with the context locked.
 */
#ifndef LIBXL__WATCHED_MODEL_H
#define LIBXL__WATCHED_MODEL_H

#include "device_watched.h"
#include "host.h"

/* A job about one QEMU. */
struct model_job {
    libxl__qemu_job qemu;        /* must be first, because the worker gets its address */
    struct watched_model *model; /* NULL: the model was freed */
    bool foreign;                /* a result: another program has the process id */
};

struct watched_model {
    struct device_events *events;
    libxl__index_link link;
    uint64_t key; /* the key in the index: the domid */
    uint32_t domid;
    libxl_uuid uuid;
    pid_t pid; /* the process that was sought last; 0: none */
    char log[LIBXL__QEMU_PATH];
    char words[LIBXL__QEMU_WORDS];
    libxl__fd exited; /* the registration of the pidfd */
    libxl__timer linger;
    const libxl__xs_request *node, *name, *folder;
    struct model_job *job;
    bool marked, reading;
    bool ended, explained, reported;
    bool waiting;  /* the timer `linger` runs */
    bool lingered; /* the timer `linger` has fired */
    TAILQ_ENTRY(watched_model) queue_link;
    LIST_ENTRY(watched_model) all_link;
};

/* Marks a QEMU, so that libxl__watched_models_step looks at it. */
void libxl__watched_model_mark(struct watched_model *m);
/*
 * Handles a marked QEMU. `value` is the value of its node device-model-pid, or NULL if the domain has no QEMU. May
 * free `m`. Errors: NOMEM, FAIL.
 */
int libxl__watched_model_look(struct watched_model *m, const char *value);
/* Stops following the QEMU, and frees `m`. A job that has not ended frees itself later. */
void libxl__watched_model_forget(struct watched_model *m);

#endif
