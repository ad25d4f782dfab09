/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libxl_values: the hand-written types in a domain's configuration. Included by libxl.h.
 *
 * Names, layout and conventions are libxl's. Any thread may call these functions. They take no lock. They do
 * not use their context parameter, which may be NULL.
 *
 * A value of any of these types is initialised by setting it to zero. T_dispose frees the memory of a value
 * of type T and sets the value to zero. It may be called again for the same value, and with NULL. T_copy
 * makes an independent copy. If there is no memory, the copy is empty and errno is ENOMEM.
 */
#ifndef LIBXL_VALUES_H
#define LIBXL_VALUES_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A device's number. It is unique among the devices of one class in one domain. */
typedef int libxl_devid;

/* The default for a memory size in KiB. With this value the library chooses the size. */
#define LIBXL_MEMKB_DEFAULT      ~0ULL
#define LIBXL_TIMER_MODE_DEFAULT -1
/* libxl's default for b_info.u.hvm.rdm_mem_boundary_memkb. */
#define LIBXL_RDM_MEM_BOUNDARY_MEMKB_DEFAULT (2048 * 1024)
#define LIBXL_PCI_FUNC_ALL                   (~0U)
/*
 * The default for a number of grant frames or maptrack frames. With this value the hypervisor chooses the
 * number.
 */
#define LIBXL_MAX_GRANT_DEFAULT (~(uint32_t)0)
/*
 * The default for the guest address of device memory. With this value the guest sees the memory at the host's
 * address.
 */
#define LIBXL_INVALID_GFN (~(uint64_t)0)

/* ------------------------------------------------------------------ a boolean with a default */

/* Do not use `val` directly. 0 means the default, a positive number true, and a negative number false. */
typedef struct {
    int val;
} libxl_defbool;

void libxl_defbool_set(libxl_defbool *db, bool b);
/* Sets the value to the default. */
void libxl_defbool_unset(libxl_defbool *db);
/* Sets the value if it is the default. Otherwise does nothing. */
void libxl_defbool_setdefault(libxl_defbool *db, bool b);
bool libxl_defbool_is_default(libxl_defbool db);
/* Returns the value, or false if it is the default. */
bool libxl_defbool_val(libxl_defbool db);
/* Returns "True", "False" or "<default>". */
const char *libxl_defbool_to_string(libxl_defbool b);

/* ------------------------------------------------------------------ bits */

/*
 * An array of bits. Bit N is bit N % 8 of octet N / 8. libxl_utils.h declares the functions for single bits.
 */
typedef struct {
    uint32_t size; /* the size of `map`, in octets */
    uint8_t *map;  /* the octets of the bitmap, malloc'ed; NULL if size is 0 */
} libxl_bitmap;

void libxl_bitmap_init(libxl_bitmap *map);
void libxl_bitmap_dispose(libxl_bitmap *map);

/* ------------------------------------------------------------------ lists of strings */

/* A malloc'ed array of malloc'ed strings. A NULL pointer ends the array. NULL: an empty list. */
typedef char **libxl_string_list;
void libxl_string_list_dispose(libxl_string_list *sl);
int libxl_string_list_length(const libxl_string_list *sl);
void libxl_string_list_copy(libxl_ctx *ctx, libxl_string_list *dst, const libxl_string_list *src);

/*
 * A malloc'ed array of malloc'ed keys and values: key, value, key, value, ..., NULL. A value may be NULL; a
 * key must not. NULL: an empty list.
 */
typedef char **libxl_key_value_list;
void libxl_key_value_list_dispose(libxl_key_value_list *kvl);
/* Returns the number of pairs. */
int libxl_key_value_list_length(const libxl_key_value_list *kvl);
void libxl_key_value_list_copy(libxl_ctx *ctx, libxl_key_value_list *dst, const libxl_key_value_list *src);

/* ------------------------------------------------------------------ octets */

/* The octets of a MAC address, in the order in which the address is written. */
typedef uint8_t libxl_mac[6];
void libxl_mac_copy(libxl_ctx *ctx, libxl_mac *dst, const libxl_mac *src);

#define LIBXL_MAC_FMT            "%02hhx:%02hhx:%02hhx:%02hhx:%02hhx:%02hhx"
#define LIBXL_MAC_FMTLEN         ((2 * 6) + 5) /* 6 octets in hexadecimal and 5 colons */
#define LIBXL__MAC_BYTES(octets) (octets)[0], (octets)[1], (octets)[2], (octets)[3], (octets)[4], (octets)[5]
#define LIBXL_MAC_BYTES(mac)     LIBXL__MAC_BYTES(mac)

/* The processors' features, as the hypervisor reports them: eight words of 32 bits. */
typedef uint32_t libxl_hwcap[8];
void libxl_hwcap_copy(libxl_ctx *ctx, libxl_hwcap *dst, const libxl_hwcap *src);

/* The VM generation ID. Windows reads it to find out whether it was restored from an older state. */
#define LIBXL_MS_VM_GENID_LEN 16
typedef struct {
    uint8_t bytes[16];
} libxl_ms_vm_genid;
bool libxl_ms_vm_genid_is_zero(const libxl_ms_vm_genid *id);
void libxl_ms_vm_genid_copy(libxl_ctx *ctx, libxl_ms_vm_genid *dst, const libxl_ms_vm_genid *src);

/*
 * Octets of any number and with any values. A zero octet, which is not
 * counted, follows the octets of a blob that this library has made, so `data` is also a string in C.
 */
typedef struct {
    uint32_t size; /* the number of octets */
    uint8_t *data; /* the octets, malloc'ed; may be NULL if size is 0 */
} libxl_blob;
void libxl_blob_init(libxl_blob *blob);
void libxl_blob_dispose(libxl_blob *blob);
void libxl_blob_copy(libxl_ctx *ctx, libxl_blob *dst, const libxl_blob *src);
/*
 * Makes *blob a copy of `size` octets at `data`. The blob must be initialised; its former octets are freed.
 * Errors: NOMEM, and then *blob does not change.
 */
int libxl_blob_set(libxl_blob *blob, const void *data, uint32_t size);

/* ------------------------------------------------------------------ CPUID policies */

/* A CPUID policy: a list of changes to CPUID leaves and to model-specific registers. NULL: an empty list. */
struct libxl__cpu_policy;
typedef struct libxl__cpu_policy *libxl_cpuid_policy_list;
void libxl_cpuid_dispose(libxl_cpuid_policy_list *cpuid_list);
/* Returns the number of CPUID leaves and registers in the list. */
int libxl_cpuid_policy_list_length(const libxl_cpuid_policy_list *l);
void libxl_cpuid_policy_list_copy(libxl_ctx *ctx, libxl_cpuid_policy_list *dst,
                                  const libxl_cpuid_policy_list *src);

#ifdef __cplusplus
}
#endif

#endif /* LIBXL_VALUES_H */
