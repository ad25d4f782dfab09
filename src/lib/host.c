/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libxl's synchronous functions for FLASK, for the hypervisor's messages and parameters, and for the command
 * that shows a VNC screen (libxl_host.h). Each runs operations of this library. Owns the readers of messages,
 * which belong to their callers. Any thread may call these functions, without the context's lock.
 */
#include "ops.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- FLASK. libxl returns -1 and sets errno, and programs look for ENOSYS. */

static int of_flask(int rc)
{
    if (!rc)
        return 0;
    errno = rc == ERROR_NI ? ENOSYS : rc == ERROR_PERMISSION ? EPERM : EINVAL;
    return -1;
}

int libxl_flask_getenforce(libxl_ctx *ctx)
{
    bool enforcing = false;
    const int rc = of_flask(libxl_host_flask_enforcing(ctx, &enforcing, NULL));
    return rc ? rc : enforcing;
}

int libxl_flask_setenforce(libxl_ctx *ctx, int mode)
{
    return of_flask(libxl_host_flask_set_enforcing(ctx, mode != 0, NULL));
}

int libxl_flask_loadpolicy(libxl_ctx *ctx, void *policy, uint32_t size)
{
    return of_flask(libxl_host_flask_load(ctx, &(libxl_blob){.size = size, .data = policy}, NULL));
}

int libxl_flask_context_to_sid(libxl_ctx *ctx, char *buf, size_t len, uint32_t *ssidref)
{
    uint32_t found;
    char *label = strndup(buf, len);
    const int rc = label ? libxl_host_flask_number(ctx, label, &found, NULL) : ERROR_NOMEM;
    free(label);
    if (!rc)
        *ssidref = found;
    return of_flask(rc);
}

int libxl_flask_sid_to_context(libxl_ctx *ctx, uint32_t ssidref, char **buf, size_t *len)
{
    char *label;
    const int rc = libxl_host_flask_label(ctx, ssidref, &label, NULL);
    if (rc)
        return of_flask(rc);
    *buf = label;
    *len = strlen(label);
    return 0;
}

/* ---- messages and parameters of the hypervisor */

struct libxl__xen_console_reader {
    libxl_blob messages;
    uint32_t at;    /* the index of the first octet that was not returned yet */
    uint32_t owing; /* the index of the octet that a terminating zero has replaced */
    uint8_t octet;  /* the former value of that octet */
};

libxl_xen_console_reader *libxl_xen_console_read_start(libxl_ctx *ctx, int clear)
{
    libxl_xen_console_reader *reader = calloc(1, sizeof(*reader));
    if (!reader || libxl_host_console_ring(ctx, clear != 0, &reader->messages, NULL)) {
        free(reader);
        return NULL;
    }
    reader->owing = reader->messages.size;
    return reader;
}

int libxl_xen_console_read_line(libxl_ctx *ctx, libxl_xen_console_reader *cr, char **line_r)
{
    (void)ctx;
    uint8_t *data = cr->messages.data;
    *line_r = NULL;
    if (cr->owing < cr->messages.size)
        data[cr->owing] = cr->octet;
    if (cr->at >= cr->messages.size)
        return 0;
    const uint8_t *end = memchr(data + cr->at, '\n', cr->messages.size - cr->at);
    *line_r = (char *)data + cr->at;
    cr->at = end ? (uint32_t)(end - data) + 1 : cr->messages.size;
    /* After the last line no octet is replaced, because a zero octet follows the messages. */
    cr->owing = cr->at;
    if (cr->at < cr->messages.size) {
        cr->octet = data[cr->at];
        data[cr->at] = 0;
    }
    return 1;
}

void libxl_xen_console_read_finish(libxl_ctx *ctx, libxl_xen_console_reader *cr)
{
    (void)ctx;
    libxl_blob_dispose(&cr->messages);
    free(cr);
}

int libxl_set_parameters(libxl_ctx *ctx, char *params)
{
    const int rc = libxl_host_set_parameters(ctx, params, NULL);
    return rc == ERROR_NI || rc == ERROR_INVAL ? ERROR_FAIL : rc; /* as in libxl, both errors become FAIL */
}

/* ---- VNC */

/* Reads /local/domain/DOMID/console/NAME. Returns the value, which the caller frees, or NULL. */
static char *read_console_node(libxl_ctx *ctx, uint32_t domid, const char *name)
{
    char path[96];
    libxl_blob value;
    snprintf(path, sizeof(path), "/local/domain/%u/console/%s", domid, name);
    return libxl_store_read(ctx, path, &value, NULL) ? NULL : (char *)value.data;
}

/*
 * Makes a descriptor with the password. The descriptor becomes the standard input of the viewer, which reads
 * the password from there.
 */
static int give_password(const char *password)
{
    FILE *file = tmpfile();
    const bool given = file && fputs(password, file) >= 0 && !fflush(file) &&
                       dup2(fileno(file), STDIN_FILENO) >= 0 && !lseek(STDIN_FILENO, 0, SEEK_SET);
    const int error = errno;
    if (file)
        fclose(file);
    return given ? 0 : libxl__refuse(ERROR_FAIL, "giving the password to vncviewer: %s", strerror(error));
}

int libxl_vncviewer_exec(libxl_ctx *ctx, uint32_t domid, int autopass)
{
    char target[128];
    char *port = read_console_node(ctx, domid, "vnc-port");
    if (!port)
        return libxl__refuse(ERROR_FAIL, "domid: domain %u has no VNC screen", domid);
    char *address = read_console_node(ctx, domid, "vnc-listen");
    char *password = autopass ? read_console_node(ctx, domid, "vnc-pass") : NULL;
    snprintf(target, sizeof(target), "%s:%d", address ? address : "localhost", atoi(port) - 5900);
    int rc = password ? give_password(password) : 0;
    free(port);
    free(address);
    if (!rc) {
        char *const arguments[] = {"vncviewer", target, password ? "-autopass" : NULL, NULL};
        execvp("vncviewer", arguments);
        rc = libxl__refuse(ERROR_FAIL, "running vncviewer: %m");
    }
    free(password);
    return rc;
}
