/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Simulated rtnetlink: its sockets (host_netlink.c), and the kernel, which serves requests (host_rtnetlink.c).
 * host_rtnetlink_serve takes machine->lock. Call the other functions with the lock held.
 */
#ifndef HOST_NETLINK_H
#define HOST_NETLINK_H

#include <stdint.h>

struct nlmsghdr;

enum { NETLINK_MESSAGE = 1024 }; /* the size of the largest message, in octets */

/* Sends an answer to the socket with the id `to`. If the socket is full, the answer waits. */
void host_netlink_answer(uint64_t to, const struct nlmsghdr *message);
/* Sends a notification to all sockets that listen. */
void host_netlink_notify(const struct nlmsghdr *message);
/* Carries out a request from the socket with the id `from`, and sends the answer. Takes machine->lock. */
void host_rtnetlink_serve(uint64_t from, struct nlmsghdr *request);

#endif
