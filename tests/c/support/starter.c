/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns: nothing. The test owns the struct starter and every object in it. */
#include "starter.h"

#include "guest.h"
#include "operations.h"
#include "saving.h"

#include <fcntl.h>
#include <unistd.h>

bool starter_is_hidden(unsigned operation)
{
    const struct operation_row *row = operations_row(operation, NULL);
    return row && row->hidden;
}

int starter_run(struct starter *s, unsigned operation)
{
    s->made = LIBXL_DOMID_INVALID;
    const libxl__ao_class *cls = &libxl__operations[operation];
    const struct operation_row *row = operations_row(operation, NULL);
    if (row && row->start)
        return row->start(s);
    if (cls->args_size != sizeof(libxl_domid))
        fail_msg("%s: tests/c/support/operations needs a row for it", cls->name);
    libxl__ao *ao;
    const int rc = libxl__ao_create(s->ctx, cls, s->guest, NULL, &ao);
    if (rc)
        return rc;
    *(libxl_domid *)libxl__ao_args(ao) = s->guest;
    return libxl__ao_start(ao);
}

bool starter_takes_pci(unsigned operation)
{
    const struct operation_row *row = operations_row(operation, NULL);
    return row && row->takes_pci;
}

static void make_image(void)
{
    const int fd = open(STARTER_IMAGE, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0 && !ftruncate(fd, 1 << 20));
    close(fd);
}

/* Makes a guest that can have PCI devices. */
static libxl_domid able_guest(libxl_ctx *ctx)
{
    libxl_domid domid = LIBXL_DOMID_INVALID;
    libxl_domain_config config = guest_config("b");
    config.c_info.passthrough = LIBXL_PASSTHROUGH_ENABLED;
    assert_int_equal(libxl_domain_create_new(ctx, &config, &domid, NULL, NULL), 0);
    assert_int_equal(libxl_domain_unpause(ctx, domid, NULL), 0);
    libxl_domain_config_dispose(&config);
    return domid;
}

/* Makes a PVH guest that has stopped and asks for a soft reset. */
static libxl_domid reset_guest(libxl_ctx *ctx)
{
    const libxl_domid domid = saving_guest(ctx, "kb");
    libxl_shutdown_reason reason;
    assert_int_equal(libxl_domain_wait_shutdown(ctx, domid, &reason, NULL), 0);
    assert_int_equal(reason, LIBXL_SHUTDOWN_REASON_SOFT_RESET);
    operations_prepare_reset(ctx, domid);
    return domid;
}

/* Makes sure that there is a guest that runs. */
static void prepare_guest(struct starter *s, libxl_ctx *ctx, unsigned operation)
{
    libxl_dominfo info;
    const bool resets = operation == LIBXL__OP_DOMAIN_SOFT_RESET;
    if (s->guest && !resets && !starter_takes_pci(operation) && !libxl_domain_info(ctx, &info, s->guest) &&
        !info.shutdown && !info.dying) {
        while (info.paused && !libxl_domain_unpause(ctx, s->guest, NULL) &&
               !libxl_domain_info(ctx, &info, s->guest))
            ;
        return;
    }
    if (s->guest)
        libxl_domain_destroy(ctx, s->guest, NULL);
    const bool obeys = operation == LIBXL__OP_DOMAIN_SHUTDOWN || operation == LIBXL__OP_DOMAIN_REBOOT;
    s->guest = saving_is(operation)           ? saving_guest(ctx, "l")
               : resets                       ? reset_guest(ctx)
               : starter_takes_pci(operation) ? able_guest(ctx)
                                              : guest_new(ctx, obeys ? "l" : "b", true);
}

void starter_prepare(struct starter *s, libxl_ctx *ctx, unsigned operation)
{
    make_image();
    if (saving_is(operation)) {
        saving_prepare(ctx);
        saving_settle();
    }
    prepare_guest(s, ctx, operation);
    if (operation == LIBXL__OP_DOMAIN_RESUME)
        assert_int_equal(libxl_domain_suspend_only(ctx, s->guest, NULL), 0);
}
