/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Event generators: what libxl_evenable_* enables and libxl_evdisable_* disables. A context has one list of the enabled
 * generators of all kinds. Each kind allocates its own generators and knows how to free them.
 */
#ifndef LIBXL__GENERATORS_H
#define LIBXL__GENERATORS_H

#include <stdint.h>
#include <sys/queue.h>

#include <libxl.h>

typedef struct libxl__generator libxl__generator;

/* Embed this in each kind's generator. */
struct libxl__generator {
    /* Stops and frees the generator. Called once, unlocked, if the generator is still enabled when the context is
     * freed. */
    void (*close)(libxl_ctx *ctx, libxl__generator *generator);
    LIST_ENTRY(libxl__generator) link;
};

struct libxl__generators {
    LIST_HEAD(, libxl__generator) enabled;
    uint32_t count;
};

/* Makes the empty list of generators. Called while the context is created. Errors: NOMEM. */
int libxl__generators_open(libxl_ctx *ctx);
/* Closes the enabled generators. Called while the context is freed, before libxl__xen_close. No other thread uses the context. */
void libxl__generators_close(libxl_ctx *ctx);

/* Call it with the context locked. Adds a generator to the list. Its kind has initialised the rest of it. */
void libxl__generator_add(libxl_ctx *ctx, libxl__generator *generator,
                          void (*close)(libxl_ctx *ctx, libxl__generator *generator));
/* Call it with the context locked. Removes a generator from the list. Its kind frees it afterwards. */
void libxl__generator_remove(libxl_ctx *ctx, libxl__generator *generator);

#endif
