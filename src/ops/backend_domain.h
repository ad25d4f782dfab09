/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The domain that serves a device. If that is not the domain of this process, its hotplug daemon removes the
 * backend's nodes after the backend has closed. Call all functions with the context locked.
 */
#ifndef LIBXL__BACKEND_DOMAIN_H
#define LIBXL__BACKEND_DOMAIN_H

#include "await.h"
#include "device.h"
#include "domains.h"

/* Embed this in the operation's state; zero-initialise it. */
typedef struct libxl__backend_domain {
    libxl__domain_source domain; /* follows the domain, unless it has ended */
    libxl__await nodes;          /* waits until the daemon has removed the backend's nodes */
    libxl__await changes;        /* waits for each change below the backend's node, to count the changes */
    unsigned times_changed;      /* the number of changes that `changes` has seen */
} libxl__backend_domain;

/*
 * Follows the domain. Does nothing if that domain is the domain of this process or has ended. Errors: those of
 * libxl__hv_look and libxl__domain_source_start, recorded in ao.
 */
int libxl__backend_domain_follow(libxl__ao *ao, libxl__backend_domain *server, const libxl__device *device);
/* Returns whether the backend can still act. A backend whose domain has ended or is ending cannot act. */
bool libxl__backend_domain_serves(const libxl__backend_domain *server, const libxl__device *device);

/*
 * Starts to wait until the daemon has removed the backend's nodes. Returns LIBXL__AO_WAIT or an error. Errors: those
 * of libxl__await_start.
 */
int libxl__backend_domain_clean_start(libxl__ao *ao, libxl__backend_domain *server,
                                      const libxl__device *device);
/*
 * Returns LIBXL__AO_WAIT, 0 or an error. Returns 0 when the nodes are removed, or when the domain has changed them so
 * often that it is no longer waited for. Errors: those of libxl__await_step.
 */
int libxl__backend_domain_clean_poll(libxl__ao *ao, libxl__backend_domain *server,
                                     const libxl__device *device);
/* Returns whether the daemon has removed the backend's nodes while they were awaited. */
bool libxl__backend_domain_has_cleaned(const libxl__backend_domain *server);
/* Returns whether the domain changes the nodes all the time. */
bool libxl__backend_domain_floods(const libxl__backend_domain *server);

#endif
