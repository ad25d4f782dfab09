/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libxl's synchronous functions for the host: cpupools and the PCI devices' NUMA nodes. libxl.h includes this
 * header.
 *
 * Each runs an operation, which its comment names. The errors are those of the operation. Any thread may call
 * these functions. While they wait for xenstored, callbacks and event hooks may run on the calling thread.
 */
#ifndef LIBXL_HOST_H
#define LIBXL_HOST_H

/* ------------------------------------------------------------------ cpupools */

/* A number for libxl_cpupool_create that means the lowest number that is free. */
#define LIBXL_CPUPOOL_POOLID_ANY 0xFFFFFFFF

/*
 * Runs host_list_cpupools. Returns an array, and stores the number of its elements. The caller frees the array with
 * libxl_cpupoolinfo_list_free. Returns NULL after an error.
 */
libxl_cpupoolinfo *libxl_list_cpupool(libxl_ctx *ctx, int *nb_pool_out);
void libxl_cpupoolinfo_list_free(libxl_cpupoolinfo *list, int nb_pool);
/* Runs host_list_cpupools, and stores this cpupool. The caller disposes of *info. Errors: INVAL, and others. */
int libxl_cpupool_info(libxl_ctx *ctx, libxl_cpupoolinfo *info, uint32_t poolid);

/*
 * Runs host_create_cpupool. `uuid` NULL: a new UUID. *poolid is the wanted number, or LIBXL_CPUPOOL_POOLID_ANY, and
 * becomes the cpupool's number.
 */
int libxl_cpupool_create(libxl_ctx *ctx, const char *name, libxl_scheduler sched, libxl_bitmap cpumap,
                         libxl_uuid *uuid, uint32_t *poolid);
/* Run host_destroy_cpupool and host_rename_cpupool. */
int libxl_cpupool_destroy(libxl_ctx *ctx, uint32_t poolid);
int libxl_cpupool_rename(libxl_ctx *ctx, const char *name, uint32_t poolid);
/* Runs domain_set_cpupool. */
int libxl_cpupool_movedomain(libxl_ctx *ctx, uint32_t poolid, uint32_t domid);

/* Runs host_free_cpus. The caller disposes of *cpumap, which need not be initialised. */
int libxl_get_freecpus(libxl_ctx *ctx, libxl_bitmap *cpumap);
/* Run host_add_cpupool_cpus and host_remove_cpupool_cpus. */
int libxl_cpupool_cpuadd(libxl_ctx *ctx, uint32_t poolid, int cpu);
int libxl_cpupool_cpuadd_cpumap(libxl_ctx *ctx, uint32_t poolid, const libxl_bitmap *cpumap);
int libxl_cpupool_cpuremove(libxl_ctx *ctx, uint32_t poolid, int cpu);
int libxl_cpupool_cpuremove_cpumap(libxl_ctx *ctx, uint32_t poolid, const libxl_bitmap *cpumap);
/*
 * Adds all free processors of a NUMA node, or removes all processors of a NUMA node. Stores the number of
 * processors that were added or removed. A processor for which this fails is left out.
 */
int libxl_cpupool_cpuadd_node(libxl_ctx *ctx, uint32_t poolid, int node, int *cpus);
int libxl_cpupool_cpuremove_node(libxl_ctx *ctx, uint32_t poolid, int node, int *cpus);

/* ------------------------------------------------------------------ PCI devices */

/*
 * Runs host_pci_topology. Returns an array, and stores the number of its elements. The caller frees the array with
 * libxl_pcitopology_list_free. Returns NULL after an error, and if there are no PCI devices.
 */
libxl_pcitopology *libxl_get_pci_topology(libxl_ctx *ctx, int *num_devs);
void libxl_pcitopology_list_free(libxl_pcitopology *list, int num_devs);

/* ------------------------------------------------------------------ domains and the machine */

/*
 * Lists the host's domains, without those that run the device model of another domain. Returns an array, and
 * stores the number of its elements. The caller frees the array with libxl_vminfo_list_free. Returns NULL after an
 * error.
 */
libxl_vminfo *libxl_list_vm(libxl_ctx *ctx, int *nb_vm_out);
void libxl_vminfo_list_free(libxl_vminfo *list, int nb_vm);
/* Returns whether a domain of the host can have this number: it is neither 0 nor reserved. */
int libxl_domid_valid_guest(uint32_t domid);
/*
 * Returns when the domain was made, in seconds since 1970. Returns ~0 after an error, and if the domain has no
 * such time. Domain 0 has none.
 */
uint32_t libxl_vm_get_start_time(libxl_ctx *ctx, uint32_t domid);
/*
 * Removes the list of the numbers of domains that have ended, which libxl keeps in /run/xen/domid-history. A
 * program calls this once, when the machine starts. Errors: FAIL.
 */
int libxl_clear_domid_history(libxl_ctx *ctx);
/* Makes a random generation ID. Errors: FAIL. */
int libxl_ms_vm_genid_generate(libxl_ctx *ctx, libxl_ms_vm_genid *id);
/* Set or reset a descriptor's flags FD_CLOEXEC and O_NONBLOCK. Errors: FAIL. */
int libxl_fd_set_cloexec(libxl_ctx *ctx, int fd, int cloexec);
int libxl_fd_set_nonblock(libxl_ctx *ctx, int fd, int nonblock);

/*
 * Xen has no transcendent memory any more. As in libxl 4.17, these functions return FAIL, and libxl_tmem_list
 * returns NULL.
 */
char *libxl_tmem_list(libxl_ctx *ctx, uint32_t domid, int use_long);
int libxl_tmem_freeze(libxl_ctx *ctx, uint32_t domid);
int libxl_tmem_thaw(libxl_ctx *ctx, uint32_t domid);
int libxl_tmem_set(libxl_ctx *ctx, uint32_t domid, char *name, uint32_t set);
int libxl_tmem_shared_auth(libxl_ctx *ctx, uint32_t domid, char *uuid, int auth);
int libxl_tmem_freeable(libxl_ctx *ctx);

#endif /* LIBXL_HOST_H */
