/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libxencall: the entry point of every hypercall. Counts and traces each hypercall. If a rule applies, the
 * hypercall fails with the rule's errno. Otherwise this file carries it out.
 *
 * Lock: machine->lock is held during each hypercall and each part of a multicall, but not during a delay.
 * Lifetime: handles and buffers are on the heap, so that sanitizers and valgrind find leaks and overruns of
 * the callers. As in the real library, a handle keeps a few free pages, so that a hypercall allocates no
 * memory.
 */
#include "machine.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <xen/event_channel.h>
#include <xen/sched.h>
#include <xencall.h>

enum { KEEP = 4 };

struct xencall_handle {
    pthread_mutex_t lock; /* guards the two members below */
    void *kept[KEEP];     /* free pages for the buffers of hypercalls */
    uint32_t nr_kept;
};

static long remote_shutdown(const sched_remote_shutdown_t *r)
{
    struct domain *d = domain_get(r->domain_id);
    if (!d || !d->domid)
        return -ESRCH;
    domain_shutdown(d, r->reason);
    return 0;
}

static long dispatch(unsigned int op, uint64_t arg1, void *arg2)
{
    void *structure = (void *)(uintptr_t)arg1;
    switch (op) {
    case __HYPERVISOR_domctl: return do_domctl(structure);
    case __HYPERVISOR_sysctl: return do_sysctl(structure);
    case __HYPERVISOR_memory_op: return do_memory_op(arg1, arg2);
    case __HYPERVISOR_event_channel_op: return do_event_channel_op(arg1, arg2);
    case __HYPERVISOR_hvm_op: return do_hvm_op(arg1, arg2);
    case __HYPERVISOR_xen_version: return do_xen_version(arg1, arg2);
    case __HYPERVISOR_physdev_op: return do_physdev_op(arg1, arg2);
    case __HYPERVISOR_sched_op: return arg1 == SCHEDOP_remote_shutdown ? remote_shutdown(arg2) : -ENOSYS;
    case __HYPERVISOR_mmuext_op: return do_mmuext_op(structure, (uintptr_t)arg2);
    case __HYPERVISOR_mmu_update: return do_mmu_update(structure, (uintptr_t)arg2);
    default: return -ENOSYS;
    }
}

static long one(unsigned int op, uint64_t arg1, uint64_t arg2)
{
    enum call call = call_of_hypercall(op, arg1);
    char arguments[TRACED_ARGUMENTS];
    long result = -fault_check(call);
    arguments[0] = '\0'; /* An initializer would clear all octets, at each hypercall. */
    if (tracing && op == __HYPERVISOR_domctl)
        trace_domctl((const struct xen_domctl *)(uintptr_t)arg1, arguments);
    if (!result) {
        machine_lock();
        result = dispatch(op, arg1, (void *)(uintptr_t)arg2);
        machine_unlock();
    }
    if (!tracing)
        return result;
    if (op == __HYPERVISOR_hvm_op)
        trace_hvm_op((const struct xen_hvm_param *)(uintptr_t)arg2, arguments);
    if (op == __HYPERVISOR_memory_op && arg1 == XENMEM_set_memory_map)
        trace_memory_map((const struct xen_foreign_memory_map *)(uintptr_t)arg2, arguments);
    if (op == __HYPERVISOR_domctl)
        trace("%s dom %u%s -> %ld", call_name(call), ((struct xen_domctl *)(uintptr_t)arg1)->domain,
              arguments, result);
    else
        trace("%s%s -> %ld", call_name(call) ? call_name(call) : "hypercall", arguments, result);
    return result;
}

static long hypercall(unsigned int op, uint64_t arg1, uint64_t arg2)
{
    if (op != __HYPERVISOR_multicall)
        return one(op, arg1, arg2);
    multicall_entry_t *entry = (multicall_entry_t *)(uintptr_t)arg1;
    for (uint64_t i = 0; i < arg2; i++)
        entry[i].result = one(entry[i].op, entry[i].args[0], entry[i].args[1]);
    return 0;
}

static long call(unsigned int op, uint64_t arg1, uint64_t arg2)
{
    long result = hypercall(op, arg1, arg2);
    if (result >= 0)
        return result;
    errno = -result;
    return -1;
}

EXPORT xencall_handle *xencall_open(struct xentoollog_logger *logger, unsigned int flags)
{
    (void)logger, (void)flags;
    if (!machine_attach())
        return NULL;
    int error = fault_check(CALL_XENCALL_OPEN);
    if (error) {
        errno = error;
        return NULL;
    }
    xencall_handle *h = calloc(1, sizeof *h);
    if (h)
        pthread_mutex_init(&h->lock, NULL);
    return h;
}

EXPORT int xencall_close(xencall_handle *h)
{
    if (!h)
        return 0;
    while (h->nr_kept)
        free(h->kept[--h->nr_kept]);
    pthread_mutex_destroy(&h->lock);
    free(h);
    return 0;
}

EXPORT int xencall_fd(xencall_handle *h)
{
    (void)h;
    return -1;
}

EXPORT int xencall_buffers_never_fault(xencall_handle *h)
{
    (void)h;
    return 1;
}

EXPORT int xencall0(xencall_handle *h, unsigned int op)
{
    (void)h;
    return call(op, 0, 0);
}

EXPORT int xencall1(xencall_handle *h, unsigned int op, uint64_t a)
{
    (void)h;
    return call(op, a, 0);
}

EXPORT int xencall2(xencall_handle *h, unsigned int op, uint64_t a, uint64_t b)
{
    (void)h;
    return call(op, a, b);
}

EXPORT long xencall2L(xencall_handle *h, unsigned int op, uint64_t a, uint64_t b)
{
    (void)h;
    return call(op, a, b);
}

EXPORT int xencall3(xencall_handle *h, unsigned int op, uint64_t a, uint64_t b, uint64_t c)
{
    (void)h, (void)c;
    return call(op, a, b);
}

EXPORT int xencall4(xencall_handle *h, unsigned int op, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    (void)h, (void)c, (void)d;
    return call(op, a, b);
}

EXPORT int xencall5(xencall_handle *h, unsigned int op, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
                    uint64_t e)
{
    (void)h, (void)c, (void)d, (void)e;
    return call(op, a, b);
}

/* ---- buffers for the data of hypercalls */

static void *take_kept(xencall_handle *h)
{
    pthread_mutex_lock(&h->lock);
    void *p = h->nr_kept ? h->kept[--h->nr_kept] : NULL;
    pthread_mutex_unlock(&h->lock);
    return p;
}

EXPORT void *xencall_alloc_buffer_pages(xencall_handle *h, size_t pages)
{
    int error = fault_check(CALL_XENCALL_ALLOC);
    void *p = error || pages != 1 ? NULL : take_kept(h);
    if (!error && !p)
        p = aligned_alloc(XC_PAGE_SIZE, pages << XC_PAGE_SHIFT);
    if (!p) {
        errno = error ? error : ENOMEM;
        return NULL;
    }
    return memset(p, 0, pages << XC_PAGE_SHIFT);
}

EXPORT void xencall_free_buffer(xencall_handle *h, void *p)
{
    bool keep = false;
    if (p && malloc_usable_size(p) < 2 * XC_PAGE_SIZE) {
        pthread_mutex_lock(&h->lock);
        keep = h->nr_kept < KEEP;
        if (keep)
            h->kept[h->nr_kept++] = p;
        pthread_mutex_unlock(&h->lock);
    }
    if (!keep)
        free(p); /* free does not change errno since glibc 2.33 */
}

EXPORT void xencall_free_buffer_pages(xencall_handle *h, void *p, size_t pages)
{
    (void)pages;
    xencall_free_buffer(h, p);
}

EXPORT void *xencall_alloc_buffer(xencall_handle *h, size_t size)
{
    return xencall_alloc_buffer_pages(h, (size + XC_PAGE_SIZE - 1) >> XC_PAGE_SHIFT);
}
