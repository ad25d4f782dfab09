/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Stores the configuration of a new domain for other toolstacks (userdata.h). The stored configuration is the
 * application's configuration. Settings without a value have the values that the creation has chosen, as in
 * libxl.
 *
 * Owns: nothing after a call. The caller holds the context's lock.
 */
#include "create.h"

int libxl__create_record(libxl__ao *ao, libxl__userdata *userdata, const libxl__build *build,
                         const libxl_domain_config *config)
{
    libxl_domain_config complete = *config; /* a shallow copy: its strings and arrays belong to `config` */
    /* As in libxl, the domid is not stored. So a creation from the stored configuration gets a free domid. */
    complete.c_info.domid = LIBXL_DOMID_INVALID;
    complete.c_info.uuid = build->uuid;
    /*
     * As in libxl, the default number of vcpus is not stored. If the configuration names the cpupool, the cpupool's
     * number is not stored.
     */
    complete.b_info.max_vcpus = build->stored_max_vcpus;
    complete.c_info.poolid = build->stored_poolid;
    complete.b_info.max_memkb = build->max_kb;
    complete.b_info.target_memkb = build->target_kb;
    if (complete.b_info.video_memkb == LIBXL_MEMKB_DEFAULT)
        complete.b_info.video_memkb = build->video_kb;
    libxl_defbool_setdefault(&complete.b_info.arch_x86.msr_relaxed, build->restores);
    if (complete.b_info.type == LIBXL_DOMAIN_TYPE_INVALID)
        libxl_domain_build_info_init_type(&complete.b_info, complete.c_info.type);
    return libxl__userdata_store(ao, userdata, build->domid, &build->uuid, &complete);
}
