/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Domains for the sequences of sequence.c, and the output of a sequence. xl makes the domains, so both
 * libraries work on equal domains. Only one thread may call these functions. */
#ifndef DOMAIN_H
#define DOMAIN_H

#include <stdint.h>

/* Sets the type of the domains that are made from now on. The type is "pv" or "pvh". It is "pv" at first. */
void domains_use_type(const char *new_type);
/* Makes a paused domain, and returns its domid. The command line says what the guest does; see
 * sim/README.md. Exits on an error. */
uint32_t domain_new(const char *command_line);
/* Unpauses the domain, and waits until its guest watches the node control/shutdown. */
void domain_listens(uint32_t domid);
/* Waits until Xen does not list the domain. A destroyed domain is dying for as long as its
 * memory is mapped. */
void domain_gone(uint32_t domid);
/* Runs `xl VERB DOMID`. */
void domain_xl(const char *verb, uint32_t domid);
/* Keeps a grant of the domain mapped until half a second after the domain's destruction. So the domain
 * keeps dying for half a second. */
void domain_dies_slowly(uint32_t domid);
/* Destroys all domains that were made. */
void domains_end(void);

/* Prints one line of the output of the sequence. */
void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
