/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libxl's conventions, for programs that were built against Debian's libxl: what an initiator returns, and the
 * numbers of errors. Owns: nothing. Any thread may call these functions, without the context's lock.
 */
#include "dropin.h"

#include <string.h>

/*
 * Returns libxl's number for an error. libxl has no numbers for this library's own errors, which are -100 and
 * lower. libxl_error_message still has the reason.
 */
int libxl__dropin_rc(int rc)
{
    if (rc > ERROR_NO_HYPERVISOR)
        return rc;
    switch (rc) {
    case ERROR_DOMAIN_EXISTS: return ERROR_INVAL;
    case ERROR_CLOSED: return ERROR_ABORTED;
    case ERROR_DOMAIN_GONE: return ERROR_DOMAIN_NOTFOUND;
    case ERROR_UNKNOWN_CHILD: return LIBXL__DROPIN_UNKNOWN_CHILD;
    default: return ERROR_FAIL;
    }
}

/*
 * Returns the result of an operation for libxl's callers. When a guest has shut down on request, another program,
 * such as xl's monitor, may destroy the domain before the operation has seen the shutdown. The request has then
 * succeeded for libxl's callers.
 */
static int outward(const char *operation, int rc)
{
    const bool asks = !strcmp(operation, "domain_shutdown") || !strcmp(operation, "domain_reboot");
    return asks && rc == ERROR_DOMAIN_DESTROYED ? 0 : libxl__dropin_rc(rc);
}

static const libxl__conventions conventions = {.started = 0, .outward = outward, .makes_blocking = true};

int libxl_ctx_alloc(libxl_ctx **ctx_out, int version, unsigned flags, xentoollog_logger *logger)
{
    /* libxl ignores the flags, so programs may pass any value. */
    (void)flags;
    const int rc = aioxen_ctx_alloc(ctx_out, version, 0, logger);
    if (!rc)
        (*ctx_out)->conventions = &conventions;
    return libxl__dropin_rc(rc);
}

int libxl_childproc_reaped(libxl_ctx *ctx, pid_t pid, int status)
{
    return libxl__dropin_rc(aioxen_childproc_reaped(ctx, pid, status));
}
