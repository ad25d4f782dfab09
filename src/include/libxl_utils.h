/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libxl_utils: names and devices of domains, and small helpers.
 *
 * Any thread may call these functions. The functions for names and devices wait for xenstored's answer. While
 * they wait, callbacks and event hooks may run on the calling thread, as in any synchronous call.
 */
#ifndef LIBXL_UTILS_H
#define LIBXL_UTILS_H

#include <libxl.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Finds a domain by its name. Returns 0 and stores the domid in *domid. After an error *domid is unchanged.
 * Returns INVAL if no domain has this name, as libxl does, or an error of libxl_domain_find.
 */
int libxl_name_to_domid(libxl_ctx *ctx, const char *name, uint32_t *domid);

/*
 * Returns a domain's name, which the caller frees with free(). Returns NULL after an error and if the domain
 * does not exist.
 */
char *libxl_domid_to_name(libxl_ctx *ctx, uint32_t domid);

/*
 * Stores the configuration of the disk that the guest sees as `vdev`. The caller disposes of *disk. Errors:
 * NOTFOUND, INVAL, and those of libxl_domain_list_disks.
 */
int libxl_vdev_to_device_disk(libxl_ctx *ctx, uint32_t domid, const char *vdev, libxl_device_disk *disk);
/*
 * Stores the configuration of the network interface with this MAC address, for example "00:16:3e:01:02:03".
 * The caller disposes of *nic. Errors: NOTFOUND, INVAL, and those of libxl_domain_list_nics.
 */
int libxl_mac_to_device_nic(libxl_ctx *ctx, uint32_t domid, const char *mac, libxl_device_nic *nic);
/*
 * Stores the configuration of the virtual TPM with this UUID. The caller disposes of *vtpm. Errors: NOTFOUND,
 * and those of libxl_domain_list_vtpms.
 */
int libxl_uuid_to_device_vtpm(libxl_ctx *ctx, uint32_t domid, libxl_uuid *uuid, libxl_device_vtpm *vtpm);

/* ------------------------------------------------------------------ bitmaps */

/*
 * Functions for libxl_bitmap (libxl_values.h). They take no lock and wait for nothing. A bit beyond the end
 * of a bitmap counts as not set. Setting or resetting such a bit has no effect.
 */

/* Makes a bitmap of at least n_bits bits, all reset. Errors: INVAL (n_bits is negative), NOMEM. */
int libxl_bitmap_alloc(libxl_ctx *ctx, libxl_bitmap *bitmap, int n_bits);
/* Makes an independent copy. If there is no memory, the copy is empty and errno is ENOMEM. */
void libxl_bitmap_copy_alloc(libxl_ctx *ctx, libxl_bitmap *dptr, const libxl_bitmap *sptr);
/* Copies the bits that fit into *dptr, whose size does not change. Further bits of *dptr are reset. */
void libxl_bitmap_copy(libxl_ctx *ctx, libxl_bitmap *dptr, const libxl_bitmap *sptr);
int libxl_bitmap_is_full(const libxl_bitmap *bitmap);
int libxl_bitmap_is_empty(const libxl_bitmap *bitmap);
int libxl_bitmap_test(const libxl_bitmap *bitmap, int bit);
void libxl_bitmap_set(libxl_bitmap *bitmap, int bit);
void libxl_bitmap_reset(libxl_bitmap *bitmap, int bit);
int libxl_bitmap_count_set(const libxl_bitmap *bitmap);
/* Make a new bitmap, which has the size of the larger one of *map1 and *map2. Errors: NOMEM. */
int libxl_bitmap_or(libxl_ctx *ctx, libxl_bitmap *or_map, const libxl_bitmap *map1, const libxl_bitmap *map2);
int libxl_bitmap_and(libxl_ctx *ctx, libxl_bitmap *and_map, const libxl_bitmap *map1,
                     const libxl_bitmap *map2);
/*
 * Returns the bitmap as "0x" and hexadecimal digits, the highest octet first. The caller frees the text with
 * free(). Returns NULL if there is no memory.
 */
char *libxl_bitmap_to_hex_string(libxl_ctx *ctx, const libxl_bitmap *bitmap);

/* Set all bits, or reset all bits. */
void libxl_bitmap_set_any(libxl_bitmap *bitmap);
void libxl_bitmap_set_none(libxl_bitmap *bitmap);
/* Returns whether the bitmap is large enough to have this bit. */
int libxl_bitmap_cpu_valid(libxl_bitmap *bitmap, int bit);
/*
 * Returns whether the first nr_bits bits of both bitmaps are equal. nr_bits 0: compares all bits. A bit
 * beyond the end of a bitmap counts as not set.
 */
int libxl_bitmap_equal(const libxl_bitmap *ba, const libxl_bitmap *bb, int nr_bits);

/* Loops over all bits of the bitmap, set or not. */
#define libxl_for_each_bit(var, map) for ((var) = 0; (var) < (int)((map).size * 8); (var)++)
/* Loops over the bits that are set. */
#define libxl_for_each_set_bit(v, m)                                                                         \
    for ((v) = 0; (v) < (int)((m).size * 8); (v)++)                                                          \
        if (libxl_bitmap_test(&(m), v))

/* ------------------------------------------------------------------ others */

/* Fills an object with zero octets. */
#define LIBXL_FILLZERO(object) (memset(&(object), 0, sizeof((object))))

#ifdef __cplusplus
}
#endif

#endif /* LIBXL_UTILS_H */
