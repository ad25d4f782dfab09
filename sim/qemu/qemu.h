/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A played QEMU: the device model of one PV domain (-machine xenpv). It serves disks, 9pfs shares, screens, keyboards
 * and consoles of its guest as far as xenstored shows it, and answers on its QMP sockets.
 *
 * Lock: as in devices.h. Lifetime: the program runs until a signal ends it; it removes its sockets then.
 */
#ifndef AIOXEN_SIM_QEMU_H
#define AIOXEN_SIM_QEMU_H

#include "devices.h"

#define MAX_CHARDEVS 16

struct chardev {            /* -chardev socket,id=ID,path=PATH,... or pty,id=ID */
    char id[32], path[108]; /* of a pty: the terminal */
    bool monitor;           /* -mon chardev=ID,mode=control */
    bool pty;
    int listener, client; /* -1: none; a pty: its master end */
};

struct options {
    uint32_t domid;
    bool attach;
    uint32_t nr_chardevs;
    struct chardev chardevs[MAX_CHARDEVS];
};

/* options.c: reads the command line; false: it cannot be understood, the words are written to standard error */
bool options_read(struct options *o, char **argv);
const char *option_in(const char *list, const char *name, char *value,
                      size_t size); /* NULL: it is not there */

/* chardevs.c */
bool chardevs_open(struct options *o);
void chardevs_remove(const struct options *o); /* safe in a signal handler */
/* Waits for `fd`, for a monitor, or `limit_ms` (-1: for ever), and answers the monitors. */
void chardevs_wait(struct options *o, int fd, int limit_ms);
bool pty_open(int *master, char name[108]);

/* qmp.c: answers one line of a monitor */
#define QMP_ANSWER_SIZE 4096
extern const char qmp_greeting[];
extern char
    dying_words[72]; /* not "": QEMU prints them and ends at the first command, instead of an answer */
size_t qmp_answer(const struct options *o, const char *line, char answer[QMP_ANSWER_SIZE]);

#endif
