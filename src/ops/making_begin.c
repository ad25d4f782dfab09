/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The first phases of domain_create_new and domain_restore: `name`, `make`, `admission` and `build` (making.h).
 * domain_soft_reset has `admission`, too.
 *
 * Owns: see making.h. The caller holds the context's lock.
 */
#include "domain_restore.h"
#include "making.h"

#include <string.h>

/* ---- name: the configuration is checked, the mark is written, and no other domain has the name or the UUID */

static libxl_domain_config *config_of(libxl__ao *ao)
{
    libxl__domain_create_new_args *create = libxl__ao_args(ao);
    libxl__domain_restore_args *restore = libxl__ao_args(ao);
    return libxl__restores(ao) ? &restore->in.d_config : &create->in.d_config;
}

int libxl__making_name_start(libxl__ao *ao, libxl__making *making)
{
    libxl_domain_config *config = config_of(ao);
    libxl__making_take_config(ao, making, config);
    making->build.restores = libxl__restores(ao);
    int rc = libxl__restore_check_allowed(ao, config);
    if (!rc)
        rc = libxl__create_check(ao, config, &making->build);
    if (!rc)
        rc = libxl__incoming_rename(ao, config, &making->identity.later);
    ao->subject.name = config->c_info.name;
    if (!rc)
        rc = libxl__identity_claim(ao, &making->identity, &making->build, &config->c_info);
    if (!rc)
        rc = libxl__devices_complete(ao, config);
    if (!rc)
        rc = libxl__teardown_reserve(ao, &making->teardown, true);
    if (!rc)
        rc = libxl__create_pool_start(ao, &making->pools, &config->c_info);
    if (!rc)
        rc = libxl__identity_mark(ao, &making->identity, &making->build, &config->c_info);
    return rc ? rc : LIBXL__AO_WAIT;
}

int libxl__making_name_poll(libxl__ao *ao, libxl__making *making)
{
    libxl_domain_create_info *info = &making->config->c_info;
    const int rc = libxl__identity_poll(ao, &making->identity, &making->build, info);
    return rc ? rc : libxl__create_pool_poll(ao, &making->pools, info);
}

/* Removes the mark, unless the undo of the build has started the teardown. */
int libxl__making_name_undo(libxl__ao *ao, libxl__making *making)
{
    if (!making->identity.marked || making->build.made)
        return 0;
    if (!making->teardown.started)
        libxl__teardown_start(&making->teardown, LIBXL_DOMID_INVALID, &making->build.uuid,
                              &making->build.handle);
    return libxl__teardown_poll(ao, &making->teardown);
}

/* ---- make: a worker makes the domain, without memory, if it has a boot loader */

int libxl__making_make_start(libxl__ao *ao, libxl__making *making)
{
    int rc = libxl__domain_source_reserve(ao, &making->domain);
    if (!rc && !making->build.restores)
        rc = libxl__create_boot_reserve(ao, &making->build, &making->boot);
    if (rc || !making->boot)
        return rc;
    return libxl__making_run(ao, making, LIBXL__BUILD_MAKE);
}

/* Follows the domain, because another program may destroy it at any time. */
static int follow(libxl__ao *ao, libxl__making *making)
{
    xc_domaininfo_t info;
    ao->subject.number = making->build.domid;
    ao->subject.uuid = making->build.uuid;
    int rc = libxl__hv_look(ao, making->build.domid, &info);
    if (!rc && memcmp(info.handle, making->build.uuid.uuid, sizeof(info.handle)) != 0)
        rc = ERROR_DOMAIN_NOTFOUND; /* the domain is gone, and another domain has its domid */
    /* The phase `make` may have started the source already. */
    if (!rc && making->domain.reserved)
        rc = libxl__domain_source_start(ao, &making->domain, &info);
    return libxl__making_reason(ao, making, rc);
}

int libxl__making_make_poll(libxl__ao *ao, libxl__making *making)
{
    const int rc = libxl__making_built(ao, making);
    return rc ? libxl__making_reason(ao, making, rc) : follow(ao, making);
}

void libxl__making_make_stop(libxl__ao *ao, libxl__making *making)
{
    (void)ao;
    atomic_store(&making->build.cancel, true);
}

/* Removes the boot loader's files, and then takes the domain down. */
int libxl__making_make_undo(libxl__ao *ao, libxl__making *making)
{
    const int rc = libxl__create_boot_undo(ao, making->boot);
    return rc ? rc : libxl__making_take_down(ao, making);
}

/* ---- admission: limits how many creations of the context have an incomplete domain at a time */

int libxl__making_admission_poll(libxl__ao *ao, libxl__making *making)
{
    /* If there is a boot loader, the domain exists already, and another program may have destroyed it. */
    const int rc = libxl__making_check_domain(ao, making);
    if (rc)
        return rc;
    return making->admission.granted ? 0 : LIBXL__AO_WAIT;
}

/*
 * xenconsoled does work for each new domain, even before the domain is introduced. So the creation waits here, before
 * the domain is made.
 */
int libxl__making_admission_start(libxl__ao *ao, libxl__making *making)
{
    libxl__admission_ask(ao, &ao->ctx->xen->console_admissions, &making->admission);
    return libxl__making_admission_poll(ao, making);
}

/* ---- build: a worker makes the domain, unless `make` has made it, and fills its memory */

int libxl__making_build_start(libxl__ao *ao, libxl__making *making)
{
    return libxl__making_run(
        ao, making, libxl__identity_comes_later(&making->build) ? LIBXL__BUILD_MAKE : LIBXL__BUILD_ALL);
}

int libxl__making_build_poll(libxl__ao *ao, libxl__making *making)
{
    int rc = libxl__making_built(ao, making);
    if (rc)
        return libxl__making_reason(ao, making, rc);
    if (making->build.step == LIBXL__BUILD_MAKE)
        return libxl__making_reason(ao, making, libxl__making_run(ao, making, LIBXL__BUILD_ALL));
    rc = follow(ao, making);
    if (!rc)
        rc = libxl__making_reason(ao, making,
                                  libxl__create_apply_settings(ao, making->build.domid, making->config));
    if (!rc)
        libxl__create_boot_end(ao, making->boot);
    return rc;
}

void libxl__making_build_stop(libxl__ao *ao, libxl__making *making)
{
    (void)ao;
    making->stopping = true;
    atomic_store(&making->build.cancel, true);
}
