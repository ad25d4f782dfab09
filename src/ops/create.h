/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The functions of cpupool.c, create_check.c, create_hvm.c, create_settings.c, create_nodes.c, create_hvm_nodes.c and
 * create_record.c, for the operations that make a domain (making.h). Call the functions with the context locked.
 */
#ifndef LIBXL__CREATE_H
#define LIBXL__CREATE_H

#include "ops.h"

/*
 * Checks the configuration, and sets build->target_kb and build->max_kb. Errors: INVAL, NI. The message in ao begins
 * with the field's path.
 */
int libxl__create_check(libxl__ao *ao, libxl_domain_config *config, libxl__build *build);

/*
 * create_hvm.c: checks the settings that only HVM domains can have, and sets build->video_kb. Initialises
 * b_info.u.hvm if the configuration of an HVM domain lacks b_info.type. Returns 0, INVAL or NI. The message
 * in ao begins with the field's path.
 */
int libxl__create_check_hvm(libxl__ao *ao, libxl_domain_config *config, libxl__build *build);
/*
 * Adds the paravirtual keyboard that each HVM domain has unless b_info.u.hvm.vkb_device is false. Call this
 * after the configuration was stored, because libxl adds the keyboard without storing it. Returns 0 or NOMEM.
 */
int libxl__create_keyboard(libxl_domain_config *config);
/* create_hvm_nodes.c: adds the nodes that only an HVM domain has. */
void libxl__create_hvm_nodes(libxl__xs_batch *batch, const libxl__build *build,
                             const libxl_domain_config *config);

/*
 * create_settings.c: checks the settings of processors, scheduler and limits. libxl__create_check checks all
 * other fields. Returns 0, INVAL or NI. The message in ao begins with the field's path.
 */
int libxl__create_check_settings(libxl__ao *ao, const libxl_domain_config *config);
/*
 * Applies the parameters of the scheduler to a domain that was built. Errors: those of libxl__hv_set_sched, recorded in
 * ao.
 */
int libxl__create_apply_settings(libxl__ao *ao, uint32_t domid, const libxl_domain_config *config);

/* The names of all cpupools, while they are read. Zero-initialise it. The names are in the operation's memory. */
typedef struct libxl__pool_name {
    uint32_t poolid;
    libxl__xs_request *request;
} libxl__pool_name;
typedef struct libxl__pool_names {
    libxl__xs_batch *batch;
    libxl__pool_name *names;
    int count, room;
} libxl__pool_names;

/*
 * cpupool.c: starts to find the cpupool that info->pool_name names. Does nothing if info->pool_name is NULL. Continue
 * with libxl__create_pool_poll, which returns LIBXL__AO_WAIT until xenstored has answered, and then stores
 * info->poolid. Errors, recorded in ao: INVAL (there is no such cpupool), and those of libxl__xs_run,
 * libxl__xs_result and libxl__hv_has_cpupool.
 */
int libxl__create_pool_start(libxl__ao *ao, libxl__pool_names *names, libxl_domain_create_info *info);
int libxl__create_pool_poll(libxl__ao *ao, const libxl__pool_names *names, libxl_domain_create_info *info);

/*
 * Checks that a domain may have this name. The message begins with `field`. Returns 0 or INVAL, recorded in
 * ao.
 */
int libxl__check_name(libxl__ao *ao, const char *field, const char *name);

/* Adds the requests that write the nodes of a domain that was built, except that of libxl__create_console. */
void libxl__create_nodes(libxl__xs_batch *batch, const libxl__build *build,
                         const libxl_domain_config *config);
/* Adds the request that lets xenconsoled map the console's page. The domain must be introduced to xenstored. */
void libxl__create_console(libxl__xs_batch *batch, const libxl__build *build);

/* Starts to store the configuration of a domain that was built. Errors: those of libxl__userdata_store. */
int libxl__create_record(libxl__ao *ao, libxl__userdata *userdata, const libxl__build *build,
                         const libxl_domain_config *config);

#endif
