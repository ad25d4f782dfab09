/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Domains that xl makes, so that both libraries work on equal ones; and what the sequences are printed with.
 * One thread. */
#ifndef DOMAIN_H
#define DOMAIN_H

#include <stdint.h>

/* "pv", as at first, or "pvh": what is made from now on. */
void domains_are(const char *kind);
/* A paused domain whose guest does what the command line says (sim/README.md). Ends the program if it
 * fails. */
uint32_t domain_new(const char *command_line);
/* Lets it run, and waits until it listens to control/shutdown. */
void domain_listens(uint32_t domid);
/* Waits until Xen has none of it: what is destroyed is dying first, for as long as its memory is held. */
void domain_gone(uint32_t domid);
/* xl VERB DOMID. */
void domain_xl(const char *verb, uint32_t domid);
/* A grant of it stays mapped until half a second after it is destroyed: until then it is dying. */
void domain_dies_slowly(uint32_t domid);
/* Destroys what is left of all that were made. */
void domains_end(void);

/* One line of the sequence. */
void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
