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
/*
 * Runs host_list_cpupools, and stores this cpupool. The caller disposes of *info. Errors: INVAL (there is no such
 * cpupool), and those of the operation.
 */
int libxl_cpupool_info(libxl_ctx *ctx, libxl_cpupoolinfo *info, uint32_t poolid);

/*
 * Runs host_create_cpupool. `uuid` NULL: the cpupool gets a new UUID. Before the call *poolid is the wanted number,
 * or LIBXL_CPUPOOL_POOLID_ANY. After it *poolid is the cpupool's number.
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
 * processors that were added or removed. A processor that cannot be added or removed is skipped.
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

/*
 * Run host_pci_assignable_add and host_pci_assignable_remove. `rebind` is not 0: the first function stores the
 * device's present driver, and the second function gives the device back to that driver. Errors: those of the
 * operations.
 */
int libxl_device_pci_assignable_add(libxl_ctx *ctx, libxl_device_pci *pci, int rebind);
int libxl_device_pci_assignable_remove(libxl_ctx *ctx, libxl_device_pci *pci, int rebind);
/*
 * Runs host_pci_assignable. Returns an array, and stores the number of its elements. The caller frees the array
 * with libxl_device_pci_assignable_list_free. Returns NULL after an error, and if there are no such devices.
 */
libxl_device_pci *libxl_device_pci_assignable_list(libxl_ctx *ctx, int *num);
void libxl_device_pci_assignable_list_free(libxl_device_pci *list, int num);

/*
 * Runs domain_list_pcis. Returns an array, and stores the number of its elements. The caller frees the array with
 * libxl_device_pci_list_free. Returns NULL after an error, and if the domain has no PCI devices.
 */
libxl_device_pci *libxl_device_pci_list(libxl_ctx *ctx, uint32_t domid, int *num);
void libxl_device_pci_list_free(libxl_device_pci *list, int num);

/*
 * Runs domain_list_usbdevs. Returns an array, and stores the number of its elements. The caller frees the array with
 * libxl_device_usbdev_list_free. Returns NULL after an error, and if the domain has no USB devices.
 */
libxl_device_usbdev *libxl_device_usbdev_list(libxl_ctx *ctx, uint32_t domid, int *num);
void libxl_device_usbdev_list_free(libxl_device_usbdev *list, int num);

/* ------------------------------------------------------------------ FLASK */

/*
 * Run host_flask_enforcing, host_flask_set_enforcing and host_flask_load. Return -1 after an error and set
 * errno, as in libxl: ENOSYS (the hypervisor has no FLASK), EPERM, EINVAL. libxl_flask_getenforce returns
 * 1 or 0.
 */
int libxl_flask_getenforce(libxl_ctx *ctx);
int libxl_flask_setenforce(libxl_ctx *ctx, int mode);
int libxl_flask_loadpolicy(libxl_ctx *ctx, void *policy, uint32_t size);
/*
 * Run host_flask_number and host_flask_label, with the same errors. `len` is the length of the label in octets. The
 * caller frees *buf.
 */
int libxl_flask_context_to_sid(libxl_ctx *ctx, char *buf, size_t len, uint32_t *ssidref);
int libxl_flask_sid_to_context(libxl_ctx *ctx, uint32_t ssidref, char **buf, size_t *len);

/* ------------------------------------------------------------------ the hypervisor's messages and parameters */

typedef struct libxl__xen_console_reader libxl_xen_console_reader;
/*
 * Runs host_console_ring. Returns a reader, or NULL after an error. Only one thread may use a reader at a time.
 * The caller frees it with libxl_xen_console_read_finish.
 */
libxl_xen_console_reader *libxl_xen_console_read_start(libxl_ctx *ctx, int clear);
/*
 * Returns 1 and stores the next line, with its newline, in *line_r. The line is valid until the next call with this
 * reader. Returns 0 after the last line, and stores NULL.
 */
int libxl_xen_console_read_line(libxl_ctx *ctx, libxl_xen_console_reader *cr, char **line_r);
void libxl_xen_console_read_finish(libxl_ctx *ctx, libxl_xen_console_reader *cr);
/* Runs host_set_parameters. Errors: FAIL (a parameter cannot be set), and others. */
int libxl_set_parameters(libxl_ctx *ctx, char *params);

/* ------------------------------------------------------------------ cache and memory bandwidth of the processors */

/*
 * Run domain_psr_attach, domain_psr_detach, domain_psr_sample, domain_psr_get and domain_psr_set. Return FAIL if the
 * host does not have the feature. *sample_r is in octets, *l3_cache_occupancy in KiB. tsc_r may be NULL.
 */
int libxl_psr_cmt_attach(libxl_ctx *ctx, uint32_t domid);
int libxl_psr_cmt_detach(libxl_ctx *ctx, uint32_t domid);
int libxl_psr_cmt_get_sample(libxl_ctx *ctx, uint32_t domid, libxl_psr_cmt_type type, uint64_t scope,
                             uint64_t *sample_r, uint64_t *tsc_r);
int libxl_psr_cmt_get_cache_occupancy(libxl_ctx *ctx, uint32_t domid, uint32_t socketid,
                                      uint32_t *l3_cache_occupancy);
int libxl_psr_set_val(libxl_ctx *ctx, uint32_t domid, libxl_psr_type type, libxl_bitmap *target_map,
                      uint64_t val);
int libxl_psr_get_val(libxl_ctx *ctx, uint32_t domid, libxl_psr_type type, unsigned int target,
                      uint64_t *val);
/* libxl's older names of the two functions above. */
int libxl_psr_cat_set_cbm(libxl_ctx *ctx, uint32_t domid, libxl_psr_cbm_type type, libxl_bitmap *target_map,
                          uint64_t cbm);
int libxl_psr_cat_get_cbm(libxl_ctx *ctx, uint32_t domid, libxl_psr_cbm_type type, uint32_t target,
                          uint64_t *cbm_r);
/* Run domain_psr_attached and host_psr_cmt. Return 1 (yes) or 0 (no, or an error). */
int libxl_psr_cmt_domain_attached(libxl_ctx *ctx, uint32_t domid);
int libxl_psr_cmt_enabled(libxl_ctx *ctx);
int libxl_psr_cmt_type_supported(libxl_ctx *ctx, libxl_psr_cmt_type type);
/* Run host_psr_cmt and host_psr_cache_size. The size is in KiB. */
int libxl_psr_cmt_get_total_rmid(libxl_ctx *ctx, uint32_t *total_rmid);
int libxl_psr_cmt_get_l3_cache_size(libxl_ctx *ctx, uint32_t socketid, uint32_t *l3_cache_size);
/*
 * Run host_psr_hw_info. Each stores an array and the number of its elements. The caller frees the array with
 * the function for its type.
 */
int libxl_psr_get_hw_info(libxl_ctx *ctx, libxl_psr_feat_type type, unsigned int lvl, unsigned int *nr,
                          libxl_psr_hw_info **info);
void libxl_psr_hw_info_list_free(libxl_psr_hw_info *list, unsigned int nr);
int libxl_psr_cat_get_info(libxl_ctx *ctx, libxl_psr_cat_info **info, unsigned int *nr, unsigned int lvl);
int libxl_psr_cat_get_l3_info(libxl_ctx *ctx, libxl_psr_cat_info **info, int *nr);
void libxl_psr_cat_info_list_free(libxl_psr_cat_info *list, int nr);

/* ------------------------------------------------------------------ CPUID policies */

/*
 * Add one word of xl's key cpuid to a list: FEATURE=POLICY, or LEAF[,SUBLEAF]:REGISTER=BITS. Return 0, 1 (there is
 * no '=' or no ':'), 2 (the feature or its policy is wrong) or 3 (the leaf, the register or the bits are wrong).
 * After an error, libxl_error_message has the reason, and the list does not change.
 */
int libxl_cpuid_parse_config(libxl_cpuid_policy_list *cpuid, const char *str);
int libxl_cpuid_parse_config_xend(libxl_cpuid_policy_list *cpuid, const char *str);

/* ------------------------------------------------------------------ domains and the machine */

/*
 * Replaces this process by vncviewer, for the domain's screen. If `autopass` is not 0, the viewer gets the password
 * that is in the domain's nodes of xenstore. Returns only after an error, with FAIL.
 */
int libxl_vncviewer_exec(libxl_ctx *ctx, uint32_t domid, int autopass);

/*
 * Lists the host's domains, except domains that run the device model of another domain. Returns an array, and
 * stores the number of its elements. The caller frees the array with libxl_vminfo_list_free. Returns NULL after an
 * error.
 */
libxl_vminfo *libxl_list_vm(libxl_ctx *ctx, int *nb_vm_out);
void libxl_vminfo_list_free(libxl_vminfo *list, int nb_vm);
/* Returns 1 if a guest can have this domid, that is, if it is neither 0 nor reserved. Otherwise returns 0. */
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
