/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The boot loader of a domain that is being created.
 *
 * The domain exists while its boot loader runs, so that clients find the boot loader's terminal at the
 * domain's usual node. The domain has only the nodes that such a client needs. These nodes are removed before
 * the domain is built, because the creation later waits for xenconsoled to write the terminal's node.
 *
 * Owns: the resources of the libxl__boot_loader, until libxl__create_boot_undo or libxl__create_boot_end. The
 * caller holds the context's lock.
 */
#include "create_boot.h"

#include <stdio.h>

/*
 * Called when the boot loader has ended, or at the end of an operation whose undo has failed. Frees the boot
 * loader's resources.
 */
static void release(libxl_ctx *ctx, libxl__source *source)
{
    libxl__create_boot *boot = LIBXL__CONTAINER(source, libxl__create_boot, source);
    libxl__build_release(ctx);
    libxl__terminal_close(ctx, &boot->loader.terminal);
    libxl__boot_loader_free(&boot->loader);
}

int libxl__create_boot_reserve(libxl__ao *ao, libxl__build *build, libxl__create_boot **boot_out)
{
    *boot_out = NULL;
    if (!build->config->b_info.bootloader)
        return 0;
    libxl__create_boot *boot = libxl__gc_alloc(&ao->gc, sizeof(*boot));
    if (!boot)
        return ERROR_NOMEM;
    const int rc = libxl__build_reserve(ao);
    if (rc)
        return rc;
    libxl__source_attach(ao, &boot->source, release);
    boot->loader.kernel_fd = boot->loader.ramdisk_fd = -1;
    boot->build = build;
    build->loader = &boot->loader;
    *boot_out = boot;
    return 0;
}

static int show(libxl__ao *ao, libxl__create_boot *boot)
{
    const unsigned domid = boot->build->domid;
    const libxl_domain_config *config = boot->build->config;
    char vm[64];
    boot->show = libxl__xs_batch_new(ao, domid);
    boot->hide = libxl__xs_batch_new(ao, domid);
    if (!boot->show || !boot->hide)
        return ERROR_NOMEM;
    snprintf(vm, sizeof(vm), "/vm/" LIBXL_UUID_FMT, LIBXL_UUID_BYTES(boot->build->uuid));
    /* An earlier domain with this domid may have left nodes. */
    libxl__xs_remove(boot->show, "/local/domain/%u", domid);
    libxl__xs_write(boot->show, LIBXL__XS_INHERITS, LIBXL__TREE_OWNER, "/local/domain/%u", domid);
    libxl__xs_write(boot->show, LIBXL__XS_INHERITS, vm, "/local/domain/%u/vm", domid);
    libxl__xs_write(boot->show, LIBXL__XS_INHERITS, config->c_info.name, "/local/domain/%u/name", domid);
    libxl__xs_write(boot->show, LIBXL__XS_INHERITS, boot->loader.terminal.name,
                    "/local/domain/%u/console/tty", domid);
    libxl__xs_remove(boot->hide, "/local/domain/%u", domid);
    return libxl__xs_run(boot->show, LIBXL__XS_ONE_BY_ONE);
}

int libxl__create_boot_start(libxl__ao *ao, libxl__create_boot *boot)
{
    const libxl_domain_config *config = boot->build->config;
    const libxl_domain_build_info *info = &config->b_info;
    const int version = xc_version(libxl__xch(ao->ctx), XENVER_version, NULL);
    const libxl__boot_loader_job job = {
        .kernel = info->kernel,
        .ramdisk = info->ramdisk,
        .cmdline = info->cmdline,
        .args = info->bootloader_args,
        .disk = config->disks[0].pdev_path,
        .version = version < 0 ? 0 : (unsigned)version,
    };
    const int rc = show(ao, boot);
    return rc ? rc : libxl__boot_loader_start(ao, &boot->loader, &job);
}

int libxl__create_boot_poll(libxl__ao *ao, libxl__create_boot *boot)
{
    int rc = 0;
    if (!boot->shown && libxl__xs_done(boot->show)) {
        boot->shown = true;
        rc = libxl__xs_result(boot->show);
        if (!rc)
            libxl__ao_progress(ao, LIBXL_EVENT_TYPE_DOMAIN_CREATE_CONSOLE_AVAILABLE);
    }
    if (rc || !boot->loader.child.done || !boot->shown)
        return rc ? rc : LIBXL__AO_WAIT;
    if (!boot->judged) {
        rc = libxl__boot_loader_result(ao, &boot->loader);
        if (!rc)
            rc = libxl__xs_run(boot->hide, LIBXL__XS_ONE_BY_ONE);
        if (rc)
            return rc;
        boot->judged = true;
    }
    return libxl__xs_done(boot->hide) ? libxl__xs_result(boot->hide) : LIBXL__AO_WAIT;
}

int libxl__create_boot_undo(libxl__ao *ao, libxl__create_boot *boot)
{
    if (!boot || !boot->source.ao)
        return 0;
    libxl__terminal_close(ao->ctx, &boot->loader.terminal);
    if (boot->loader.child.running) {
        libxl__child_kill(&boot->loader.child);
        return LIBXL__AO_WAIT;
    }
    if (!boot->cleaning) {
        boot->cleaning = true;
        /* This cannot fail, because a worker is reserved. */
        libxl__build_start(ao, boot->build, LIBXL__BUILD_CLEAN);
    }
    if (!libxl__build_done(boot->build))
        return LIBXL__AO_WAIT;
    libxl__create_boot_end(ao, boot);
    return 0;
}

void libxl__create_boot_end(libxl__ao *ao, libxl__create_boot *boot)
{
    if (boot)
        libxl__source_stop(ao->ctx, &boot->source);
}
