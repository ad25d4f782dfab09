/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The interface that generated initiators use. This version supports only one operation at a time. */
#ifndef LIBXL__AO_H
#define LIBXL__AO_H

#include <libxl.h>

#include "phase_table.h"

struct libxl__ao {
    const struct libxl__ao_class *cls;
    void *args;
    struct {
        uint32_t number;
    } subject;
    const libxl_asyncprogress_how *progress;
};

typedef struct libxl__ao_class {
    const char *name;
    int (*body)(libxl__ao *ao, void *args);
    const libxl__phases *phases;
    void (*dispose)(void *args);
    size_t args_size;
    unsigned limit_ms;
    bool slow;
    bool reports;
    const int *errors;
} libxl__ao_class;

extern char message[256]; /* The message of the latest failure. */

int libxl__ao_create(libxl_ctx *ctx, const libxl__ao_class *cls, uint32_t domid, const libxl_asyncop_how *how,
                     libxl__ao **ao_out);
#define LIBXL__AO_HERE(name, args_type) _Alignas(libxl__ao) char name[sizeof(libxl__ao) + sizeof(args_type)]
int libxl__ao_create_instant(libxl_ctx *ctx, const libxl__ao_class *cls, uint32_t domid,
                             const libxl_asyncop_how *how, void *here, libxl__ao **ao_out);
void *libxl__ao_args(libxl__ao *ao);
void libxl__ao_progress_how(libxl__ao *ao, const libxl_asyncprogress_how *how);
int libxl__ao_fail(libxl__ao *ao, int rc, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int libxl__ao_abort_start(libxl__ao *ao, int rc);
int libxl__ao_start(libxl__ao *ao);

#endif
