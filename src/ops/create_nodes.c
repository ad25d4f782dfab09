/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writes the nodes of a new domain in xenstore.
 *
 * xenstored examines every domain each time a node changes, and setting permissions is a change. So this file
 * makes few requests. A new node inherits the permissions of its parent. This file sets permissions only
 * where other permissions are needed. It makes no request for a node that xenstored creates as the parent of
 * another node.
 *
 * Owns: nothing. The caller holds the context's lock.
 */
#include "create.h"

#include <stdio.h>
#include <time.h>

#include <libxl_utils.h>

/*
 * A guest may read its tree and write some nodes in it. At first the guest owns the whole tree, so that the nodes
 * which the guest may write inherit this permission. When these nodes exist, their parents are made read-only for the
 * guest. The guest does not run yet.
 */
static void write_guests_nodes(libxl__xs_batch *b, unsigned domid, const libxl_domain_config *config)
{
    const bool driver_domain = libxl_defbool_val(config->c_info.driver_domain);
    const bool hvm = config->c_info.type == LIBXL_DOMAIN_TYPE_HVM;
    static const char *const guests[] = {
        "control/shutdown",
        "control/feature-poweroff",
        "control/feature-reboot",
        "control/feature-suspend",
        "control/sysrq",
        "device/suspend/event-channel",
        "data",
        "drivers",
        "feature",
        "attr",
        "error",
    };
    /* The nodes that `xl devd` writes in a driver domain. */
    static const char *const drivers[] = {"libxl", "device-model"};
    static const char *const sleeps[] = {"control/feature-s3", "control/feature-s4"};
    /* The parents of the nodes in `guests`. */
    static const char *const ours[] = {"", "/control", "/device", "/device/suspend"};
    /* An earlier domain with this domid may have left nodes. */
    libxl__xs_remove(b, "/local/domain/%u", domid);
    libxl__xs_write(b, LIBXL__XS_GUESTS, LIBXL__TREE_OWNER, "/local/domain/%u", domid);
    for (size_t i = 0; i < sizeof(guests) / sizeof(*guests); i++)
        libxl__xs_write(b, LIBXL__XS_INHERITS, "", "/local/domain/%u/%s", domid, guests[i]);
    for (size_t i = 0; hvm && i < sizeof(sleeps) / sizeof(*sleeps); i++)
        libxl__xs_write(b, LIBXL__XS_INHERITS, "", "/local/domain/%u/%s", domid, sleeps[i]);
    for (size_t i = 0; driver_domain && i < sizeof(drivers) / sizeof(*drivers); i++)
        libxl__xs_write(b, LIBXL__XS_INHERITS, "", "/local/domain/%u/%s", domid, drivers[i]);
    for (size_t i = 0; i < sizeof(ours) / sizeof(*ours); i++)
        libxl__xs_permit(b, LIBXL__XS_GUEST_READS, "/local/domain/%u%s", domid, ours[i]);
}

/* Returns whether the vcpu is online at the start. If the configuration has no set of vcpus, all vcpus are online. */
static bool is_available(const libxl_domain_build_info *info, int vcpu)
{
    return !info->avail_vcpus.size || libxl_bitmap_test(&info->avail_vcpus, vcpu);
}

static void write_domain(libxl__xs_batch *b, const libxl__build *build, const libxl_domain_config *config)
{
    const unsigned domid = build->domid;
    write_guests_nodes(b, domid, config);

#define NODE(value, path, ...)                                                                               \
    libxl__xs_write(b, LIBXL__XS_INHERITS, value, "/local/domain/%u/" path, domid, ##__VA_ARGS__)
#define NODE_OF(path, ...)                                                                                   \
    do {                                                                                                     \
        char text[64];                                                                                       \
        snprintf(text, sizeof(text), __VA_ARGS__);                                                           \
        NODE(text, path);                                                                                    \
    } while (0)
    NODE("1048576", "console/limit");
    NODE("xenconsoled", "console/type");
    NODE("pty", "console/output");
    NODE_OF("console/port", "%u", build->console_port);
    NODE(config->c_info.name, "name");
    NODE_OF("vm", "/vm/" LIBXL_UUID_FMT, LIBXL_UUID_BYTES(build->uuid));
    /* This node is written after `vm`, so that a reader that finds `domid` also finds `vm`. */
    NODE_OF("domid", "%u", domid);
    NODE_OF("memory/static-max", "%llu", (unsigned long long)build->max_kb);
    NODE_OF("memory/target", "%llu", (unsigned long long)libxl__build_guest_kb(build));
    NODE_OF("store/port", "%u", build->store_port);
    NODE_OF("store/ring-ref", "%lu", build->store_gfn);
    NODE("1", "control/platform-feature-multiprocessor-suspend");
    NODE("1", "control/platform-feature-xs_reset_watches");
    for (int i = 0; i < config->b_info.max_vcpus; i++)
        NODE(is_available(&config->b_info, i) ? "online" : "offline", "cpu/%d/availability", i);
#undef NODE_OF
#undef NODE
}

/* Writes the time at which the domain was made. `xl uptime` reads this time. */
static void write_start_time(libxl__xs_batch *b, const char *vm)
{
    char text[40];
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    snprintf(text, sizeof(text), "%lld.%02ld", (long long)now.tv_sec, now.tv_nsec / 10000000);
    libxl__xs_write(b, LIBXL__XS_INHERITS, text, "%s/start_time", vm);
}

/* Writes the nodes outside of /local/domain, which other toolstacks read. */
static void write_vm(libxl__xs_batch *b, const libxl__build *build, const libxl_domain_config *config)
{
    char vm[64], uuid[LIBXL_UUID_FMTLEN + 1];
    const unsigned domid = build->domid;
    snprintf(uuid, sizeof(uuid), LIBXL_UUID_FMT, LIBXL_UUID_BYTES(build->uuid));
    snprintf(vm, sizeof(vm), "/vm/%s", uuid);
    /*
     * xenstored makes /vm/UUID itself with the permissions of /vm. So the guest can read the nodes below
     * /vm/UUID, but cannot list them. This file does not set the permissions of /vm/UUID. With hundreds of
     * guests, this one request would take longer than all other requests of the creation, because xenstored
     * reads /vm, with all its names, once for each guest.
     *
     * An earlier domain with this UUID may have left nodes. The requests below set the permissions of these
     * nodes again. They remove no node, because another domain with this UUID may be alive.
     */
    libxl__xs_write(b, LIBXL__XS_GUEST_READS, uuid, "%s/uuid", vm);
    libxl__xs_write(b, LIBXL__XS_GUEST_READS, config->c_info.name, "%s/name", vm);
    write_start_time(b, vm);
    /*
     * An earlier domain with this domid may have left nodes. If the domain is reset, another toolstack may have added a
     * device since the domain's devices were removed. The nodes of this device stay, so that it can be removed.
     */
    if (!build->in_place)
        libxl__xs_remove(b, "/libxl/%u", domid);
    libxl__xs_write(b, LIBXL__XS_INHERITS, libxl_domain_type_to_string(config->c_info.type), "/libxl/%u/type",
                    domid);
    if (config->c_info.type == LIBXL_DOMAIN_TYPE_HVM)
        libxl__create_hvm_nodes(b, build, config);
}

void libxl__create_nodes(libxl__xs_batch *batch, const libxl__build *build, const libxl_domain_config *config)
{
    write_domain(batch, build, config);
    write_vm(batch, build, config);
}

void libxl__create_console(libxl__xs_batch *batch, const libxl__build *build)
{
    char text[32];
    snprintf(text, sizeof(text), "%lu", build->console_gfn);
    libxl__xs_write(batch, LIBXL__XS_INHERITS, text, "/local/domain/%u/console/ring-ref", build->domid);
}
