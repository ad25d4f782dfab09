/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_find finds the domain that has a name. domain_get_name reads a domain's name.
 *
 * Owns: nothing except the operation's state. The caller holds the context's lock.
 */
#include "ops.h"

#include <stdlib.h>
#include <string.h>

#include <xen/io/xs_wire.h>

/* ---- domain_find */

typedef libxl__name_search domain_find_state;

static int search_start(libxl__ao *ao, libxl__name_search *search)
{
    const libxl__domain_find_args *args = libxl__ao_args(ao);
    ao->subject.name = args->in.name;
    if (!*args->in.name)
        return libxl__ao_fail(ao, ERROR_INVAL, "name: empty");
    if (strlen(args->in.name) > XENSTORE_PAYLOAD_MAX)
        return libxl__ao_fail(ao, ERROR_INVAL, "name: longer than %d octets", XENSTORE_PAYLOAD_MAX);
    const int rc = libxl__name_search_start(ao, search, args->in.name, false, NULL);
    return rc ? rc : LIBXL__AO_WAIT;
}

static int search_poll(libxl__ao *ao, libxl__name_search *search)
{
    const libxl__domain_find_args *args = libxl__ao_args(ao);
    uint32_t domid;
    const int rc = libxl__name_search_step(ao, search, &domid);
    if (rc)
        return rc;
    if (domid == LIBXL_DOMID_INVALID)
        return libxl__ao_fail(ao, ERROR_NOTFOUND, "name: there is no domain '%s'", args->in.name);
    *args->out.domid = domid;
    return 0;
}

/* ---- domain_get_name */

typedef struct get_name {
    libxl__xs_batch *batch;
    libxl__xs_request *name;
} domain_get_name_state;

static int read_start(libxl__ao *ao, struct get_name *s)
{
    const uint32_t domid = ao->subject.number;
    xc_domaininfo_t info;
    int rc = libxl__hv_info(ao, domid, &info);
    if (rc)
        return rc;
    s->batch = libxl__xs_batch_new(ao, domid);
    if (!s->batch)
        return ERROR_NOMEM;
    s->name = libxl__xs_read(s->batch, "/local/domain/%u/name", domid);
    rc = libxl__xs_run(s->batch, LIBXL__XS_ONE_BY_ONE);
    return rc ? rc : LIBXL__AO_WAIT;
}

static int read_poll(libxl__ao *ao, struct get_name *s)
{
    const libxl__domain_get_name_args *args = libxl__ao_args(ao);
    if (!libxl__xs_done(s->batch))
        return LIBXL__AO_WAIT;
    const int rc = libxl__xs_result(s->batch);
    if (rc)
        return rc;
    const char *name = libxl__xs_value(s->name);
    if (!name)
        return libxl__ao_fail(ao, ERROR_DOMAIN_NOTFOUND, "domid: domain %u has no name", ao->subject.number);
    *args->out.name = strdup(name);
    return *args->out.name ? 0 : ERROR_NOMEM;
}

#include "_libxl_phases_domain_find.h"
#include "_libxl_phases_domain_get_name.h"
