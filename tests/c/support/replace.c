/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns: nothing. Each call opens its own handle to the hypervisor. */
#include "replace.h"

#include "harness.h"

#include <errno.h>
#include <stdio.h>
#include <xenctrl.h>

enum { TIME_LIMIT_MS = 10000 };

/* Stores the domain's info in `info`. Returns whether the domain exists. */
static bool find(xc_interface *xch, libxl_domid domid, xc_domaininfo_t *info)
{
    return xc_domain_getinfolist(xch, domid, 1, info) == 1 && info->domain == domid;
}

/* Creates a domain with this domid. If *domid is 0, the hypervisor chooses a domid, and the function
 * stores it in *domid. Returns 0 or an errno. */
static int create(xc_interface *xch, libxl_domid *domid, const libxl_uuid *uuid)
{
    struct xen_domctl_createdomain config = {.max_vcpus = 1,
                                             .max_evtchn_port = -1,
                                             .max_grant_frames = -1,
                                             .max_maptrack_frames = -1,
                                             .grant_opts = XEN_DOMCTL_GRANT_version(2)};
    memcpy(config.handle, uuid->uuid, sizeof(config.handle));
    return xc_domain_create(xch, domid, &config) || xc_domain_max_vcpus(xch, *domid, 1) ? errno : 0;
}

__attribute__((format(printf, 1, 2))) static void remove_node(const char *fmt, ...)
{
    char path[64];
    va_list args;
    va_start(args, fmt);
    vsnprintf(path, sizeof(path), fmt, args);
    va_end(args);
    fixture_write(path, NULL);
}

__attribute__((format(printf, 3, 4))) static void write_node(libxl_domid domid, const char *name,
                                                             const char *fmt, ...)
{
    char path[64], value[64];
    va_list args;
    snprintf(path, sizeof(path), "/local/domain/%u/%s", domid, name);
    va_start(args, fmt);
    vsnprintf(value, sizeof(value), fmt, args);
    va_end(args);
    fixture_write(path, value);
}

void write_domain_nodes(libxl_domid domid, const libxl_uuid *uuid)
{
    write_node(domid, "control/shutdown", "%s", "");
    write_node(domid, "domid", "%u", domid);
    if (uuid)
        write_node(domid, "vm", "/vm/" LIBXL_UUID_FMT, LIBXL_UUID_BYTES(*uuid));
}

libxl_uuid replace_domain(libxl_domid domid)
{
    xc_interface *xch = xc_interface_open(NULL, NULL, 0);
    xc_domaininfo_t info;
    libxl_uuid uuid;
    assert_true(find(xch, domid, &info));
    memcpy(uuid.uuid, info.handle, sizeof(uuid.uuid));
    remove_node("/vm/" LIBXL_UUID_FMT, LIBXL_UUID_BYTES(uuid));
    remove_node("/local/domain/%u", domid);
    remove_node("/libxl/%u", domid);
    fixture_remove_files(domid, &uuid);
    libxl_uuid_generate(&uuid);
    assert_int_equal(xc_domain_destroy(xch, domid), 0);
    for (uint64_t end = now_ms() + scaled_ms(TIME_LIMIT_MS); find(xch, domid, &info) && now_ms() < end;)
        sleep_ms(1);
    assert_int_equal(create(xch, &domid, &uuid), 0);
    xc_interface_close(xch);
    return uuid;
}

void remove_domain(libxl_domid domid, const libxl_uuid *uuid)
{
    xc_interface *xch = xc_interface_open(NULL, NULL, 0);
    xc_domain_destroy(xch, domid);
    xc_interface_close(xch);
    for (uint64_t end = now_ms() + scaled_ms(TIME_LIMIT_MS); domain_exists(domid, uuid) && now_ms() < end;)
        sleep_ms(1);
    assert_false(domain_exists(domid, uuid));
    fixture_remove_nodes(domid, uuid);
    fixture_remove_files(domid, uuid);
}

libxl_domid add_domain(const libxl_uuid *uuid)
{
    xc_interface *xch = xc_interface_open(NULL, NULL, 0);
    libxl_domid domid = 0;
    assert_int_equal(create(xch, &domid, uuid), 0);
    write_domain_nodes(domid, uuid);
    xc_interface_close(xch);
    return domid;
}

bool domain_exists(libxl_domid domid, const libxl_uuid *uuid)
{
    xc_interface *xch = xc_interface_open(NULL, NULL, 0);
    xc_domaininfo_t info;
    bool there = find(xch, domid, &info) && !memcmp(info.handle, uuid->uuid, sizeof(info.handle));
    xc_interface_close(xch);
    return there;
}
