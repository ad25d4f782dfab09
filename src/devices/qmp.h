/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * QMP: commands to a QEMU, through QEMU's socket. Each command has its own connection.
 *
 * QEMU handles data of the guest, so the library does not trust QEMU's answers. It limits the size of an
 * answer, and uses the text of an answer in messages only. Call all functions with the context locked.
 */
#ifndef LIBXL__QMP_H
#define LIBXL__QMP_H

#include "ao.h"

enum { LIBXL__QMP_ANSWER = 64 << 10 }; /* the length of the longest line that QEMU may send, in octets */

/* A command and its answer. Embed this in the operation's state; zero-initialise it. */
typedef struct libxl__qmp {
    libxl__source source; /* fires when the answer has arrived, or cannot arrive any more */
    libxl__fd socket;     /* the connection, which this structure owns */
    libxl__alarm patience;
    enum { LIBXL__QMP_GREETING, LIBXL__QMP_NEGOTIATING, LIBXL__QMP_ANSWERING } step;
    bool done;
    int errnoval;        /* the result of the connection, valid once the command is done: 0 or an errno */
    const char *command; /* the name of the command, for messages */
    const char *request; /* the line of JSON that is sent */
    char *answer;        /* the octets of the answer that have arrived */
    size_t length;
    /* Valid once the command is done: QEMU's error text; empty if QEMU has not refused the command. */
    char refusal[160];
} libxl__qmp;

/*
 * Sends a command to the QEMU of a domain. `command` is the command's name. `name` and `value` are the name
 * and the text of the command's only argument; NULL: the command has no argument. Errors, recorded in ao:
 * FAIL (there is no connection), NOMEM.
 */
int libxl__qmp_start(libxl__ao *ao, libxl__qmp *qmp, uint32_t domid, const char *command, const char *name,
                     const char *value);
/*
 * Call this from a phase's poll. Returns LIBXL__AO_WAIT until QEMU has answered. Then returns 0 or an error.
 * Errors, recorded in ao: FAIL (QEMU has refused, has ended, or has not answered for 10 s).
 */
int libxl__qmp_poll(libxl__ao *ao, libxl__qmp *qmp);

#endif
