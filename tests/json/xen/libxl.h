/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The hand-written declarations that Xen's own type files need, from release 4.2 to the current one: the builtin
 * types, and the constants that initial values name. A user of these files needs no other declarations.
 */
#ifndef LIBXL_H
#define LIBXL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct libxl_ctx libxl_ctx;

#define LIBXL_MEMKB_DEFAULT                        (~(uint64_t)0)
#define LIBXL_INVALID_GFN                          (~(uint64_t)0)
#define LIBXL_MAX_GRANT_DEFAULT                    (~(uint32_t)0)
#define LIBXL_MAX_GRANT_FRAMES_DEFAULT             32
#define LIBXL_MAX_MAPTRACK_FRAMES_DEFAULT          1024
#define LIBXL_NR_SPIS_DEFAULT                      (~(uint32_t)0)
#define LIBXL_ALTP2M_COUNT_DEFAULT                 (~(uint32_t)0)
#define LIBXL_SSHM_RANGE_UNKNOWN                   (~(uint64_t)0)
#define LIBXL_TIMER_MODE_DEFAULT                   -1
#define LIBXL_SCHED_PARAM_VCPU_INDEX_DEFAULT       -1
#define LIBXL_DOMAIN_SCHED_PARAM_WEIGHT_DEFAULT    -1
#define LIBXL_DOMAIN_SCHED_PARAM_CAP_DEFAULT       -1
#define LIBXL_DOMAIN_SCHED_PARAM_PERIOD_DEFAULT    -1
#define LIBXL_DOMAIN_SCHED_PARAM_SLICE_DEFAULT     -1
#define LIBXL_DOMAIN_SCHED_PARAM_LATENCY_DEFAULT   -1
#define LIBXL_DOMAIN_SCHED_PARAM_EXTRATIME_DEFAULT -1
#define LIBXL_DOMAIN_SCHED_PARAM_BUDGET_DEFAULT    -1

/* ------------------------------------------------------------------ numbers */

typedef uint32_t libxl_domid;
typedef int libxl_devid;

/* ------------------------------------------------------------------ octets, and what is copied by assignment
 */

typedef struct {
    int val; /* 0: default, > 0: true, < 0: false */
} libxl_defbool;

typedef struct {
    uint8_t octets[16];
} libxl_uuid, libxl_ms_vm_genid;

typedef uint8_t libxl_mac[6];
typedef uint32_t libxl_hwcap[8];

typedef struct {
    void *next, **previous;
} libxl_ev_link;

/* ------------------------------------------------------------------ what owns memory */

typedef struct {
    uint32_t size; /* in octets */
    uint8_t *map;
} libxl_bitmap, libxl_cpumap;

/* Each list ends with NULL. In a key_value_list, keys and values alternate. */
typedef char **libxl_string_list;
typedef char **libxl_key_value_list;
typedef char *libxl_cpuid_policy_list;

#define libxl__bitmap_copy libxl__bitmap_copy_alloc
void libxl_bitmap_dispose(libxl_bitmap *map);
void libxl_string_list_dispose(libxl_string_list *list);
void libxl_key_value_list_dispose(libxl_key_value_list *list);
void libxl_cpuid_dispose(libxl_cpuid_policy_list *list);

#ifdef XEN_WITHOUT_ERRORS /* The type files declare the errors only since 4.5. */
enum { ERROR_NOMEM = -5, ERROR_INVAL = -6 };
#endif

const char *libxl_error_message(void);

#include <_libxl_types.h>

#endif
