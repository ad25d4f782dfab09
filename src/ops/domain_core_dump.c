/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_core_dump: writes a domain's memory to a file.
 *
 * Owns: the file, until the dump is complete. If the dump fails, the worker removes the file. Locks: the
 * context's lock, held by the caller.
 */
#include "core_dump.h"
#include "host.h"
#include "ops.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#define BETWEEN_REPORTS LIBXL__MILLISECONDS(200)

typedef struct dumping {
    libxl__core_dump dump;
    libxl__alarm report;
    uint64_t octets; /* the size of the domain's memory, in octets */
} domain_core_dump_state;

/*
 * Returns the absolute path, in the operation's memory. Returns NULL if there is no memory, or if the working
 * directory does not exist.
 */
static const char *absolute(libxl__ao *ao, const char *path)
{
    char here[PATH_MAX];
    if (path[0] == '/')
        return path;
    return getcwd(here, sizeof(here)) ? libxl__gc_printf(&ao->gc, "%s/%s", here, path) : NULL;
}

static int dump_start(libxl__ao *ao, struct dumping *s)
{
    const libxl__domain_core_dump_args *args = libxl__ao_args(ao);
    xc_domaininfo_t info;
    if (!args->in.filename[0])
        return libxl__ao_fail(ao, ERROR_INVAL, "filename: empty");
    int rc = libxl__hv_info(ao, args->in.domid, &info);
    if (rc)
        return rc;
    s->octets = info.tot_pages << XC_PAGE_SHIFT;
    s->dump.domid = args->in.domid;
    s->dump.path = absolute(ao, args->in.filename);
    if (!s->dump.path)
        return ERROR_NOMEM;
    rc = libxl__alarm_set(ao, &s->report, BETWEEN_REPORTS);
    if (!rc)
        rc = libxl__core_dump_start(ao, &s->dump);
    return rc ? rc : LIBXL__AO_WAIT;
}

/* Records the error of a dump that has failed, and returns the error. */
static int fail(libxl__ao *ao, const libxl__core_dump *dump)
{
    const libxl__domain_core_dump_args *args = libxl__ao_args(ao);
    errno = dump->errnoval;
    if (dump->of_file)
        return libxl__ao_fail(
            ao, libxl__host_errno_rc(errno) == ERROR_BUSY ? ERROR_FAIL : libxl__host_errno_rc(errno),
            "filename: %s: %s", args->in.filename, strerror(dump->errnoval));
    if (*dump->words)
        return libxl__ao_fail(ao, libxl__errno_rc(LIBXL__CALL_DOMAIN, errno), "dumping domain %u: %s",
                              dump->domid, dump->words);
    return libxl__hv_fail(ao, LIBXL__CALL_DOMAIN, "dumping", dump->domid);
}

static int dump_poll(libxl__ao *ao, struct dumping *s)
{
    if (s->dump.job.state != LIBXL__JOB_DONE) {
        if (s->report.rang) {
            libxl__ao_count(ao, atomic_load(&s->dump.written), s->octets, "octets");
            /* If there is no memory for the timer, no further progress is reported. */
            (void)libxl__alarm_set(ao, &s->report, BETWEEN_REPORTS);
        }
        return LIBXL__AO_WAIT;
    }
    if (s->dump.errnoval == ECANCELED)
        return ao->stop;
    return s->dump.errnoval ? fail(ao, &s->dump) : 0;
}

static void dump_stop(libxl__ao *ao, struct dumping *s)
{
    (void)ao;
    atomic_store(&s->dump.cancel, true);
}

#include "_libxl_phases_domain_core_dump.h"
