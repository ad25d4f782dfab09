/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libxl's functions for the consoles of domains. Included by libxl.h.
 *
 * The functions are synchronous, and any thread may call them. They use the operation domain_console_tty.
 * They return 0 or an error; libxl_error_message has the reason. Errors: those of libxl_domain_console_tty,
 * except that INVAL is returned instead of NOTFOUND.
 */
#ifndef LIBXL_CONSOLE_H
#define LIBXL_CONSOLE_H

/* Stores the path of the terminal of a console in *path. The caller frees the path with free(). */
int libxl_console_get_tty(libxl_ctx *ctx, uint32_t domid, int cons_num, libxl_console_type type, char **path);
/* Like libxl_console_get_tty, for the domain's primary console. */
int libxl_primary_console_get_tty(libxl_ctx *ctx, uint32_t domid_vm, char **path);

/*
 * Replaces this program by Xen's xenconsole. That program connects its standard input and output to the
 * console, until the user types Ctrl-]. When it is connected, it writes one zero octet to `notify_fd`; -1: it
 * writes nothing. This function returns only after an error. Descriptors that are not close-on-exec stay
 * open.
 */
int libxl_console_exec(libxl_ctx *ctx, uint32_t domid, int cons_num, libxl_console_type type, int notify_fd);
/* Like libxl_console_exec, for the domain's primary console. */
int libxl_primary_console_exec(libxl_ctx *ctx, uint32_t domid_vm, int notify_fd);

/* In libxl 4.7 and older these functions had no notify_fd. */
#if defined(LIBXL_API_VERSION) && LIBXL_API_VERSION < 0x040800
#define libxl_console_exec(ctx, domid, cons_num, type) libxl_console_exec(ctx, domid, cons_num, type, -1)
#define libxl_primary_console_exec(ctx, domid_vm)      libxl_primary_console_exec(ctx, domid_vm, -1)
#endif

#endif /* LIBXL_CONSOLE_H */
