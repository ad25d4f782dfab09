/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_statistics: returns the counters of every domain.
 *
 * Owns: the list of counters, until the application gets the list or the operation ends. Locks: the context's
 * lock, held by the caller.
 */
#include "ops.h"
#include "statistics.h"

#include <errno.h>
#include <string.h>

typedef struct look {
    libxl__statistics statistics;
} domain_statistics_state;

static int gather_start(libxl__ao *ao, struct look *s)
{
    const libxl__domain_statistics_args *args = libxl__ao_args(ao);
    s->statistics.vcpus = args->in.vcpus;
    s->statistics.devices = args->in.devices;
    const int rc = libxl__statistics_start(ao, &s->statistics);
    return rc ? rc : LIBXL__AO_WAIT;
}

static int gather_poll(libxl__ao *ao, struct look *s)
{
    const libxl__domain_statistics_args *args = libxl__ao_args(ao);
    libxl__statistics *look = &s->statistics;
    if (look->job.state != LIBXL__JOB_DONE)
        return LIBXL__AO_WAIT;
    if (look->errnoval == ECANCELED)
        return ao->stop;
    if (look->errnoval)
        return libxl__ao_fail(ao, libxl__errno_rc(LIBXL__CALL_HOST, look->errnoval),
                              "looking at the domains: %s", strerror(look->errnoval));
    *args->out.list = look->list;
    return 0;
}

static void gather_stop(libxl__ao *ao, struct look *s)
{
    (void)ao;
    atomic_store(&s->statistics.cancel, true);
}

#include "_libxl_phases_domain_statistics.h"
