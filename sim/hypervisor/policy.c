/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* CPU policies: the CPUID leaves of the machine and of each domain. Lock: machine->lock. */
#include "machine.h"

#include <cpuid.h>
#include <string.h>

#define LAST_LEAF          0xdu
#define LAST_EXTENDED_LEAF 0x80000008u
#define NR_FEATURE_WORDS   16

/*
 * Writes the CPUID leaves of the machine. Returns the number of all possible leaves, because libxenguest
 * allocates a buffer for this number and later writes all possible leaves into it. The last leaf is repeated
 * up to this number, so that the array of leaves stays sorted. It must be sorted, because libxenguest
 * searches it by bisection.
 */
uint32_t policy_of_host(xen_cpuid_leaf_t leaves[POLICY_LEAVES])
{
    static const uint8_t subleaves[LAST_LEAF + 1] = {[4] = 4, [7] = 1, [0xb] = 2, [0xd] = 3};
    uint32_t n = 0, max = __get_cpuid_max(0, NULL), extended_max = __get_cpuid_max(0x80000000u, NULL);

    for (uint32_t leaf = 0; leaf <= max && leaf <= LAST_LEAF; leaf++)
        for (uint32_t sub = 0; sub == 0 || sub < subleaves[leaf]; sub++) {
            xen_cpuid_leaf_t *l = &leaves[n++];
            l->leaf = leaf;
            l->subleaf = subleaves[leaf] ? sub : XEN_CPUID_NO_SUBLEAF;
            __cpuid_count(leaf, sub, l->a, l->b, l->c, l->d);
        }
    for (uint32_t leaf = 0x80000000u; leaf <= extended_max && leaf <= LAST_EXTENDED_LEAF; leaf++) {
        xen_cpuid_leaf_t *l = &leaves[n++];
        l->leaf = leaf;
        l->subleaf = XEN_CPUID_NO_SUBLEAF;
        __cpuid(leaf, l->a, l->b, l->c, l->d);
    }
    for (; n < POLICY_LEAVES; n++)
        leaves[n] = leaves[n - 1];
    return n;
}

long policy_get(struct domain *d, struct xen_domctl_cpu_policy *policy)
{
    if (!d->nr_leaves)
        d->nr_leaves = policy_of_host(domain_big(d)->leaves);
    if (policy->leaves.p) {
        if (policy->nr_leaves < d->nr_leaves)
            return -ENOBUFS;
        memcpy(policy->leaves.p, domain_big(d)->leaves, d->nr_leaves * sizeof *policy->leaves.p);
    }
    policy->nr_leaves = d->nr_leaves;
    policy->nr_msrs = 0;
    return 0;
}

long policy_set(struct domain *d, const struct xen_domctl_cpu_policy *policy)
{
    if (policy->nr_leaves > POLICY_LEAVES)
        return -E2BIG;
    memcpy(domain_big(d)->leaves, policy->leaves.p, policy->nr_leaves * sizeof *policy->leaves.p);
    d->nr_leaves = policy->nr_leaves;
    return 0;
}

long policy_get_system(struct xen_sysctl_cpu_policy *policy)
{
    xen_cpuid_leaf_t leaves[POLICY_LEAVES];
    uint32_t n = policy_of_host(leaves);
    if (policy->leaves.p) {
        if (policy->nr_leaves < n)
            return -ENOBUFS;
        memcpy(policy->leaves.p, leaves, n * sizeof *leaves);
    }
    policy->nr_msrs = policy->leaves.p ? 0 : POLICY_MSRS;
    policy->nr_leaves = n;
    return 0;
}

/*
 * Each word of the feature set is a register of a CPUID leaf, in the order of Xen's public header
 * arch-x86/cpufeatureset.h.
 */
long policy_get_featureset(struct xen_sysctl_cpu_featureset *set)
{
    enum { A, B, C, D };
    static const struct {
        uint32_t leaf, subleaf;
        unsigned where;
    } words[NR_FEATURE_WORDS] = {
        {1, 0, D},           {1, 0, C}, {0x80000001u, 0, D}, {0x80000001u, 0, C},
        {0xd, 1, A},         {7, 0, B}, {7, 0, C},           {0x80000007u, 0, D},
        {0x80000008u, 0, B}, {7, 0, D}, {7, 1, A},           {0x80000021u, 0, A},
        {7, 1, B},           {7, 2, D}, {7, 1, C},           {7, 1, D},
    };
    const uint32_t max = __get_cpuid_max(0, NULL), extended_max = __get_cpuid_max(0x80000000u, NULL);
    uint32_t word[NR_FEATURE_WORDS] = {0};
    for (unsigned i = 0; i < NR_FEATURE_WORDS; i++) {
        uint32_t r[4];
        if (words[i].leaf > (words[i].leaf & 0x80000000u ? extended_max : max))
            continue;
        __cpuid_count(words[i].leaf, words[i].subleaf, r[A], r[B], r[C], r[D]);
        word[i] = r[words[i].where];
    }
    if (set->features.p)
        memcpy(set->features.p, word,
               sizeof *word * (set->nr_features < NR_FEATURE_WORDS ? set->nr_features : NR_FEATURE_WORDS));
    set->nr_features = NR_FEATURE_WORDS;
    return 0;
}
