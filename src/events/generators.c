/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns: the list of enabled generators, in ctx->generators. The context's lock guards it. */
#include "generators.h"
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
