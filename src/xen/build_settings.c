/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Settings of a new domain in the hypervisor: its limits, its clock, its CPUID policy, and the parts of the
 * host that it may use. No hypercall is made for a setting that has its initial value.
 *
 * Owns: nothing. Called on the build's worker, unlocked.
 */
#include "build_parts.h"
#include "cpuid_policy.h"
#include "hvm_settings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MAX_EVENT_CHANNELS = 1023 };
/* The label domU_t, the initial SID number 12 of Xen's FLASK policy. A hypervisor without FLASK ignores it. */
enum { SID_OF_GUESTS = 12 };

static int fail(libxl__builder *b, const char *field)
{
    return libxl__build_fail_errno(b->build, LIBXL__CALL_SETTING, field);
}

/* Converts a limit of the configuration. The result -1 tells the hypervisor to use its default. */
static int32_t grant_limit(uint32_t frames)
{
    return frames == LIBXL_MAX_GRANT_DEFAULT ? -1 : (int32_t)frames;
}

void libxl__build_set_limits(const libxl__build *build, struct xen_domctl_createdomain *create)
{
    const libxl_domain_config *config = build->config;
    const libxl_domain_build_info *info = &config->b_info;
    create->max_vcpus = (uint32_t)info->max_vcpus;
    create->max_evtchn_port = info->event_channels ? info->event_channels : MAX_EVENT_CHANNELS;
    create->max_grant_frames = grant_limit(info->max_grant_frames);
    create->max_maptrack_frames = grant_limit(info->max_maptrack_frames);
    create->cpupool_id = config->c_info.poolid;
    create->ssidref = config->c_info.ssidref ? config->c_info.ssidref : SID_OF_GUESTS;
    if (info->max_grant_version > 0)
        create->grant_opts = XEN_DOMCTL_GRANT_version((uint32_t)info->max_grant_version);
    /*
     * On by default for a restored guest, as in libxl: the hypervisor that saved the guest may have been less strict.
     */
    if (libxl__is(info->arch_x86.msr_relaxed, build->restores))
        create->arch.misc_flags |= XEN_X86_MSR_RELAXED;
    if (libxl_defbool_val(info->vpmu))
        create->flags |= XEN_DOMCTL_CDF_vpmu;
}

/* ---- the CPUID policy */

/* Copies the configuration's CPUID leaves to `leaves`. The copies point to the configuration's strings. */
static void take_leaves(const libxl_cpuid_policy_list *list, struct xc_xend_cpuid *leaves, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const libxl__cpuid_leaf leaf = libxl__cpuid_leaf_at(list, i);
        leaves[i].leaf = leaf.leaf;
        leaves[i].subleaf = leaf.subleaf;
        memcpy(leaves[i].policy, leaf.registers, sizeof(leaves[i].policy));
    }
    leaves[count].leaf = XEN_CPUID_INPUT_UNUSED;
}

static void take_msrs(const libxl_cpuid_policy_list *list, struct xc_msr *msrs, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const char *policy = libxl__cpuid_msr_at(list, i, &msrs[i].index);
        memcpy(msrs[i].policy, policy, sizeof(msrs[i].policy));
    }
    msrs[count].index = XC_MSR_INPUT_UNUSED;
}

/*
 * Sets the CPUID policy. A domain that never migrates (disable_migrate) may see that its time stamp counter
 * is invariant.
 */
static int set_cpuid(libxl__builder *b, const libxl_domain_build_info *info)
{
    const uint32_t leaf_count = libxl__cpuid_leaves(&info->cpuid),
                   msr_count = libxl__cpuid_msrs(&info->cpuid);
    struct xc_xend_cpuid *leaves = leaf_count ? calloc(leaf_count + 1, sizeof(*leaves)) : NULL;
    struct xc_msr *msrs = msr_count ? calloc(msr_count + 1, sizeof(*msrs)) : NULL;
    int rc = (leaf_count && !leaves) || (msr_count && !msrs)
                 ? libxl__build_fail(b->build, ERROR_NOMEM, "no memory for d_config.b_info.cpuid")
                 : 0;
    if (leaves)
        take_leaves(&info->cpuid, leaves, leaf_count);
    if (msrs)
        take_msrs(&info->cpuid, msrs, msr_count);
    const int failed = rc ? 0
                          : xc_cpuid_apply_policy(b->xch, b->build->domid, false, NULL, 0,
                                                  !b->hvm || libxl__is(info->u.hvm.pae, true),
                                                  libxl_defbool_val(info->disable_migrate),
                                                  b->hvm && libxl__hvm_nested(info), leaves, msrs);
    if (failed < -1)
        errno = -failed; /* libxenguest returns some errors as a negative errno */
    if (failed)
        rc = leaf_count || msr_count
                 ? fail(b, "d_config.b_info.cpuid")
                 : libxl__build_fail_errno(b->build, LIBXL__CALL_NEW_DOMAIN, "setting the CPUID policy");
    free(leaves);
    free(msrs);
    return rc;
}

/* ---- the clock of the domain */

static int set_clock(libxl__builder *b, const libxl_domain_build_info *info)
{
    int64_t offset = (int32_t)info->rtc_timeoffset;
    if (libxl_defbool_val(info->localtime)) {
        const time_t now = time(NULL);
        struct tm local;
        if (localtime_r(&now, &local))
            offset += local.tm_gmtoff;
    }
    if (offset && xc_domain_set_time_offset(b->xch, b->build->domid, (int32_t)offset))
        return fail(b, "d_config.b_info.rtc_timeoffset");
    if (info->tsc_mode != LIBXL_TSC_MODE_DEFAULT &&
        xc_domain_set_tsc_info(b->xch, b->build->domid, (uint32_t)info->tsc_mode, 0, 0, 0))
        return fail(b, "d_config.b_info.tsc_mode");
    return 0;
}

/* ---- access to parts of the host */

static int give_memory(libxl__builder *b, const libxl_iomem_range *range)
{
    const uint32_t domid = b->build->domid;
    if (xc_domain_iomem_permission(b->xch, domid, range->start, range->number, 1))
        return -1;
    /* The memory is not mapped into a PV guest, because the guest maps it itself. */
    return b->translated
               ? xc_domain_memory_mapping(b->xch, domid,
                                          range->gfn == LIBXL_INVALID_GFN ? range->start : range->gfn,
                                          range->start, range->number, 1)
               : 0;
}

static int give_host(libxl__builder *b, const libxl_domain_build_info *info)
{
    for (int i = 0; i < info->num_ioports; i++)
        if (xc_domain_ioport_permission(b->xch, b->build->domid, info->ioports[i].first,
                                        info->ioports[i].number, 1))
            return fail(b, "d_config.b_info.ioports");
    for (int i = 0; i < info->num_iomem; i++)
        if (give_memory(b, &info->iomem[i]))
            return fail(b, "d_config.b_info.iomem");
    return 0;
}

/*
 * Sets the mode of a PVH domain's timers to libxl's default, in which ticks that the guest has missed are not
 * delayed. The hypervisor's default is to delay them. The stream of a saved domain does not contain the mode.
 */
static int set_timer_mode(libxl__builder *b)
{
    const bool failed = b->translated && !b->hvm &&
                        xc_hvm_param_set(b->xch, b->build->domid, HVM_PARAM_TIMER_MODE,
                                         LIBXL_TIMER_MODE_NO_DELAY_FOR_MISSED_TICKS);
    return failed ? fail(b, "d_config.b_info.timer_mode") : 0;
}

int libxl__build_settings(libxl__builder *b)
{
    const libxl_domain_build_info *info = &b->build->config->b_info;
    /* A saved domain brings its processors' features and its clock with it. */
    int rc = b->build->restores ? 0 : set_cpuid(b, info);
    if (!rc && !b->build->restores)
        rc = set_clock(b, info);
    if (!rc)
        rc = set_timer_mode(b);
    if (!rc && !b->translated && libxl_defbool_val(info->u.pv.e820_host))
        rc = libxl__build_e820(b);
    return rc ? rc : give_host(b, info);
}
