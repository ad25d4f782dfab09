/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libxl_domain_preserve gives a domain another name and UUID. A new domain can then have the former name and
 * UUID. */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libxl_utils.h>

static libxl_uuid new_uuid(void)
{
    libxl_uuid uuid;
    libxl_uuid_generate(&uuid);
    return uuid;
}

/* Creates a paused guest with this UUID and the name *name. If *name is NULL, the guest gets a new name,
 * which is stored in *name. */
static libxl_domid create(scene *s, char **name, const libxl_uuid *uuid)
{
    libxl_domid domid;
    libxl_domain_config config = guest_config("b");
    config.c_info.uuid = *uuid;
    if (*name) {
        free(config.c_info.name);
        config.c_info.name = strdup(*name);
    } else {
        *name = strdup(config.c_info.name);
    }
    const int rc = RUN(s, libxl_domain_create_new(s->ctx, &config, &domid, how, NULL));
    if (rc)
        fail_msg("creating the guest failed: %d: %s", rc, last_message(s));
    libxl_domain_config_dispose(&config);
    return domid;
}

static int preserve(scene *s, libxl_domid domid, char *name, libxl_uuid uuid)
{
    libxl_domain_create_info info = {.name = name};
    return libxl_domain_preserve(s->ctx, domid, &info, "-kept", uuid);
}

static void check_identity(scene *s, libxl_domid domid, const char *name, const libxl_uuid *uuid)
{
    libxl_dominfo info;
    libxl_domain_config config;
    char path[64], *node;
    assert_int_equal(libxl_domain_get_info(s->ctx, domid, &info, NULL), 0);
    assert_int_equal(libxl_uuid_compare(&info.uuid, uuid), 0);
    assert_int_equal(libxl_retrieve_domain_configuration(s->ctx, domid, &config, NULL), 0);
    assert_string_equal(config.c_info.name, name);
    libxl_domain_config_dispose(&config);
    node = guest_node(domid, "vm");
    snprintf(path, sizeof(path), "/vm/" LIBXL_UUID_FMT, LIBXL_UUID_BYTES(*uuid));
    assert_string_equal(node, path);
    free(node);
    node = guest_node(domid, "name");
    assert_string_equal(node, name);
    free(node);
}

static void a_new_domain_has_the_former_name_and_uuid(scene *s)
{
    const libxl_uuid former = new_uuid(), later = new_uuid();
    char *name = NULL, *kept = NULL, *other = NULL;
    const libxl_domid first = create(s, &name, &former);
    assert_true(asprintf(&kept, "%s-kept", name) > 0);
    assert_int_equal(preserve(s, first, name, later), 0);
    check_identity(s, first, kept, &later);
    const libxl_domid second = create(s, &name, &former);
    check_identity(s, second, name, &former);
    check_identity(s, first, kept, &later);
    /* Each of the two domains can be used and destroyed. */
    assert_true(asprintf(&other, "%s-other", name) > 0);
    assert_int_equal(libxl_domain_rename(s->ctx, first, kept, other), 0);
    guest_destroy(s->ctx, first);
    check_identity(s, second, name, &former);
    guest_destroy(s->ctx, second);
    free(other);
    free(kept);
    free(name);
}

static void a_failure_changes_nothing(scene *s)
{
    const libxl_uuid former = new_uuid(), later = new_uuid();
    char *name = NULL, path[64];
    const libxl_domid domid = create(s, &name, &former);
    libxl_domain_create_info info = {.name = name};
    assert_int_equal(libxl_domain_preserve(s->ctx, domid, &info, NULL, later), ERROR_INVAL);
    assert_int_equal(preserve(s, domid, NULL, later), ERROR_INVAL);
    assert_int_equal(preserve(s, domid, name, (libxl_uuid){{0}}), ERROR_INVAL);
    assert_int_equal(preserve(s, domid, (char *)"other", later), ERROR_INVAL);
    assert_int_equal(preserve(s, 0x7000, name, later), ERROR_DOMAIN_NOTFOUND);
    check_identity(s, domid, name, &former);
    /* Simulates that another domain has nodes of the UUID `later`. */
    snprintf(path, sizeof(path), "/vm/" LIBXL_UUID_FMT, LIBXL_UUID_BYTES(later));
    fixture_write(path, "");
    assert_int_equal(preserve(s, domid, name, later), ERROR_CONFLICT);
    fixture_write(path, NULL);
    check_identity(s, domid, name, &former);
    guest_destroy(s->ctx, domid);
    free(name);
}

static const body bodies[] = {
    BODY(a_new_domain_has_the_former_name_and_uuid, SLOW),
    BODY(a_failure_changes_nothing, RUNS_ONCE),
};

HARNESS_MAIN(bodies)
