/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Measures a floor: only the hypercalls and the reads of files that statistics of all domains need.
 *
 * statistics DOMAINS N   reads N times the statistics of DOMAINS domains with two disks and a network interface each;
 *                        "ms" is the median time of one reading
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "domains.h"

/*
 * The number of entries in one call. They fit into one page. libxencall keeps only buffers of one page, so a larger
 * call would allocate a buffer each time.
 */
enum { PAGE = 30 };

static void hypercalls(xc_interface *xc)
{
    static xc_domaininfo_t page[PAGE];
    xc_vcpuinfo_t vcpu;
    int got;
    for (uint32_t first = 0; (got = xc_domain_getinfolist(xc, first, PAGE, page)) > 0;
         first = page[got - 1].domain + 1u)
        for (int i = 0; i < got; i++)
            for (uint32_t v = 0; v <= page[i].max_vcpu_id; v++)
                bench_check(!xc_vcpu_getinfo(xc, page[i].domain, v, &vcpu), "xc_vcpu_getinfo");
}

/* For each entry of `directory` whose name begins with `prefix`, reads the files `files` of this entry. */
static void reads(const char *directory, const char *prefix, const char *const *files)
{
    char path[512], text[32];
    DIR *list = opendir(directory);
    bench_check(list, directory);
    for (const struct dirent *entry; (entry = readdir(list));)
        for (const char *const *file = files; !strncmp(entry->d_name, prefix, 3) && *file; file++) {
            snprintf(path, sizeof(path), "%s/statistics/%s", entry->d_name, *file);
            int fd = openat(dirfd(list), path, O_RDONLY | O_CLOEXEC);
            bench_check(fd >= 0 && read(fd, text, sizeof(text)) > 0, path);
            close(fd);
        }
    closedir(list);
}

int main(int argc, char **argv)
{
    static const char *const of_disk[] = {"oo_req", "rd_req",  "wr_req",  "f_req",
                                          "ds_req", "rd_sect", "wr_sect", NULL};
    static const char *const of_nic[] = {"rx_bytes",   "rx_packets", "rx_errors",  "rx_dropped", "tx_bytes",
                                         "tx_packets", "tx_errors",  "tx_dropped", NULL};
    const long domains = bench_number(argc, argv, 1), times = bench_number(argc, argv, 2);
    double *took = calloc((size_t)times, sizeof(*took));
    xc_interface *xc = domains_xc();
    bench_check(took, "calloc");
    for (long i = 0; i < domains; i++)
        domain_counted(domain_bare());
    for (long i = -1; i < times; i++) { /* the first round is a warm-up and is not counted */
        const uint64_t began = bench_now();
        hypercalls(xc);
        reads("/sys/bus/xen-backend/devices", "vbd", of_disk);
        reads("/sys/class/net", "vif", of_nic);
        if (i >= 0)
            took[i] = (double)(bench_now() - began) / 1e6;
    }
    bench_say("ms", bench_median(took, (size_t)times));
    free(took);
    return bench_done();
}
