/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_set_name: gives a domain another name.
 *
 * The name is in /local/domain/N/name, in /vm/UUID/name and in the stored configuration (userdata.h).
 * xenstored does not enforce that names are unique. So two processes that give the same new name at the same
 * time may both succeed. This is true for every toolstack.
 *
 * Owns: nothing except the operation's state. The caller holds the context's lock.
 */
#include "create.h"
#include "setting.h"

#include <stdlib.h>
#include <string.h>

typedef struct set_name {
    libxl__name_search search;
    libxl__setting setting;
    /*
     * The entry in the context's list of creations, so that no other operation of the context uses the new
     * name.
     */
    libxl__creation claim;
    libxl__userdata stored;
} domain_set_name_state;

static const char *new_name(libxl__ao *ao)
{
    const libxl__domain_set_name_args *args = libxl__ao_args(ao);
    return args->in.name;
}

static int exists(libxl__ao *ao)
{
    return libxl__ao_fail(ao, ERROR_DOMAIN_EXISTS, "name: there is a domain '%s' already", new_name(ao));
}

/* ---- search: checks that no other domain has the name */

static int search_start(libxl__ao *ao, struct set_name *s)
{
    xc_domaininfo_t info;
    int rc = libxl__check_name(ao, "name", new_name(ao));
    if (!rc)
        rc = libxl__hv_info(ao, ao->subject.number, &info);
    if (!rc && libxl__creation_has_name(ao->ctx, new_name(ao)))
        rc = exists(ao);
    if (rc)
        return rc;
    libxl__creation_add(ao, &s->claim, new_name(ao), &(libxl_uuid){{0}});
    rc = libxl__name_search_start(ao, &s->search, new_name(ao), false, NULL);
    return rc ? rc : LIBXL__AO_WAIT;
}

/* Fails if another domain has the name. Succeeds if this domain has the name. */
static int search_poll(libxl__ao *ao, struct set_name *s)
{
    uint32_t found;
    const int rc = libxl__name_search_step(ao, &s->search, &found);
    return rc || found == LIBXL_DOMID_INVALID || found == ao->subject.number ? rc : exists(ao);
}

/* ---- record: changes the name in the stored configuration */

struct change {
    char *name; /* the name that exchange() stores; afterwards the former name */
};

static int exchange(libxl_domain_config *config, void *user)
{
    struct change *change = user;
    char *name = config->c_info.name;
    config->c_info.name = change->name;
    change->name = name;
    return 0;
}

static void dispose(void *user)
{
    struct change *change = user;
    free(change->name);
    free(change);
}

static int record_start(libxl__ao *ao, struct set_name *s)
{
    struct change *change = calloc(1, sizeof(*change));
    if (!change)
        return ERROR_NOMEM;
    change->name = strdup(new_name(ao));
    if (!change->name) {
        free(change);
        return ERROR_NOMEM;
    }
    const int rc = libxl__userdata_update(ao, &s->stored, ao->subject.number, &ao->subject.uuid, exchange,
                                          change, dispose);
    return rc ? rc : LIBXL__AO_WAIT;
}

static int record_poll(libxl__ao *ao, struct set_name *s)
{
    return libxl__userdata_changed(ao, &s->stored);
}

static int record_undo(libxl__ao *ao, struct set_name *s)
{
    return libxl__userdata_change_back(ao, &s->stored);
}

/* ---- write: writes the name into both nodes */

static void fill(libxl__ao *ao, libxl__setting *setting)
{
    const libxl__domain_set_name_args *args = libxl__ao_args(ao);
    const uint32_t domid = ao->subject.number;
    if (args->in.has_old_name)
        libxl__xs_require(setting->batch, ERROR_INVAL, args->in.old_name, "/local/domain/%u/name", domid);
    libxl__xs_write(setting->batch, LIBXL__XS_INHERITS, args->in.name, "/local/domain/%u/name", domid);
    if (*setting->vm)
        libxl__xs_write(setting->batch, LIBXL__XS_INHERITS, args->in.name, "%s/name", setting->vm);
}

static int write_start(libxl__ao *ao, struct set_name *s)
{
    return libxl__setting_start(ao, &s->setting, fill);
}

static int write_poll(libxl__ao *ao, struct set_name *s)
{
    const libxl__domain_set_name_args *args = libxl__ao_args(ao);
    if (args->in.has_old_name && !s->setting.taken_back && libxl__xs_done(s->setting.batch) &&
        libxl__xs_rc(s->setting.batch) == ERROR_INVAL)
        return libxl__ao_fail(ao, ERROR_INVAL, "old_name: the name of domain %u is not '%s'",
                              ao->subject.number, args->in.old_name);
    return libxl__setting_poll(ao, &s->setting);
}

static void write_stop(libxl__ao *ao, struct set_name *s)
{
    (void)ao;
    libxl__setting_stop(&s->setting);
}

#include "_libxl_phases_domain_set_name.h"
