/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Hypercalls that take only microseconds. The calling thread makes them, without a worker. Call the functions
 * with the context locked, unless a function's comment says otherwise.
 */
#ifndef LIBXL__HYPERVISOR_H
#define LIBXL__HYPERVISOR_H

#include <xenctrl.h>

#include <libxl.h>

#include "errno_rc.h"

struct libxl__ao;

/* The lowest reserved domid. The domids of domain 0 and of guests are smaller. */
#define LIBXL__DOMID_FIRST_RESERVED 0x7ff0u

/*
 * Checks the domid of a call that is not an operation. Returns 0 if the domid is not reserved. Otherwise
 * returns INVAL, with a message for libxl_error_message. Any thread may call this, locked or not.
 */
int libxl__hv_check_domid(uint32_t domid);

/*
 * Records the failure of a hypercall on a domain, from errno, and returns the error. In the message, `what`
 * stands before the domid. Any thread that may use `ao` may call this, locked or not.
 */
int libxl__hv_fail(struct libxl__ao *ao, libxl__call call, const char *what, uint32_t domid);

/*
 * Each of the following functions returns 0, or an error that is recorded in ao with a message. If the comment names no
 * errors, they are those of libxl__errno_rc for LIBXL__CALL_DOMAIN, or for LIBXL__CALL_HOST if there is no domid.
 */

/* Suspends the domain, as if it had suspended itself. */
int libxl__hv_suspend(struct libxl__ao *ao, uint32_t domid);
/* Gets a parameter of an HVM domain: HVM_PARAM_* of Xen's public header hvm/params.h. */
int libxl__hv_hvm_param(struct libxl__ao *ao, uint32_t domid, uint32_t param, uint64_t *value);
/*
 * Adds one pause to the pauses of the domain. Errors: also INVAL (a reserved domid, this domain itself, or paused 255
 * times already).
 */
int libxl__hv_pause(struct libxl__ao *ao, uint32_t domid);
/* Removes one of the domain's pauses. Errors: also NOT_PAUSED, and INVAL (a reserved domid). */
int libxl__hv_unpause(struct libxl__ao *ao, uint32_t domid);
/* Changes the UUID that the hypervisor has for the domain. Errors: those of libxl__errno_rc for `call`. */
int libxl__hv_set_handle(struct libxl__ao *ao, libxl__call call, uint32_t domid, const libxl_uuid *uuid);
/*
 * Gets the hypervisor's information about a domain. Errors: DOMAIN_NOTFOUND, INVAL (the domid is reserved),
 * PERMISSION, NOMEM, FAIL.
 */
int libxl__hv_info(struct libxl__ao *ao, uint32_t domid, xc_domaininfo_t *info);
/*
 * Like libxl__hv_info, but does not record DOMAIN_NOTFOUND in ao. Use this function if a missing domain is
 * not an error.
 */
int libxl__hv_look(struct libxl__ao *ao, uint32_t domid, xc_domaininfo_t *info);
/* Describe the host, and the hypervisor. After success the caller disposes of *out. */
int libxl__hv_physinfo(struct libxl__ao *ao, libxl_physinfo *out);
int libxl__hv_version(struct libxl__ao *ao, libxl_version_info *out);

/*
 * The number of domains that one hypercall lists: as many as fit into a page. libxencall keeps single pages
 * for the data of hypercalls. For more data libxencall maps, locks and unmaps memory at each hypercall. That
 * takes longer than a second hypercall.
 */
enum { LIBXL__HV_PAGE = XC_PAGE_SIZE / sizeof(xc_domaininfo_t) };

/*
 * Lists domains in order of domid into `page`, which has LIBXL__HV_PAGE entries. The list begins at the domid
 * *first. Sets *first to the domid after the last domain in the page. Returns the number of domains, or -1
 * with errno. There are no more domains if the number is less than LIBXL__HV_PAGE. Any thread may call it,
 * locked or not.
 */
int libxl__hv_list_page(libxl_ctx *ctx, uint32_t *first, xc_domaininfo_t *page);

/*
 * Lists all domains in order of domid. Returns the number of domains, or -1 with errno. The list belongs to
 * the context and is valid until the next call of this function. The list is fetched in pages, so domains may
 * appear and disappear during the call. A domain that exists during the whole call is in the list.
 */
int libxl__hv_list(libxl_ctx *ctx, const xc_domaininfo_t **list_out);

/*
 * Finds a domain with this UUID. Ignores dying domains and the domain with the domid `except`. Stores the
 * domid, or LIBXL_DOMID_INVALID if there is no such domain. Allocates no memory. Errors: those of
 * libxl__errno_rc, recorded in ao.
 */
int libxl__hv_find(struct libxl__ao *ao, const libxl_uuid *uuid, uint32_t except, uint32_t *domid_out);

/*
 * Converts the number that a guest has given as the reason for its shutdown to the public enumeration.
 * Returns UNKNOWN for a number that Xen does not define.
 */
/*
 * Returns the type of a domain. The hypervisor does not report the type, so this function derives it from the
 * emulated devices.
 */
libxl_domain_type libxl__hv_type(const xc_domaininfo_t *info);
libxl_shutdown_reason libxl__hv_shutdown_reason(uint8_t code);

/*
 * Returns the text of a security label, which the caller frees. Returns NULL if the hypervisor has no FLASK, or
 * if there is no memory. After the first answer that there is no FLASK, no hypercall is made.
 */
char *libxl__hv_label(libxl_ctx *ctx, uint32_t ssidref);
/* Converts a domain's information to the public structure. */
void libxl__hv_dominfo(const xc_domaininfo_t *info, libxl_dominfo *out);

#endif
