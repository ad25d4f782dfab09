/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Domains for the sequences, and the sequences' output. xl makes the domains, so that both libraries work on equal domains. Only
 * one thread may call these. */
#ifndef DOMAIN_H
#define DOMAIN_H

#include <stdint.h>

/* Sets the type of the domains made from now on: "pv", which is the initial one, or "pvh". */
void domains_use_type(const char *new_type);
/* Makes a paused domain whose guest does what the command line says (sim/README.md). Exits on an error. */
uint32_t domain_new(const char *command_line);
/* Unpauses the domain, and waits until its guest watches the node control/shutdown. */
void domain_listens(uint32_t domid);
/* Waits until Xen does not list the domain. A destroyed domain is dying for as long as its memory is mapped. */
void domain_gone(uint32_t domid);
/* Runs `xl VERB DOMID`. */
void domain_xl(const char *verb, uint32_t domid);
/* Keeps a grant of the domain mapped until half a second after its destruction, so that the domain stays dying until then. */
void domain_dies_slowly(uint32_t domid);
/* Destroys all domains that were made. */
void domains_end(void);

/* Prints one line of the sequence. */
void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
