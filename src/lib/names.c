/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libxl's functions that read one or two nodes of a domain (libxl_utils.h, libxl_host.h), and libxl's list of
 * domains with their UUIDs. Own nothing. Any thread may call these functions, without the context's lock.
 */
#include "ops.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include <libxl_utils.h>

/*
 * Reads a node of xenstore. Returns its value, which the caller frees. Returns NULL after an error and if the
 * node is missing.
 */
__attribute__((format(printf, 2, 3))) static char *read_node(libxl_ctx *ctx, const char *format, ...)
{
    char path[256];
    libxl_blob value;
    va_list args;
    va_start(args, format);
    vsnprintf(path, sizeof(path), format, args);
    va_end(args);
    if (libxl_store_read(ctx, path, &value, NULL))
        return NULL;
    return (char *)value.data; /* a zero octet follows the value */
}

/* Reads a domain's number from a node that a toolstack has written. Returns 0 if there is none. */
static uint32_t read_domid(libxl_ctx *ctx, uint32_t domid, const char *node)
{
    char *text = read_node(ctx, "/local/domain/%u/%s", domid, node);
    const unsigned long number = text ? strtoul(text, NULL, 10) : 0;
    free(text);
    return number < LIBXL__DOMID_FIRST_RESERVED ? (uint32_t)number : 0;
}

int libxl_domain_qualifier_to_domid(libxl_ctx *ctx, const char *name, uint32_t *domid)
{
    if (name[strspn(name, "0123456789")])
        return libxl_name_to_domid(ctx, name, domid);
    *domid = (uint32_t)strtoul(name, NULL, 10);
    return 0;
}

int libxl_get_stubdom_id(libxl_ctx *ctx, int guest_domid)
{
    return (int)read_domid(ctx, (uint32_t)guest_domid, "image/device-model-domid");
}

int libxl_is_stubdom(libxl_ctx *ctx, uint32_t domid, uint32_t *target_domid)
{
    char *text = read_node(ctx, "/local/domain/%u/target", domid);
    char *end = text;
    const unsigned long number = text ? strtoul(text, &end, 10) : 0;
    const bool found = text && *text && !*end && number < LIBXL__DOMID_FIRST_RESERVED;
    free(text);
    if (found && target_domid)
        *target_domid = (uint32_t)number;
    return found;
}

uint32_t libxl_vm_get_start_time(libxl_ctx *ctx, uint32_t domid)
{
    char *vm = read_node(ctx, "/local/domain/%u/vm", domid);
    char *text = vm ? read_node(ctx, "%s/start_time", vm) : NULL;
    const uint32_t seconds = text ? (uint32_t)strtoul(text, NULL, 10) : (uint32_t)-1;
    if (!text)
        libxl__log(ctx, XTL_ERROR, -1, "domain %u has no start time", domid);
    free(vm);
    free(text);
    return seconds;
}

/* ---- the list of domains without those that run a device model */

libxl_vminfo *libxl_list_vm(libxl_ctx *ctx, int *nb_vm_out)
{
    libxl_dominfo_list list;
    int count = 0;
    *nb_vm_out = 0;
    if (libxl_domain_list(ctx, &list, NULL))
        return NULL;
    libxl_vminfo *vms = calloc((size_t)list.num_domains + 1, sizeof(*vms));
    for (int i = 0; vms && i < list.num_domains; i++)
        if (!libxl_is_stubdom(ctx, list.domains[i].domid, NULL))
            vms[count++] = (libxl_vminfo){.uuid = list.domains[i].uuid, .domid = list.domains[i].domid};
    libxl_dominfo_list_dispose(&list);
    *nb_vm_out = count;
    return vms;
}

void libxl_vminfo_list_free(libxl_vminfo *list, int nb_vm)
{
    for (int i = 0; i < nb_vm; i++)
        libxl_vminfo_dispose(&list[i]);
    free(list);
}

/* ---- the history of domids, and generation IDs */

int libxl_clear_domid_history(libxl_ctx *ctx)
{
    (void)ctx;
    if (!unlink("/run/xen/domid-history") || errno == ENOENT)
        return 0;
    return libxl__refuse(ERROR_FAIL, "/run/xen/domid-history: %m");
}

int libxl_ms_vm_genid_generate(libxl_ctx *ctx, libxl_ms_vm_genid *id)
{
    (void)ctx;
    if (getrandom(id->bytes, sizeof(id->bytes), 0) == (ssize_t)sizeof(id->bytes))
        return 0;
    return libxl__refuse(ERROR_FAIL, "asking for random octets: %m");
}

/* ---- tmem, which Xen does not have any more. libxl 4.17 returns these errors, too. */

static int no_tmem(void)
{
    return libxl__refuse(ERROR_FAIL, "Xen has no transcendent memory any more");
}

char *libxl_tmem_list(libxl_ctx *ctx, uint32_t domid, int use_long)
{
    (void)ctx, (void)domid, (void)use_long;
    no_tmem();
    return NULL;
}

int libxl_tmem_freeze(libxl_ctx *ctx, uint32_t domid)
{
    (void)ctx, (void)domid;
    return no_tmem();
}

int libxl_tmem_thaw(libxl_ctx *ctx, uint32_t domid)
{
    (void)ctx, (void)domid;
    return no_tmem();
}

int libxl_tmem_set(libxl_ctx *ctx, uint32_t domid, char *name, uint32_t set)
{
    (void)ctx, (void)domid, (void)name, (void)set;
    return no_tmem();
}

int libxl_tmem_shared_auth(libxl_ctx *ctx, uint32_t domid, char *uuid, int auth)
{
    (void)ctx, (void)domid, (void)uuid, (void)auth;
    return no_tmem();
}

int libxl_tmem_freeable(libxl_ctx *ctx)
{
    (void)ctx;
    return no_tmem();
}
