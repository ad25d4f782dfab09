/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A program for libxl that test_dropin.py compiles with Debian's headers, for each LIBXL_API_VERSION, and
 * runs on the drop-in library. Prints "done" if every call has the same effect as in libxl. Otherwise prints
 * the call that has another effect.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libxl.h>
#include <libxl_event.h>
#include <libxl_utils.h>

enum { NOBODY = 0x700, USER = 7 };

#if defined(LIBXL_API_VERSION) && LIBXL_API_VERSION < 0x041300
#define ON_DOMAIN(function, ctx, domid) function(ctx, domid)
#else
#define ON_DOMAIN(function, ctx, domid) function(ctx, domid, NULL)
#endif

#define EXPECT(condition)                                                                                    \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            puts(#condition);                                                                                \
            exit(1);                                                                                         \
        }                                                                                                    \
    } while (0)

static int completed = 1;

static void on_completion(libxl_ctx *ctx, int rc, void *for_callback)
{
    (void)ctx;
    *(int *)for_callback = rc;
}

static void queries(libxl_ctx *ctx)
{
    int count = 0;
    uint32_t domid = NOBODY;
    libxl_physinfo host;
    libxl_dominfo *list = libxl_list_domain(ctx, &count);
    EXPECT(list && count == 1 && list[0].domid == 0 && list[0].running);
    libxl_dominfo_list_free(list, count);
    EXPECT(libxl_get_version_info(ctx)->xen_version_major == 4);
    libxl_physinfo_init(&host);
    EXPECT(!libxl_get_physinfo(ctx, &host) && host.nr_cpus && host.total_pages);
    libxl_physinfo_dispose(&host);
    EXPECT(!libxl_name_to_domid(ctx, "Domain-0", &domid) && domid == 0);
}

static void errors(libxl_ctx *ctx)
{
    EXPECT(libxl_domain_info(ctx, NULL, NOBODY) == ERROR_DOMAIN_NOTFOUND);
    EXPECT(ON_DOMAIN(libxl_domain_pause, ctx, NOBODY) < 0);
    EXPECT(ON_DOMAIN(libxl_domain_unpause, ctx, NOBODY) < 0);
}

/* An operation on a missing domain fails in one of two ways. The initiator returns the error, or it returns 0 and the
 * callback gets the error. */
static void operations(libxl_ctx *ctx)
{
    libxl_asyncop_how how = {.callback = on_completion, .u.for_callback = &completed};
    libxl_evgen_domain_death *evgen;
    libxl_event *event;
    const int rc = libxl_domain_destroy(ctx, NOBODY, &how);
    EXPECT(!libxl_evenable_domain_death(ctx, NOBODY, USER, &evgen));
    EXPECT(!libxl_event_wait(ctx, &event, LIBXL_EVENTMASK_ALL, NULL, NULL));
    EXPECT(event->type == LIBXL_EVENT_TYPE_DOMAIN_DEATH && event->for_user == USER && event->domid == NOBODY);
    libxl_event_free(ctx, event);
    libxl_evdisable_domain_death(ctx, evgen);
    EXPECT(rc == ERROR_DOMAIN_NOTFOUND || (!rc && completed == ERROR_DOMAIN_NOTFOUND));
}

int main(void)
{
    libxl_ctx *ctx;
    xentoollog_logger *logger = (xentoollog_logger *)xtl_createlogger_stdiostream(stderr, XTL_CRITICAL, 0);
    EXPECT(!libxl_ctx_alloc(&ctx, LIBXL_VERSION, 0, logger));
    queries(ctx);
    errors(ctx);
    operations(ctx);
    libxl_ctx_free(ctx);
    xtl_logger_destroy(logger);
    puts("done");
    return 0;
}
