/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Functions that several operations use. */
#ifndef LIBXL__OPS_H
#define LIBXL__OPS_H

#include "_libxl_operations_internal.h"
#include "build.h"
#include "destroy.h"
#include "xen.h"

/*
 * domain_teardown.c: takes a domain down, as a nested operation. Call all functions with the context locked.
 *
 * libxl__teardown_reserve reserves all resources of the teardown, so that libxl__teardown_start cannot fail.
 * When the parent ends, a started teardown continues, and a teardown that was not started is freed. Set
 * `unfinished` for the domain of a failed creation, because no other program will destroy this domain. If the
 * hypervisor refuses to destroy it, the teardown tries again. Returns 0, or NOMEM or FAIL, recorded in the
 * parent. After an error there is nothing to release.
 */
int libxl__teardown_reserve(libxl__ao *parent, libxl__nested *teardown, bool unfinished);
/* Call this between libxl__teardown_reserve and the start, if the mark is that of a soft reset of domain `domid`. */
void libxl__teardown_resets(const libxl__nested *teardown, uint32_t domid);
/*
 * Starts the teardown of the domain with this domid and this UUID. `handle` is the UUID that the hypervisor has for
 * the domain. `handle` differs from the UUID only until a creation has given the domain its UUID. If another domain
 * has the domid, that domain is not changed.
 */
void libxl__teardown_start(libxl__nested *teardown, uint32_t domid, const libxl_uuid *uuid,
                           const libxl_uuid *handle);
/*
 * Call this from the parent's poll. Returns LIBXL__AO_WAIT, or the teardown's result. If the hypervisor has
 * refused to destroy an unfinished domain, returns the error of the refusal and adds it to the parent's
 * message. The teardown then continues.
 */
int libxl__teardown_poll(libxl__ao *parent, const libxl__nested *teardown);

/*
 * domain_save.c: creates a nested operation on the domain that `ao` works on, and reserves its resources. The first
 * input of the operation `operation` (LIBXL__OP_...) is the domid; the caller sets the others. Call this with the
 * context locked. Errors: NOMEM, and those of the operation's reservation.
 */
int libxl__nested_reserve(libxl__ao *ao, libxl__nested *nested, int operation);

#endif
