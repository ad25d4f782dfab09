/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Checks the capabilities of the host, and sets the options of a new domain that depend on them. Some hosts
 * lack capabilities, because of their hardware or of the hypervisor's command line (for example
 * gnttab=max-ver:1 or hap=no). If a new domain needs a missing capability, the hypervisor returns EINVAL.
 * This errno does not show the cause.
 *
 * Owns: nothing. Called on the build's worker, unlocked.
 */
#include "build_parts.h"
#include "hvm_settings.h"

enum { PV = 1, PVH = 2, HVM = 4 };

/*
 * The table of the capabilities that domains need. A domain whose type is in `types` needs at least one
 * capability of `one_of`.
 */
static const struct {
    uint32_t one_of;
    unsigned types;
    const char *missing;
} needs[] = {
    {XEN_SYSCTL_PHYSCAP_pv, PV, "this hypervisor runs no PV domains"},
    {XEN_SYSCTL_PHYSCAP_hvm, PVH,
     "this host has no hardware virtualisation (VT-x or AMD-V), which PVH domains need"},
    {XEN_SYSCTL_PHYSCAP_hvm, HVM,
     "this host has no hardware virtualisation (VT-x or AMD-V), which HVM domains need"},
    {XEN_SYSCTL_PHYSCAP_hap | XEN_SYSCTL_PHYSCAP_shadow, PVH,
     "this host has neither hardware-assisted paging (hap) nor shadow paging; PVH domains need one of them"},
    {XEN_SYSCTL_PHYSCAP_hap | XEN_SYSCTL_PHYSCAP_shadow, HVM,
     "this host has neither hardware-assisted paging (hap) nor shadow paging; HVM domains need one of them"},
    {XEN_SYSCTL_PHYSCAP_gnttab_v1 | XEN_SYSCTL_PHYSCAP_gnttab_v2, PV | PVH | HVM,
     "this hypervisor has no grant tables"},
};

static int check_capabilities(const libxl__builder *b, uint32_t capabilities)
{
    const unsigned type = b->hvm ? HVM : b->translated ? PVH : PV;
    for (size_t i = 0; i < sizeof(needs) / sizeof(*needs); i++)
        if (needs[i].types & type && !(capabilities & needs[i].one_of))
            return libxl__build_fail(b->build, ERROR_NI, "d_config.c_info.type: %s", needs[i].missing);
    return 0;
}

/* Returns whether PCI devices can be passed through to the domain. */
static bool is_passed_through(const libxl_domain_config *config)
{
    const libxl_passthrough wanted = config->c_info.passthrough;
    return wanted == LIBXL_PASSTHROUGH_DEFAULT ? config->num_pcidevs > 0
                                               : wanted != LIBXL_PASSTHROUGH_DISABLED;
}

/*
 * Sets the options of the IOMMU. As in libxl, the IOMMU shares the page tables of an HVM domain if it can, and
 * has its own page tables otherwise.
 */
static int set_iommu(const libxl__builder *b, const libxl_domain_config *config, uint32_t capabilities,
                     struct xen_domctl_createdomain *create)
{
    const libxl_passthrough wanted = config->c_info.passthrough;
    const bool shareable =
        b->hvm && create->flags & XEN_DOMCTL_CDF_hap && capabilities & XEN_SYSCTL_PHYSCAP_iommu_hap_pt_share;
    if (!is_passed_through(config))
        return config->num_pcidevs
                   ? libxl__build_fail(b->build, ERROR_INVAL,
                                       "d_config.c_info.passthrough: disabled, but the domain "
                                       "has PCI devices")
                   : 0;
    if (b->translated && !b->hvm)
        return libxl__build_fail(b->build, ERROR_NI,
                                 "d_config.c_info.passthrough: a PVH domain cannot have PCI devices");
    if (!(capabilities & XEN_SYSCTL_PHYSCAP_directio))
        return libxl__build_fail(b->build, ERROR_NO_IOMMU,
                                 "d_config.c_info.passthrough: this host has no IOMMU, or it is not enabled");
    if (wanted == LIBXL_PASSTHROUGH_SHARE_PT && !shareable)
        return libxl__build_fail(
            b->build, ERROR_INVAL,
            "d_config.c_info.passthrough: share_pt is not possible for this domain on this host");
    create->flags |= XEN_DOMCTL_CDF_iommu;
    if (!shareable || wanted == LIBXL_PASSTHROUGH_SYNC_PT)
        create->iommu_opts = XEN_DOMCTL_IOMMU_no_sharept;
    return 0;
}

int libxl__build_ask_host(libxl__builder *b, struct xen_domctl_createdomain *create)
{
    libxl__build *build = b->build;
    xc_physinfo_t host = {.max_cpu_id = 0};
    if (xc_physinfo(b->xch, &host))
        return libxl__build_fail_errno(build, LIBXL__CALL_HOST, "asking about the host");
    const int rc = check_capabilities(b, host.capabilities);
    if (rc)
        return rc;
    const uint64_t free_kb = (host.free_pages + host.scrub_pages - host.outstanding_pages) * 4;
    if (build->target_kb > free_kb)
        return libxl__build_fail(build, ERROR_NO_MEMORY_FOR_GUEST,
                                 "d_config.b_info.target_memkb: %llu KiB, but the host has %llu KiB free",
                                 (unsigned long long)build->target_kb, (unsigned long long)free_kb);
    b->nodes = host.nr_nodes;
    create->grant_opts = XEN_DOMCTL_GRANT_version(host.capabilities & XEN_SYSCTL_PHYSCAP_gnttab_v2 ? 2 : 1);
    if (b->translated) {
        create->flags = XEN_DOMCTL_CDF_hvm;
        const libxl_defbool hap = build->config->c_info.hap;
        if (host.capabilities & XEN_SYSCTL_PHYSCAP_hap &&
            (libxl_defbool_is_default(hap) || libxl_defbool_val(hap)))
            create->flags |= XEN_DOMCTL_CDF_hap;
        create->arch.emulation_flags =
            b->hvm ? XEN_X86_EMU_ALL & ~(unsigned)XEN_X86_EMU_VPCI : XEN_X86_EMU_LAPIC;
        if (b->hvm && libxl__hvm_nested(&build->config->b_info))
            create->flags |= XEN_DOMCTL_CDF_nested_virt;
    }
    return set_iommu(b, build->config, host.capabilities, create);
}
