/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Simulates the drivers of the devices of a world, a simulated machine (sim/aioxen_sim/world.py). Backend drivers are
 * simulated in domain 0, and in each guest with the word "driver" in its command line. Frontend drivers are simulated
 * in each running guest. Like real drivers, the simulated drivers communicate only through xenstored.
 *
 * Lock: the program has one thread, and libxenstore has a second thread. machine->lock is taken only to read
 * domains and behaviours. It is never held during a request to xenstored. Lifetime: a device exists from the
 * time when its backend directory is first found until that directory is gone.
 */
#ifndef AIOXEN_SIM_DEVICES_H
#define AIOXEN_SIM_DEVICES_H

#include "machine.h"

#include <xen/io/xenbus.h>
#include <xenstore.h>

#define PATH_SIZE 256

struct offer { /* a node and its value, which a driver writes together with a new state */
    const char *node, *value;
};

/* The description of one kind of device: how its drivers behave. */
struct kind {
    const char *name; /* the name of the kind in the path of the backend */
    bool qemu;        /* the backend is QEMU, in domain 0 and in driver domains */
    bool physical;    /* the backend waits for the node physical-device */
    /*
     * The backend waits until the node hotplug-status is "connected". The backend removes this node when it
     * closes.
     */
    bool hotplug;
    /*
     * A backend that was never connected stays in the state Closing after its frontend's directory is gone.
     */
    bool stays_closing;
    /*
     * The backend is pciback, which takes and releases single functions when its state is Reconfiguring. The
     * drivers of HVM guests do not use it.
     */
    bool reconfigures;
    int rings;         /* the frontend's state after the frontend has written the nodes for its rings */
    const char *fatal; /* the error message of the kernel's driver if the backend cannot serve the device */
    /*
     * The nodes that drivers write. `offers`: written by the frontend together with its rings.
     * `features`: written by the backend in the state InitWait. `details`: written by the backend in the
     * state Connected.
     */
    const struct offer *offers, *features, *details;
};
extern const struct kind kinds[]; /* the table of all kinds; the last entry has no name */

struct device {
    struct device *next;
    const struct kind *kind;
    uint32_t backend_domid, guest, number;
    /* The paths of the two directories. An empty `frontend`: the path is not known yet. */
    char backend[PATH_SIZE], frontend[PATH_SIZE];
    /* For each side, indexed by enum side: the state when it was last read; 0: there is no state. */
    int states[3];
    bool online, plugged, scripted;
    /* The backend is in a driver domain whose hotplug daemon is simulated, too. */
    bool with_daemon;
    bool broken; /* the backend is a QEMU that cannot serve the device */
    bool served; /* the backend was connected and has not closed since then */
    char physical[24];
    bool opened; /* the backend has opened the block device of the disk */
    /*
     * A descriptor that holds a loop device open while `opened` is set; -1: the block device is not a loop
     * device.
     */
    int loop_fd;
    int link; /* the index of the device's network interface; 0: none */
    /*
     * The time when each side may make its next step, in ns, indexed by enum side; 0: the step is not
     * delayed.
     */
    uint64_t due_ns[3];
    /*
     * For each side, indexed by enum side: the state that the other side had when this side last wrote an error or a
     * hostile value.
     */
    int reported[3];
    bool gone;
};

/* store.c: functions for the nodes of xenstored. `path` is absolute. */
extern struct xs_handle *store;
/* Waits until xenstored answers; returns true, or false if xenstored does not answer. */
bool store_open(void);
/* Copies the value of the node to `value`, or "" if the node is missing. Returns `value`. */
char *store_read(const char *path, char *value, size_t size);
bool store_exists(const char *path);
/*
 * Writes a node, if the node `anchor` still exists. So a driver never creates a removed directory again.
 * Returns whether the node was written.
 */
bool store_write(const char *anchor, const char *path, const char *value, size_t size);
/*
 * Like store_write, for several nodes in the directory `dir`: the nodes in `offers`, which may be NULL, and the
 * state. `before` is the state that the driver has last read. If `before` is a later state than Initialising, but the
 * directory's state is Initialising, the directory was removed and made again for another device. Then nothing is
 * written.
 */
bool store_write_all(const char *dir, int before, const struct offer *offers, const char *state);
void store_remove(const char *path);
/*
 * Like store_write_all, but writes `text` into the driver's error node, and the state Closing. `domid` is the
 * driver's domain.
 */
bool store_fail(uint32_t domid, const char *dir, int before, const char *text);

/* table.c: the known devices. */
typedef bool device_visitor(struct device *d); /* returns whether it has changed the device's nodes */
struct device *device_find(const char *backend);
/*
 * Returns the device with this backend directory. Returns NULL if the path is not the backend directory of a
 * device of a known kind.
 */
struct device *device_found(const char *backend);
void devices_forget_gone(void);
void devices_visit(device_visitor *visit);
/* Reads a node of the device again. `node` NULL: reads all nodes of the device again. */
void device_refresh(struct device *d, const char *node);

/*
 * kinds.c, backend.c, frontend.c. A step changes the state of one side at most once. The function of a step
 * returns whether it has changed the state.
 */
const struct kind *kind_find(const char *name);
bool backend_step(struct device *d);
/* Closes the device's block device, and removes its network interface. */
void backend_release(struct device *d);
bool frontend_step(struct device *d);
/*
 * Returns whether this side may make a step now. Stores the side's behaviour in *b. Sets `waiting` to true if
 * the side must be examined again later even if nothing changes in xenstore.
 */
bool device_may_step(struct device *d, enum side side, struct behaviour *b);
/*
 * Returns true while the step must be delayed: until `ms` milliseconds have passed since the first call for
 * this step.
 */
bool device_delay(struct device *d, enum side side, uint32_t ms);
bool device_switch(struct device *d, enum side side, int state, const struct offer *offers);
/* Writes an error and the state Closing. Returns whether they were written. */
bool device_fail(struct device *d, enum side side, const char *words);
extern bool waiting;

/* counters.c: makes and removes files with the counters of disks and network interfaces. */
void counters_make(const struct device *d);
void counters_remove(const struct device *d);

/*
 * hostile.c: stores the hostile value number `number` in `value`, and returns the size of the value in
 * octets.
 */
#define HOSTILE_SIZE 2000
size_t hostile_value(uint32_t number, char value[HOSTILE_SIZE]);

/* play.c */
#define LOOK_AGAIN_MS 5 /* the time between two turns while `waiting` is true */
_Noreturn void play_kernels(void);
/*
 * Starts to watch the backends in a domain. `wants` selects the kinds of devices. `below` "": watches the
 * devices of all guests. `below` "/GUEST": watches the devices of one guest.
 */
void play_watch(uint32_t domid, bool (*wants)(const struct kind *k), const char *below);
void play_turn(device_visitor *step); /* handles all events of xenstored, then makes a step of each device */

#endif
