/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns: nothing except the operation's state. The caller holds the context's lock. */
#include "backend_domain.h"

#include <stdio.h>

/*
 * If the domain changes the nodes more often than this, instead of removing them, it is no longer waited for. Such a
 * domain would otherwise delay each removal by the limit of the phase.
 */
enum { MOST_TIMES_CHANGED = 64 };

int libxl__backend_domain_follow(libxl__ao *ao, libxl__backend_domain *server, const libxl__device *device)
{
    xc_domaininfo_t info;
    if (!device->backend_domid)
        return 0;
    const int rc = libxl__hv_look(ao, device->backend_domid, &info);
    return rc == ERROR_DOMAIN_NOTFOUND ? 0 : rc ? rc : libxl__domain_source_start(ao, &server->domain, &info);
}

bool libxl__backend_domain_serves(const libxl__backend_domain *server, const libxl__device *device)
{
    return !device->backend_domid ||
           (server->domain.source.ao && server->domain.follower.phase == LIBXL__DOMAIN_RUNNING);
}

static bool is_any(const libxl__await *await, const char *value)
{
    (void)await, (void)value;
    return true;
}

int libxl__backend_domain_clean_start(libxl__ao *ao, libxl__backend_domain *server,
                                      const libxl__device *device)
{
    char path[LIBXL__DEVICE_PATH];
    snprintf(path, sizeof(path), LIBXL__BACKEND, LIBXL__BACKEND_OF(device));
    int rc = libxl__await_start(ao, &server->changes, path, is_any, NULL);
    if (rc)
        return rc;
    snprintf(path, sizeof(path), LIBXL__BACKEND "/online", LIBXL__BACKEND_OF(device));
    rc = libxl__await_start(ao, &server->nodes, path, libxl__await_empty, NULL);
    return rc ? rc : LIBXL__AO_WAIT;
}

int libxl__backend_domain_clean_poll(libxl__ao *ao, libxl__backend_domain *server,
                                     const libxl__device *device)
{
    int rc = libxl__await_step(ao, &server->nodes);
    if (rc != LIBXL__AO_WAIT)
        return rc;
    rc = libxl__await_step(ao, &server->changes);
    if (rc)
        return rc;
    server->times_changed++;
    if (libxl__backend_domain_floods(server)) {
        libxl__source_stop(ao->ctx, &server->changes.source);
        libxl__ao_log(ao, XTL_WARN, -1,
                      "domain %u changes the nodes of a device all the time, instead of removing them",
                      device->backend_domid);
        return 0;
    }
    libxl__await_again(&server->changes);
    return libxl__await_step(ao, &server->changes);
}

bool libxl__backend_domain_has_cleaned(const libxl__backend_domain *server)
{
    return server->nodes.done;
}

bool libxl__backend_domain_floods(const libxl__backend_domain *server)
{
    return server->times_changed > MOST_TIMES_CHANGED;
}
