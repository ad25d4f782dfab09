/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: nothing. Each source is embedded in a structure of its user. An attached source is in the list of
 * sources of its operation. The context's lock guards that list.
 */
#include "libxl_internal.h"

void libxl__source_attach(libxl__ao *ao, libxl__source *source,
                          void (*stop)(libxl_ctx *ctx, libxl__source *source))
{
    source->ao = ao;
    source->stop = stop;
    SLIST_INSERT_HEAD(&ao->sources, source, link);
}

void libxl__source_stop(libxl_ctx *ctx, libxl__source *source)
{
    if (!source->ao)
        return;
    SLIST_REMOVE(&source->ao->sources, source, libxl__source, link);
    source->ao = NULL;
    source->stop(ctx, source);
}

void libxl__source_fire(libxl__source *source)
{
    libxl__ao_wake(source->ao);
}

static void alarm_stop(libxl_ctx *ctx, libxl__source *source)
{
    libxl__timer_stop(ctx, &((libxl__alarm *)source)->timer);
}

static void alarm_expired(libxl_ctx *ctx, libxl__timer *timer)
{
    (void)ctx;
    libxl__alarm *alarm = LIBXL__CONTAINER(timer, libxl__alarm, timer);
    alarm->rang = true;
    libxl__source_fire(&alarm->source);
}

int libxl__alarm_set(libxl__ao *ao, libxl__alarm *alarm, uint64_t delay_ns)
{
    int rc = libxl__timer_start(ao->ctx, &alarm->timer, delay_ns, alarm_expired);
    if (rc)
        return rc;
    if (!alarm->source.ao)
        libxl__source_attach(ao, &alarm->source, alarm_stop);
    alarm->rang = false;
    return 0;
}
