/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Like libxl_calls.c, this file is a program written for libxl. It uses the types and functions that describe
 * the host. tests/libxl compiles the program against Debian's headers and against aioxen's.
 * tests/c/libxl_client runs the program.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libxl_utils.h>

#include "libxl_calls.h"

static const char *structs(libxl_ctx *ctx)
{
    CALLS_OF_STRUCT(cpupoolinfo);
    CALLS_OF_STRUCT(vminfo);
    CALLS_OF_STRUCT(pcitopology);
    CALLS_OF_STRUCT(psr_cat_info);
    CALLS_OF_STRUCT(psr_hw_info);
    CALLS_OF_STRUCT(usbctrlinfo);
    CALLS_OF_STRUCT(connectorinfo);
    CALLS_OF_STRUCT(vdisplinfo);
    CALLS_OF_STRUCT(streaminfo);
    CALLS_OF_STRUCT(pcminfo);
    CALLS_OF_STRUCT(vsndinfo);
    CALLS_OF_STRUCT(domain_remus_info);
    libxl_psr_hw_info info;
    libxl_psr_hw_info_init(&info);
    libxl_psr_hw_info_init_type(&info, LIBXL_PSR_FEAT_TYPE_MBA);
    CHECK(info.type == LIBXL_PSR_FEAT_TYPE_MBA && !info.u.mba.linear);
    libxl_psr_hw_info_dispose(&info);
    const libxl_hwcap words = {1, 2};
    libxl_hwcap copy;
    libxl_hwcap_copy(ctx, &copy, &words);
    CHECK(copy[0] == 1 && copy[1] == 2 && !copy[7]);
    return NULL;
}

/* Moves processor 1 and the domain between cpupools. Needs two processors. */
static const char *processors_of_cpupools(libxl_ctx *ctx, uint32_t domid, uint32_t poolid)
{
    int count;
    libxl_bitmap free_cpus, cpus;
    libxl_cpupoolinfo info;
    CHECK(!libxl_cpu_bitmap_alloc(ctx, &cpus, 0));
    CHECK(!libxl_cpupool_cpuremove(ctx, 0, 1) && !libxl_cpupool_cpuadd(ctx, poolid, 1));
    CHECK(!libxl_cpupool_info(ctx, &info, poolid) && libxl_bitmap_test(&info.cpumap, 1));
    libxl_cpupoolinfo_dispose(&info);
    CHECK(!libxl_cpupool_movedomain(ctx, poolid, domid) && !libxl_cpupool_movedomain(ctx, 0, domid));
    libxl_bitmap_set(&cpus, 1);
    CHECK(!libxl_cpupool_cpuremove_cpumap(ctx, poolid, &cpus));
    CHECK(!libxl_get_freecpus(ctx, &free_cpus) && libxl_bitmap_test(&free_cpus, 1));
    libxl_bitmap_dispose(&free_cpus);
    CHECK(!libxl_cpupool_cpuadd_cpumap(ctx, poolid, &cpus));
    libxl_bitmap_dispose(&cpus);
    CHECK(!libxl_cpupool_cpuremove_node(ctx, poolid, 0, &count) && count == 1);
    CHECK(!libxl_cpupool_cpuadd_node(ctx, 0, 0, &count) && count == 1);
    return NULL;
}

static const char *cpupools(libxl_ctx *ctx, uint32_t domid)
{
    int count, was_name;
    uint32_t poolid = LIBXL_CPUPOOL_POOLID_ANY, found;
    libxl_bitmap cpus;
    CHECK(!libxl_cpu_bitmap_alloc(ctx, &cpus, 0));
    CHECK(!libxl_cpupool_create(ctx, "pool-of-calls", LIBXL_SCHEDULER_CREDIT2, cpus, NULL, &poolid));
    libxl_cpupoolinfo *list = libxl_list_cpupool(ctx, &count);
    CHECK(list && count > 1 && !strcmp(list[0].pool_name, "Pool-0"));
    libxl_cpupoolinfo_list_free(list, count);
    CHECK(!libxl_cpupool_rename(ctx, "renamed", poolid));
    CHECK(!libxl_name_to_cpupoolid(ctx, "renamed", &found) && found == poolid);
    CHECK(!libxl_cpupool_qualifier_to_cpupoolid(ctx, "renamed", &found, &was_name) && was_name);
    CHECK(!libxl_cpupool_qualifier_to_cpupoolid(ctx, "0", &found, &was_name) && !found && !was_name);
    CHECK(libxl_cpupoolid_is_valid(ctx, poolid) && !libxl_cpupoolid_is_valid(ctx, 77));
    char *name = libxl_cpupoolid_to_name(ctx, poolid);
    CHECK(name && !strcmp(name, "renamed"));
    free(name);

    if (libxl_get_online_cpus(ctx) > 1) {
        const char *wrong = processors_of_cpupools(ctx, domid, poolid);
        if (wrong)
            return wrong;
    }
    libxl_bitmap_dispose(&cpus);
    CHECK(!libxl_cpupool_destroy(ctx, poolid) && !libxl_cpupoolid_is_valid(ctx, poolid));
    return NULL;
}

/* Returns whether the hypervisor knows the core of a processor. It does not on QEMU's emulated processor. */
static bool topology_is_known(libxl_ctx *ctx)
{
    int count;
    libxl_cputopology *cpus = libxl_get_cpu_topology(ctx, &count);
    const bool known = cpus && cpus[0].core != LIBXL_CPUTOPOLOGY_INVALID_ENTRY;
    libxl_cputopology_list_free(cpus, count);
    return known;
}

static const char *sets(libxl_ctx *ctx)
{
    libxl_bitmap nodes, cpus, sockets;
    int count;
    libxl_bitmap_init(&nodes);
    libxl_bitmap_init(&cpus);
    libxl_bitmap_init(&sockets);
    if (topology_is_known(ctx)) {
        CHECK(!libxl_node_to_cpumap(ctx, 0, &cpus) && libxl_bitmap_test(&cpus, 0));
        CHECK(!libxl_cpumap_to_nodemap(ctx, &cpus, &nodes) && libxl_bitmap_test(&nodes, 0));
        CHECK(!libxl_nodemap_to_cpumap(ctx, &nodes, &cpus) && libxl_bitmap_test(&cpus, 0));
        CHECK(!libxl_socket_bitmap_alloc(ctx, &sockets, 0));
        CHECK(!libxl_get_online_socketmap(ctx, &sockets) && libxl_bitmap_test(&sockets, 0));
    }
    libxl_bitmap_dispose(&nodes);
    libxl_bitmap_dispose(&cpus);
    libxl_bitmap_dispose(&sockets);
    libxl_pcitopology *devices = libxl_get_pci_topology(ctx, &count);
    CHECK(devices || !count);
    libxl_pcitopology_list_free(devices, count);
    libxl_device_pci *assignable = libxl_device_pci_assignable_list(ctx, &count);
    CHECK(assignable || !count);
    libxl_device_pci_assignable_list_free(assignable, count);
    libxl_device_pci nothing = {.domain = 0xffff, .bus = 0xff};
    CHECK(libxl_device_pci_assignable_add(ctx, &nothing, 1));
    CHECK(libxl_device_pci_assignable_remove(ctx, &nothing, 1));
    CHECK(!libxl_device_pci_list(ctx, 0x7000, &count) && !count);
    libxl_device_pci_list_free(NULL, 0);
    return NULL;
}

static const char *domains(libxl_ctx *ctx, uint32_t domid)
{
    uint32_t found = 0;
    int count;
    CHECK(!libxl_domain_qualifier_to_domid(ctx, "17", &found) && found == 17);
    CHECK(!libxl_domain_qualifier_to_domid(ctx, "Domain-0", &found) && !found);
    CHECK(libxl_domain_qualifier_to_domid(ctx, "nobody", &found));
    CHECK(!libxl_get_stubdom_id(ctx, (int)domid) && !libxl_is_stubdom(ctx, domid, &found));
    CHECK(libxl_domid_valid_guest(1) && !libxl_domid_valid_guest(0) && !libxl_domid_valid_guest(0x7ff0));
    CHECK(libxl_vm_get_start_time(ctx, domid) > 1000000000u);
    CHECK(libxl_vm_get_start_time(ctx, 0) == (uint32_t)-1);
    libxl_vminfo *vms = libxl_list_vm(ctx, &count);
    CHECK(vms && count >= 2 && !vms[0].domid);
    libxl_vminfo_list_free(vms, count);
    CHECK(!libxl_clear_domid_history(ctx));
    return NULL;
}

static const char *strings(libxl_ctx *ctx)
{
    char *name = (char *)libxl_basename("a/b"), *copy, *phy = strdup("phy");
    libxl_disk_backend backend;
    CHECK(name && !strcmp(name, "b"));
    libxl_string_copy(ctx, &copy, &name);
    CHECK(copy && copy != name && !strcmp(copy, name));
    free(copy);
    free(name);
    CHECK(!libxl_string_to_backend(ctx, phy, &backend) && backend == LIBXL_DISK_BACKEND_PHY);
    free(phy);
    CHECK(libxl_get_required_shadow_memory(1 << 20, 1) == 9216);
    libxl_ms_vm_genid id = {{0}};
    CHECK(!libxl_ms_vm_genid_generate(ctx, &id) && !libxl_ms_vm_genid_is_zero(&id));
    return NULL;
}

static const char *files(libxl_ctx *ctx)
{
    int pipes[2], size = 7;
    char octets[3], *path;
    void *data = octets;
    CHECK(!libxl_pipe(ctx, pipes));
    CHECK(!libxl_fd_set_cloexec(ctx, pipes[0], 1) && !libxl_fd_set_nonblock(ctx, pipes[0], 0));
    CHECK(!libxl_write_exactly(ctx, pipes[1], "abc", 3, "the pipe", "three octets"));
    CHECK(!libxl_read_exactly(ctx, pipes[0], octets, 3, "the pipe", NULL) && !memcmp(octets, "abc", 3));
    close(pipes[1]);
    CHECK(libxl_read_exactly(ctx, pipes[0], octets, 1, "the pipe", NULL) == EPROTO);
    close(pipes[0]);
    CHECK(libxl_read_file_contents(ctx, "/nowhere/at/all", &data, &size) == ENOENT && data == octets);
    CHECK(!libxl_read_file_contents(ctx, "/etc/passwd", &data, &size) && size > 0);
    free(data);
    CHECK(!libxl_create_logfile(ctx, "calls-of-libxl", &path));
    CHECK(!strcmp(path, "/var/log/xen/calls-of-libxl.log"));
    free(path);
    libxl_report_child_exitstatus(ctx, XTL_DEBUG, "a child", 1, 0);
    return NULL;
}

/* Calls functions for features that the tests' machine lacks: its hypervisor has no FLASK, and its processors
 * share nothing that can be divided. */
static const char *absent(libxl_ctx *ctx, uint32_t domid)
{
    char text[] = "x", *label, params[] = "nothing=1";
    uint32_t number;
    uint64_t value, tsc;
    size_t length;
    int count;
    unsigned sockets;
    libxl_psr_cat_info *cat;
    libxl_psr_hw_info *hw;
    libxl_bitmap map;
    CHECK(libxl_flask_getenforce(ctx) == -1 && errno == ENOSYS && libxl_flask_setenforce(ctx, 1) == -1);
    CHECK(libxl_flask_loadpolicy(ctx, text, 1) == -1);
    CHECK(libxl_flask_context_to_sid(ctx, text, 1, &number) == -1);
    CHECK(libxl_flask_sid_to_context(ctx, 1, &label, &length) == -1);
    CHECK(libxl_set_parameters(ctx, params) == ERROR_FAIL);

    if (!topology_is_known(ctx))
        return NULL; /* The remaining calls need processors that share a socket. */
    CHECK(!libxl_socket_bitmap_alloc(ctx, &map, 0));
    libxl_bitmap_set(&map, 0);
    CHECK(libxl_psr_cmt_attach(ctx, domid) == ERROR_FAIL && libxl_psr_cmt_detach(ctx, domid) == ERROR_FAIL);
    CHECK(!libxl_psr_cmt_domain_attached(ctx, domid) && !libxl_psr_cmt_enabled(ctx));
    CHECK(!libxl_psr_cmt_type_supported(ctx, LIBXL_PSR_CMT_TYPE_CACHE_OCCUPANCY));
    CHECK(libxl_psr_cmt_get_total_rmid(ctx, &number) == ERROR_FAIL);
    CHECK(libxl_psr_cmt_get_l3_cache_size(ctx, 0, &number) == ERROR_FAIL);
    CHECK(libxl_psr_cmt_get_cache_occupancy(ctx, domid, 0, &number));
    CHECK(libxl_psr_cmt_get_sample(ctx, domid, LIBXL_PSR_CMT_TYPE_TOTAL_MEM_COUNT, 0, &value, &tsc));
    CHECK(libxl_psr_get_val(ctx, domid, LIBXL_PSR_CBM_TYPE_L3_CBM, 0, &value) == ERROR_FAIL);
    CHECK(libxl_psr_set_val(ctx, domid, LIBXL_PSR_CBM_TYPE_L3_CBM, &map, 1) == ERROR_FAIL);
    CHECK(libxl_psr_cat_get_cbm(ctx, domid, LIBXL_PSR_CBM_TYPE_L3_CBM, 0, &value) == ERROR_FAIL);
    CHECK(libxl_psr_cat_set_cbm(ctx, domid, LIBXL_PSR_CBM_TYPE_L3_CBM, &map, 1) == ERROR_FAIL);
    libxl_bitmap_dispose(&map);
    CHECK(libxl_psr_get_hw_info(ctx, LIBXL_PSR_FEAT_TYPE_CAT, 3, &sockets, &hw) == ERROR_FAIL);
    CHECK(libxl_psr_cat_get_info(ctx, &cat, &sockets, 3) == ERROR_FAIL);
    CHECK(libxl_psr_cat_get_l3_info(ctx, &cat, &count) == ERROR_FAIL);
    libxl_psr_hw_info_list_free(NULL, 0);
    libxl_psr_cat_info_list_free(NULL, 0);
    return NULL;
}

static const char *messages(libxl_ctx *ctx, uint32_t domid)
{
    char *line;
    libxl_xen_console_reader *reader = libxl_xen_console_read_start(ctx, 0);
    CHECK(reader && libxl_xen_console_read_line(ctx, reader, &line) == 1 && line[0] == '(');
    CHECK(line[strlen(line) - 1] == '\n');
    while (libxl_xen_console_read_line(ctx, reader, &line) == 1)
        CHECK(line);
    libxl_xen_console_read_finish(ctx, reader);
    CHECK(libxl_vncviewer_exec(ctx, domid, 0) == ERROR_FAIL);

    libxl_cpuid_policy_list policy = NULL;
    CHECK(!libxl_cpuid_parse_config(&policy, "tm=0") && libxl_cpuid_policy_list_length(&policy) == 1);
    CHECK(!libxl_cpuid_parse_config(&policy, "sse3=x") && libxl_cpuid_policy_list_length(&policy) == 1);
    CHECK(libxl_cpuid_parse_config(&policy, "host") == 1 && libxl_cpuid_parse_config(&policy, "no=1") == 2);
    CHECK(!libxl_cpuid_parse_config_xend(&policy, "7,0:ebx=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx0"));
    CHECK(libxl_cpuid_policy_list_length(&policy) == 2);
    CHECK(libxl_cpuid_parse_config_xend(&policy, "host") == 1);
    CHECK(libxl_cpuid_parse_config_xend(&policy, "1:ebx=1"));
    libxl_cpuid_dispose(&policy);
    return NULL;
}

static const char *tmem(libxl_ctx *ctx)
{
    char text[] = "x";
    CHECK(!libxl_tmem_list(ctx, 0, 0) && libxl_tmem_freeze(ctx, 0) == ERROR_FAIL);
    CHECK(libxl_tmem_thaw(ctx, 0) == ERROR_FAIL && libxl_tmem_set(ctx, 0, text, 0) == ERROR_FAIL);
    CHECK(libxl_tmem_shared_auth(ctx, 0, text, 0) == ERROR_FAIL && libxl_tmem_freeable(ctx) == ERROR_FAIL);
    return NULL;
}

const char *libxl_host_calls(libxl_ctx *ctx, uint32_t domid)
{
    const char *failed = structs(ctx);
    failed = failed ? failed : cpupools(ctx, domid);
    failed = failed ? failed : sets(ctx);
    failed = failed ? failed : domains(ctx, domid);
    failed = failed ? failed : strings(ctx);
    failed = failed ? failed : files(ctx);
    failed = failed ? failed : absent(ctx, domid);
    failed = failed ? failed : messages(ctx, domid);
    return failed ? failed : tmem(ctx);
}
