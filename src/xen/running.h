/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Hypercalls about virtual processors, schedulers, and the host's processors and nodes. Each function takes a
 * few microseconds for each processor or virtual processor. The functions allocate memory and use no state of
 * the context. Any thread may call them, locked or not.
 *
 * Each function returns 0, or an error that is recorded in ao with a message. A result is written only on success.
 * The caller disposes of the result. A function with a domid also returns DOMAIN_NOTFOUND. The other errors are those
 * of libxl__errno_rc (errno_rc.h), NOMEM, and what the function's comment names.
 */
#ifndef LIBXL__RUNNING_H
#define LIBXL__RUNNING_H

#include <xenctrl.h>

#include <libxl.h>

struct libxl__ao;

/* ---- vcpus.c */

/* A value of the parameter `vcpuid` that means all virtual processors of the domain. */
#define LIBXL__ALL_VCPUS (~(uint32_t)0)

/* Lists all virtual processors of the domain, with their states and affinities. */
int libxl__hv_list_vcpus(struct libxl__ao *ao, uint32_t domid, libxl_vcpu_list *out);
/*
 * Sets the hard and the soft affinity of a virtual processor. `vcpuid` LIBXL__ALL_VCPUS: sets the affinities
 * of all virtual processors. `hard` NULL: the hard affinity does not change. `soft` NULL: the soft affinity
 * does not change. `force` overrides a temporary affinity. Errors: also INVAL (there is no such virtual processor, both
 * affinities are NULL, or the hypervisor refuses an affinity).
 */
int libxl__hv_set_affinity(struct libxl__ao *ao, uint32_t domid, uint32_t vcpuid, const libxl_bitmap *hard,
                           const libxl_bitmap *soft, bool force);
/* Set and get the NUMA nodes from which the domain gets memory. */
int libxl__hv_set_nodes(struct libxl__ao *ao, uint32_t domid, const libxl_bitmap *nodes);
int libxl__hv_get_nodes(struct libxl__ao *ao, uint32_t domid, libxl_bitmap *nodes);
/* Sends a trigger to a virtual processor. Errors: also INVAL (wrong `vcpuid` or `trigger`). */
int libxl__hv_trigger(struct libxl__ao *ao, uint32_t domid, libxl_trigger trigger, uint32_t vcpuid);

/* ---- scheduling.c */

/* Stores in *found whether the cpupool exists. Errors, recorded in ao: those of the hypercall. */
int libxl__hv_has_cpupool(struct libxl__ao *ao, uint32_t poolid, bool *found);
/* Gets the scheduler of the hypervisor, which cpupool 0 has. */
int libxl__hv_scheduler(struct libxl__ao *ao, libxl_scheduler *out);
/*
 * Get and set the parameters that the scheduler has for the domain. `field` is the input's name, for messages. A
 * parameter that is -1 keeps its present value. Errors: also INVAL (a wrong value, or a parameter that the scheduler of
 * the domain's cpupool does not have).
 */
int libxl__hv_get_sched(struct libxl__ao *ao, uint32_t domid, libxl_domain_sched_params *out);
int libxl__hv_set_sched(struct libxl__ao *ao, const char *field, uint32_t domid,
                        const libxl_domain_sched_params *params);
/*
 * Get the parameters of all virtual processors, and set those of the virtual processors in `params`. Errors: also
 * INVAL (the scheduler is not RTDS, or a value is wrong).
 */
int libxl__hv_get_vcpu_sched(struct libxl__ao *ao, uint32_t domid, libxl_vcpu_sched_params *out);
int libxl__hv_set_vcpu_sched(struct libxl__ao *ao, uint32_t domid, const libxl_vcpu_sched_params *params);
/*
 * Get and set the parameters that the scheduler credit or credit2 has for a whole cpupool. Errors: also INVAL (the
 * cpupool does not exist or has another scheduler, or a value is wrong).
 */
int libxl__hv_get_credit(struct libxl__ao *ao, uint32_t poolid, libxl_sched_credit_params *out);
int libxl__hv_set_credit(struct libxl__ao *ao, uint32_t poolid, const libxl_sched_credit_params *params);
int libxl__hv_get_credit2(struct libxl__ao *ao, uint32_t poolid, libxl_sched_credit2_params *out);
int libxl__hv_set_credit2(struct libxl__ao *ao, uint32_t poolid, const libxl_sched_credit2_params *params);

/* ---- topology.c */

/* List the host's processors, and its NUMA nodes. */
int libxl__hv_topology(struct libxl__ao *ao, libxl_cputopology_list *out);
int libxl__hv_numa(struct libxl__ao *ao, libxl_numainfo_list *out);
/* Lists the host's PCI devices with their NUMA nodes (pci_topology.c). */
int libxl__hv_pci_topology(struct libxl__ao *ao, libxl_pcitopology_list *out);
/* Gets the memory that new domains can have, in KiB. */
int libxl__hv_free_memory(struct libxl__ao *ao, uint64_t *kb_out);
/* Makes the hypervisor act on debug keys. Errors: also INVAL (`keys` is empty). */
int libxl__hv_debug_keys(struct libxl__ao *ao, const char *keys);

#endif
