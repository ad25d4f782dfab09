/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a libxl_cpuid_policy_list contains. The texts belong to the list. These functions need no lock: any thread may
 * call them.
 */
#ifndef LIBXL__CPUID_POLICY_H
#define LIBXL__CPUID_POLICY_H

#include <libxl.h>

/* A change to one CPUID leaf. */
typedef struct libxl__cpuid_leaf {
    uint32_t leaf, subleaf;   /* subleaf UINT32_MAX: the leaf has no subleaves */
    const char *registers[4]; /* eax, ebx, ecx, edx: 32 characters; NULL: the register is unchanged */
} libxl__cpuid_leaf;

/* The numbers of leaves and of MSRs in a list. */
uint32_t libxl__cpuid_leaves(const libxl_cpuid_policy_list *list);
uint32_t libxl__cpuid_msrs(const libxl_cpuid_policy_list *list);
/* Returns a leaf, in the order of the list. */
libxl__cpuid_leaf libxl__cpuid_leaf_at(const libxl_cpuid_policy_list *list, uint32_t index);
/* Returns an MSR's text of 64 characters and stores its number. */
const char *libxl__cpuid_msr_at(const libxl_cpuid_policy_list *list, uint32_t index, uint32_t *msr);

/*
 * Returns the 32 characters of a register of the leaf `number`, or the 64 of an MSR, which the caller may replace. A leaf
 * or an MSR that the list does not have is added; a register that is unchanged becomes x for each bit. The pointer is valid
 * until the next call. NULL: no memory.
 */
char *libxl__cpuid_register(libxl_cpuid_policy_list *list, uint32_t number, uint32_t subleaf, unsigned reg);
char *libxl__cpuid_msr(libxl_cpuid_policy_list *list, uint32_t index);

#endif
