/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a migrating guest needs from the hypervisor of the machine to which it moves: memory, and features of the
 * processors. Each function takes microseconds. Call all functions with the context locked.
 */
#ifndef LIBXL__ARRIVAL_H
#define LIBXL__ARRIVAL_H

#include "ao.h"

/* The greatest number of words in a featureset that two machines exchange. Xen 4.17 has 16 words. */
enum { LIBXL__MOST_FEATURES = 64 };

/*
 * Gets the features of a domain's processors, as a featureset (the words of Xen's public header
 * arch-x86/cpufeatureset.h that CPUID has). *words_out is in the operation's memory. Errors, recorded in ao: NOMEM, and
 * those of a hypercall on a domain.
 */
int libxl__hv_features(libxl__ao *ao, uint32_t domid, uint32_t **words_out, unsigned *count_out);
/*
 * Checks that this machine has all features of a featureset. `hvm`: the featureset is that of an HVM or PVH guest.
 * Two kinds of features are not compared: those that only describe how to read other leaves, and those that a guest's
 * kernel turns on itself. Errors, recorded in ao with the path of the word: INVAL; NOMEM.
 */
int libxl__hv_check_features(libxl__ao *ao, bool hvm, const uint32_t *given, unsigned count);

/*
 * Reserves memory for a domain that has no memory yet. The pages that the domain then gets are taken from the
 * reservation. The reservation ends with the domain, or by libxl__hv_release. Returns 0 without a reservation if the
 * hypervisor refuses it for any reason except a lack of memory. Errors, recorded in ao: NO_MEMORY_FOR_GUEST, also if
 * the domain may not have so much memory; those of libxl__hv_look.
 */
int libxl__hv_claim(libxl__ao *ao, uint32_t domid, uint64_t kb);
/* Ends the reservation of libxl__hv_claim. Does nothing if the domain has none. */
void libxl__hv_release(libxl__ao *ao, uint32_t domid);

#endif
