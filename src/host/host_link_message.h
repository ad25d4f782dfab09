/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads the kernel's messages about network interfaces. Only host_link.c uses it. Any thread may call the
 * functions.
 */
#ifndef LIBXL__HOST_LINK_MESSAGE_H
#define LIBXL__HOST_LINK_MESSAGE_H

#include "host_link.h"

#include <linux/netlink.h>

/* Reads the description of an interface. Returns false if the message is not a valid description. */
bool libxl__link_read(const struct nlmsghdr *message, libxl__link_info *info);
/* Reads the answer to a request: an acknowledgement, or an errno and the kernel's text about the error. */
void libxl__link_read_answer(const struct nlmsghdr *message, libxl__link_request *request);

#endif
