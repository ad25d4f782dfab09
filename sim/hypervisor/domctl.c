/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The hypercall domctl: creates, controls, describes and destroys one domain. Lock: machine->lock. */
#include "machine.h"

#include <string.h>
#include <xen/domctl.h>
#include <xen/sched.h>

#define MAX_PAUSES 255

static long pause_domain(struct domain *d)
{
    if (!d->domid)
        return -EINVAL;
    if (d->pause_count == MAX_PAUSES)
        return -EUSERS;
    if (!d->pause_count++) {
        domain_run(d, false);
        domain_changed(d);
    }
    return 0;
}

static long unpause_domain(struct domain *d)
{
    if (!d->domid || !d->pause_count)
        return -EINVAL;
    d->started = true;
    if (!--d->pause_count)
        domain_changed(d);
    return 0;
}

static long resume_domain(struct domain *d)
{
    if (!d->domid)
        return -EINVAL;
    d->shut_down = false;
    d->shutdown_code = 0;
    domain_changed(d);
    return 0;
}

/*
 * As in Xen, only a PVH or HVM guest that has stopped can be reset. A PV guest that has stopped counts as crashed.
 * All event channels are closed. The memory, the grant table and the vcpus stay as they are. The shared information
 * also stays, because no simulated guest maps it.
 */
static long soft_reset_domain(struct domain *d)
{
    if (!d->domid || !d->shut_down)
        return -EINVAL;
    channels_reset(d->domid);
    d->subscribed = 0;
    if (!domain_is_hvm(d)) {
        d->shutdown_code = SHUTDOWN_crash;
        return -EINVAL;
    }
    d->soft_resets++;
    return resume_domain(d);
}

static long get_info(struct xen_domctl *op)
{
    if (op->domain >= DOMID_FIRST_RESERVED)
        return -EINVAL;
    const struct domain *d = domain_next(op->domain);
    if (!d)
        return -ESRCH;
    domain_info(d, &op->u.getdomaininfo);
    op->domain = d->domid;
    return 0;
}

static long frame_types(struct domain *d, struct xen_domctl_getpageframeinfo3 *g)
{
    for (uint64_t i = 0; i < g->num; i++) {
        const uint32_t frame = frame_of(d, g->array.p[i]);
        g->array.p[i] = frame ? frame_info(frame) : XEN_DOMCTL_PFINFO_XTAB;
    }
    return 0;
}

static long get_tsc(const struct domain *d, struct xen_domctl_tsc_info *t)
{
    *t = (struct xen_domctl_tsc_info){.tsc_mode = d->tsc_mode, .gtsc_khz = 2000000};
    return 0;
}

long do_domctl(struct xen_domctl *op)
{
    struct domain *d;

    if (op->interface_version != XEN_DOMCTL_INTERFACE_VERSION)
        return -EACCES;
    if (op->cmd == XEN_DOMCTL_getdomaininfo)
        return get_info(op);
    if (op->cmd == XEN_DOMCTL_createdomain) {
        uint32_t domid = op->domain;
        long r = domain_create(&domid, &op->u.createdomain);
        op->domain = domid;
        return r;
    }
    if (op->cmd == XEN_DOMCTL_assign_device || op->cmd == XEN_DOMCTL_test_assign_device ||
        op->cmd == XEN_DOMCTL_deassign_device)
        return do_domctl_pci(op);
    if (!(d = domain_get(op->domain)))
        return -ESRCH;

    switch (op->cmd) {
    case XEN_DOMCTL_destroydomain: return domain_destroy(d);
    case XEN_DOMCTL_pausedomain: return pause_domain(d);
    case XEN_DOMCTL_unpausedomain: return unpause_domain(d);
    case XEN_DOMCTL_resumedomain: return resume_domain(d);
    case XEN_DOMCTL_soft_reset: return soft_reset_domain(d);
    case XEN_DOMCTL_max_mem: d->max_pages = op->u.max_mem.max_memkb >> (XC_PAGE_SHIFT - 10); return 0;
    case XEN_DOMCTL_setdomainhandle:
        memcpy(d->handle, op->u.setdomainhandle.handle, sizeof d->handle);
        return 0;
    case XEN_DOMCTL_setdebugging: d->debugged = op->u.setdebugging.enable; return 0;
    case XEN_DOMCTL_settimeoffset: d->time_offset = op->u.settimeoffset.time_offset_seconds; return 0;
    case XEN_DOMCTL_set_address_size: d->address32 = op->u.address_size.size == 32; return 0;
    case XEN_DOMCTL_get_address_size: op->u.address_size.size = d->address32 ? 32 : 64; return 0;
    case XEN_DOMCTL_get_paging_mempool_size: op->u.paging_mempool.size = d->paging_pool; return 0;
    case XEN_DOMCTL_set_paging_mempool_size: d->paging_pool = op->u.paging_mempool.size; return 0;
    case XEN_DOMCTL_settscinfo: d->tsc_mode = op->u.tsc_info.tsc_mode; return 0;
    case XEN_DOMCTL_gettscinfo: return get_tsc(d, &op->u.tsc_info);
    case XEN_DOMCTL_subscribe: d->subscribed = op->u.subscribe.port; return 0;
    case XEN_DOMCTL_shadow_op: return do_shadow_op(d, &op->u.shadow_op);
    case XEN_DOMCTL_getpageframeinfo3: return frame_types(d, &op->u.getpageframeinfo3);
    case XEN_DOMCTL_gethvmcontext: return hvm_get_context(d, &op->u.hvmcontext);
    case XEN_DOMCTL_sethvmcontext: return hvm_set_context(d, &op->u.hvmcontext);
    case XEN_DOMCTL_get_cpu_policy: return policy_get(d, &op->u.cpu_policy);
    case XEN_DOMCTL_set_cpu_policy: return policy_set(d, &op->u.cpu_policy);
    case XEN_DOMCTL_getnodeaffinity:
    case XEN_DOMCTL_setnodeaffinity:
    case XEN_DOMCTL_scheduler_op:
    case XEN_DOMCTL_sendtrigger:
    case XEN_DOMCTL_max_vcpus:
    case XEN_DOMCTL_getvcpuinfo:
    case XEN_DOMCTL_getvcpuaffinity:
    case XEN_DOMCTL_setvcpuaffinity:
    case XEN_DOMCTL_getvcpucontext:
    case XEN_DOMCTL_get_ext_vcpucontext:
    case XEN_DOMCTL_getvcpuextstate:
    case XEN_DOMCTL_get_vcpu_msrs:
    case XEN_DOMCTL_setvcpucontext: return do_domctl_vcpu(d, op);
    /* These subcommands succeed without effect, because the simulator has no state that they would change. */
    case XEN_DOMCTL_hypercall_init:
    case XEN_DOMCTL_iomem_permission:
    case XEN_DOMCTL_ioport_permission:
    case XEN_DOMCTL_irq_permission:
    case XEN_DOMCTL_memory_mapping:
    case XEN_DOMCTL_ioport_mapping:
    case XEN_DOMCTL_setvnumainfo:
    case XEN_DOMCTL_cacheflush:
    case XEN_DOMCTL_set_target:
    case XEN_DOMCTL_set_access_required:
    case XEN_DOMCTL_set_ext_vcpucontext:
    case XEN_DOMCTL_set_virq_handler: return 0;
#ifdef XEN_DOMCTL_set_llc_colors /* since 4.20; a hypervisor for x86 is built without cache colouring */
    case XEN_DOMCTL_set_llc_colors: return -EOPNOTSUPP;
#endif
    default: return -ENOSYS;
    }
}
