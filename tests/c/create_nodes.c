/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The permissions of the xenstore nodes of a created domain. The permissions are also right if an earlier
 * domain has left nodes behind. */
#include "harness.h"

#include <stdio.h>
#include <stdlib.h>

static void check_perms(const char *const *nodes, const char *perms, libxl_domid domid)
{
    char path[128], wanted[32];
    snprintf(wanted, sizeof(wanted), perms, domid);
    for (; *nodes; nodes++) {
        snprintf(path, sizeof(path), "/local/domain/%u%s", domid, *nodes);
        char *found = fixture_perms(path);
        if (!found || strcmp(found, wanted) != 0)
            fail_msg("%s: got %s, expected %s", path, found ? found : "no node", wanted);
        free(found);
    }
}

static void check_all_perms(libxl_domid domid)
{
    static const char *const guests[] = {"/control/shutdown",
                                         "/control/feature-poweroff",
                                         "/control/feature-reboot",
                                         "/control/feature-suspend",
                                         "/control/sysrq",
                                         "/device/suspend/event-channel",
                                         "/data",
                                         "/drivers",
                                         "/feature",
                                         "/attr",
                                         "/error",
                                         NULL};
    static const char *const ours[] = {"",
                                       "/control",
                                       "/device",
                                       "/device/suspend",
                                       "/cpu",
                                       "/cpu/0",
                                       "/cpu/0/availability",
                                       "/memory",
                                       "/memory/target",
                                       "/store",
                                       "/store/port",
                                       "/console",
                                       "/console/tty",
                                       "/name",
                                       "/domid",
                                       "/vm",
                                       "/control/platform-feature-xs_reset_watches",
                                       NULL};
    check_perms(guests, "n%u", domid);
    check_perms(ours, "n0,r%u", domid);
}

static void check_vm_perms(libxl_domid domid)
{
    char path[128], readable[32], *vm = guest_node(domid, "vm");
    snprintf(readable, sizeof(readable), "n0,r%u", domid);
    for (int i = 0; i < 3; i++) {
        static const char *const nodes[] = {"", "/uuid", "/name"};
        snprintf(path, sizeof(path), "%s%s", vm, nodes[i]);
        char *found = fixture_perms(path);
        assert_string_equal(found, i ? readable : "n0");
        free(found);
    }
    free(vm);
}

static void a_guest_writes_its_own_nodes_and_reads_the_others(scene *s)
{
    libxl_domid domid = guest(s, "b", false);
    char path[128];
    check_all_perms(domid);
    check_vm_perms(domid);
    snprintf(path, sizeof(path), "/libxl/%u/type", domid);
    char *found = fixture_perms(path);
    assert_string_equal(found, "n0");
    free(found);
    destroy(s, domid);
}

/* An earlier domain with the same UUID has left nodes below /vm. The library gives these nodes the
 * permissions of the created domain. */
static void leftovers_of_the_same_uuid_get_the_new_permissions(scene *s)
{
    char path[128];
    libxl_domid domid;
    libxl_domain_config config = guest_config("b");
    libxl_uuid_generate(&config.c_info.uuid);
    snprintf(path, sizeof(path), "/vm/" LIBXL_UUID_FMT "/name", LIBXL_UUID_BYTES(config.c_info.uuid));
    fixture_write(path, "forgotten");
    assert_int_equal(RUN(s, libxl_domain_create_new(s->ctx, &config, &domid, how, NULL)), 0);
    check_vm_perms(domid);
    libxl_domain_config_dispose(&config);
    destroy(s, domid);
}

/* An earlier domain with the same domid has left nodes. The library removes these nodes and
 * their permissions. */
static void leftovers_of_the_same_domid_are_removed(scene *s)
{
    enum { LIKELY = 3 };
    static const char *const forgotten[] = {"/local/domain/%u/control/shutdown",
                                            "/local/domain/%u/device/vbd/51712",
                                            "/libxl/%u/device/vbd/51712"};
    char path[128];
    libxl_domid before = guest(s, "b", false);
    destroy(s, before);
    for (unsigned domid = before + 1; domid <= before + LIKELY; domid++)
        for (int i = 0; i < 3; i++) {
            snprintf(path, sizeof(path), forgotten[i], domid);
            fixture_write(path, "forgotten");
        }
    libxl_domid domid = guest(s, "b", false);
    assert_in_range(domid, before + 1, before + LIKELY);
    for (int i = 1; i < 3; i++) {
        snprintf(path, sizeof(path), forgotten[i], domid);
        assert_null(fixture_node(path));
    }
    check_all_perms(domid);
    destroy(s, domid);
    for (unsigned other = before + 1; other <= before + LIKELY; other++)
        for (int i = 0; i < 2 && other != domid; i++) {
            snprintf(path, sizeof(path), i ? "/libxl/%u" : "/local/domain/%u", other);
            fixture_write(path, NULL);
        }
}

static const body bodies[] = {
    BODY(a_guest_writes_its_own_nodes_and_reads_the_others),
    BODY(leftovers_of_the_same_uuid_get_the_new_permissions),
    BODY(leftovers_of_the_same_domid_are_removed, ALONE),
};

HARNESS_MAIN(bodies)
