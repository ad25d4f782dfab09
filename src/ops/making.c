/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns: nothing except the operation's state. The caller holds the context's lock. */
#include "making.h"

#include <string.h>

void libxl__making_take_config(libxl__ao *ao, libxl__making *making, libxl_domain_config *config)
{
    ao->subject.name = config->c_info.name;
    making->config = config;
    making->build.config = config;
    making->build.stored_max_vcpus = config->b_info.max_vcpus;
    making->build.stored_poolid = config->c_info.poolid;
    if (!config->b_info.max_vcpus)
        config->b_info.max_vcpus = 1;
}

static int destroyed(libxl__ao *ao, const libxl__making *making)
{
    return libxl__ao_fail(ao, ERROR_DOMAIN_DESTROYED, "domain %u was destroyed while it was made",
                          making->build.domid);
}

int libxl__making_check_domain(libxl__ao *ao, const libxl__making *making)
{
    return making->domain.follower.phase < LIBXL__DOMAIN_DYING ? 0 : destroyed(ao, making);
}

/* Returns false if the domain is gone or dying. Returns true if the domain is alive, or if the hypercall fails. */
static bool is_alive(libxl__ao *ao, const libxl__making *making)
{
    xc_domaininfo_t info;
    const int rc = libxl__hv_look(ao, making->build.domid, &info);
    /*
     * Another domain may have the domid now. libxl__hv_look has then stored that domain's UUID, so this function
     * restores the UUID.
     */
    if (ao->subject.number == making->build.domid)
        ao->subject.uuid = making->build.uuid;
    if (rc)
        return rc != ERROR_DOMAIN_NOTFOUND;
    return !(info.flags & XEN_DOMINF_dying) &&
           memcmp(info.handle, making->build.handle.uuid, sizeof(info.handle)) == 0;
}

int libxl__making_reason(libxl__ao *ao, const libxl__making *making, int rc)
{
    if (rc >= 0 || making->stopping || !making->build.made ||
        (rc != ERROR_DOMAIN_NOTFOUND && is_alive(ao, making)))
        return rc;
    libxl__ao_forget_failure(ao);
    libxl__domains_look_soon(ao->ctx);
    return destroyed(ao, making);
}

/* ---- running the build */

int libxl__making_run(libxl__ao *ao, libxl__making *making, libxl__build_step step)
{
    const int rc = libxl__build_start(ao, &making->build, step);
    return rc ? rc : LIBXL__AO_WAIT;
}

int libxl__making_built(libxl__ao *ao, libxl__making *making)
{
    libxl__build *build = &making->build;
    if (!libxl__build_done(build))
        return LIBXL__AO_WAIT;
    if (build->rc)
        return libxl__ao_fail(ao, build->rc, "%s", build->message ? build->message : "building");
    const int rc = libxl__identity_give_uuid(ao, &making->identity, build);
    return rc == LIBXL__AO_WAIT && atomic_load(&build->cancel) ? ERROR_ABORTED : rc;
}

int libxl__making_take_down(libxl__ao *ao, libxl__making *making)
{
    libxl__source_stop(ao->ctx, &making->admission.source);
    if (!making->build.made)
        return 0;
    if (!making->teardown.started) {
        /* xenstored handles these requests before those of the teardown, so the answers need not be awaited. */
        libxl__xs_batch_free(making->nodes);
        making->nodes = NULL;
        libxl__teardown_start(&making->teardown, making->build.domid, &making->build.uuid,
                              &making->build.handle);
    }
    return libxl__teardown_poll(ao, &making->teardown);
}

/* ---- checking the devices */

int libxl__making_check_poll(libxl__ao *ao, libxl__making *making)
{
    const int rc = libxl__device_groups_poll(ao, &making->devices.groups);
    return rc < 0 ? libxl__making_reason(ao, making, rc) : rc;
}

int libxl__making_check_start(libxl__ao *ao, libxl__making *making)
{
    int rc = libxl__devices_agree(ao, making->config);
    if (!rc)
        rc = libxl__device_groups_check(ao, &making->devices.groups, making->config, making->build.domid,
                                        &making->build.uuid, making->build.in_place);
    return rc < 0 ? libxl__making_reason(ao, making, rc) : rc;
}

void libxl__making_check_stop(libxl__ao *ao, libxl__making *making)
{
    (void)ao;
    libxl__device_groups_stop(&making->devices.groups);
}
