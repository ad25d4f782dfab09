/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The differences between the releases of Xen. No other file of the library depends on the release, and the library
 * compiles with the headers of 4.17 and 4.20 (tests/releases). Differences that the library can find out at run time
 * need no switch here. An example: since 4.22 xenstored names the domain in an event of @releaseDomain
 * (libxl__watch_add_domains).
 */
#ifndef LIBXL__RELEASE_H
#define LIBXL__RELEASE_H

#include <xenctrl.h>

/*
 * The domid with which xc_domain_create makes a domain that gets any free domid. From 4.22 on this is DOMID_ANY, and 0
 * requests the domid 0. Older headers do not have DOMID_ANY.
 */
#ifdef DOMID_ANY
#define LIBXL__DOMID_ANY DOMID_ANY
#else
#define LIBXL__DOMID_ANY 0
#endif

/* The last argument of xc_domain_restore, with its comma. This argument exists since 4.22, like DOMID_ANY. */
#ifdef DOMID_ANY
#define LIBXL__RESTORE_MEMFLAGS , 0
#else
#define LIBXL__RESTORE_MEMFLAGS
#endif

/* libxenmanage, since 4.21. src/Makefile.inc links it if it is there. domain_ids.c is its only user. */
#if __has_include(<xenmanage.h>)
#include <xenmanage.h>
#define LIBXL__HAS_XENMANAGE 1
#else
#define LIBXL__HAS_XENMANAGE 0
#endif

/* The path of hvmloader in Debian's packages; its arguments are the two parts of the release. */
#define LIBXL__HVMLOADER "/usr/lib/xen-%u.%u/boot/hvmloader"
enum { LIBXL__HVMLOADER_SIZE = 64 };

/* The release whose hvmloader is used if the hypervisor does not report its release: 4.17. */
#define LIBXL__BUILT_FOR (4u << 16 | 17)

#endif
