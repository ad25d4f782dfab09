/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The configuration of a QEMU by QMP, after its start. QMP also carries the passwords, because every process
 * can read QEMU's command line.
 *
 * QEMU starts the machine of an HVM domain stopped (-S). QEMU's first answer shows that it has made all
 * devices. The last command lets the machine run. A QEMU that restores the state of its devices answers before
 * it has read this state. Its event RESUME then shows that the machine runs. The domain stays paused in the
 * hypervisor.
 *
 * Owns: nothing except the operation's state. The caller holds the context's lock.
 */
#include "qemu_configure.h"

#include "hvm_settings.h"
#include "qemu.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_SERIALS = 16 };

static const libxl_vnc_info *vnc_of(const libxl_domain_config *config)
{
    if (config->c_info.type == LIBXL_DOMAIN_TYPE_HVM)
        return &config->b_info.u.hvm.vnc;
    return config->num_vfbs ? &config->vfbs[0].vnc : NULL;
}

static const char *password_of(const libxl_domain_config *config)
{
    const libxl_vnc_info *vnc = vnc_of(config);
    return vnc && libxl__is(vnc->enable, true) && vnc->passwd && *vnc->passwd ? vnc->passwd : NULL;
}

int libxl__qemu_configure_start(libxl__ao *ao, libxl__qemu_configure *c)
{
    const char *password = password_of(c->config);
    const bool hvm = c->config->c_info.type == LIBXL_DOMAIN_TYPE_HVM;
    int rc = 0;
    if (!password && !hvm)
        return 0;
    /* The QEMU of an HVM domain may still be starting, so its answer may come late. The phase's limit ends the wait. */
    c->qmp.patient = hvm;
    c->qmp.event = hvm && c->restores ? "RESUME" : NULL;
    if (password)
        rc = libxl__qmp_add(ao, &c->qmp, "change-vnc-password", libxl__qmp_text("password", password), -1);
    if (hvm && !rc)
        rc = libxl__qmp_add(ao, &c->qmp, "query-status", NULL, -1);
    c->chardevs = (int)c->qmp.count;
    if (hvm && !rc)
        rc = libxl__qmp_add(ao, &c->qmp, "query-chardev", NULL, -1);
    c->vnc = (int)c->qmp.count;
    if (hvm && !rc)
        rc = libxl__qmp_add(ao, &c->qmp, "query-vnc", NULL, -1);
    if (hvm && !rc)
        rc = libxl__qmp_add(ao, &c->qmp, "cont", NULL, -1);
    return rc ? rc : libxl__qmp_start(ao, &c->qmp, c->domid);
}

/* ---- the nodes */

/* Returns the text of a member of an object. Returns NULL if there is no such member, or if it is no text. */
static const char *text_of(struct json_object *object, const char *name)
{
    struct json_object *member;
    return json_object_is_type(object, json_type_object) &&
                   json_object_object_get_ex(object, name, &member) &&
                   json_object_is_type(member, json_type_string)
               ? json_object_get_string(member)
               : NULL;
}

/* Returns whether a text is the path of a terminal. QEMU is not trusted, so no other path is written. */
static bool is_terminal(const char *path)
{
    static const char prefix[] = "/dev/pts/";
    const size_t length = strlen(path), first = sizeof(prefix) - 1;
    return strncmp(path, prefix, first) == 0 && length > first && length < first + 10 &&
           strspn(path + first, "0123456789") == length - first;
}

/* Writes the terminal of a serial port. The port's label is serialN, and its file name is pty:PATH. */
static void write_serial(const libxl__qemu_configure *c, struct json_object *chardev)
{
    static const char label_start[] = "serial", file_start[] = "pty:";
    const char *label = text_of(chardev, "label"), *file = text_of(chardev, "filename");
    if (!label || !file || strncmp(label, label_start, strlen(label_start)) != 0 ||
        strncmp(file, file_start, strlen(file_start)) != 0 || !is_terminal(file + strlen(file_start)))
        return;
    char *rest;
    const unsigned long number = strtoul(label + strlen(label_start), &rest, 10);
    if (rest > label + strlen(label_start) && !*rest && number < MOST_SERIALS)
        libxl__xs_write(c->batch, LIBXL__XS_INHERITS, file + strlen(file_start),
                        "/local/domain/%u/serial/%lu/tty", c->domid, number);
}

static void write_serials(const libxl__qemu_configure *c)
{
    struct json_object *chardevs = c->qmp.commands[c->chardevs].result;
    if (!json_object_is_type(chardevs, json_type_array))
        return;
    const size_t count = json_object_array_length(chardevs);
    for (size_t i = 0; i < count; i++)
        write_serial(c, json_object_array_get_idx(chardevs, i));
}

/* Returns whether a text is a short host name, address or number. */
static bool is_word(const char *text)
{
    return text && *text && strlen(text) < 64 &&
           strspn(text, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.:-_%[]") ==
               strlen(text);
}

/* Writes the address of the VNC server. libxl also writes the password, which the guest could read in these nodes. */
static void write_vnc(const libxl__qemu_configure *c)
{
    struct json_object *vnc = c->qmp.commands[c->vnc].result;
    const char *host = text_of(vnc, "host"), *port = text_of(vnc, "service");
    if (!is_word(host) || !is_word(port))
        return; /* there is no VNC server, or it has a Unix socket */
    libxl__xs_write(c->batch, LIBXL__XS_INHERITS, host, "/local/domain/%u/console/vnc-listen", c->domid);
    libxl__xs_write(c->batch, LIBXL__XS_INHERITS, port, "/local/domain/%u/console/vnc-port", c->domid);
}

static int write_nodes(libxl__ao *ao, libxl__qemu_configure *c)
{
    c->batch = libxl__xs_batch_new(ao, c->domid);
    if (!c->batch)
        return ERROR_NOMEM;
    libxl__xs_require_domain(c->batch, c->uuid);
    write_serials(c);
    write_vnc(c);
    const int rc = libxl__xs_run(c->batch, LIBXL__XS_TRANSACTION);
    return rc ? rc : LIBXL__AO_WAIT;
}

int libxl__qemu_configure_poll(libxl__ao *ao, libxl__qemu_configure *c)
{
    if (c->batch)
        return libxl__xs_done(c->batch) ? libxl__xs_result(c->batch) : LIBXL__AO_WAIT;
    const int rc = libxl__qmp_poll(ao, &c->qmp);
    return rc || c->config->c_info.type != LIBXL_DOMAIN_TYPE_HVM ? rc : write_nodes(ao, c);
}
