/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * QMP: commands to a QEMU, through QEMU's socket.
 *
 * The commands of one structure share a connection. They are sent together, and QEMU answers them in order. QEMU
 * serves one connection at a time. Other connections, also those of other toolstacks, wait in the socket's queue.
 * So no lock is needed. QEMU handles data of the guest, so the library does not trust QEMU's answers: it limits
 * their size and depth, and refuses unexpected answers. Call all functions with the context locked.
 */
#ifndef LIBXL__QMP_H
#define LIBXL__QMP_H

#include "ao.h"
#include "transfer_messages.h"

struct json_object;

enum {
    LIBXL__QMP_ANSWER = 64 << 10, /* the length of the longest line that QEMU may send, in octets */
    LIBXL__QMP_DEPTH = 32,        /* the greatest depth of an answer */
    LIBXL__QMP_COMMANDS = 8,      /* the greatest number of commands of one connection */
};

typedef struct libxl__qmp_command {
    const char *name;
    const char *line;           /* the line of JSON that is sent */
    int passed;                 /* a descriptor that is sent with the line; -1: no descriptor */
    struct json_object *result; /* the value of "return"; NULL: QEMU has not answered, or has refused */
    char refusal[160];          /* QEMU's error text, escaped; empty: QEMU has not refused the command */
    bool skipped;               /* an input: the command is not sent */
} libxl__qmp_command;

/* Commands and their answers. Embed this in the operation's state; zero-initialise it. */
typedef struct libxl__qmp {
    libxl__source source; /* fires when the answers have arrived, or cannot arrive any more */
    libxl__fd socket;     /* the connection, which this structure owns */
    libxl__alarm patience;
    enum { LIBXL__QMP_GREETING, LIBXL__QMP_NEGOTIATING, LIBXL__QMP_ANSWERING } step;
    bool done;
    bool patient; /* an input: QEMU may take longer than 10 s to answer; the phase's limit ends the wait */
    /* An input: after QEMU has refused a command, the answers to the other commands are still awaited. */
    bool all;
    bool kept; /* an input: the connection stays after the answers, for libxl__qmp_go_on */
    /*
     * an input: the name of a QMP event; the commands are done only when this event has arrived; NULL: no event is
     * awaited
     */
    const char *event;
    bool happened; /* the event named `event` has arrived */
    int errnoval;  /* the result of the connection, valid once it is done: 0 or an errno */
    libxl__qmp_command commands[LIBXL__QMP_COMMANDS];
    unsigned count, answered;
    char *answer; /* the octets of the answer that have arrived */
    size_t length;
} libxl__qmp;

/*
 * Adds a command before the start. Takes ownership of `arguments`; NULL: the command has no arguments.
 * `passed` is a descriptor that QEMU gets with the command, or -1; the caller keeps it open until the commands
 * are done. Returns 0 or NOMEM.
 */
int libxl__qmp_add(libxl__ao *ao, libxl__qmp *qmp, const char *name, struct json_object *arguments,
                   int passed);
/* Adds a member with a text to an object. Returns whether there was memory for it. */
bool libxl__qmp_set_text(struct json_object *object, const char *name, const char *text);
/* Returns an object with one member, a text. `text` NULL: returns NULL. */
struct json_object *libxl__qmp_text(const char *name, const char *text);
/* Sends the commands to the QEMU of a domain. Errors, recorded in ao: FAIL (there is no connection), NOMEM. */
int libxl__qmp_start(libxl__ao *ao, libxl__qmp *qmp, uint32_t domid);
/*
 * Call this from a phase's poll. Returns LIBXL__AO_WAIT until QEMU has answered all commands, or has refused
 * one. Then returns 0 or an error. Errors, recorded in ao: FAIL (QEMU has refused, has ended, has sent
 * something unexpected, or has not answered for 10 s). The results are valid until the operation ends. QEMU may
 * carry out a command later that it has not answered.
 */
int libxl__qmp_poll(libxl__ao *ao, libxl__qmp *qmp);
/*
 * Like libxl__qmp_poll, but returns DEVICE_MODEL, recorded in ao, if the domain `domid` has no QEMU, or if its QEMU
 * has ended.
 */
int libxl__qmp_poll_model(libxl__ao *ao, libxl__qmp *qmp, uint32_t domid);
/*
 * Sends further commands on the same connection, after all former commands were answered. Add the commands before
 * the call. Continue with libxl__qmp_poll. `kept` must have been set when the former commands were answered. If it is
 * false now, the connection ends after the further commands.
 */
void libxl__qmp_go_on(libxl__ao *ao, libxl__qmp *qmp);
/*
 * Returns whether QEMU has closed the connection before all answers. This shows that QEMU is about to end. A QEMU
 * that sends something unexpected is not about to end.
 */
bool libxl__qmp_is_broken(const libxl__qmp *qmp);
/*
 * Reserves the memory and the descriptor that libxl__qmp_start needs, until the operation ends. Errors, recorded in
 * ao: NOMEM, FAIL (no descriptor).
 */
int libxl__qmp_reserve(libxl__ao *ao, libxl__qmp *qmp);
/*
 * Ends the connection. QEMU may still carry out the commands that were sent. QEMU serves the next connection only
 * after it has carried out these commands. So an undo calls this function first, and then sends the commands that
 * take back the former ones.
 */
void libxl__qmp_leave(libxl__ao *ao, libxl__qmp *qmp);
/* Ends the connection and forgets the answers. The commands stay, and can be sent again. */
void libxl__qmp_again(libxl__ao *ao, libxl__qmp *qmp);
/* Ends the connection and frees the results, so that the structure can be used again. */
void libxl__qmp_reset(libxl__ao *ao, libxl__qmp *qmp);

#endif
