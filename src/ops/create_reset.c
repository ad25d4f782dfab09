/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: the descriptors of the file with the state of the device model, until the operation ends. The caller holds the
 * context's lock.
 */
#include "create_reset.h"
#include "ops.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <json-c/json.h>

bool libxl__soft_resets(const libxl__ao *ao)
{
    return ao->cls == &libxl__operations[LIBXL__OP_DOMAIN_SOFT_RESET];
}

/* ---- the domain */

static int check_state(libxl__ao *ao, const libxl_domain_config *config, const xc_domaininfo_t *info)
{
    const libxl_domain_type type = libxl__hv_type(info);
    if (type == LIBXL_DOMAIN_TYPE_PV)
        return libxl__ao_fail(ao, ERROR_INVAL, "domid: domain %u is PV, and cannot be reset", info->domain);
    if (config->c_info.type != type)
        return libxl__ao_fail(ao, ERROR_INVAL, "d_config.c_info.type: domain %u is %s", info->domain,
                              libxl_domain_type_to_string(type));
    if (!(info->flags & XEN_DOMINF_shutdown))
        return libxl__ao_fail(ao, ERROR_INVAL, "domid: domain %u has not stopped", info->domain);
    return 0;
}

int libxl__reset_check(libxl__ao *ao, libxl_domain_config *config, libxl__build *build, xc_domaininfo_t *info)
{
    const libxl__domain_soft_reset_args *args = libxl__ao_args(ao);
    int rc = libxl__hv_info(ao, args->in.domid, info);
    if (!rc)
        rc = check_state(ao, config, info);
    if (rc)
        return rc;
    build->in_place = true;
    build->domid = args->in.domid;
    memcpy(build->uuid.uuid, info->handle, sizeof(info->handle));
    build->handle = build->uuid;
    if (libxl_uuid_is_nil(&config->c_info.uuid))
        config->c_info.uuid = build->uuid;
    if (libxl_uuid_compare(&config->c_info.uuid, &build->uuid) != 0)
        return libxl__ao_fail(ao, ERROR_INVAL, "d_config.c_info.uuid: domain %u has " LIBXL_UUID_FMT,
                              build->domid, LIBXL_UUID_BYTES(build->uuid));
    return 0;
}

int libxl__reset_reserve(libxl__ao *ao, libxl__create_reset *reset, const libxl__build *build)
{
    reset->hvm = build->config->c_info.type == LIBXL_DOMAIN_TYPE_HVM;
    int rc = libxl__device_sweep_reserve(ao, &reset->devices.sweep);
    if (!rc && reset->hvm)
        rc = libxl__qmp_reserve(ao, &reset->go_on);
    return rc || !reset->hvm ? rc : libxl__qmp_add(ao, &reset->go_on, "cont", NULL, -1);
}

/* ---- the device model of an HVM domain */

static void close_files(libxl_ctx *ctx, libxl__source *source)
{
    libxl__create_reset *reset = LIBXL__CONTAINER(source, libxl__create_reset, source);
    (void)ctx;
    close(reset->state);
    if (reset->writer >= 0)
        close(reset->writer);
}

/*
 * Makes a file in memory. QEMU searches the set of descriptors for one with the access mode that it wants, so it needs
 * a descriptor that can only be written to.
 */
static int open_files(libxl__ao *ao, libxl__create_reset *reset)
{
    char path[32];
    reset->state = memfd_create("aioxen-model", MFD_CLOEXEC);
    if (reset->state < 0)
        return libxl__ao_fail(ao, ERROR_FAIL, "the device model's state: %s", strerror(errno));
    snprintf(path, sizeof(path), "/proc/self/fd/%d", reset->state);
    reset->writer = open(path, O_WRONLY | O_CLOEXEC);
    const int error = errno;
    libxl__source_attach(ao, &reset->source, close_files);
    return reset->writer < 0 ? libxl__ao_fail(ao, ERROR_FAIL, "the device model's state: %s", strerror(error))
                             : 0;
}

int libxl__reset_save_start(libxl__ao *ao, libxl__create_reset *reset, const libxl__build *build)
{
    if (!reset->hvm)
        return 0;
    reset->stop.kept = true;
    int rc = open_files(ao, reset);
    if (!rc)
        rc = libxl__qmp_add(ao, &reset->stop, "stop", NULL, -1);
    if (!rc)
        rc = libxl__qmp_add(ao, &reset->stop, "add-fd", libxl__qmp_text("opaque", "the device model's state"),
                            reset->writer);
    if (!rc)
        rc = libxl__qmp_start(ao, &reset->stop, build->domid);
    return rc ? rc : LIBXL__AO_WAIT;
}

/* Called when QEMU has stopped and has the descriptor, in a set with a number. */
static int ask_for_state(libxl__ao *ao, libxl__create_reset *reset)
{
    struct json_object *number;
    const struct json_object *set = reset->stop.commands[1].result;
    if (!json_object_is_type(set, json_type_object) || !json_object_object_get_ex(set, "fdset-id", &number) ||
        !json_object_is_type(number, json_type_int) || json_object_get_int64(number) < 0)
        return libxl__ao_fail(ao, ERROR_FAIL, "the device model: add-fd: no set of descriptors");
    const char *name = libxl__gc_printf(&ao->gc, "/dev/fdset/%lld", (long long)json_object_get_int64(number));
    struct json_object *arguments = name ? libxl__qmp_text("filename", name) : NULL;
    if (!arguments)
        return ERROR_NOMEM;
    json_object_object_add(arguments, "live", json_object_new_boolean(false));
    const int rc = libxl__qmp_add(ao, &reset->stop, "xen-save-devices-state", arguments, -1);
    if (rc)
        return rc;
    reset->saving = true;
    reset->stop.kept = false; /* QEMU serves one connection at a time */
    libxl__qmp_go_on(ao, &reset->stop);
    return LIBXL__AO_WAIT;
}

int libxl__reset_save_poll(libxl__ao *ao, libxl__create_reset *reset, const libxl__build *build,
                           libxl__qemu_saved *saved)
{
    struct stat about;
    int rc = libxl__qmp_poll_model(ao, &reset->stop, build->domid);
    if (!rc && !reset->saving)
        rc = ask_for_state(ao, reset);
    if (rc)
        return rc;
    if (fstat(reset->state, &about) || !about.st_size || about.st_size > LIBXL__TRANSFER_LONGEST_MODEL)
        return libxl__ao_fail(ao, ERROR_DEVICE_MODEL, "the device model's state is empty or too large");
    *saved = (libxl__qemu_saved){.fd = reset->state, .nodes = ""};
    return 0;
}

int libxl__reset_save_undo(libxl__ao *ao, libxl__create_reset *reset, const libxl__build *build)
{
    if (!reset->source.ao)
        return 0;
    if (!reset->undoing) {
        reset->undoing = true;
        libxl__qmp_reset(ao, &reset->stop);
        const int rc = libxl__qmp_start(ao, &reset->go_on, build->domid);
        return rc ? rc : LIBXL__AO_WAIT;
    }
    return libxl__qmp_poll(ao, &reset->go_on);
}

/* ---- the devices */

/* Returns LIBXL__AO_WAIT, 0, or the first error, recorded in ao. */
static int result(libxl__ao *ao, const libxl__create_reset *reset, int rc)
{
    const libxl__teardown_devices *devices = &reset->devices;
    return rc || !devices->rc
               ? rc
               : libxl__ao_fail(ao, devices->rc, "%s",
                                devices->message ? devices->message : libxl_error_describe(devices->rc));
}

int libxl__reset_list_start(libxl__ao *ao, libxl__create_reset *reset, const libxl__build *build)
{
    reset->batch = libxl__xs_batch_new(ao, build->domid);
    if (!reset->batch)
        return ERROR_NOMEM;
    reset->read_terminal = libxl__xs_read(reset->batch, "/local/domain/%u/console/tty", build->domid);
    const int rc = libxl__xs_run(reset->batch, LIBXL__XS_ONE_BY_ONE);
    if (rc)
        return rc;
    libxl__teardown_devices_list(ao, &reset->devices, build->domid, &build->uuid);
    return LIBXL__AO_WAIT;
}

int libxl__reset_list_poll(libxl__ao *ao, libxl__create_reset *reset)
{
    int rc = reset->devices.rc || reset->devices.sweep.listed
                 ? 0
                 : libxl__teardown_devices_list_poll(ao, &reset->devices);
    rc = result(ao, reset, rc);
    if (!rc && !libxl__xs_done(reset->batch))
        rc = LIBXL__AO_WAIT;
    if (!rc)
        rc = libxl__xs_result(reset->batch);
    const char *terminal = rc ? NULL : libxl__xs_value(reset->read_terminal);
    if (!terminal || !*terminal)
        return rc;
    reset->terminal = libxl__gc_printf(&ao->gc, "%s", terminal);
    return reset->terminal ? 0 : ERROR_NOMEM;
}

int libxl__reset_remove_start(libxl__ao *ao, libxl__create_reset *reset)
{
    return result(ao, reset, libxl__teardown_devices_remove(ao, &reset->devices));
}

int libxl__reset_remove_poll(libxl__ao *ao, libxl__create_reset *reset)
{
    return result(ao, reset, libxl__teardown_devices_remove_poll(ao, &reset->devices));
}

void libxl__reset_terminal(libxl__xs_batch *nodes, const libxl__create_reset *reset,
                           const libxl__build *build)
{
    if (reset->terminal)
        libxl__xs_write(nodes, LIBXL__XS_INHERITS, reset->terminal, "/local/domain/%u/console/tty",
                        build->domid);
}
