/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns the domains: their numbers, states and ends. Lock: machine->lock for all functions.
 *
 * Lifetime: a domain is alive from domain_create to domain_destroy. Then it is dying until three conditions
 * are met: no process maps its memory, the process that simulates the guests was notified, and the configured
 * time is over. The next domain_get or domain_next then frees the domain. A struct domain pointer is valid
 * until the lock is released.
 */
#include "machine.h"

#include <poll.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/uio.h>
#include <unistd.h>

/* The greatest numbers of vcpus, as in a real hypervisor on a large machine. */
#define MAX_VCPUS_PV  8192
#define MAX_VCPUS_HVM 128
/* The greatest numbers of frames of a grant table and of a maptrack table: the hypervisor's defaults. */
#define MOST_GRANT_FRAMES    64
#define MOST_MAPTRACK_FRAMES 1024

/*
 * Returns whether a process has ended. A process that has ended and that its parent has not reaped counts as
 * ended, because the kernel has unmapped its memory.
 */
static bool has_ended(pid_t pid)
{
    char octet;
    struct iovec here = {.iov_base = &octet, .iov_len = 1}, there = {.iov_base = NULL, .iov_len = 1};
    if (process_vm_readv(pid, &here, 1, &there, 1, 0) >= 0 || errno != ESRCH)
        return false;
    /*
     * If only the first thread has ended, the other threads still map the memory. So the end of all threads
     * is checked.
     */
    struct pollfd all = {.fd = pidfd_open(pid, 0), .events = POLLIN};
    if (all.fd < 0)
        return errno == ESRCH;
    bool ended = poll(&all, 1, 0) == 1;
    close(all.fd);
    return ended;
}

static bool is_held(struct domain *d)
{
    bool held = false;
    for (int i = 0; i < MAX_HOLDERS; i++) {
        struct holder *h = &d->holders[i];
        if (h->maps && has_ended(h->pid))
            h->maps = 0;
        held |= h->maps != 0;
    }
    return held;
}

static void set_slot(uint32_t domid, uint16_t slot)
{
    uint64_t bit = 1ull << domid % 64;
    machine->slot_of[domid] = slot;
    machine->domids[domid / 64] &= ~bit;
    machine->domids[domid / 64] |= slot ? bit : 0;
}

static bool has_gone(struct domain *d)
{
    if (d->state != DOMAIN_DYING || d->ports[0].queued || now_ns() < d->gone_ns || is_held(d))
        return false;
    d->state = DOMAIN_FREE;
    set_slot(d->domid, 0);
    machine->nr_domains--;
    return true;
}

struct domain *domain_get(uint32_t domid)
{
    if (domid == DOMID_SELF)
        domid = 0;
    if (domid >= DOMID_FIRST_RESERVED || !machine->slot_of[domid])
        return NULL;
    struct domain *d = &machine->domains[machine->slot_of[domid] - 1];
    return has_gone(d) ? NULL : d;
}

struct domain *domain_next(uint32_t domid)
{
    while (domid < DOMID_FIRST_RESERVED) {
        uint64_t rest = machine->domids[domid / 64] >> domid % 64;
        if (!rest) {
            domid = (domid / 64 + 1) * 64;
            continue;
        }
        domid += (uint32_t)__builtin_ctzll(rest);
        struct domain *d = domain_get(domid);
        if (d)
            return d;
        domid++;
    }
    return NULL;
}

struct domain_big *domain_big(const struct domain *d)
{
    return &machine->big[d - machine->domains];
}

/* Returns an unused struct domain. The search begins where the last search has ended. */
static struct domain *take_slot(void)
{
    for (uint32_t i = 0; i < MAX_DOMAINS; i++) {
        struct domain *d = &machine->domains[machine->next_slot++ % MAX_DOMAINS];
        if (d->state == DOMAIN_FREE || has_gone(d))
            return d;
    }
    return NULL;
}

static long take_domid(uint32_t wanted)
{
    if (wanted && wanted < DOMID_FIRST_RESERVED)
        return domain_get(wanted) ? -EEXIST : (long)wanted;
    for (uint32_t i = 1; i < DOMID_FIRST_RESERVED; i++) {
        uint32_t domid = machine->next_domid;
        machine->next_domid = domid + 1 < DOMID_FIRST_RESERVED ? domid + 1 : 1;
        if (!domain_get(domid))
            return domid;
    }
    return -ENOMEM;
}

/* Returns whether the machine has all capabilities that the domain needs. */
static bool is_possible(const struct xen_domctl_createdomain *config)
{
    static const uint32_t of_grants[] = {0, XEN_SYSCTL_PHYSCAP_gnttab_v1, XEN_SYSCTL_PHYSCAP_gnttab_v2};
    bool hvm = config->flags & XEN_DOMCTL_CDF_hvm, hap = config->flags & XEN_DOMCTL_CDF_hap;
    uint32_t grants = config->grant_opts & XEN_DOMCTL_GRANT_version_mask;
    if (!grants || grants > 2 || (hap && !hvm))
        return false;
    uint32_t needed = config->flags & XEN_DOMCTL_CDF_iommu ? XEN_SYSCTL_PHYSCAP_directio : 0;
    needed |= of_grants[grants] | (hvm ? XEN_SYSCTL_PHYSCAP_hvm : XEN_SYSCTL_PHYSCAP_pv);
    if (hvm)
        needed |= hap ? XEN_SYSCTL_PHYSCAP_hap : XEN_SYSCTL_PHYSCAP_shadow;
    return !(needed & ~machine->capabilities);
}

long domain_create(uint32_t *domid, const struct xen_domctl_createdomain *config)
{
    bool hvm = config->flags & XEN_DOMCTL_CDF_hvm;
    if (!is_possible(config))
        return -EINVAL;
    const struct cpupool *pool = cpupool_get(config->cpupool_id);
    if (!pool || !pool->cpus || config->max_grant_frames > MOST_GRANT_FRAMES ||
        config->max_maptrack_frames > MOST_MAPTRACK_FRAMES)
        return -EINVAL;
    if ((config->flags & ~(XEN_DOMCTL_CDF_MAX * 2 - 1)) || !config->max_vcpus ||
        config->max_vcpus > (hvm ? MAX_VCPUS_HVM : MAX_VCPUS_PV))
        return -EINVAL;
    long id = take_domid(*domid);
    if (id < 0)
        return id;
    struct domain *d = take_slot();
    if (!d || machine->free_frames < GRANT_FRAMES + 1)
        return -ENOMEM;

    /* This also empties the arrays in domain_big(d), because their sizes are members of *d. */
    memset(d, 0, sizeof *d);
    d->domid = id;
    d->state = DOMAIN_ALIVE;
    d->serial = machine->next_serial++;
    d->pause_count = 1;
    d->flags = config->flags;
    d->ssidref = config->ssidref;
    d->cpupool = config->cpupool_id;
    d->max_vcpus = config->max_vcpus;
    d->max_port = config->max_evtchn_port;
    d->arch = config->arch;
    memcpy(d->handle, config->handle, sizeof d->handle);
    vcpus_reset(d);
    for (int i = 0; i < GRANT_FRAMES; i++)
        d->grant_frame[i] = frames_alloc(d, 1);
    d->shared_info = frames_alloc(d, 1);
    d->ports[0].listener = machine->player;

    set_slot(id, d - machine->domains + 1);
    machine->nr_domains++;
    if (id > machine->top_domid)
        machine->top_domid = id;
    *domid = id;
    return 0;
}

long domain_destroy(struct domain *d)
{
    if (!d->domid)
        return -EINVAL;
    if (d->state == DOMAIN_DYING)
        return 0;
    channels_reset(d->domid);
    domain_run(d, false);
    frames_free_all(d);
    pci_release(d);
    d->state = DOMAIN_DYING;
    d->gone_ns = now_ns() + fault_dying_ms() * 1000000ull;
    domain_changed(d);
    virq_raise(VIRQ_DOM_EXC);
    return 0;
}

void domain_shutdown(struct domain *d, uint8_t reason)
{
    if (d->shut_down || d->state != DOMAIN_ALIVE)
        return;
    d->shutdown_code = reason;
    d->shut_down = true;
    domain_run(d, false);
    domain_changed(d);
    if (reason == SHUTDOWN_suspend && d->subscribed)
        channel_notify(d->domid, d->subscribed);
    else
        virq_raise(VIRQ_DOM_EXC);
}

void domain_changed(struct domain *d)
{
    if (d->domid)
        channel_raise(d->domid, 0);
}

void domain_run(struct domain *d, bool running)
{
    if (d->running == running)
        return;
    uint64_t now = now_ns();
    if (d->running)
        d->cpu_ns += now - d->run_since_ns;
    d->run_since_ns = now;
    d->running = running;
}

void domain_info(const struct domain *d, struct xen_domctl_getdomaininfo *info)
{
    *info = (struct xen_domctl_getdomaininfo){
        .domain = d->domid,
        .flags = (d->state == DOMAIN_DYING ? XEN_DOMINF_dying : 0) |
                 (domain_is_hvm(d) ? XEN_DOMINF_hvm_guest : 0) | (d->shut_down ? XEN_DOMINF_shutdown : 0) |
                 (d->pause_count ? XEN_DOMINF_paused : 0) | (d->debugged ? XEN_DOMINF_debugged : 0) |
                 (d->running        ? XEN_DOMINF_running
                  : d->online_vcpus ? XEN_DOMINF_blocked
                                    : 0) |
                 (d->flags & XEN_DOMCTL_CDF_xs_domain ? XEN_DOMINF_xs_domain : 0) |
                 (d->flags & XEN_DOMCTL_CDF_hap ? XEN_DOMINF_hap : 0) |
                 (uint32_t)d->shutdown_code << XEN_DOMINF_shutdownshift,
        .tot_pages = d->tot_pages,
        .max_pages = d->max_pages,
        .outstanding_pages = d->claimed,
        .shared_info_frame = d->shared_info ? d->shared_info : ~0ull,
        .cpu_time = d->cpu_ns + (d->running ? now_ns() - d->run_since_ns : 0),
        .nr_online_vcpus = d->online_vcpus,
        .max_vcpu_id = d->has_vcpus ? d->max_vcpus - 1 : XEN_INVALID_MAX_VCPU_ID,
        .ssidref = d->ssidref,
        .cpupool = d->cpupool,
        .gpaddr_bits = 46,
        .arch_config = d->arch,
    };
    memcpy(info->handle, d->handle, sizeof info->handle);
}

bool domain_hold(struct domain *d, uint32_t maps)
{
    struct holder *mine = NULL;
    pid_t pid = getpid();
    is_held(d); /* this call removes the holders that have ended */
    for (int i = 0; i < MAX_HOLDERS; i++)
        if (d->holders[i].maps ? d->holders[i].pid == pid : !mine)
            mine = &d->holders[i];
    if (!mine)
        return false;
    mine->pid = pid;
    mine->maps += maps;
    return true;
}

void domain_unmapped(uint32_t domid, uint64_t serial, uint32_t maps)
{
    struct domain *d = domain_get(domid);
    for (int i = 0; d && d->serial == serial && i < MAX_HOLDERS; i++)
        if (d->holders[i].maps >= maps && d->holders[i].pid == getpid())
            d->holders[i].maps -= maps;
}
