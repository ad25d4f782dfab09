/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Gathers statistics about all domains. Owns: the lane (worker.h) of these jobs. During a job also owns the job's list.
 * The worker runs unlocked and uses only the job's data.
 *
 * The kernel's backend drivers keep counters in sysfs. A disk's counters are in the directory of its backend,
 * and a network interface's counters are in the directory of the interface. The name of a directory says
 * which domain and device it belongs to: vbd-DOMID-DEVID or vifDOMID.DEVID. Guests cannot choose these names.
 * Each parent directory is listed once. The devices are sorted by domid, as the domains are, so one pass
 * assigns all devices to their domains.
 */
#include "statistics.h"
#include "xen.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DISKS "/sys/bus/xen-backend/devices"
#define NICS  "/sys/class/net"

enum { MOST_AT_ONCE = 2, NUMBER = 32, LONGEST_PATH = 80 };

/* ---- the counters of devices */

typedef struct source {
    const char *file; /* the path of the counter's file, relative to the device's directory */
    size_t offset;    /* the offset of the uint64_t for this counter in the public structure */
} source;

typedef struct kind {
    /* The parent directory, and the format of the names in it, with two numbers: domid and devid. */
    const char *directory, *format;
    const source *sources;
    unsigned count;
    size_t size; /* the size of the public structure, whose first member is the devid */
} kind;

#define OF_DISK(file, member)                                                                                \
    {                                                                                                        \
        "statistics/" file, offsetof(libxl_disk_counters, member)                                            \
    }
#define OF_NIC(file, member)                                                                                 \
    {                                                                                                        \
        "statistics/" file, offsetof(libxl_nic_counters, member)                                             \
    }

static const source disk_sources[] = {
    OF_DISK("rd_req", read_requests),    OF_DISK("wr_req", write_requests),
    OF_DISK("f_req", flush_requests),    OF_DISK("ds_req", discard_requests),
    OF_DISK("oo_req", starved_requests), OF_DISK("rd_sect", read_sectors),
    OF_DISK("wr_sect", write_sectors),
};
/*
 * Octets that the guest transmits are received by the interface in this domain. So each counter of the guest
 * is the opposite counter of the interface.
 */
static const source nic_sources[] = {
    OF_NIC("tx_bytes", rx_octets),    OF_NIC("tx_packets", rx_packets), OF_NIC("tx_errors", rx_errors),
    OF_NIC("tx_dropped", rx_dropped), OF_NIC("rx_bytes", tx_octets),    OF_NIC("rx_packets", tx_packets),
    OF_NIC("rx_errors", tx_errors),   OF_NIC("rx_dropped", tx_dropped),
};

static const kind disk_kind = {DISKS, "vbd-%u-%u%n", disk_sources,
                               sizeof(disk_sources) / sizeof(*disk_sources), sizeof(libxl_disk_counters)};
static const kind nic_kind = {NICS, "vif%u.%u%n", nic_sources, sizeof(nic_sources) / sizeof(*nic_sources),
                              sizeof(libxl_nic_counters)};

/* A device whose directory was found. */
typedef struct device {
    uint32_t domid, devid;
    char name[32];
} device;

typedef struct devices {
    const kind *kind;
    int directory; /* a descriptor of the parent directory; -1: the directory does not exist */
    device *list;  /* the array of devices, sorted by domid and devid */
    size_t count, next;
} devices;

static int compare(const void *a, const void *b)
{
    const device *x = a, *y = b;
    if (x->domid != y->domid)
        return x->domid < y->domid ? -1 : 1;
    return x->devid < y->devid ? -1 : x->devid > y->devid;
}

/*
 * Adds an entry of the parent directory to the list, if the entry is the directory of a device. Returns true,
 * or false if there is no memory.
 */
static bool note(devices *all, size_t *room, const char *name)
{
    device found;
    int end = 0;
    if (sscanf(name, all->kind->format, &found.domid, &found.devid, &end) != 2 || name[end] ||
        strlen(name) >= sizeof(found.name))
        return true;
    if (!all->list || all->count == *room) {
        *room = *room ? 2 * *room : 64;
        device *larger = realloc(all->list, *room * sizeof(*larger));
        if (!larger)
            return false;
        all->list = larger;
    }
    memcpy(found.name, name, strlen(name) + 1);
    all->list[all->count++] = found;
    return true;
}

/*
 * Lists the devices of a kind. If the parent directory does not exist, the list is empty. Returns 0 or an
 * errno.
 */
static int find_devices(devices *all, const kind *of)
{
    *all = (devices){.kind = of, .directory = -1};
    DIR *directory = opendir(of->directory);
    if (!directory)
        return errno == ENOENT ? 0 : errno;
    size_t room = 0;
    bool noted = true;
    for (const struct dirent *entry; noted && (entry = readdir(directory));)
        noted = note(all, &room, entry->d_name);
    all->directory = noted ? fcntl(dirfd(directory), F_DUPFD_CLOEXEC, 0) : -1;
    const int error = !noted ? ENOMEM : all->directory < 0 ? errno : 0;
    closedir(directory);
    if (!error && all->count)
        qsort(all->list, all->count, sizeof(*all->list), compare);
    return error;
}

static void free_devices(devices *all)
{
    free(all->list);
    if (all->directory >= 0)
        close(all->directory);
}

/* Reads a counter. Returns 0 if the device has disappeared. */
static uint64_t read_number(int directory, const char *device, const char *file)
{
    char path[LONGEST_PATH], text[NUMBER];
    ssize_t got = -1;
    snprintf(path, sizeof(path), "%s/%s", device, file);
    const int fd = openat(directory, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    got = read(fd, text, sizeof(text) - 1);
    close(fd);
    text[got > 0 ? got : 0] = 0;
    return strtoull(text, NULL, 10);
}

/*
 * Reads the counters of the domain's devices into a new array. Skips the devices of domains with lower domids.
 * Returns NULL if the domain has no devices, or if there is no memory; in the second case *error is set.
 */
static void *take_devices(devices *all, uint32_t domid, int *count, int *error)
{
    while (all->next < all->count && all->list[all->next].domid < domid)
        all->next++;
    size_t end = all->next;
    while (end < all->count && all->list[end].domid == domid)
        end++;
    *count = (int)(end - all->next);
    if (!*count)
        return NULL;
    char *array = calloc((size_t)*count, all->kind->size);
    if (!array) {
        *error = ENOMEM;
        return NULL;
    }
    for (char *at = array; all->next < end; all->next++, at += all->kind->size) {
        const device *d = &all->list[all->next];
        memcpy(at, &d->devid, sizeof(d->devid));
        for (unsigned i = 0; i < all->kind->count; i++) {
            const uint64_t number = read_number(all->directory, d->name, all->kind->sources[i].file);
            memcpy(at + all->kind->sources[i].offset, &number, sizeof(number));
        }
    }
    return array;
}

_Static_assert(offsetof(libxl_disk_counters, devid) == 0 && offsetof(libxl_nic_counters, devid) == 0,
               "take_devices stores the devid first");

/* ---- the list of domains */

/* Appends all domains to the list. Returns 0 or an errno. */
static int list_domains(libxl_ctx *ctx, libxl_domain_counters_list *list)
{
    xc_domaininfo_t page[LIBXL__HV_PAGE];
    uint32_t first = 0;
    int got, room = 0;
    do {
        got = libxl__hv_list_page(ctx, &first, page);
        if (got < 0)
            return errno;
        if (list->num_domains + got > room) {
            room = room ? 2 * room : 4 * LIBXL__HV_PAGE;
            libxl_domain_counters *larger = realloc(list->domains, (size_t)room * sizeof(*larger));
            if (!larger)
                return ENOMEM;
            list->domains = larger;
        }
        for (int i = 0; i < got; i++) {
            libxl_domain_counters *domain = &list->domains[list->num_domains++];
            *domain = (libxl_domain_counters){.num_vcpus = 0};
            libxl__hv_dominfo(&page[i], &domain->info);
            domain->info.ssid_label = libxl__hv_label(ctx, page[i].ssidref);
        }
    } while (got == LIBXL__HV_PAGE);
    return 0;
}

/* Gets the states of the domain's vcpus. A domain that is gone gets no vcpus. Returns 0 or an errno. */
static int look_at_vcpus(xc_interface *xch, libxl_domain_counters *domain)
{
    const uint32_t most =
        domain->info.vcpu_max_id == XEN_INVALID_MAX_VCPU_ID ? 0 : domain->info.vcpu_max_id + 1;
    domain->vcpus = calloc(most ? most : 1, sizeof(*domain->vcpus));
    if (!domain->vcpus)
        return ENOMEM;
    for (uint32_t i = 0; i < most; i++) {
        xc_vcpuinfo_t info;
        if (xc_vcpu_getinfo(xch, domain->info.domid, i, &info)) {
            if (errno != ESRCH && errno != EINVAL)
                return errno;
            domain->num_vcpus = 0;
            return 0;
        }
        domain->vcpus[domain->num_vcpus++] = (libxl_vcpu_counters){.vcpuid = i,
                                                                   .cpu = info.cpu,
                                                                   .online = info.online,
                                                                   .blocked = info.blocked,
                                                                   .running = info.running,
                                                                   .cpu_time = info.cpu_time};
    }
    return 0;
}

static int look_at_devices(libxl_domain_counters *domain, devices *disks, devices *nics)
{
    int error = 0;
    domain->disks = take_devices(disks, domain->info.domid, &domain->num_disks, &error);
    domain->num_disks = error ? 0 : domain->num_disks;
    if (!error)
        domain->nics = take_devices(nics, domain->info.domid, &domain->num_nics, &error);
    domain->num_nics = error ? 0 : domain->num_nics;
    return error;
}

/* ---- the job */

static int gather(libxl_ctx *ctx, libxl__statistics *s, devices *disks, devices *nics)
{
    xc_interface *xch = libxl__xch(ctx);
    int error = list_domains(ctx, &s->list);
    if (!error && s->devices)
        error = find_devices(disks, &disk_kind);
    if (!error && s->devices)
        error = find_devices(nics, &nic_kind);
    for (int i = 0; !error && i < s->list.num_domains; i++) {
        if (atomic_load(&s->cancel))
            return ECANCELED;
        if (s->vcpus)
            error = look_at_vcpus(xch, &s->list.domains[i]);
        if (!error && s->devices)
            error = look_at_devices(&s->list.domains[i], disks, nics);
    }
    return error;
}

static void work(libxl_ctx *ctx, libxl__job *job)
{
    libxl__statistics *s = LIBXL__CONTAINER(job, libxl__statistics, job);
    devices disks = {.directory = -1}, nics = {.directory = -1};
    s->errnoval = gather(ctx, s, &disks, &nics);
    free_devices(&disks);
    free_devices(&nics);
    if (s->errnoval)
        libxl_domain_counters_list_dispose(&s->list);
}

void libxl__statistics_open(libxl_ctx *ctx)
{
    libxl__lane_open(ctx, &ctx->xen->statistics_lane, "xl-statistics", MOST_AT_ONCE, false);
}

int libxl__statistics_start(libxl__ao *ao, libxl__statistics *statistics)
{
    statistics->job.work = work;
    return libxl__job_submit(&ao->ctx->xen->statistics_lane, ao, &statistics->job);
}
