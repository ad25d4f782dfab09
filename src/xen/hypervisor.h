/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Hypercalls that take microseconds and so are made at once, with the context locked. */
#ifndef LIBXL__HYPERVISOR_H
#define LIBXL__HYPERVISOR_H

#include <xenctrl.h>

#include <libxl.h>

struct libxl__ao;

/* A domid that can be a guest's or domain 0's. */
#define LIBXL__DOMID_FIRST_RESERVED 0x7ff0u

/* For what is no operation: 0, or INVAL, of which libxl_error_message tells. */
int libxl__hv_check_domid(uint32_t domid);

/* Each returns 0, or the operation's error with its message noted in ao. */
int libxl__hv_pause(struct libxl__ao *ao, uint32_t domid);
int libxl__hv_unpause(struct libxl__ao *ao, uint32_t domid);
/* Errors: DOMAIN_NOTFOUND, INVAL (no domid), PERMISSION, FAIL. */
int libxl__hv_info(struct libxl__ao *ao, uint32_t domid, xc_domaininfo_t *info);
/* The same for whom a missing domain is no failure: nothing is noted for DOMAIN_NOTFOUND. */
int libxl__hv_look(struct libxl__ao *ao, uint32_t domid, xc_domaininfo_t *info);
int libxl__hv_physinfo(struct libxl__ao *ao, libxl_physinfo *out);
int libxl__hv_version(struct libxl__ao *ao, libxl_version_info *out);

/* Domains asked for at a time: what one page holds. libxencall keeps single pages that hypercalls may use; larger
 * buffers it maps, locks and unmaps each time, which costs more than another hypercall. */
enum { LIBXL__HV_PAGE = XC_PAGE_SIZE / sizeof(xc_domaininfo_t) };

/*
 * The domains from *first on, in order of domid, into `page`, as many as fit; *first goes behind them. Their
 * number; less than LIBXL__HV_PAGE: those were all. -1: errno. Locked or not.
 */
int libxl__hv_list_page(libxl_ctx *ctx, uint32_t *first, xc_domaininfo_t *page);

/*
 * All domains, in order of domid: their number, or -1 with errno. The list is the context's, until it is asked
 * for again. A domain that is there all the time is in it, though it is fetched piece by piece.
 */
int libxl__hv_list(libxl_ctx *ctx, const xc_domaininfo_t **list_out);

/* The guest's number for why it has shut down, which may be any. */
uint8_t libxl__hv_shutdown_code(const xc_domaininfo_t *info);
/* What that means; UNKNOWN: nothing that Xen defines. */
libxl_shutdown_reason libxl__hv_shutdown_reason(uint8_t code);

/* One domain's info in the public form. */
void libxl__hv_dominfo(const xc_domaininfo_t *info, libxl_dominfo *out);

#endif
