/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Event generators, which libxl_evenable_* enables and libxl_evdisable_* disables. A context has one list of
 * enabled generators of all kinds. Each kind of generator allocates its own structure and frees it.
 */
#ifndef LIBXL__GENERATORS_H
#define LIBXL__GENERATORS_H

#include <stdint.h>
#include <sys/queue.h>

#include <libxl.h>

#include "ao.h"

typedef struct libxl__generator libxl__generator;

/* The common part of a generator. Embed this in the structure of each kind. */
struct libxl__generator {
    /*
     * Stops and frees the generator. Called without the lock while the context is freed, if the generator is still
     * enabled.
     */
    void (*close)(libxl_ctx *ctx, libxl__generator *generator);
    LIST_ENTRY(libxl__generator) link;
};

struct libxl__generators {
    LIST_HEAD(, libxl__generator) enabled;
    uint32_t count;
};

/* Makes the empty list of generators. Called while the context is created. Errors: NOMEM. */
int libxl__generators_open(libxl_ctx *ctx);
/*
 * Closes the enabled generators. Called while the context is freed, before libxl__xen_close. No other thread
 * may use the context.
 */
void libxl__generators_close(libxl_ctx *ctx);

/*
 * Call it with the context locked. Adds a generator to the list. The caller has initialised all other members
 * of the generator.
 */
void libxl__generator_add(libxl_ctx *ctx, libxl__generator *generator,
                          void (*close)(libxl_ctx *ctx, libxl__generator *generator));
/* Call it with the context locked. Removes a generator from the list. The kind then frees the generator. */
void libxl__generator_remove(libxl_ctx *ctx, libxl__generator *generator);

/*
 * A generator whose events come from a hidden operation. The operation runs in the background until the
 * generator is disabled. Embed this as the first member of the structure of a kind; allocate that with calloc.
 */
typedef struct libxl__operation_generator {
    libxl__generator generator;
    libxl__ao *ao; /* NULL once the operation has ended */
    libxl_ev_user user;
} libxl__operation_generator;

/*
 * Call both functions with the context locked. The first makes the operation. The caller then sets the
 * operation's args and calls the second, which starts the operation and adds the generator to the list. If the
 * second function fails, it destroys the operation and the operation's args. The caller frees the generator
 * after an error. `where` is for messages. Errors: CLOSED, NOMEM, the errors of libxl__hooks_need_loop, and
 * the errors of the operation.
 */
int libxl__operation_generator_create(libxl_ctx *ctx, libxl__operation_generator *evgen,
                                      const libxl__ao_class *cls, uint32_t domid, libxl_ev_user user,
                                      const char *where);
int libxl__operation_generator_start(libxl_ctx *ctx, libxl__operation_generator *evgen, const char *where);
/* Call it without the lock. Stops the operation, and frees the generator. NULL is allowed. */
void libxl__operation_generator_disable(libxl_ctx *ctx, libxl__operation_generator *evgen);
/* Returns the generator to which this operation belongs. Call it with the context locked. */
const libxl__operation_generator *libxl__generator_of_operation(const libxl__ao *ao);

#endif
