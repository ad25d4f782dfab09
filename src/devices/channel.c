/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The class channel. A channel is a console of the guest with a number above 0 and a name. A program in the
 * guest finds the channel by this name. A QEMU connects the channel to a terminal or to a socket, which QEMU
 * makes when it starts (qemu_arguments.c). So a channel is made with its domain, and exists until the domain's end.
 *
 * Console 0 has the same kind, but it does not belong to this class, because xenconsoled serves console 0.
 *
 * Owns: nothing except the operation's state. The caller holds the context's lock.
 */
#include "_libxl_types_internal.h"
#include "device.h"

#include <stddef.h>
#include <string.h>

/* The number of octets of output that are kept until a program reads them. Other toolstacks write the same number. */
#define LIMIT "1048576"

static libxl_device_channel *channel_of(const libxl__device *device)
{
    return device->config;
}

static int check(libxl__ao *ao, libxl__device *device)
{
    const libxl_device_channel *channel = channel_of(device);
    if (!channel->name || !*channel->name)
        return libxl__ao_fail(ao, ERROR_INVAL, "name: missing");
    if (channel->connection == LIBXL_CHANNEL_CONNECTION_UNKNOWN)
        return libxl__ao_fail(ao, ERROR_INVAL, "connection: missing");
    if (channel->connection == LIBXL_CHANNEL_CONNECTION_SOCKET &&
        (!channel->u.socket.path || *channel->u.socket.path != '/'))
        return libxl__ao_fail(ao, ERROR_INVAL, "u.socket.path: not an absolute path");
    if (channel->backend_domid || channel->backend_domname)
        return libxl__ao_fail(ao, ERROR_NI, "%s: channels of other domains are not implemented",
                              channel->backend_domname ? "backend_domname" : "backend_domid");
    device->devid = (uint32_t)channel->devid;
    strcpy(device->backend_kind, "console");
    return 0;
}

static void write_nodes(const libxl__device_nodes *nodes)
{
    const libxl__device *device = nodes->device;
    const libxl_device_channel *channel = channel_of(device);
    const char *connection = libxl_channel_connection_to_string(channel->connection);
    /*
     * The node `output` tells QEMU which character device serves the channel. For "pty" QEMU makes a new terminal. The
     * terminal of QEMU's command line is unused then.
     */
    char output[32] = "pty";
    if (channel->connection == LIBXL_CHANNEL_CONNECTION_SOCKET)
        snprintf(output, sizeof(output), "chardev:libxl-channel%u", device->devid);
    const struct {
        const char *key, *value;
    } unwritable[] = {
        {"name", channel->name}, {"limit", LIMIT}, {"type", "ioemu"}, {"output", output}, {"tty", ""}};
    libxl__backend_key(nodes, "protocol", "vt100");
    libxl__backend_key(nodes, "name", "%s", channel->name);
    libxl__backend_key(nodes, "connection", "%s", connection);
    if (channel->connection == LIBXL_CHANNEL_CONNECTION_SOCKET)
        libxl__backend_key(nodes, "path", "%s", channel->u.socket.path);
    libxl__frontend_key(nodes, "protocol", "vt100");
    /* The guest must not be able to change the terminal that domain_console_tty returns. */
    for (size_t i = 0; i < sizeof(unwritable) / sizeof(*unwritable); i++)
        libxl__xs_write(nodes->batch, LIBXL__XS_GUEST_READS, unwritable[i].value, LIBXL__FRONTEND "/%s",
                        LIBXL__FRONTEND_OF(device), unwritable[i].key);
}

enum { NAME, CONNECTION, PATH };
static const char *const read_keys[] = {"name", "connection", "path", NULL};

static int read_config(const libxl__device *device, void *config, const char *const values[])
{
    libxl_device_channel *channel = config;
    libxl_channel_connection connection;
    if (!device->devid || !values[CONNECTION] ||
        libxl_channel_connection_from_string(values[CONNECTION], &connection))
        return 1;
    libxl_device_channel_init_connection(channel, connection);
    int rc = libxl__device_keep_text(&channel->name, values[NAME]);
    if (!rc && connection == LIBXL_CHANNEL_CONNECTION_SOCKET)
        rc = libxl__device_keep_text(&channel->u.socket.path, values[PATH]);
    return rc;
}

LIBXL__DEVICE_CONFIG(channel)
const libxl__device_class libxl__class_channel = {
    LIBXL__DEVICE_ROW(channel, channels, "console"),
    .first_devid = 1,
    .waits_for_backend = true,
    .stateless = true,
    .check = check,
    .write = write_nodes,
    .read_keys = read_keys,
    .read = read_config,
};
