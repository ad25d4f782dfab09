/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_console_tty: reads the path of a console's terminal.
 *
 * The nodes belong to domain 0, and guests may only read them. For more safety, only a path of the form
 * /dev/pts/NUMBER is returned, because the caller opens the path with its own privileges.
 *
 * Owns: nothing except the operation's state. The caller holds the context's lock.
 */
#include "ops.h"

#include <stdlib.h>
#include <string.h>

typedef struct console_tty {
    libxl__xs_batch *batch;
    libxl__xs_request *type; /* reads the domain's type; NULL: the caller names the kind of console */
    /*
     * Reads the terminal of the kind of console that the caller names. If the caller names no kind, reads the
     * terminal of the paravirtual console.
     */
    libxl__xs_request *first;
    libxl__xs_request *connection; /* reads the connection of a channel; NULL: the console is console 0 */
    /* Reads the terminal of the serial console; NULL: the caller names the kind of console. */
    libxl__xs_request *serial;
} domain_console_tty_state;

/*
 * The path of the node of each type of console, relative to the domain's path. A domain has at most one VUART
 * console.
 */
static const char *const nodes[] = {
    [LIBXL_CONSOLE_TYPE_UNKNOWN] = "console/tty",
    [LIBXL_CONSOLE_TYPE_SERIAL] = "serial/0/tty",
    [LIBXL_CONSOLE_TYPE_PV] = "console/tty",
    [LIBXL_CONSOLE_TYPE_VUART] = "vuart/0/tty",
};

/*
 * Reads two nodes of a channel. The toolstack's node shows that a toolstack has made the channel. In this
 * case the guest cannot write the other node, which has the terminal.
 */
static void read_channel(struct console_tty *s, uint32_t domid, uint32_t number)
{
    s->connection = libxl__xs_read(s->batch, "/libxl/%u/device/console/%u/connection", domid, number);
    s->first = libxl__xs_read(s->batch, "/local/domain/%u/device/console/%u/tty", domid, number);
}

static int read_start(libxl__ao *ao, struct console_tty *s)
{
    const libxl__domain_console_tty_args *args = libxl__ao_args(ao);
    const uint32_t domid = ao->subject.number;
    xc_domaininfo_t info;
    const bool paravirtual =
        args->in.type == LIBXL_CONSOLE_TYPE_PV || args->in.type == LIBXL_CONSOLE_TYPE_UNKNOWN;
    if (args->in.cons_num && !paravirtual)
        return libxl__ao_fail(ao, ERROR_INVAL, "cons_num: there is only number 0 of this kind");
    int rc = libxl__hv_info(ao, domid, &info);
    if (rc)
        return rc;
    s->batch = libxl__xs_batch_new(ao, domid);
    if (!s->batch)
        return ERROR_NOMEM;
    if (args->in.cons_num) {
        read_channel(s, domid, args->in.cons_num);
        rc = libxl__xs_run(s->batch, LIBXL__XS_ONE_BY_ONE);
        return rc ? rc : LIBXL__AO_WAIT;
    }
    if (args->in.type == LIBXL_CONSOLE_TYPE_UNKNOWN) {
        s->type = libxl__xs_read(s->batch, "/libxl/%u/type", domid);
        s->serial = libxl__xs_read(s->batch, "/local/domain/%u/%s", domid, nodes[LIBXL_CONSOLE_TYPE_SERIAL]);
    }
    s->first = libxl__xs_read(s->batch, "/local/domain/%u/%s", domid, nodes[args->in.type]);
    rc = libxl__xs_run(s->batch, LIBXL__XS_ONE_BY_ONE);
    return rc ? rc : LIBXL__AO_WAIT;
}

static bool is_terminal(const char *path)
{
    static const char prefix[] = "/dev/pts/";
    enum { PREFIX = sizeof(prefix) - 1, DIGITS = 10 };
    const size_t length = strlen(path);
    return strncmp(path, prefix, PREFIX) == 0 && length > PREFIX && length <= PREFIX + DIGITS &&
           strspn(path + PREFIX, "0123456789") == length - PREFIX;
}

static int read_poll(libxl__ao *ao, struct console_tty *s)
{
    const libxl__domain_console_tty_args *args = libxl__ao_args(ao);
    if (!libxl__xs_done(s->batch))
        return LIBXL__AO_WAIT;
    const int rc = libxl__xs_result(s->batch);
    if (rc)
        return rc;
    const char *type = s->type ? libxl__xs_value(s->type) : NULL;
    const char *path = libxl__xs_value(type && strcmp(type, "hvm") == 0 ? s->serial : s->first);
    const char *connection = s->connection ? libxl__xs_value(s->connection) : "pty";
    if (!path || !*path || !connection || strcmp(connection, "pty") != 0)
        return libxl__ao_fail(ao, ERROR_NOTFOUND, "domain %u has no such console", ao->subject.number);
    if (!is_terminal(path))
        return libxl__ao_fail(ao, ERROR_FAIL, "the console of domain %u has no terminal below /dev/pts: '%s'",
                              ao->subject.number, path);
    *args->out.path = strdup(path);
    return *args->out.path ? 0 : ERROR_NOMEM;
}

#include "_libxl_phases_domain_console_tty.h"
