/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Simulates loop devices and network interfaces, which the kernel of domain 0 provides. The state of the loop
 * devices and interfaces is a part of struct machine.
 *
 * Lock: the caller holds machine->lock, unless the comment says otherwise. Lifetime: the same as that of
 * struct machine. The locks of a loop device's file show which processes have the device open (host_loops.c).
 */
#ifndef AIOXEN_SIM_HOST_H
#define AIOXEN_SIM_HOST_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#define MAX_LOOPS          4096
#define MAX_LINKS          4096
#define MAX_LINK_LISTENERS 256
#define LINK_NAME          16

struct loop {
    bool added, bound;
    uint32_t flags;                 /* the flags of the device: a set of LO_FLAGS_* */
    uint64_t device, inode, octets; /* the device number, the inode and the size of the file */
    char file[256];
};

struct link {  /* a network interface of domain 0 */
    int index; /* the interface's index; 0: this entry is free */
    bool up;
    int master;
    pid_t owner; /* the interface disappears with this process; 0: it has no owner */
    uint32_t mtu;
    uint8_t address[6];
    char name[LINK_NAME], kind[LINK_NAME]; /* the kind is "bridge", "vif", ... */
};

/* A netlink socket that gets notifications about interfaces. */
struct link_listener {
    uint64_t id;  /* the number in the socket's address; 0: this entry is free */
    bool overrun; /* a notification was dropped because this socket was full */
};

struct host {
    struct loop loops[MAX_LOOPS];
    uint32_t nr_loops; /* the highest number of a loop device that was added, plus 1 */
    struct link links[MAX_LINKS];
    uint32_t nr_links; /* the highest used index in the table of interfaces, plus 1 */
    int next_index;
    uint64_t next_socket;
    struct link_listener listeners[MAX_LINK_LISTENERS];
};

/* host_loops.c. Call these functions without the lock, unless the comment says otherwise. */
#define LOOP_PREFIX "/dev/loop"
/* Makes the loop devices that exist when Linux has started. Called once, with the lock. */
void host_loops_start(void);
/*
 * Converts a path of the kernel's files to a path in the world's directory. Returns true, or false if the
 * kernel does not provide the file.
 */
bool host_path(const char *path, char *buffer, size_t size);
/* Opens a file by the path that host_path has stored. Returns a descriptor, or -errno. */
int host_open(const char *path, int flags);
/*
 * Updates the simulated loop device whose sysfs directory has this path. Call this before you read the status of a
 * path that host_path has stored.
 */
void host_look(const char *path);
/*
 * Returns whether fd is a loop device or /dev/loop-control. Stores the device's number, or -1 for
 * /dev/loop-control.
 */
bool host_loop_of(int fd, int *number);
/* Changes the status of a loop device's file to the status that a block device has. */
void host_loop_status(int number, struct stat *status);
/* Opens a loop device as a driver does. Returns a descriptor, or -1 if the device has no file. */
int host_loop_hold(uint32_t number);
/*
 * Called when a simulated backend driver opens a block device for a guest's disk. `physical` is the device's
 * number, MAJOR:MINOR in hexadecimal. Makes the file
 * /sys/bus/xen-backend/devices/vbd-GUEST-NUMBER/physical_device. Returns a descriptor that holds a loop
 * device open, or -1 for another device.
 */
int host_disk_opened(uint32_t guest, uint32_t number, const char *physical);
void host_disk_closed(uint32_t guest, uint32_t number, int fd);
/* Frees loop devices that no process has open. Called with the lock. */
void host_loops_refresh(void);
/* Assigns a file to a free loop device, as losetup does. Returns the device's number, or -errno. */
int host_loop_take(const char *file, bool read_only);
int host_loop_clear(uint32_t number); /* detaches the file of a loop device; returns 0 or -errno */

/* host_links.c. Call these functions with the lock. */
/* Removes the interfaces whose owner has ended. The other functions call this. */
void host_links_refresh(void);
struct link *host_link_find(const char *name);
struct link *host_link_by_index(int index);
int host_link_add(const char *name, const char *kind); /* adds an interface; returns 0 or -errno */
void host_link_delete(struct link *link);

/*
 * In host_netlink.c. Notifies the listeners that an interface has changed. Call it with the lock. `gone`
 * true: the interface is being removed.
 */
void host_link_changed(const struct link *link, bool gone);

#endif
