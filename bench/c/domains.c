/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: the handles to the hypervisor and to xenstored, from their first use to the end of the program. Also
 * owns the domains, which it destroys at exit. Only one thread may call the functions.
 */
#include "domains.h"

#include <stdio.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include <stdlib.h>
#include <string.h>

#include <xenctrl.h>
#include <xenguest.h>
#include <xenstore.h>

#include "bench.h"

enum { RING_GFN = 0xfeffc, MOST = 16384 };

static uint32_t made[MOST];
static unsigned count;

void domains_end(void)
{
    while (count)
        xc_domain_destroy(domains_xc(), made[--count]);
}

xc_interface *domains_xc(void)
{
    static xc_interface *xc;
    if (!xc)
        bench_check(xc = xc_interface_open(NULL, NULL, 0), "xc_interface_open");
    return xc;
}

struct xs_handle *domains_xs(void)
{
    static struct xs_handle *xs;
    if (!xs)
        bench_check(xs = xs_open(0), "xs_open");
    return xs;
}

static uint32_t create(uint32_t flags)
{
    struct xen_domctl_createdomain config = {
        .flags = flags, .max_vcpus = 1, .max_evtchn_port = 1023, .grant_opts = 1};
    uint32_t domid = 0;
    bench_check(count < MOST, "too many domains");
    if (!count)
        atexit(domains_end);
    bench_check(!xc_domain_create(domains_xc(), &domid, &config), "xc_domain_create");
    bench_check(!xc_domain_max_vcpus(domains_xc(), domid, config.max_vcpus), "xc_domain_max_vcpus");
    return made[count++] = domid;
}

uint32_t domain_bare(void)
{
    return create(0);
}

uint32_t domain_pvh(void)
{
    return create(XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap);
}

static void name(uint32_t domid)
{
    char path[64], value[32];
    static const char *const nodes[] = {"domid", "name"};
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof(path), "/local/domain/%u/%s", domid, nodes[i]);
        snprintf(value, sizeof(value), i ? "bench-%u" : "%u", domid);
        bench_check(xs_write(domains_xs(), XBT_NULL, path, value, (unsigned)strlen(value)), "xs_write");
    }
}

uint32_t domain_named(void)
{
    uint32_t domid = create(0);
    name(domid);
    return domid;
}

uint32_t domain_introduced(void)
{
    xc_interface *xc = domains_xc();
    uint32_t domid = create(0);
    /* The number of a guest frame. The call that populates a PV domain's memory replaces it by the number of
     * the machine frame. */
    xen_pfn_t ring = RING_GFN;
    bench_check(!xc_domain_setmaxmem(xc, domid, 64), "xc_domain_setmaxmem");
    bench_check(!xc_domain_populate_physmap_exact(xc, domid, 1, 0, 0, &ring), "xc_domain_populate_physmap");
    int port = xc_evtchn_alloc_unbound(xc, domid, 0);
    bench_check(port > 0, "xc_evtchn_alloc_unbound");
    bench_check(!xc_dom_gnttab_seed(xc, domid, false, 0, ring, 0, 0), "xc_dom_gnttab_seed");
    bench_check(xs_introduce_domain(domains_xs(), domid, ring, (unsigned)port), "xs_introduce_domain");
    name(domid);
    return domid;
}

void domain_stops(uint32_t domid)
{
    bench_check(!xc_domain_shutdown(domains_xc(), (int)domid, 0), "xc_domain_shutdown");
}

static void count_in(const char *directory, const char *const *files)
{
    char path[128];
    bench_check(!mkdir(directory, 0755), "mkdir");
    snprintf(path, sizeof(path), "%s/statistics", directory);
    bench_check(!mkdir(path, 0755), "mkdir");
    for (; *files; files++) {
        snprintf(path, sizeof(path), "%s/statistics/%s", directory, *files);
        FILE *file = fopen(path, "w");
        bench_check(file && fputs("123456789\n", file) >= 0 && !fclose(file), path);
    }
}

void domain_counted(uint32_t domid)
{
    static const char *const of_disk[] = {"oo_req", "rd_req",  "wr_req",  "f_req",
                                          "ds_req", "rd_sect", "wr_sect", NULL};
    static const char *const of_nic[] = {"rx_bytes",   "rx_packets", "rx_errors",  "rx_dropped", "tx_bytes",
                                         "tx_packets", "tx_errors",  "tx_dropped", NULL};
    char path[128], disks[64];
    /* In the simulation this path is a symbolic link. The simulation does not create files through
     * the link. */
    const ssize_t length = readlink("/sys/bus/xen-backend", disks, sizeof(disks) - 1);
    bench_check(length > 0, "/sys/bus/xen-backend");
    disks[length] = 0;
    for (unsigned devid = 51712; devid <= 51728; devid += 16) {
        snprintf(path, sizeof(path), "%s/devices/vbd-%u-%u", disks, domid, devid);
        count_in(path, of_disk);
    }
    snprintf(path, sizeof(path), "/sys/class/net/vif%u.0", domid);
    count_in(path, of_nic);
}
