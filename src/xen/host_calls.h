/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Hypercalls about FLASK, about the hypervisor's messages and parameters (host_calls.c), and about the
 * resources that the processors of a socket share (psr.c). Each takes a few microseconds; reading all messages
 * takes up to a millisecond for each MiB. The functions use no state of the context. Any thread may call them,
 * locked or not.
 *
 * Each function returns 0, or an error that is recorded in ao with a message. A result is written only on success.
 * The caller disposes of the result. The errors are those of libxl__errno_rc (errno_rc.h) for LIBXL__CALL_HOST,
 * NOMEM, and what the function's comment names.
 */
#ifndef LIBXL__HOST_CALLS_H
#define LIBXL__HOST_CALLS_H

#include <stdbool.h>
#include <stdint.h>

#include <libxl.h>

struct libxl__ao;

/*
 * host_calls.c: FLASK's mode, its policy, and the numbers of its labels. Errors: also NI (the hypervisor has no FLASK),
 * INVAL (a wrong policy, label or number).
 */
int libxl__hv_flask_enforcing(struct libxl__ao *ao, bool *out);
int libxl__hv_flask_set_enforcing(struct libxl__ao *ao, bool enforcing);
int libxl__hv_flask_load(struct libxl__ao *ao, const libxl_blob *policy);
int libxl__hv_flask_label(struct libxl__ao *ao, uint32_t ssidref, char **out);
int libxl__hv_flask_number(struct libxl__ao *ao, const char *label, uint32_t *out);

/* Reads the hypervisor's messages. `clear`: removes them from the hypervisor afterwards. */
int libxl__hv_console_ring(struct libxl__ao *ao, bool clear, libxl_blob *out);
/*
 * Sets parameters of the hypervisor: words NAME=VALUE, separated by spaces. Stops at the first error. Errors: also NI
 * (the hypervisor has no file system of parameters), INVAL (a wrong name or value).
 */
int libxl__hv_set_parameters(struct libxl__ao *ao, const char *params);

/*
 * ---- psr.c. Errors: also NI (the processors do not have the feature, or it is off), INVAL (a wrong socket or value,
 * or the domain is monitored already), and DOMAIN_NOTFOUND if there is a domid.
 */

/* Get how the processors can monitor domains, and the size of the L3 cache of a socket, in KiB. */
int libxl__hv_psr_cmt(struct libxl__ao *ao, libxl_psr_cmt_info *out);
int libxl__hv_psr_cache_size(struct libxl__ao *ao, uint32_t socket, uint32_t *kb);
/* Lists the capabilities of each socket that has an online processor. */
int libxl__hv_psr_hw_info(struct libxl__ao *ao, libxl_psr_feat_type feature, uint32_t level,
                          libxl_psr_hw_info_list *out);
/*
 * Start or end the monitoring of a domain, get whether the domain is monitored, and read a counter of a socket for
 * it.
 */
int libxl__hv_psr_attach(struct libxl__ao *ao, uint32_t domid, bool attach);
int libxl__hv_psr_attached(struct libxl__ao *ao, uint32_t domid, bool *out);
int libxl__hv_psr_sample(struct libxl__ao *ao, uint32_t domid, libxl_psr_cmt_type type, uint32_t socket,
                         libxl_psr_sample *out);
/* Get the limit of a domain on one socket, and set it on several sockets. Setting stops at the first error. */
int libxl__hv_psr_get(struct libxl__ao *ao, uint32_t domid, libxl_psr_cbm_type type, uint32_t socket,
                      uint64_t *value);
int libxl__hv_psr_set(struct libxl__ao *ao, uint32_t domid, libxl_psr_cbm_type type,
                      const libxl_bitmap *sockets, uint64_t value);

#endif
