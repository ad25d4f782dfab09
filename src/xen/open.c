/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: ctx->xen, from libxl__xen_open to libxl__xen_close. Both functions run while no other thread uses the
 * context, so they take no lock.
 */
#include "build.h"
#include "core_dump.h"
#include "pci.h"
#include "resume.h"
#include "statistics.h"
#include "usb.h"
#include "xen.h"

#include <stdlib.h>
#include <unistd.h>

/*
 * The greatest number of creations that may wait for xenconsoled at the same time. xenconsoled examines all
 * domains each time a domain is introduced. It also watches and reads the nodes of each new domain. So it
 * becomes slow when hundreds of domains are made at the same time.
 */
enum { CONSOLES_AT_ONCE = 32 };

/*
 * The greatest number of teardowns that may remove the nodes of their domains at the same time. The more guests there
 * are, the longer xenstored needs for each removal.
 */
enum { REMOVALS_AT_ONCE = 16 };

/*
 * The number of workers for hypercalls that allocate or free much guest memory. Such a hypercall may take
 * seconds.
 */
enum { MEMORY_AT_ONCE = 4 };

static int open_transport(libxl_ctx *ctx, const libxl__xs_transport *transport)
{
    const int rc = transport->open(ctx);
    if (!rc)
        ctx->xen->transport = transport;
    return rc;
}

static void close_transport(libxl_ctx *ctx)
{
    if (!ctx->xen->transport)
        return;
    libxl__xs_link_close(ctx);
    ctx->xen->transport->close(ctx);
}

/*
 * Connects to xenstored through the socket, unless the application asks for libxenstore. If there is no
 * socket but the kernel's device exists, connects through libxenstore, because only libxenstore uses the
 * device.
 */
static int open_xenstore(libxl_ctx *ctx, unsigned flags)
{
    const bool wait = !(flags & LIBXL_CTX_NO_WAIT);
    int rc = open_transport(ctx, flags & LIBXL_CTX_LIBXENSTORE ? &libxl__xs_lib : &libxl__xs_wire);
    if (!rc)
        rc = libxl__xs_link_open(ctx, wait);
    if (rc != ERROR_NO_XENSTORE || !ctx->xen->link.refused || flags & LIBXL_CTX_LIBXENSTORE ||
        access("/dev/xen/xenbus", F_OK))
        return rc;
    close_transport(ctx);
    ctx->xen->transport = NULL;
    rc = open_transport(ctx, &libxl__xs_lib);
    return rc ? rc : libxl__xs_link_open(ctx, wait);
}

int libxl__xen_open(libxl_ctx *ctx, unsigned flags)
{
    ctx->xen = calloc(1, sizeof(*ctx->xen));
    if (!ctx->xen)
        return libxl__refuse_in(ERROR_NOMEM, "libxl_ctx_alloc");
    libxl__xs_spare_open(ctx);
    libxl__creations_open(ctx);
    libxl__build_open(ctx);
    libxl__admissions_open(&ctx->xen->console_admissions, CONSOLES_AT_ONCE);
    libxl__admissions_open(&ctx->xen->removal_admissions, REMOVALS_AT_ONCE);
    libxl__hv_destroy_open(ctx);
    libxl__statistics_open(ctx);
    libxl__core_dump_open(ctx);
    libxl__resume_open(ctx);
    libxl__lane_open(ctx, &ctx->xen->memory_lane, "xl-memory", MEMORY_AT_ONCE, false);
    libxl__userdata_open(ctx);
    libxl__pci_open(ctx);
    libxl__usb_open(ctx);
    int rc = libxl__domains_open(ctx);
    if (!rc)
        rc = libxl__handles_open(ctx);
    return rc ? rc : open_xenstore(ctx, flags);
}

void libxl__xen_close(libxl_ctx *ctx)
{
    struct libxl__xen *xen = ctx->xen;
    if (!xen)
        return;
    libxl__domains_close(ctx);
    libxl__domain_ids_close(ctx);
    libxl__kept_names_close(ctx);
    close_transport(ctx);
    libxl__xs_spare_close(ctx);
    libxl__watches_close(ctx);
    libxl__evtchns_close(ctx);
    libxl__creations_close(ctx);
    libxl__handles_close(ctx);
    libxl_version_info_dispose(xen->version);
    free(xen->version);
    free(xen->list.infos);
    free(xen);
    ctx->xen = NULL;
}

/*
 * Subtracts the timers that do not belong to an operation. These are the timers of the followed domains, of
 * the connection to xenstored, and of the kept names.
 */
void libxl__xen_count(libxl_ctx *ctx, libxl_counters *out)
{
    out->timers -= 2 + ctx->xen->kept_names.keeping;
    out->watches = ctx->xen->watches.count;
    if (ctx->xen->transport->count)
        ctx->xen->transport->count(ctx, out);
}

void libxl__xen_postfork(libxl_ctx *ctx)
{
    ctx->xen->transport->postfork(ctx);
    if (ctx->xen->evtchns.handle)
        close(xenevtchn_fd(ctx->xen->evtchns.handle));
}
