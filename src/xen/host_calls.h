/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Hypercalls about FLASK, about the hypervisor's messages and parameters (host_calls.c), and about the
 * resources that the processors of a socket share (psr.c). Each takes a few microseconds; reading all messages
 * takes up to a millisecond for each MiB. The functions use no state of the context. Any thread may call them,
 * locked or not.
 *
 * Each function returns 0, or an error that is recorded in ao with a message. A result is written only on
 * success. The caller disposes of the result.
 */
#ifndef LIBXL__HOST_CALLS_H
#define LIBXL__HOST_CALLS_H

#include <stdbool.h>
#include <stdint.h>

#include <libxl.h>

struct libxl__ao;

int libxl__hv_flask_enforcing(struct libxl__ao *ao, bool *out);
int libxl__hv_flask_set_enforcing(struct libxl__ao *ao, bool enforcing);
int libxl__hv_flask_load(struct libxl__ao *ao, const libxl_blob *policy);
int libxl__hv_flask_label(struct libxl__ao *ao, uint32_t ssidref, char **out);
int libxl__hv_flask_number(struct libxl__ao *ao, const char *label, uint32_t *out);

int libxl__hv_console_ring(struct libxl__ao *ao, bool clear, libxl_blob *out);
int libxl__hv_set_parameters(struct libxl__ao *ao, const char *params);

/* ---- psr.c */

int libxl__hv_psr_cmt(struct libxl__ao *ao, libxl_psr_cmt_info *out);
int libxl__hv_psr_cache_size(struct libxl__ao *ao, uint32_t socket, uint32_t *kb);
int libxl__hv_psr_hw_info(struct libxl__ao *ao, libxl_psr_feat_type feature, uint32_t level,
                          libxl_psr_hw_info_list *out);
int libxl__hv_psr_attach(struct libxl__ao *ao, uint32_t domid, bool attach);
int libxl__hv_psr_attached(struct libxl__ao *ao, uint32_t domid, bool *out);
int libxl__hv_psr_sample(struct libxl__ao *ao, uint32_t domid, libxl_psr_cmt_type type, uint32_t socket,
                         libxl_psr_sample *out);
int libxl__hv_psr_get(struct libxl__ao *ao, uint32_t domid, libxl_psr_cbm_type type, uint32_t socket,
                      uint64_t *value);
int libxl__hv_psr_set(struct libxl__ao *ao, uint32_t domid, libxl_psr_cbm_type type,
                      const libxl_bitmap *sockets, uint64_t value);

#endif
