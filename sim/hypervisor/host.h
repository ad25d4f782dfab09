/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the kernel of domain 0 does beside Xen: loop devices and network interfaces. The state is part of struct machine.
 *
 * Lock: the caller holds machine->lock, unless the comment says otherwise.
 * Lifetime: as struct machine. A loop device's openers are known by the locks of its file (host_loops.c).
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
    uint32_t flags;                 /* LO_FLAGS_* */
    uint64_t device, inode, octets; /* of the file */
    char file[256];
};

struct link {  /* a network interface */
    int index; /* 0: free */
    bool up;
    int master;
    uint32_t mtu;
    uint8_t address[6];
    char name[LINK_NAME], kind[LINK_NAME]; /* kind: "bridge", "vif", ... */
};

/* A netlink socket that gets notifications about interfaces. */
struct link_listener {
    uint64_t id;  /* of its address; 0: free */
    bool overrun; /* a notification was dropped */
};

struct host {
    struct loop loops[MAX_LOOPS];
    uint32_t nr_loops; /* the highest number that was added + 1 */
    struct link links[MAX_LINKS];
    uint32_t nr_links; /* the highest used place + 1 */
    int next_index;
    uint64_t next_socket;
    struct link_listener listeners[MAX_LINK_LISTENERS];
};

/* host_loops.c. Without the lock, unless it is said. */
#define LOOP_PREFIX "/dev/loop"
void host_loops_start(void); /* with the lock, once: makes the first devices, as Linux does when it starts */
bool host_path(const char *path, char *buffer,
               size_t size);                /* translates a path of the kernel to one of the world */
int host_open(const char *path, int flags); /* opens a translated path; -errno */
void host_look(const char *path);           /* call it before the status of a translated path is read */
bool host_loop_of(int fd, int *number);     /* the loop device, or -1 for /dev/loop-control, that fd is */
void host_loop_status(int number,
                      struct stat *status); /* makes the status of its file that of a block device */
int host_loop_hold(uint32_t number);        /* as a driver: a descriptor, or -1 if the device has no file */
/*
 * A backend driver has opened the block device `physical` (hexadecimal MAJOR:MINOR) for a disk of a guest, as the file
 * /sys/bus/xen-backend/devices/vbd-GUEST-NUMBER/physical_device tells. Returns a descriptor that holds a loop device,
 * or -1 for another device.
 */
int host_disk_opened(uint32_t guest, uint32_t number, const char *physical);
void host_disk_closed(uint32_t guest, uint32_t number, int fd);
void host_loops_refresh(void); /* with the lock: frees devices that nobody has open any more */
/* As losetup: gives a file to a free device. Returns its number, or -errno. */
int host_loop_take(const char *file, bool read_only);
int host_loop_clear(uint32_t number); /* 0 or -errno */

/* host_links.c. With the lock. */
struct link *host_link_find(const char *name);
struct link *host_link_by_index(int index);
int host_link_add(const char *name, const char *kind); /* 0 or -errno */
void host_link_delete(struct link *link);

/* host_netlink.c: notifies the listeners. With the lock. `gone`: the interface is being removed. */
void host_link_changed(const struct link *link, bool gone);

#endif
