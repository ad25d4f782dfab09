/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Finds the command line and the rings of the console and of xenstore, and maps the shared info page. A PV
 * guest reads the places of the rings in its start info. A PVH guest asks Xen for them.
 */
#include "guest.h"

#include <xen/arch-x86/hvm/start_info.h>
#include <xen/hvm/hvm_op.h>
#include <xen/hvm/params.h>
#include <xen/memory.h>

#define VIRT_BASE        0xffffffff80000000ull
#define PAGE_SHIFT       12
#define PTE_PRESENT_RW_U 7

struct guest guest = {.command_line = ""};
static char shared_page[1 << PAGE_SHIFT] __attribute__((aligned(1 << PAGE_SHIFT)));

/*
 * Returns the address of a machine frame. The page tables of the domain builder map each loaded page at
 * VIRT_BASE plus the page's physical address.
 */
static void *pv_page(uint64_t machine_frame)
{
    const uint64_t *machine_to_physical = (const uint64_t *)HYPERVISOR_VIRT_START;

    return machine_frame ? (void *)(VIRT_BASE + (machine_to_physical[machine_frame] << PAGE_SHIFT)) : NULL;
}

static void pv_init(const struct start_info *info)
{
    hypercall(__HYPERVISOR_update_va_mapping, (uint64_t)shared_page, info->shared_info | PTE_PRESENT_RW_U,
              UVMF_INVLPG, 0);
    guest.command_line = (const char *)info->cmd_line;
    guest.console = pv_page(info->console.domU.mfn);
    guest.console_port = info->console.domU.evtchn;
    guest.store = pv_page(info->store_mfn);
    guest.store_port = info->store_evtchn;
}

static uint64_t pvh_param(unsigned index)
{
    struct xen_hvm_param arg = {.domid = DOMID_SELF, .index = index};

    return hypercall(__HYPERVISOR_hvm_op, HVMOP_get_param, (uint64_t)&arg, 0, 0) ? 0 : arg.value;
}

static void pvh_init(const struct hvm_start_info *info)
{
    struct xen_add_to_physmap arg = {
        .domid = DOMID_SELF,
        .space = XENMAPSPACE_shared_info,
        .gpfn = ((uint64_t)shared_page - VIRT_BASE) >> PAGE_SHIFT,
    };

    hypercall(__HYPERVISOR_memory_op, XENMEM_add_to_physmap, (uint64_t)&arg, 0, 0);
    if (info->cmdline_paddr)
        guest.command_line = (const char *)info->cmdline_paddr;
    guest.console = (void *)(pvh_param(HVM_PARAM_CONSOLE_PFN) << PAGE_SHIFT);
    guest.console_port = (evtchn_port_t)pvh_param(HVM_PARAM_CONSOLE_EVTCHN);
    guest.store = (void *)(pvh_param(HVM_PARAM_STORE_PFN) << PAGE_SHIFT);
    guest.store_port = (evtchn_port_t)pvh_param(HVM_PARAM_STORE_EVTCHN);
}

void platform_init(const struct start_info *pv, const void *pvh)
{
    guest.shared = (struct shared_info *)shared_page;
    if (pv)
        pv_init(pv);
    else
        pvh_init(pvh);
}
