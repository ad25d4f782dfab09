/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: nothing. The hypervisor owns the reservation of a domain. The caller holds the context's lock.
 *
 * In Xen 4.17 xc_cpu_policy_is_compatible compares only the greatest numbers of leaves in two CPU policies. When a
 * policy is set, Xen removes the features that the machine lacks, without an error. So this file compares the
 * featuresets itself.
 */
#include "arrival.h"

#include "libxl_internal.h"
#include "running.h"
#include "xen.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <xenguest.h>

enum { A, B, C, D, REGISTERS };

/*
 * A row for each word of a featureset, in Xen's order: the place of the word in CPUID, and the bits that are not
 * compared.
 */
static const struct {
    uint32_t leaf, subleaf;
    int where;
    uint32_t ignored;
} words[] = {
    {1, 0, D, 1u << 9 | 1u << 28},             /* APIC; HTT */
    {1, 0, C, 1u << 21 | 1u << 27 | 1u << 31}, /* X2APIC; OSXSAVE; HYPERVISOR */
    {0x80000001, 0, D, 1u << 9},               /* APIC */
    {0x80000001, 0, C, 1u << 1 | 1u << 22},    /* CMP_LEGACY; TOPOEXT */
    {0xd, 1, A, 0},
    {7, 0, B, 0},
    {7, 0, C, 1u << 4},          /* OSPKE */
    {0x80000007, 0, D, 1u << 8}, /* ITSC */
    {0x80000008, 0, B, 0},
    {7, 0, D, 0},
    {7, 1, A, 0},
    {0x80000021, 0, A, 0},
    {7, 1, B, 0},
    {7, 2, D, 0},
    {7, 1, C, 0},
    {7, 1, D, 0},
};
enum { WORDS = sizeof(words) / sizeof(*words) };

static int fail(libxl__ao *ao, const char *what)
{
    return errno == ENOMEM ? ERROR_NOMEM : libxl__hv_fail(ao, LIBXL__CALL_DOMAIN, what, ao->subject.number);
}

/*
 * Copies the words of a featureset from the leaves to `out`. A leaf without subleaves has the subleaf
 * XEN_CPUID_NO_SUBLEAF.
 */
static void take_words(const xen_cpuid_leaf_t *leaves, uint32_t count, uint32_t *out)
{
    for (uint32_t i = 0; i < count; i++)
        for (unsigned w = 0; w < WORDS; w++) {
            const xen_cpuid_leaf_t *l = &leaves[i];
            const uint32_t subleaf = l->subleaf == XEN_CPUID_NO_SUBLEAF ? 0 : l->subleaf;
            if (l->leaf == words[w].leaf && subleaf == words[w].subleaf)
                out[w] = (const uint32_t[REGISTERS]){l->a, l->b, l->c, l->d}[words[w].where];
        }
}

int libxl__hv_features(libxl__ao *ao, uint32_t domid, uint32_t **words_out, unsigned *count_out)
{
    xc_interface *xch = libxl__xch(ao->ctx);
    uint32_t leaves_count = 0, msrs_count = 0;
    if (xc_cpu_policy_get_size(xch, &leaves_count, &msrs_count))
        return fail(ao, "asking about the processors of");
    uint32_t *out = libxl__gc_alloc(&ao->gc, WORDS * sizeof(*out));
    xen_cpuid_leaf_t *leaves = calloc(leaves_count + 1, sizeof(*leaves));
    xen_msr_entry_t *msrs = calloc(msrs_count + 1, sizeof(*msrs));
    xc_cpu_policy_t *policy = xc_cpu_policy_init();
    int rc = out && leaves && msrs && policy ? 0 : ERROR_NOMEM;
    if (!rc && (xc_cpu_policy_get_domain(xch, domid, policy) ||
                xc_cpu_policy_serialise(xch, policy, leaves, &leaves_count, msrs, &msrs_count)))
        rc = fail(ao, "asking about the processors of");
    if (!rc) {
        take_words(leaves, leaves_count, out);
        *words_out = out;
        *count_out = WORDS;
    }
    xc_cpu_policy_destroy(policy);
    free(msrs);
    free(leaves);
    return rc;
}

int libxl__hv_check_features(libxl__ao *ao, bool hvm, const uint32_t *given, unsigned count)
{
    uint32_t here[LIBXL__MOST_FEATURES] = {0}, size = LIBXL__MOST_FEATURES;
    const uint32_t index = hvm ? XEN_SYSCTL_cpu_featureset_hvm_max : XEN_SYSCTL_cpu_featureset_pv_max;
    if (xc_get_cpu_featureset(libxl__xch(ao->ctx), index, &size, here) && errno != ENOBUFS) {
        libxl__ao_log(ao, XTL_WARN, errno, "the features of the processors are not compared");
        return 0;
    }
    for (unsigned i = 0; i < count; i++) {
        const uint32_t compared = i < WORDS ? ~words[i].ignored : ~0u;
        const uint32_t missing = given[i] & compared & ~(i < LIBXL__MOST_FEATURES ? here[i] : 0);
        if (missing)
            return libxl__ao_fail(
                ao, ERROR_INVAL,
                "features[%u]: the guest's processors have features that this machine does not "
                "have: 0x%08x",
                i, missing);
    }
    return 0;
}

int libxl__hv_claim(libxl__ao *ao, uint32_t domid, uint64_t kb)
{
    xc_domaininfo_t info;
    uint64_t free_kb = 0;
    /*
     * Xen refuses a claim above the domain's limit with EINVAL, and would later refuse pages above this limit, too.
     */
    const int rc = libxl__hv_look(ao, domid, &info);
    if (rc)
        return rc;
    if (kb / 4 > info.max_pages)
        return libxl__ao_fail(ao, ERROR_NO_MEMORY_FOR_GUEST,
                              "memory_kb: the guest has %llu KiB, and its configuration allows %llu KiB",
                              (unsigned long long)kb, (unsigned long long)info.max_pages * 4);
    if (!xc_domain_claim_pages(libxl__xch(ao->ctx), domid, (unsigned long)(kb / 4)))
        return 0;
    if (errno != ENOMEM) {
        libxl__ao_log(ao, XTL_DEBUG, errno, "no memory is reserved for domain %u", domid);
        return 0;
    }
    if (libxl__hv_free_memory(ao, &free_kb))
        libxl__ao_forget_failure(ao);
    return libxl__ao_fail(ao, ERROR_NO_MEMORY_FOR_GUEST,
                          "memory_kb: the guest has %llu KiB, and %llu KiB are free here",
                          (unsigned long long)kb, (unsigned long long)free_kb);
}

void libxl__hv_release(libxl__ao *ao, uint32_t domid)
{
    if (xc_domain_claim_pages(libxl__xch(ao->ctx), domid, 0))
        libxl__ao_log(ao, XTL_DEBUG, errno, "the reserved memory of domain %u is not released", domid);
}
