/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Hypercalls about cpupools. Each takes a few microseconds. The functions use no state of the context. Any
 * thread may call them, locked or not. Each returns 0, or an error that is recorded in ao with a message. A
 * result is written only on success, and the caller disposes of it.
 */
#ifndef LIBXL__CPUPOOLS_H
#define LIBXL__CPUPOOLS_H

#include <stdbool.h>
#include <stdint.h>

#include <libxl.h>

struct libxl__ao;

/*
 * Describes the cpupool with the lowest number from `from` on. pool_name stays NULL. Returns NOTFOUND, which is not
 * recorded, if there is no such cpupool.
 */
int libxl__hv_next_cpupool(struct libxl__ao *ao, uint32_t from, libxl_cpupoolinfo *out);
/*
 * Describes the cpupool `poolid`. pool_name stays NULL. Errors: INVAL (there is no such cpupool), and those of the
 * hypercall.
 */
int libxl__hv_cpupool(struct libxl__ao *ao, uint32_t poolid, libxl_cpupoolinfo *out);
/* Stores the processors that are in no cpupool. */
int libxl__hv_free_cpus(struct libxl__ao *ao, libxl_bitmap *out);
/*
 * Makes a cpupool without processors. Before the call *poolid is the wanted number, or LIBXL_CPUPOOL_POOLID_ANY.
 * After it *poolid is the cpupool's number.
 */
int libxl__hv_make_cpupool(struct libxl__ao *ao, libxl_scheduler sched, uint32_t *poolid);
/* Destroys a cpupool without processors and domains. */
int libxl__hv_end_cpupool(struct libxl__ao *ao, uint32_t poolid);
/* Adds or removes these processors one by one. Stops at the first processor that cannot be added or removed. */
int libxl__hv_change_cpus(struct libxl__ao *ao, uint32_t poolid, const libxl_bitmap *cpus, bool add);
/*
 * Moves a domain to a cpupool. Errors: INVAL (the cpupool does not exist or has no processors), and those of
 * libxl__errno_rc for LIBXL__CALL_SETTING.
 */
int libxl__hv_move_domain(struct libxl__ao *ao, uint32_t poolid, uint32_t domid);

#endif
