/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * QMP: commands to a QEMU, through its socket. One command for each connection.
 *
 * QEMU handles data of the guest, so its answers are not trusted. Their size is limited, and their text is used in messages only.
 * Call all functions with the context locked.
 */
#ifndef LIBXL__QMP_H
#define LIBXL__QMP_H

#include "ao.h"

enum { LIBXL__QMP_ANSWER = 64 << 10 }; /* the longest line that QEMU may send */

/* A command. Embed it in the operation's state; zero-initialise it. */
typedef struct libxl__qmp {
    libxl__source source; /* fires when the answer has arrived, or cannot arrive any more */
    libxl__fd socket;     /* the connection, which this structure owns */
    libxl__alarm patience;
    enum { LIBXL__QMP_GREETING, LIBXL__QMP_NEGOTIATING, LIBXL__QMP_ANSWERING } step;
    bool done;
    int errnoval;        /* once done: the errno of the connection */
    const char *command; /* the name of the command, for messages */
    const char *request; /* the line of JSON to send */
    char *answer;        /* the octets of the answer that have arrived */
    size_t length;
    char refusal[160]; /* once done: QEMU's error text, if QEMU has refused the command */
} libxl__qmp;

/*
 * Sends a command to the QEMU of a domain. `command` is the command's name. `name` and `value` are the name and the text of its only
 * argument; NULL: it has no argument. Errors, recorded in ao: FAIL (there is no connection), NOMEM.
 */
int libxl__qmp_start(libxl__ao *ao, libxl__qmp *qmp, uint32_t domid, const char *command, const char *name,
                     const char *value);
/* Call this from a phase's poll. Errors, recorded in ao: FAIL (QEMU has refused, has ended, or has not answered for 10 s). */
int libxl__qmp_poll(libxl__ao *ao, libxl__qmp *qmp);

#endif
