/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns: nothing beyond its operation. */
#include "ops.h"

#include <stdlib.h>
#include <string.h>

#include <xen/io/xs_wire.h>

int libxl__domain_find_body(libxl__ao *ao, libxl__domain_find_args *args)
{
    enum { START, SEARCHING };
    libxl__name_search *search = libxl__ao_state(ao, sizeof(*search));
    if (!search)
        return ERROR_NOMEM;
    if (ao->step == START) {
        ao->step = SEARCHING;
        if (!*args->in.name)
            return libxl__ao_fail(ao, ERROR_INVAL, "name: empty");
        if (strlen(args->in.name) > XENSTORE_PAYLOAD_MAX)
            return libxl__ao_fail(ao, ERROR_INVAL, "name: longer than %d octets", XENSTORE_PAYLOAD_MAX);
        int rc = libxl__name_search_start(ao, search, args->in.name, false);
        return rc ? rc : LIBXL__AO_WAIT;
    }
    uint32_t domid;
    int rc = libxl__name_search_step(ao, search, &domid);
    if (rc)
        return rc;
    if (domid == LIBXL_DOMID_INVALID)
        return libxl__ao_fail(ao, ERROR_NOTFOUND, "name: there is no domain '%s'", args->in.name);
    *args->out.domid = domid;
    return 0;
}

struct get_name {
    libxl__xs_batch *reading;
    libxl__xs_request *name;
};

int libxl__domain_get_name_body(libxl__ao *ao, libxl__domain_get_name_args *args)
{
    enum { START, READ };
    struct get_name *s = libxl__ao_state(ao, sizeof(*s));
    if (!s)
        return ERROR_NOMEM;
    switch (ao->step) {
    case START: {
        xc_domaininfo_t info;
        int rc = libxl__hv_info(ao, args->in.domid, &info);
        if (rc)
            return rc;
        s->reading = libxl__xs_batch_new(ao, args->in.domid);
        if (!s->reading)
            return ERROR_NOMEM;
        s->name = libxl__xs_read(s->reading, "/local/domain/%u/name", args->in.domid);
        rc = libxl__xs_run(s->reading, LIBXL__XS_ONE_BY_ONE);
        if (rc)
            return rc;
        ao->step = READ;
        return LIBXL__AO_WAIT;
    }
    case READ: {
        if (!libxl__xs_done(s->reading))
            return LIBXL__AO_WAIT;
        int rc = libxl__xs_result(s->reading);
        if (rc)
            return rc;
        const char *name = libxl__xs_value(s->name);
        *args->out.name = name ? strdup(name) : NULL;
        if (*args->out.name)
            return 0;
        return name ? ERROR_NOMEM
                    : libxl__ao_fail(ao, ERROR_DOMAIN_NOTFOUND, "domid: domain %u has no name",
                                     args->in.domid);
    }
    }
    return ERROR_BADFAIL;
}
