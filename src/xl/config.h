/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The table of all keys. The functions that read the keys for which a row of the table is not enough. Call them on the
 * thread that uses the libxl__xl (xl.h), without a lock. Errors are recorded in x.
 */
#ifndef LIBXL__XL_CONFIG_H
#define LIBXL__XL_CONFIG_H

#include "field.h"

/*
 * The table of all keys that xl 4.17 knows, in the order in which xl reads them. A row stores its value in a
 * libxl_domain_config.
 */
extern const libxl__xl_field libxl__xl_keys[];

/* general.c: readers of keys */
libxl__xl_reader libxl__xl_read_uuid, libxl__xl_read_memory, libxl__xl_read_vcpus,
    libxl__xl_read_bootloader_args, libxl__xl_read_firmware, libxl__xl_read_seclabel,
    libxl__xl_read_one_or_list;
/*
 * Sets the type of the domain, from the keys `type` and `builder`. Returns true, or false if there is an
 * error.
 */
bool libxl__xl_read_type(libxl__xl *x, libxl_domain_config *config, const libxl__xl_settings *settings);
/* Sets the fields that depend on several keys. Records an error for each required key that is missing. */
void libxl__xl_finish(libxl__xl *x, libxl_domain_config *config, const libxl__xl_settings *settings);

/* display.c: the framebuffer */
/* Makes a framebuffer for a PV domain if the file has the key `vnc` and no key `vfb`. */
void libxl__xl_read_vnc_of_pv(libxl__xl *x, libxl_domain_config *config);

/* cpus.c, numa.c, cpuid.c: readers of keys */
libxl__xl_reader libxl__xl_read_cpus, libxl__xl_read_vnuma, libxl__xl_read_cpuid;

/* hvm.c: readers of keys */
libxl__xl_reader libxl__xl_read_viridian, libxl__xl_read_mca_caps, libxl__xl_read_genid,
    libxl__xl_read_stdvga, libxl__xl_read_gfx_passthru, libxl__xl_read_rdm;

/* to_xl.c, write_keys.c, numa.c, cpuid.c: the writers of keys for which a row of the table is not enough. */
libxl__xl_writer libxl__xl_write_type, libxl__xl_write_uuid, libxl__xl_write_seclabel, libxl__xl_write_memory,
    libxl__xl_write_maxmem, libxl__xl_write_vcpus, libxl__xl_write_maxvcpus, libxl__xl_write_cpus,
    libxl__xl_write_bootloader_args, libxl__xl_write_one_or_list, libxl__xl_write_vnuma,
    libxl__xl_write_cpuid, libxl__xl_write_viridian, libxl__xl_write_mca_caps, libxl__xl_write_genid,
    libxl__xl_write_gfx_passthru, libxl__xl_write_rdm;

/* Records a message for each key of a text that the table does not have. */
void libxl__xl_refuse_unknown(libxl__xl *x, const libxl__xl_settings *settings, const libxl__xl_field *table);

/* Sets the initial values of a configuration, before a file is read into it. */
void libxl__xl_start(libxl_domain_config *config);

#endif
