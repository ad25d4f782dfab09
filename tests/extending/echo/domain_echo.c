/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An operation with an input and a result of each kind. Owns: nothing. Locks: the context's lock, held by the caller. */
#include "ops.h"

#include <string.h>

typedef struct echo {
    char unused;
} domain_echo_state;

static int echo_start(libxl__ao *ao, struct echo *s)
{
    const libxl__domain_echo_args *args = libxl__ao_args(ao);
    (void)s;
    *args->out.echo_domid = args->in.domid;
    *args->out.echo_text = strdup(args->in.text);
    *args->out.echo_vcpus = (uint32_t)args->in.config.b_info.max_vcpus;
    *args->out.echo_reason = args->in.reason;
    *args->out.echo_small = args->in.small;
    *args->out.echo_great = args->in.great;
    *args->out.echo_flag = args->in.flag;
    *args->out.echo_identity = args->in.identity;
    return *args->out.echo_text ? 0 : ERROR_NOMEM;
}

#include "_libxl_phases_domain_echo.h"
