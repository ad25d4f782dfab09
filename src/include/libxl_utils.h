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
/*
 * Stores the configuration of the USB device in a port of a controller. The caller disposes of *usbdev. Errors:
 * NOTFOUND, and those of libxl_domain_list_usbdevs.
 */
int libxl_ctrlport_to_device_usbdev(libxl_ctx *ctx, uint32_t domid, int ctrl, int port,
                                    libxl_device_usbdev *usbdev);

/*
 * Finds a domain by its number, if `name` has only digits, or by its name. A number is stored without a check
 * that the domain exists. Errors: those of libxl_name_to_domid.
 */
int libxl_domain_qualifier_to_domid(libxl_ctx *ctx, const char *name, uint32_t *domid);
/*
 * Returns the domain that runs the device model of this domain. Returns 0 if domain 0 runs the device model, or after
 * an error.
 */
int libxl_get_stubdom_id(libxl_ctx *ctx, int guest_domid);
/*
 * Returns 1 if the domain runs the device model of another domain, whose number is stored in *target_domid;
 * NULL: it is not stored. Otherwise returns 0.
 */
int libxl_is_stubdom(libxl_ctx *ctx, uint32_t domid, uint32_t *target_domid);

/* ------------------------------------------------------------------ names of cpupools */

/* Finds a cpupool by its name. Errors: INVAL (there is none), and those of libxl_host_list_cpupools. */
int libxl_name_to_cpupoolid(libxl_ctx *ctx, const char *name, uint32_t *poolid);
/* Returns a cpupool's name, which the caller frees with free(). Returns NULL if there is no such cpupool. */
char *libxl_cpupoolid_to_name(libxl_ctx *ctx, uint32_t poolid);
/* Returns 1 if the cpupool exists, otherwise 0. */
int libxl_cpupoolid_is_valid(libxl_ctx *ctx, uint32_t poolid);
/*
 * Finds a cpupool by its number, if `p` has only digits, or by its name. A number is stored without a check that the
 * cpupool exists. *was_name_r becomes 1 if `p` is a name, otherwise 0; NULL: it is not stored. Errors: INVAL (no
 * cpupool has the name), and those of libxl_host_list_cpupools.
 */
int libxl_cpupool_qualifier_to_cpupoolid(libxl_ctx *ctx, const char *p, uint32_t *poolid_r, int *was_name_r);

/* ------------------------------------------------------------------ sets of processors, nodes and sockets */

/*
 * Make the set of the processors of these nodes or of this node, and the set of the nodes of these processors.
 * The caller disposes of the set, and initialises it before. Errors: INVAL, NOMEM, and those of
 * libxl_host_cpu_topology.
 */
int libxl_nodemap_to_cpumap(libxl_ctx *ctx, const libxl_bitmap *nodemap, libxl_bitmap *cpumap);
int libxl_node_to_cpumap(libxl_ctx *ctx, int node, libxl_bitmap *cpumap);
int libxl_cpumap_to_nodemap(libxl_ctx *ctx, const libxl_bitmap *cpumap, libxl_bitmap *nodemap);
/* Makes an empty set for this many sockets; 0: for all sockets of the host. */
int libxl_socket_bitmap_alloc(libxl_ctx *ctx, libxl_bitmap *socketmap, int max_sockets);
/* Sets the bits of the sockets that have a processor online. The set must have room for all sockets. */
int libxl_get_online_socketmap(libxl_ctx *ctx, libxl_bitmap *socketmap);

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

/* ------------------------------------------------------------------ strings, files and processes */

/*
 * Helper functions of libxl that programs use for their own purposes. They take no lock and use no state of the
 * context, except its logger. They block as long as their system calls do.
 */

/*
 * Returns a copy of what follows the last '/' in `name`, or "." if `name` is empty. The caller frees it. Returns NULL
 * if there is no memory.
 */
char *libxl_basename(const char *name);
/* Stores a copy of *src, or NULL if *src is NULL. Without memory *dst is NULL, and errno is ENOMEM. */
void libxl_string_copy(libxl_ctx *ctx, char **dst, char *const *src);
/* Returns the memory in KiB for shadow paging of a domain with this memory and this number of vcpus. */
unsigned long libxl_get_required_shadow_memory(unsigned long maxmem_kb, unsigned int smp_cpus);
/*
 * Stores the backend with this name: phy, file, qdisk or standalone. The name "tap" gives INVAL. As in libxl, for any
 * other text the result is 0 and *backend does not change.
 */
int libxl_string_to_backend(libxl_ctx *ctx, char *s, libxl_disk_backend *backend);

/*
 * Reads a file into memory that the caller frees. An empty file gives NULL and 0. data_r and datalen_r may be NULL.
 * Returns 0 or an errno value. Errors other than ENOENT are logged. After an error nothing is stored.
 */
int libxl_read_file_contents(libxl_ctx *ctx, const char *filename, void **data_r, int *datalen_r);
/*
 * Read or write exactly `sz` octets. Return 0 or an errno value. The end of the file gives EPROTO. Errors are
 * logged with `filename`, and with `what`, which may be NULL.
 */
int libxl_read_exactly(libxl_ctx *ctx, int fd, void *data, ssize_t sz, const char *filename,
                       const char *what);
int libxl_write_exactly(libxl_ctx *ctx, int fd, const void *data, ssize_t sz, const char *filename,
                        const char *what);
/* Calls pipe(). Logs an error. Returns 0 or FAIL. */
int libxl_pipe(libxl_ctx *ctx, int pipes[2]);
/* Logs how a child process has ended. `what` names the process. `status` is from waitpid(). Any status is logged as a
 * failure. */
void libxl_report_child_exitstatus(libxl_ctx *ctx, xentoollog_level level, const char *what, pid_t pid,
                                   int status);
/*
 * Makes the path of a log file in /var/log/xen, NAME.log, and stores the path, which the caller frees. Renames up to
 * ten older files of this name: NAME.log.1 is the newest. Returns 0 or an error.
 */
int libxl_create_logfile(libxl_ctx *ctx, const char *name, char **full_name);

/* ------------------------------------------------------------------ others */

/* Fills an object with zero octets. */
#define LIBXL_FILLZERO(object) (memset(&(object), 0, sizeof((object))))

#ifdef __cplusplus
}
#endif

#endif /* LIBXL_UTILS_H */
