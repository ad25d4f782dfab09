/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Domains by plain hypercalls, so that thousands cost little and both libraries find the same ones. They run
 * nothing, and are destroyed at the program's end. One thread. What fails ends the program.
 */
#ifndef DOMAINS_H
#define DOMAINS_H

#include <stdint.h>

#include <xenctrl.h>

/* The handles that they are made with. */
xc_interface *domains_xc(void);
struct xs_handle *domains_xs(void);

/* One that the hypervisor alone knows. */
uint32_t domain_bare(void);
/* One that has its nodes in xenstore: domid, name. */
uint32_t domain_named(void);
/* The same, and xenstored looks after it: @releaseDomain is fired when it stops. */
uint32_t domain_introduced(void);
/* It stops by itself, as with power off. */
void domain_stops(uint32_t domid);
/* Destroys all that were made; done at exit, too. */
void domains_end(void);

#endif
