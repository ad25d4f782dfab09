/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Simulates QEMU as the device model of one domain. It writes the nodes that QEMU writes for the guest's disks, 9pfs
 * shares, screens, keyboards and consoles. For an HVM domain (-machine xenfv) it also makes the interfaces of
 * emulated cards, opens the terminals of serial ports, and knows the media of CD drives. It transfers no data. It
 * answers commands on its QMP sockets.
 *
 * devices.h describes the lock. Lifetime: the program runs until a signal ends it. Before it ends, it removes
 * its sockets.
 */
#ifndef AIOXEN_SIM_QEMU_H
#define AIOXEN_SIM_QEMU_H

#include "devices.h"

#define MAX_CHARDEVS     16
#define QMP_REQUEST_SIZE 65536
#define MAX_DRIVES       8
#define MAX_SETS         8

struct chardev {            /* an option -chardev socket,id=ID,path=PATH,... or -chardev pty,id=ID */
    char id[32], path[108]; /* `path`: the path of the socket, or of the terminal */
    bool negotiated;        /* the client has sent qmp_capabilities, so it gets events */
    bool monitor;           /* the command line has the option -mon chardev=ID,mode=control */
    bool pty;
    bool silent;          /* a serial port that is a file, or connected to nothing */
    int listener, client; /* the descriptors; for a terminal, `listener` is the master end; -1: none */
    int passed;           /* the descriptor that the client has passed, for the command add-fd; -1: none */
    size_t length;        /* the number of octets of an incomplete line */
    char request[QMP_REQUEST_SIZE];
};

struct drive { /* an option -drive file=FILE,... */
    bool removable;
    char id[32], file[PATH_SIZE]; /* `file`: the medium; "": the drive is empty */
};

struct options {
    uint32_t domid;
    uint32_t processors; /* the number of processors that are online */
    bool attach;
    bool hvm;    /* -machine xenfv or pc: the device model of an HVM domain */
    bool frozen; /* -S: the machine waits for the command "cont" */
    bool running;
    int incoming;       /* -incoming fd:N: the state of the devices, which was not read yet; -1: none */
    char machine[40];   /* the name of the machine, which is a part of the state of the devices */
    bool logs_dirty;    /* the command xen-set-global-dirty-log has turned log-dirty mode on */
    char vnc[64];       /* the address of -vnc; "": none */
    char interface[16]; /* the name of the interface of the emulated card; "": none */
    uint32_t nr_serials, nr_drives;
    struct drive drives[MAX_DRIVES];
    int sets[MAX_SETS]; /* the descriptors that the command add-fd has added, one in each set; -1: none */
    bool trays_locked;  /* the guest has locked the trays of all drives */
    int *passed;        /* points to the descriptor that has come with the present command */
    uint32_t nr_chardevs;
    struct chardev chardevs[MAX_CHARDEVS];
};

/*
 * Reads the command line (options.c). Returns true. If the command line is not understood, writes an error
 * message to standard error and returns false.
 */
bool options_read(struct options *o, char **argv);
/*
 * Copies the value of the option `name` in a list of options to `value`. Returns `value`, or NULL if the
 * option is missing.
 */
const char *option_in(const char *list, const char *name, char *value, size_t size);

/* chardevs.c */
bool chardevs_open(struct options *o);
void chardevs_remove(const struct options *o); /* may be called in a signal handler */
/*
 * Waits until `fd` is readable or a monitor has a request, but at most `limit_ms` milliseconds (-1: no
 * limit). Then answers the requests of the monitors.
 */
void chardevs_wait(struct options *o, int fd, int limit_ms);
/* Sends an event to the clients of all monitors. */
void chardevs_tell(const struct options *o, const char *event);
bool pty_open(int *master, char name[108]);

/*
 * main.c: lets the machine of an HVM domain run, and writes this into xenstore. Does nothing if the state of the
 * machine must be read first.
 */
void machine_runs(struct options *o);
/* Reads the present behaviour of QEMU, and sets `lies` and `dying_words` accordingly. Returns the behaviour. */
struct behaviour look_at_behaviour(const struct options *o);
/* state.c: names a new machine. */
void state_begin(struct options *o);
/* Writes the state of the devices to a descriptor. Returns whether it was written. */
bool state_write(const struct options *o, int fd);
/* Reads the state of the devices from o->incoming. Returns whether it is complete. */
bool state_read(struct options *o);

/*
 * qmp.c: answers one line that a monitor has received. Returns the length of the answer. *passed is a
 * descriptor that the client has passed, or -1. A command that takes the descriptor sets *passed to -1.
 */
#define QMP_ANSWER_SIZE 4096
extern const char qmp_greeting[];
/* The kind of wrong answer to the commands after qmp_capabilities; "": the answers are right. */
extern char lies[72];
/*
 * If this text is not empty, QEMU prints it and ends, without an answer, at the first command after qmp_capabilities.
 */
extern char dying_words[72];
size_t qmp_answer(struct options *o, const char *line, int *passed, char answer[QMP_ANSWER_SIZE]);

#endif
