/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The name and the UUID of a domain that is being created. This file checks that no other domain has them. It
 * writes a mark (marks.h), which exists until the domain is complete.
 *
 * Owns: nothing except the operation's state. The caller holds the context's lock.
 */
#include "create_identity.h"

#include <stdio.h>

/* ---- the name and the UUID */

static int name_exists(libxl__ao *ao, const char *name)
{
    return libxl__ao_fail(ao, ERROR_DOMAIN_EXISTS, "d_config.c_info.name: there is a domain '%s' already",
                          name);
}

static int uuid_exists(libxl__ao *ao, const libxl_uuid *uuid, const char *who)
{
    return libxl__ao_fail(ao, ERROR_DOMAIN_EXISTS, "d_config.c_info.uuid: %s has " LIBXL_UUID_FMT " already",
                          who, LIBXL_UUID_BYTES(*uuid));
}

/*
 * Compares the name and the UUID with those of the context's other creations and renamings. A search in the
 * hypervisor may miss the domains of these creations, because some of them do not exist yet.
 */
static int check_creations(libxl__ao *ao, const libxl_domain_create_info *info)
{
    if (libxl__creation_has_name(ao->ctx, info->name))
        return name_exists(ao, info->name);
    if (!libxl_uuid_is_nil(&info->uuid) && libxl__creation_has_uuid(ao->ctx, &info->uuid, ao))
        return uuid_exists(ao, &info->uuid, "a domain that is being created");
    return 0;
}

/* Checks that no other domain has the configuration's UUID. */
static int check_domains(libxl__ao *ao, const libxl_uuid *uuid)
{
    uint32_t domid;
    char who[32];
    const int rc = libxl__hv_find(ao, uuid, LIBXL_DOMID_INVALID, &domid);
    if (rc || domid == LIBXL_DOMID_INVALID)
        return rc;
    snprintf(who, sizeof(who), "domain %u", domid);
    return uuid_exists(ao, uuid, who);
}

/* Makes the random UUID. It becomes the domain's UUID if the configuration has none. */
static int choose_uuid(libxl__ao *ao, libxl__build *build, const libxl_uuid *configured)
{
    libxl_uuid_generate(&build->handle);
    if (libxl_uuid_is_nil(&build->handle))
        return libxl__ao_fail(ao, ERROR_FAIL, "d_config.c_info.uuid: no random number: %m");
    const bool generated = libxl_uuid_is_nil(configured);
    build->uuid = generated ? build->handle : *configured;
    return generated ? 0 : check_domains(ao, configured);
}

int libxl__identity_claim(libxl__ao *ao, libxl__create_identity *identity, libxl__build *build,
                          const libxl_domain_create_info *info)
{
    int rc = check_creations(ao, info);
    if (!rc)
        rc = choose_uuid(ao, build, &info->uuid);
    if (!rc)
        libxl__creation_add(ao, &identity->creation, info->name, &build->uuid);
    return rc;
}

int libxl__identity_keep(libxl__ao *ao, libxl__create_identity *identity, const libxl__build *build,
                         const libxl_domain_create_info *info)
{
    const int rc = check_creations(ao, info);
    identity->keeps = true;
    if (!rc)
        libxl__creation_add(ao, &identity->creation, info->name, &build->uuid);
    return rc;
}

/* ---- the mark */

/* Makes a batch with memory for one request about the mark. */
static int reserve_mark(libxl__ao *ao, libxl__xs_batch **batch)
{
    *batch = libxl__xs_batch_new(ao, 0);
    return *batch ? libxl__xs_reserve(*batch, 1, LIBXL__MARK_PATH + LIBXL__MARK_TEXT) : ERROR_NOMEM;
}

/*
 * Makes the batch that removes the mark, and a batch that writes the mark. If the configuration has a UUID,
 * also makes the batch that adds the domid to the mark.
 */
static int make_mark(libxl__ao *ao, libxl__create_identity *identity, const libxl__build *build,
                     libxl__xs_batch **mark_out)
{
    *mark_out = libxl__xs_batch_new(ao, 0);
    int rc = *mark_out ? reserve_mark(ao, &identity->unmark) : ERROR_NOMEM;
    if (!rc && libxl__identity_comes_later(build))
        rc = reserve_mark(ao, &identity->remark);
    if (rc)
        return rc;
    libxl__mark_remove(identity->unmark, &build->uuid);
    if (identity->keeps)
        libxl__mark_reset(*mark_out, &build->uuid, false, build->domid);
    else
        libxl__mark_write(*mark_out, &build->uuid, LIBXL_DOMID_INVALID, &build->handle);
    return 0;
}

static int start_mark(libxl__ao *ao, libxl__create_identity *identity, const libxl__build *build,
                      const libxl_domain_create_info *info)
{
    libxl__xs_batch *mark;
    int rc = make_mark(ao, identity, build, &mark);
    if (!rc)
        rc = libxl__name_search_start(ao, &identity->namesake, info->name, true, mark);
    identity->marked = !rc;
    return rc;
}

int libxl__identity_mark(libxl__ao *ao, libxl__create_identity *identity, const libxl__build *build,
                         const libxl_domain_create_info *info)
{
    if (!libxl__identity_comes_later(build) && !identity->keeps)
        return start_mark(ao, identity, build, info);
    identity->former = libxl__xs_batch_new(ao, 0);
    if (!identity->former)
        return ERROR_NOMEM;
    identity->request = libxl__xs_read(identity->former, LIBXL__MARK_FMT, LIBXL__MARK_OF(build->uuid));
    return libxl__xs_run(identity->former, LIBXL__XS_ONE_BY_ONE);
}

/*
 * Checks the mark of an earlier creation with the same UUID, because the new mark would replace that mark. The domain
 * of the earlier creation may still have its random UUID. Without that mark nothing could find this domain.
 */
static int check_former(libxl__ao *ao, const char *text, const libxl_uuid *uuid)
{
    libxl__mark mark;
    uint32_t domid;
    char who[64];
    if (!text || !libxl__mark_read(ao->ctx, text, &mark))
        return 0;
    snprintf(who, sizeof(who), "a domain that process %u creates", mark.pid);
    if (mark.runs && !mark.own)
        return uuid_exists(ao, uuid, who);
    if (!mark.left || libxl_uuid_is_nil(&mark.handle))
        return 0;
    const int rc = libxl__hv_find(ao, &mark.handle, LIBXL_DOMID_INVALID, &domid);
    if (rc || domid == LIBXL_DOMID_INVALID)
        return rc;
    snprintf(who, sizeof(who), "the unfinished domain %u", domid);
    return uuid_exists(ao, uuid, who);
}

/* Checks that no other process is resetting or creating the domain. */
static int check_unmarked(libxl__ao *ao, const char *text, const libxl__build *build)
{
    libxl__mark mark;
    if (!text || !libxl__mark_read(ao->ctx, text, &mark) || !mark.runs || mark.own)
        return 0;
    return libxl__ao_fail(ao, ERROR_BUSY, "domid: process %u is %s domain %u", mark.pid,
                          mark.resets ? "resetting" : "creating", build->domid);
}

static int former_poll(libxl__ao *ao, libxl__create_identity *identity, const libxl__build *build,
                       const libxl_domain_create_info *info)
{
    if (!libxl__xs_done(identity->former))
        return LIBXL__AO_WAIT;
    int rc = libxl__xs_result(identity->former);
    const char *text = rc ? NULL : libxl__xs_value(identity->request);
    if (!rc)
        rc = identity->keeps ? check_unmarked(ao, text, build) : check_former(ao, text, &build->uuid);
    libxl__xs_batch_free(identity->former);
    identity->former = NULL;
    if (!rc)
        rc = start_mark(ao, identity, build, info);
    return rc ? rc : LIBXL__AO_WAIT;
}

int libxl__identity_poll(libxl__ao *ao, libxl__create_identity *identity, const libxl__build *build,
                         const libxl_domain_create_info *info)
{
    uint32_t namesake;
    if (identity->former)
        return former_poll(ao, identity, build, info);
    int rc = libxl__name_search_step(ao, &identity->namesake, &namesake);
    if (rc)
        return rc;
    if (namesake != LIBXL_DOMID_INVALID && !(identity->keeps && namesake == build->domid))
        return name_exists(ao, identity->searches_later ? identity->later : info->name);
    if (!identity->later || identity->searches_later)
        return 0;
    identity->searches_later = true;
    rc = libxl__name_search_start(ao, &identity->namesake, identity->later, true, NULL);
    return rc ? rc : LIBXL__AO_WAIT;
}

/*
 * ---- the domain gets the UUID of the configuration. The mark gets the domid first. If the process is killed after
 * that, the domain still has its random UUID, and the mark names both.
 */

int libxl__identity_give_uuid(libxl__ao *ao, libxl__create_identity *identity, libxl__build *build)
{
    if (!libxl__identity_comes_later(build))
        return 0;
    if (!identity->remarked) {
        identity->remarked = true;
        libxl__mark_write(identity->remark, &build->uuid, build->domid, &build->handle);
        libxl__xs_run_anyway(identity->remark, LIBXL__XS_ONE_BY_ONE);
    }
    if (!libxl__xs_done(identity->remark))
        return LIBXL__AO_WAIT;
    int rc = libxl__xs_result(identity->remark);
    if (!rc)
        rc = check_domains(ao, &build->uuid);
    if (!rc)
        rc = libxl__hv_set_handle(ao, LIBXL__CALL_NEW_DOMAIN, build->domid, &build->uuid);
    if (!rc)
        build->handle = build->uuid;
    return rc;
}
