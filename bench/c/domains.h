/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Creates domains by plain hypercalls. So thousands of domains cost little, and both libraries see the same
 * domains. The domains run nothing, and are destroyed at the program's end. Only one thread may call the
 * functions. A failure ends the program.
 */
#ifndef DOMAINS_H
#define DOMAINS_H

#include <stdint.h>

#include <xenctrl.h>

/* These functions return the handles that domains.c uses. The first call of each function
 * opens the handle. */
xc_interface *domains_xc(void);
struct xs_handle *domains_xs(void);

/* Creates a domain that has no nodes in xenstore. */
uint32_t domain_bare(void);
/* Does the same as domain_bare(), for a PVH domain. */
uint32_t domain_pvh(void);
/* Creates a domain with the nodes domid and name in xenstore. */
uint32_t domain_named(void);
/* Does the same as domain_named(), and introduces the domain to xenstored. So xenstored fires
 * @releaseDomain when the domain stops. */
uint32_t domain_introduced(void);
/* Makes the counter files that Linux has for two disks and a network interface of a domain. Works only on
 * a simulated machine. */
void domain_counted(uint32_t domid);
/* Shuts the domain down with the reason poweroff. */
void domain_stops(uint32_t domid);
/* Destroys all domains that were created. The program also calls this function at exit. */
void domains_end(void);

#endif
