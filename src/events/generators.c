/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns: the list of enabled generators, in ctx->generators. The context's lock guards it. */
#include "generators.h"
#include "hooks.h"
#include "libxl_internal.h"

#include <stdlib.h>

int libxl__generators_open(libxl_ctx *ctx)
{
    ctx->generators = calloc(1, sizeof(*ctx->generators));
    return ctx->generators ? 0 : libxl__refuse_in(ERROR_NOMEM, "libxl_ctx_alloc");
}

void libxl__generators_close(libxl_ctx *ctx)
{
    libxl__generator *generator;
    if (!ctx->generators)
        return;
    while ((generator = LIST_FIRST(&ctx->generators->enabled))) {
        libxl__generator_remove(ctx, generator);
        generator->close(ctx, generator);
    }
    free(ctx->generators);
    ctx->generators = NULL;
}

void libxl__generator_add(libxl_ctx *ctx, libxl__generator *generator,
                          void (*close)(libxl_ctx *ctx, libxl__generator *generator))
{
    generator->close = close;
    LIST_INSERT_HEAD(&ctx->generators->enabled, generator, link);
    ctx->generators->count++;
}

void libxl__generator_remove(libxl_ctx *ctx, libxl__generator *generator)
{
    LIST_REMOVE(generator, link);
    ctx->generators->count--;
}

/* ---- generators whose events come from an operation */

static void free_generator(libxl_ctx *ctx, libxl__generator *generator)
{
    (void)ctx;
    free(LIBXL__CONTAINER(generator, libxl__operation_generator, generator));
}

int libxl__operation_generator_create(libxl_ctx *ctx, libxl__operation_generator *evgen,
                                      const libxl__ao_class *cls, uint32_t domid, libxl_ev_user user,
                                      const char *where)
{
    const int rc = libxl__hooks_need_loop(ctx);
    if (rc || ctx->closing)
        return libxl__refuse_in(rc ? rc : ERROR_CLOSED, where);
    evgen->user = user;
    evgen->ao = libxl__ao_create_background(ctx, cls, domid, &evgen->ao);
    return evgen->ao ? 0 : libxl__refuse_in(ERROR_NOMEM, where);
}

int libxl__operation_generator_start(libxl_ctx *ctx, libxl__operation_generator *evgen, const char *where)
{
    libxl__generator_add(ctx, &evgen->generator, free_generator);
    const int rc = libxl__ao_start_background(evgen->ao, where);
    if (rc)
        libxl__generator_remove(ctx, &evgen->generator);
    return rc;
}

void libxl__operation_generator_disable(libxl_ctx *ctx, libxl__operation_generator *evgen)
{
    if (!evgen)
        return;
    libxl__ctx_lock(ctx);
    if (evgen->ao) {
        libxl__ao_request_stop(evgen->ao, ERROR_ABORTED);
        libxl__ao_run(evgen->ao); /* the operation has no jobs, so it ends in this call */
    }
    libxl__generator_remove(ctx, &evgen->generator);
    free(evgen);
    libxl__ctx_leave(ctx);
}

const libxl__operation_generator *libxl__generator_of_operation(const libxl__ao *ao)
{
    return LIBXL__CONTAINER(ao->handle, libxl__operation_generator, ao);
}
