/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The device player: the drivers of a world's devices. A backend driver is played in domain 0, and in each guest whose
 * command line has the word "driver". A frontend driver is played in each guest that runs. Both talk to the world's
 * xenstored only, as the drivers of a kernel do.
 *
 * Lock: the program has one thread of its own; libxenstore has another. machine->lock is taken only to read the state
 * of domains and the behaviours that are set, never during a request to xenstored.
 * Lifetime: a device exists from the first look at its backend directory until that directory is gone.
 */
#ifndef AIOXEN_SIM_DEVICES_H
#define AIOXEN_SIM_DEVICES_H

#include "machine.h"

#include <xen/io/xenbus.h>
#include <xenstore.h>

#define PATH_SIZE 256

struct offer { /* a node that a driver writes with a change of its state */
    const char *node, *value;
};

/* What the drivers of one kind of device do. */
struct kind {
    const char *name; /* of the backend's directory */
    bool qemu;        /* its backend is a QEMU, in domain 0 and in a driver domain alike */
    bool physical;    /* the backend waits for the node physical-device */
    bool hotplug; /* the backend waits until hotplug-status is "connected", and removes it when it closes */
    bool
        stays_closing; /* a backend that was never connected stays in Closing when its frontend's directory is gone */
    int rings;         /* the state in which the frontend has offered its rings */
    const char *fatal; /* the kernel's words if the backend cannot serve the device */
    const struct offer *offers, *features,
        *details; /* the frontend's rings; the backend's in InitWait, Connected */
};
extern const struct kind kinds[]; /* the last one has no name */

struct device {
    struct device *next;
    const struct kind *kind;
    uint32_t backend_domid, guest, number;
    char backend[PATH_SIZE], frontend[PATH_SIZE]; /* directories; frontend: "" until it is known */
    int states[3];                                /* by enum side: the last seen state, 0 if there is none */
    bool online, plugged, scripted;
    bool broken; /* QEMU cannot serve it */
    bool served; /* the backend has been connected, and not closed since */
    char physical[24];
    bool opened;        /* the backend has opened the block device */
    int loop_fd;        /* while it is opened: holds a loop device, or -1 */
    int link;           /* index of its network interface; 0: none */
    uint64_t due_ns[3]; /* by enum side: when the next step may be made; 0: it has not been postponed */
    int reported[3]; /* by enum side: the state of the other end for which an error or nonsense was written */
    bool gone;
};

/* store.c: xenstored's nodes. `path` is absolute. */
extern struct xs_handle *store;
bool store_open(void); /* waits until xenstored answers; false: it does not */
char *store_read(const char *path, char *value, size_t size); /* returns value; "" if there is no such node */
bool store_exists(const char *path);
/* Writes a node, unless the node `anchor` has been removed: a driver never makes its directory anew. */
bool store_write(const char *anchor, const char *path, const char *value, size_t size);
/* The same for the nodes of a directory: `offers`, which may be NULL, and its state. */
bool store_write_all(const char *dir, const struct offer *offers, const char *state);
void store_remove(const char *path);
/* Writes the error node of a driver in domain `domid`, whose directory is `dir`, as Linux does. */
void store_error(uint32_t domid, const char *dir, const char *text);

/* table.c: the devices that are known */
typedef bool device_visitor(struct device *d); /* returns whether it has written something */
struct device *device_find(const char *backend);
struct device *
device_found(const char *backend); /* NULL: it is not the directory of a device of a known kind */
void devices_forget_gone(void);
void devices_visit(device_visitor *visit);
void device_refresh(struct device *d, const char *node); /* reads one node again; NULL: all */

/* kinds.c, backend.c, frontend.c. A step makes at most one change of state; it returns whether it has made one. */
const struct kind *kind_find(const char *name);
bool backend_step(struct device *d);
void backend_release(struct device *d); /* closes its block device, removes its network interface */
bool frontend_step(struct device *d);
/*
 * Asks whether the side may take a step now, and with which behaviour. `waiting` becomes true if it has to be asked
 * again later although nothing changes in xenstore.
 */
bool device_may_step(struct device *d, enum side side, struct behaviour *b);
/* Returns whether the side has to wait still: `ms` milliseconds since the first call for this step. */
bool device_delay(struct device *d, enum side side, uint32_t ms);
bool device_switch(struct device *d, enum side side, int state, const struct offer *offers);
extern bool waiting;

/* counters.c: the files in which the driver of a disk or a network interface counts */
void counters_make(const struct device *d);
void counters_remove(const struct device *d);

/* hostile.c: the value with a number, as a hostile guest might write it; returns its size */
#define HOSTILE_SIZE 2000
size_t hostile_value(uint32_t number, char value[HOSTILE_SIZE]);

/* play.c */
#define LOOK_AGAIN_MS 5 /* a turn is due after this time while a driver is `waiting` */
_Noreturn void play_kernels(void);
/* Watches the backends in a domain, of the kinds that are wanted; `below`: "" or "/GUEST". */
void play_watch(uint32_t domid, bool (*wants)(const struct kind *k), const char *below);
void play_turn(device_visitor *step); /* takes all events of xenstored, then steps all devices */

#endif
