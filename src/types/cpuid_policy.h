/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Functions that read and change a libxl_cpuid_policy_list. The texts that they return belong to the list.
 * These functions need no lock: any thread may call them.
 */
#ifndef LIBXL__CPUID_POLICY_H
#define LIBXL__CPUID_POLICY_H

#include <libxl.h>

/* A change to one CPUID leaf. */
typedef struct libxl__cpuid_leaf {
    /*
     * `leaf`: the number of the leaf. `subleaf`: the number of the subleaf; UINT32_MAX: the leaf has no
     * subleaves.
     */
    uint32_t leaf, subleaf;
    /*
     * The changes to eax, ebx, ecx and edx. Each is a text of 32 characters, or NULL if the register does not
     * change.
     */
    const char *registers[4];
} libxl__cpuid_leaf;

/* Return the number of leaves, and the number of MSRs, in a list. */
uint32_t libxl__cpuid_leaves(const libxl_cpuid_policy_list *list);
uint32_t libxl__cpuid_msrs(const libxl_cpuid_policy_list *list);
/* Returns the leaf number `index` of the list. `index` must be less than libxl__cpuid_leaves. */
libxl__cpuid_leaf libxl__cpuid_leaf_at(const libxl_cpuid_policy_list *list, uint32_t index);
/* Returns the text of the MSR number `index` of the list (64 characters), and stores the MSR's own number. */
const char *libxl__cpuid_msr_at(const libxl_cpuid_policy_list *list, uint32_t index, uint32_t *msr);

/*
 * Return the text for a register of a leaf (32 characters) or for an MSR (64 characters). The caller may
 * change these characters. A leaf or MSR that is not in the list is added. A register that does not change
 * yet gets the character x for each bit. The pointer is valid until the next call of one of these functions.
 * Returns NULL if there is no memory.
 */
char *libxl__cpuid_register(libxl_cpuid_policy_list *list, uint32_t number, uint32_t subleaf, unsigned reg);
char *libxl__cpuid_msr(libxl_cpuid_policy_list *list, uint32_t index);

#endif
