/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Simulates QEMU as the device model of one PV domain (-machine xenpv). It serves the guest's disks, 9pfs
 * shares, screens, keyboards and consoles as far as this is visible in xenstore. It answers commands on its
 * QMP sockets.
 *
 * Lock: as described in devices.h. Lifetime: the program runs until a signal ends it. It then removes its
 * sockets.
 */
#ifndef AIOXEN_SIM_QEMU_H
#define AIOXEN_SIM_QEMU_H

#include "devices.h"

#define MAX_CHARDEVS 16

struct chardev {            /* an option -chardev socket,id=ID,path=PATH,... or -chardev pty,id=ID */
    char id[32], path[108]; /* path: of the socket, or of the terminal */
    bool monitor;           /* the option -mon chardev=ID,mode=control was given */
    bool pty;
    int listener, client; /* `listener` of a terminal is its master end; -1: none */
};

struct options {
    uint32_t domid;
    bool attach;
    uint32_t nr_chardevs;
    struct chardev chardevs[MAX_CHARDEVS];
};

/*
 * Reads the command line (options.c). Returns false if it is not understood, after writing an error message
 * to standard error.
 */
bool options_read(struct options *o, char **argv);
/* Returns NULL if the option is missing. */
const char *option_in(const char *list, const char *name, char *value, size_t size);

/* chardevs.c */
bool chardevs_open(struct options *o);
void chardevs_remove(const struct options *o); /* may be called in a signal handler */
/*
 * Waits until `fd` is readable, until a monitor has a request, or for `limit_ms` (-1: without limit). Then
 * answers the monitors.
 */
void chardevs_wait(struct options *o, int fd, int limit_ms);
bool pty_open(int *master, char name[108]);

/* qmp.c: answers one line that a monitor has received. */
#define QMP_ANSWER_SIZE 4096
extern const char qmp_greeting[];
/* If not "": QEMU prints this text and ends at the first command, without an answer. */
extern char dying_words[72];
size_t qmp_answer(const struct options *o, const char *line, char answer[QMP_ANSWER_SIZE]);

#endif
