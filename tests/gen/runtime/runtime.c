/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The minimal machinery that generated code calls, and allocation functions that fail on request. */
#include "runtime.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char message[256];
int fail_allocation;

/* ------------------------------------------------------------------ allocation (ld --wrap) */

void *__real_calloc(size_t count, size_t size);
char *__real_strdup(const char *text);
void *__wrap_calloc(size_t count, size_t size);
char *__wrap_strdup(const char *text);

static bool fails(void)
{
    return fail_allocation && !--fail_allocation;
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

char *__wrap_strdup(const char *text)
{
    return fails() ? NULL : __real_strdup(text);
}

/* ------------------------------------------------------------------ operations */

int libxl__ao_create(libxl_ctx *ctx, const libxl__ao_class *cls, uint32_t domid, const libxl_asyncop_how *how,
                     libxl__ao **ao_out)
{
    libxl__ao *ao = malloc(sizeof(*ao));

    (void)ctx;
    (void)how;
    message[0] = '\0';
    *ao = (libxl__ao){.cls = cls, .args = __real_calloc(1, cls->args_size), .subject.number = domid};
    *ao_out = ao;
    return 0;
}

int libxl__ao_create_instant(libxl_ctx *ctx, const libxl__ao_class *cls, uint32_t domid,
                             const libxl_asyncop_how *how, void *here, libxl__ao **ao_out)
{
    memset(here, 0xff, sizeof(libxl__ao) + cls->args_size); /* `here` must have this size. */
    return libxl__ao_create(ctx, cls, domid, how, ao_out);
}

void *libxl__ao_args(libxl__ao *ao)
{
    return ao->args;
}

void libxl__ao_progress_how(libxl__ao *ao, const libxl_asyncprogress_how *how)
{
    ao->progress = how;
}

int libxl__ao_fail(libxl__ao *ao, int rc, const char *fmt, ...)
{
    va_list args;

    (void)ao;
    va_start(args, fmt);
    vsnprintf(message, sizeof(message), fmt, args);
    va_end(args);
    return rc;
}

int libxl__ao_abort_start(libxl__ao *ao, int rc)
{
    if (ao->cls->dispose)
        ao->cls->dispose(ao->args);
    free(ao->args);
    free(ao);
    return rc;
}

/* Calls start and the other functions of each phase. Ends with the first phase that fails. Returns the
 * result of the last phase that ran. */
static int run_phases(libxl__ao *ao, const libxl__phases *phases)
{
    void *state = __real_calloc(1, phases->state_size);
    int rc = 0;

    for (const libxl__phase *p = phases->list; !rc && p < phases->list + phases->count; p++) {
        rc = p->start(ao, state);
        if (!rc && p->poll)
            rc = p->poll(ao, state);
        if (p->stop)
            p->stop(ao, state);
        if (!rc && p->undo)
            rc = p->undo(ao, state);
    }
    free(state);
    return rc;
}

int libxl__ao_start(libxl__ao *ao)
{
    int rc = ao->cls->phases ? run_phases(ao, ao->cls->phases) : ao->cls->body(ao, ao->args);

    return libxl__ao_abort_start(ao, rc);
}
