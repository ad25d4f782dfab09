/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libxl's functions for consoles (libxl_console.h). Owns: nothing. Any thread may call these functions. */
#include "ops.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * Finds the terminal of a console. As in libxl, the error for a missing console is INVAL. libxl_error_message
 * has the reason.
 */
static int find_tty(libxl_ctx *ctx, uint32_t domid, uint32_t number, libxl_console_type type, char **path)
{
    char *found;
    const int rc = libxl_domain_console_tty(ctx, domid, number, type, &found, NULL);
    if (!rc)
        *path = found; /* *path changes only on success, as in libxl */
    return rc == ERROR_NOTFOUND ? ERROR_INVAL : rc;
}

int libxl_console_get_tty(libxl_ctx *ctx, uint32_t domid, int cons_num, libxl_console_type type, char **path)
{
    if (cons_num < 0 || type == LIBXL_CONSOLE_TYPE_UNKNOWN)
        return libxl__refuse(ERROR_INVAL, "cons_num, type: %d and %d name no console", cons_num, (int)type);
    return find_tty(ctx, domid, (uint32_t)cons_num, type, path);
}

int libxl_primary_console_get_tty(libxl_ctx *ctx, uint32_t domid_vm, char **path)
{
    return find_tty(ctx, domid_vm, 0, LIBXL_CONSOLE_TYPE_UNKNOWN, path);
}

/*
 * Replaces this program by xenconsole. Searches for xenconsole in the directories in which distributions
 * install Xen's programs. Returns only if none of these directories has xenconsole.
 */
static int exec_xenconsole(libxl_ctx *ctx, char *const arguments[])
{
    static const char *const places[] = {"/usr/lib/xen/bin", "/usr/libexec/xen/bin", "/usr/local/lib/xen/bin",
                                         "/usr/lib64/xen/bin"};
    char path[80];
    const libxl_version_info *version = libxl_get_version_info(ctx);
    if (version) {
        snprintf(path, sizeof(path), "/usr/lib/xen-%d.%d/bin/xenconsole", version->xen_version_major,
                 version->xen_version_minor);
        execv(path, arguments);
    }
    for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
        snprintf(path, sizeof(path), "%s/xenconsole", places[i]);
        execv(path, arguments);
    }
    execvp("xenconsole", arguments);
    return libxl__refuse(ERROR_FAIL, "running xenconsole: %s", strerror(errno));
}

int libxl_console_exec(libxl_ctx *ctx, uint32_t domid, int cons_num, libxl_console_type type, int notify_fd)
{
    static const char *const names[] = {
        [LIBXL_CONSOLE_TYPE_SERIAL] = "serial",
        [LIBXL_CONSOLE_TYPE_PV] = "pv",
        [LIBXL_CONSOLE_TYPE_VUART] = "vuart",
    };
    char domain[16], number[16], notify[16];
    if (cons_num < 0 || (size_t)type >= sizeof(names) / sizeof(*names) || !names[type])
        return libxl__refuse(ERROR_INVAL, "cons_num, type: %d and %d name no console", cons_num, (int)type);
    snprintf(domain, sizeof(domain), "%u", domid);
    snprintf(number, sizeof(number), "%d", cons_num);
    snprintf(notify, sizeof(notify), "%d", notify_fd);
    char *const arguments[] = {"xenconsole",
                               domain,
                               "--num",
                               number,
                               "--type",
                               (char *)names[type],
                               notify_fd >= 0 ? "--start-notify-fd" : NULL,
                               notify,
                               NULL};
    return exec_xenconsole(ctx, arguments);
}

int libxl_primary_console_exec(libxl_ctx *ctx, uint32_t domid_vm, int notify_fd)
{
    char *path;
    libxl_console_type type = LIBXL_CONSOLE_TYPE_PV;
    int rc = libxl_primary_console_get_tty(ctx, domid_vm, &path);
    if (rc)
        return rc;
    char *pv = NULL;
    if (libxl_console_get_tty(ctx, domid_vm, 0, LIBXL_CONSOLE_TYPE_PV, &pv) || strcmp(path, pv) != 0)
        type = LIBXL_CONSOLE_TYPE_SERIAL;
    free(path);
    free(pv);
    return libxl_console_exec(ctx, domid_vm, 0, type, notify_fd);
}
