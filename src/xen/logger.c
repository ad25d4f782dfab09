/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A logger that discards every message. Owns nothing. Any thread may use it. */
#include "xen.h"

static void discard_message(struct xentoollog_logger *logger, xentoollog_level level, int errnoval,
                            const char *context, const char *format, va_list al)
{
    (void)logger, (void)level, (void)errnoval, (void)context, (void)format, (void)al;
}

static void discard_progress(struct xentoollog_logger *logger, const char *context, const char *doing_what,
                             int percent, unsigned long done, unsigned long total)
{
    (void)logger, (void)context, (void)doing_what, (void)percent, (void)done, (void)total;
}

static void destroy_nothing(struct xentoollog_logger *logger)
{
    (void)logger;
}

static xentoollog_logger silent = {
    .vmessage = discard_message, .progress = discard_progress, .destroy = destroy_nothing};

xentoollog_logger *libxl__xen_logger(const libxl_ctx *ctx)
{
    return ctx->logger ? ctx->logger : &silent;
}
