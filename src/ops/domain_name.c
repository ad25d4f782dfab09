/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns: nothing beyond its operation. Names are xenstore's /local/domain/N/name, written by toolstacks only.
 */
#include "ops.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int libxl__names_start(libxl__ao *ao, libxl__names *names)
{
    const xc_domaininfo_t *list;
    int count = libxl__hv_list(ao->ctx, &list);
    if (count < 0)
        return libxl__ao_fail(ao, libxl__errno_rc(errno), "listing the domains: %s", strerror(errno));
    names->count = (uint32_t)count;
    names->domids = libxl__gc_alloc(&ao->gc, names->count * sizeof(*names->domids));
    names->names = libxl__gc_alloc(&ao->gc, names->count * sizeof(*names->names));
    names->reading = libxl__xs_batch_new(ao, 0);
    if (!names->domids || !names->names || !names->reading)
        return ERROR_NOMEM;
    for (uint32_t i = 0; i < names->count; i++) {
        names->domids[i] = list[i].domain;
        names->names[i] = libxl__xs_read(names->reading, "/local/domain/%u/name", names->domids[i]);
    }
    return libxl__xs_run(names->reading, LIBXL__XS_ONE_BY_ONE);
}

int libxl__names_find(libxl__names *names, const char *name, uint32_t *domid_out)
{
    *domid_out = LIBXL_DOMID_INVALID;
    int rc = libxl__xs_result(names->reading);
    for (uint32_t i = 0; !rc && i < names->count; i++) {
        const char *found = libxl__xs_value(names->names[i]);
        if (found && strcmp(found, name) == 0) {
            *domid_out = names->domids[i];
            break;
        }
    }
    return rc;
}

int libxl__domain_find_body(libxl__ao *ao, libxl__domain_find_args *args)
{
    enum { START, READ };
    libxl__names *names = libxl__ao_state(ao, sizeof(*names));
    if (!names)
        return ERROR_NOMEM;
    switch (ao->step) {
    case START: {
        int rc = libxl__names_start(ao, names);
        if (rc)
            return rc;
        ao->step = READ;
        return LIBXL__AO_WAIT;
    }
    case READ: {
        uint32_t domid;
        if (!libxl__xs_done(names->reading))
            return LIBXL__AO_WAIT;
        int rc = libxl__names_find(names, args->in.name, &domid);
        if (rc)
            return rc;
        if (domid == LIBXL_DOMID_INVALID)
            return libxl__ao_fail(ao, ERROR_NOTFOUND, "name: there is no domain '%s'", args->in.name);
        *args->out.domid = domid;
        return 0;
    }
    }
    return ERROR_BADFAIL;
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
