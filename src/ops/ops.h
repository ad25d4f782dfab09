/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What operations share. */
#ifndef LIBXL__OPS_H
#define LIBXL__OPS_H

#include "_libxl_operations_internal.h"
#include "build.h"
#include "destroy.h"
#include "xen.h"

/*
 * domain_teardown.c: taking a domain down, as a nested operation. Call all three with the context locked.
 *
 * libxl__teardown_reserve reserves everything that the teardown needs, so that libxl__teardown_start does not fail; the parent
 * polls it by libxl__teardown_poll. A teardown that has started goes on when the parent ends before it; one that has not
 * started is released then. `unfinished`: the domain was never finished and nobody else will destroy it, so the teardown tries
 * again where the hypervisor refuses. Errors: NOMEM, FAIL, noted in the parent; nothing is to be released then.
 */
int libxl__teardown_reserve(libxl__ao *parent, libxl__nested *teardown, bool unfinished);
/* Another domain that has this domid by now is left alone. */
void libxl__teardown_start(libxl__nested *teardown, uint32_t domid, const libxl_uuid *uuid);
/*
 * Returns LIBXL__AO_WAIT, or the teardown's result. That of an unfinished domain which the hypervisor has refused to destroy is
 * the error, which is added to the parent's message, although the teardown goes on.
 */
int libxl__teardown_poll(libxl__ao *parent, const libxl__nested *teardown);

#endif
