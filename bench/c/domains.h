/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Creates domains by plain hypercalls, so that thousands cost little and both libraries see the same ones. They run
 * nothing, and are destroyed at the program's end. One thread. A failure ends the program.
 */
#ifndef DOMAINS_H
#define DOMAINS_H

#include <stdint.h>

#include <xenctrl.h>

/* The handles that are used, opened at the first call. */
xc_interface *domains_xc(void);
struct xs_handle *domains_xs(void);

/* Creates a domain that has no nodes in xenstore. */
uint32_t domain_bare(void);
/* Creates a domain with the nodes domid and name in xenstore. */
uint32_t domain_named(void);
/* The same, and introduces it to xenstored, which fires @releaseDomain when it stops. */
uint32_t domain_introduced(void);
/* Shuts the domain down with the reason poweroff. */
void domain_stops(uint32_t domid);
/* Destroys all domains that were created. Also called at exit. */
void domains_end(void);

#endif
