/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns: nothing. The test owns the struct starter and everything that it names. */
#include "starter.h"

#include <stdlib.h>

static int start_create(struct starter *s)
{
    return libxl_domain_create_new(s->ctx, &s->config, &s->made, NULL, NULL);
}

/* The guest does not stop: only the time limit ends the wait. */
static int start_wait_shutdown(struct starter *s)
{
    libxl_shutdown_reason reason;
    libxl_ao_set_limit(s->ctx, NULL, STARTER_WAIT_MS);
    const int rc = libxl_domain_wait_shutdown(s->ctx, s->guest, &reason, NULL);
    libxl_ao_set_limit(s->ctx, NULL, STARTER_LIMIT_MS);
    return rc;
}

static int start_wait_gone(struct starter *s)
{
    libxl_ao_set_limit(s->ctx, NULL, STARTER_WAIT_MS);
    const int rc = libxl_domain_wait_gone(s->ctx, s->guest, NULL);
    libxl_ao_set_limit(s->ctx, NULL, STARTER_LIMIT_MS);
    return rc;
}

static int start_get_info(struct starter *s)
{
    libxl_dominfo info;
    return libxl_domain_get_info(s->ctx, s->guest, &info, NULL);
}

static int start_list(struct starter *s)
{
    libxl_dominfo_list list;
    const int rc = libxl_domain_list(s->ctx, &list, NULL);
    libxl_dominfo_list_dispose(&list);
    return rc;
}

static int start_get_name(struct starter *s)
{
    char *name = NULL;
    const int rc = libxl_domain_get_name(s->ctx, s->guest, &name, NULL);
    free(name);
    return rc;
}

static int start_find(struct starter *s)
{
    libxl_domid domid;
    return libxl_domain_find(s->ctx, "Domain-0", &domid, NULL);
}

static int start_host_info(struct starter *s)
{
    libxl_physinfo info;
    return libxl_host_info(s->ctx, &info, NULL);
}

static int start_host_version(struct starter *s)
{
    libxl_version_info info;
    const int rc = libxl_host_version(s->ctx, &info, NULL);
    libxl_version_info_dispose(&info);
    return rc;
}

static int start_list_unfinished(struct starter *s)
{
    libxl_unfinished_list list;
    const int rc = libxl_domain_list_unfinished(s->ctx, &list, NULL);
    libxl_unfinished_list_dispose(&list);
    return rc;
}

/* No domain has this UUID. */
static int start_remove_unfinished(struct starter *s)
{
    libxl_uuid uuid;
    libxl_uuid_generate(&uuid);
    const int rc = libxl_domain_remove_unfinished(s->ctx, &uuid, NULL);
    return rc == ERROR_NOTFOUND ? 0 : rc;
}

static int (*const starters[LIBXL__OP_COUNT])(struct starter *s) = {
    [LIBXL__OP_DOMAIN_CREATE_NEW] = start_create,
    [LIBXL__OP_DOMAIN_WAIT_SHUTDOWN] = start_wait_shutdown,
    [LIBXL__OP_DOMAIN_WAIT_GONE] = start_wait_gone,
    [LIBXL__OP_DOMAIN_GET_INFO] = start_get_info,
    [LIBXL__OP_DOMAIN_LIST] = start_list,
    [LIBXL__OP_DOMAIN_GET_NAME] = start_get_name,
    [LIBXL__OP_DOMAIN_FIND] = start_find,
    [LIBXL__OP_HOST_INFO] = start_host_info,
    [LIBXL__OP_HOST_VERSION] = start_host_version,
    [LIBXL__OP_DOMAIN_LIST_UNFINISHED] = start_list_unfinished,
    [LIBXL__OP_DOMAIN_REMOVE_UNFINISHED] = start_remove_unfinished,
};

bool starter_is_hidden(unsigned operation)
{
    return operation == LIBXL__OP_DOMAIN_TEARDOWN || operation == LIBXL__OP_DISK_EJECT;
}

int starter_run(struct starter *s, unsigned operation)
{
    s->made = LIBXL_DOMID_INVALID;
    const libxl__ao_class *cls = &libxl__operations[operation];
    if (starters[operation])
        return starters[operation](s);
    if (cls->args_size != sizeof(libxl_domid))
        fail_msg("%s: starter.c needs a row for it", cls->name);
    libxl__ao *ao;
    const int rc = libxl__ao_create(s->ctx, cls, s->guest, NULL, &ao);
    if (rc)
        return rc;
    *(libxl_domid *)libxl__ao_args(ao) = s->guest;
    return libxl__ao_start(ao);
}

void starter_prepare(struct starter *s, libxl_ctx *ctx, unsigned operation)
{
    libxl_dominfo info;
    if (s->guest && !libxl_domain_info(ctx, &info, s->guest) && !info.shutdown && !info.dying) {
        while (info.paused && !libxl_domain_unpause(ctx, s->guest, NULL) &&
               !libxl_domain_info(ctx, &info, s->guest))
            ;
        return;
    }
    if (s->guest)
        libxl_domain_destroy(ctx, s->guest, NULL);
    const bool obeys = operation == LIBXL__OP_DOMAIN_SHUTDOWN || operation == LIBXL__OP_DOMAIN_REBOOT;
    s->guest = guest_new(ctx, obeys ? "l" : "b", true);
}
