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
 * Compares the name and the UUID with those of the context's other creations and renamings. The domains of
 * these creations may not exist yet.
 */
static int check_creations(libxl__ao *ao, const libxl_domain_create_info *info)
{
    if (libxl__creation_has_name(ao->ctx, info->name))
        return name_exists(ao, info->name);
    if (!libxl_uuid_is_nil(&info->uuid) && libxl__creation_has_uuid(ao->ctx, &info->uuid, ao))
        return uuid_exists(ao, &info->uuid, "a domain that is being created");
    return 0;
}

/*
 * Makes a random UUID if the configuration has none. Otherwise checks that no other domain has the
 * configuration's UUID.
 */
static int choose_uuid(libxl__ao *ao, libxl_uuid *uuid)
{
    uint32_t domid;
    char who[32];
    if (libxl_uuid_is_nil(uuid)) {
        libxl_uuid_generate(uuid);
        return libxl_uuid_is_nil(uuid)
                   ? libxl__ao_fail(ao, ERROR_FAIL, "d_config.c_info.uuid: no random number: %m")
                   : 0;
    }
    const int rc = libxl__hv_find(ao, uuid, LIBXL_DOMID_INVALID, &domid);
    if (rc || domid == LIBXL_DOMID_INVALID)
        return rc;
    snprintf(who, sizeof(who), "domain %u", domid);
    return uuid_exists(ao, uuid, who);
}

int libxl__identity_claim(libxl__ao *ao, libxl__create_identity *identity, libxl__build *build,
                          const libxl_domain_create_info *info)
{
    build->uuid = info->uuid;
    int rc = check_creations(ao, info);
    if (!rc)
        rc = choose_uuid(ao, &build->uuid);
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
 * another program may use the same UUID. In this case also makes the batch that adds the domid to the mark.
 */
static int make_mark(libxl__ao *ao, libxl__create_identity *identity, libxl__build *build,
                     const libxl_domain_create_info *info, libxl__xs_batch **mark_out)
{
    build->announce = !libxl_uuid_is_nil(&info->uuid);
    *mark_out = libxl__xs_batch_new(ao, 0);
    int rc = *mark_out ? reserve_mark(ao, &identity->unmark) : ERROR_NOMEM;
    if (!rc && build->announce)
        rc = reserve_mark(ao, &identity->remark);
    if (rc)
        return rc;
    libxl__mark_remove(identity->unmark, &build->uuid);
    libxl__mark_write(*mark_out, &build->uuid, build->announce ? LIBXL__MARK_NO_DOMID : LIBXL__MARK_UNIQUE);
    return 0;
}

int libxl__identity_mark(libxl__ao *ao, libxl__create_identity *identity, libxl__build *build,
                         const libxl_domain_create_info *info)
{
    libxl__xs_batch *mark;
    int rc = make_mark(ao, identity, build, info, &mark);
    if (!rc)
        rc = libxl__name_search_start(ao, &identity->namesake, info->name, true, mark);
    identity->marked = !rc;
    return rc;
}

int libxl__identity_poll(libxl__ao *ao, libxl__create_identity *identity,
                         const libxl_domain_create_info *info)
{
    uint32_t namesake;
    int rc = libxl__name_search_step(ao, &identity->namesake, &namesake);
    if (rc)
        return rc;
    if (namesake != LIBXL_DOMID_INVALID)
        return name_exists(ao, identity->searches_later ? identity->later : info->name);
    if (!identity->later || identity->searches_later)
        return 0;
    identity->searches_later = true;
    rc = libxl__name_search_start(ao, &identity->namesake, identity->later, true, NULL);
    return rc ? rc : LIBXL__AO_WAIT;
}

void libxl__identity_mark_domid(libxl__create_identity *identity, const libxl__build *build)
{
    if (!build->announce || !build->made || identity->remarked)
        return;
    identity->remarked = true;
    libxl__mark_write(identity->remark, &build->uuid, build->domid);
    libxl__xs_run_anyway(identity->remark, LIBXL__XS_ONE_BY_ONE);
}
