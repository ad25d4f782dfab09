/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An operation with an input and a result of each kind. Owns: nothing. Locks: the context's lock, held by
 * the caller. */
#include "ops.h"

#include <stdlib.h>
#include <string.h>

/* ---- the types that are written by hand */

void libxl_words_dispose(libxl_words list)
{
    for (char **at = list; at && *at; at++)
        free(*at);
    free(list);
}

int libxl__words_copy(libxl_ctx *ctx, libxl_words *dst, const libxl_words *src)
{
    size_t count = 0;

    (void)ctx;
    while (*src && (*src)[count])
        count++;
    *dst = calloc(count + 1, sizeof(**dst));
    for (size_t i = 0; *dst && i < count; i++)
        (*dst)[i] = strdup((*src)[i]);
    return *dst ? 0 : ERROR_NOMEM;
}

/* ---- the operations */

typedef struct echo {
    char unused;
} domain_echo_state;

static int echo_start(libxl__ao *ao, struct echo *s)
{
    const libxl__domain_echo_args *args = libxl__ao_args(ao);
    (void)s;
    libxl_event *event = libxl__ao_progress_new(ao, LIBXL_EVENT_TYPE_DOMAIN_SHUTDOWN);
    if (event) {
        event->u.domain_shutdown.shutdown_reason = LIBXL_SHUTDOWN_REASON_WATCHDOG;
        libxl__ao_progress_report(ao, event);
    }
    *args->out.echo_domid = args->in.domid;
    *args->out.echo_text = strdup(args->in.text);
    *args->out.echo_vcpus = (uint32_t)args->in.config.b_info.max_vcpus;
    *args->out.echo_reason = args->in.reason;
    *args->out.echo_small = args->in.small;
    *args->out.echo_great = args->in.great;
    *args->out.echo_flag = args->in.flag;
    *args->out.echo_identity = args->in.identity;
    memcpy(args->out.echo_octets, args->in.octets, sizeof(libxl_mac));
    *args->out.echo_choice = args->in.choice;
    *args->out.echo_shape = args->in.shape;
    *args->out.echo_traits = args->in.traits;
    *args->out.echo_ratio = args->in.ratio;
    *args->out.echo_kind = args->in.kind;
    *args->out.given =
        (uint32_t)(args->in.has_more_text | args->in.has_more << 1 | args->in.has_more_bits << 2 |
                   args->in.has_other << 3 | args->in.has_lost << 4);
    if (args->in.has_more && strcmp(args->in.more.c_info.name, args->in.more_text))
        return ERROR_INVAL;
    if (!*args->out.echo_text || libxl__bitmap_copy_alloc(ao->ctx, args->out.echo_bits, &args->in.bits))
        return ERROR_NOMEM;
    return libxl__words_copy(ao->ctx, args->out.echo_words, &args->in.words);
}

int libxl__domain_lose_body(libxl__ao *ao, libxl__domain_lose_args *args)
{
    (void)ao;
    return args->in.lost.secret ? 0 : ERROR_INVAL;
}

#include "_libxl_phases_domain_echo.h"
