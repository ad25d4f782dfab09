/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns: the counter that makes guest names unique. The counter is atomic. The tests own the domains. */
#include "harness.h"

#include <libxl_utils.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { PV_KB = 4 << 10, PVH_KB = 20 << 10 };

const char *guest_kernel(void)
{
    const char *path = getenv("AIOXEN_TEST_KERNEL");
    return path ? path : "build/guest/tiny";
}

static libxl_domain_config config_of(libxl_domain_type type, uint64_t kb, const char *command_line)
{
    static atomic_uint number;
    libxl_domain_config config;
    libxl_domain_config_init(&config);
    config.c_info.type = type;
    if (asprintf(&config.c_info.name, "test-%d-%u", (int)getpid(), atomic_fetch_add(&number, 1)) < 0)
        abort();
    config.b_info.target_memkb = kb;
    config.b_info.kernel = strdup(guest_kernel());
    config.b_info.cmdline = strdup(command_line);
    return config;
}

libxl_domain_config guest_config(const char *command_line)
{
    return config_of(LIBXL_DOMAIN_TYPE_PV, PV_KB, command_line);
}

libxl_domain_config guest_config_pvh(const char *command_line)
{
    return config_of(LIBXL_DOMAIN_TYPE_PVH, PVH_KB, command_line);
}

libxl_domid guest_new(libxl_ctx *ctx, const char *command_line, bool run)
{
    libxl_domain_config config = guest_config(command_line);
    libxl_domid domid = LIBXL_DOMID_INVALID;
    int rc = libxl_domain_create_new(ctx, &config, &domid, NULL, NULL);
    if (rc)
        fail_msg("creating a guest failed: %d: %s", rc, libxl_error_message());
    libxl_domain_config_dispose(&config);
    if (run)
        assert_int_equal(libxl_domain_unpause(ctx, domid, NULL), 0);
    return domid;
}

libxl_domid guest(scene *s, const char *command_line, bool run)
{
    libxl_domain_config config = guest_config(command_line);
    libxl_domid domid = LIBXL_DOMID_INVALID;
    int rc = RUN(s, libxl_domain_create_new(s->ctx, &config, &domid, how, NULL));
    if (rc)
        fail_msg("creating a guest failed: %d: %s", rc, last_message(s));
    libxl_domain_config_dispose(&config);
    if (run)
        assert_int_equal(RUN(s, libxl_domain_unpause(s->ctx, domid, how)), 0);
    return domid;
}

void destroy(scene *s, libxl_domid domid)
{
    int rc = RUN(s, libxl_domain_destroy(s->ctx, domid, how));
    if (rc)
        fail_msg("destroying guest %u failed: %d: %s", domid, rc, last_message(s));
}

void guest_destroy(libxl_ctx *ctx, libxl_domid domid)
{
    int rc = libxl_domain_destroy(ctx, domid, NULL);
    if (rc)
        fail_msg("destroying guest %u failed: %d: %s", domid, rc, libxl_error_message());
}

char *guest_node(libxl_domid domid, const char *path)
{
    char full[128];
    snprintf(full, sizeof(full), "/local/domain/%u/%s", domid, path);
    return fixture_node(full);
}

libxl_bitmap guest_set_of(int bit)
{
    libxl_bitmap set;
    libxl_bitmap_init(&set);
    assert_int_equal(libxl_bitmap_alloc(NULL, &set, 8), 0);
    libxl_bitmap_set(&set, bit);
    return set;
}

bool guest_has_all_cpus(libxl_ctx *ctx, const libxl_bitmap *set)
{
    const int cpus = libxl_get_online_cpus(ctx);
    for (int i = 0; i < cpus; i++)
        if (!libxl_bitmap_test(set, i))
            return false;
    return true;
}
