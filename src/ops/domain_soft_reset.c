/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_soft_reset makes the devices and nodes of an existing domain anew. The hypervisor's part is build_reset.c.
 * The domain is paused afterwards.
 *
 * Owns: the descriptors of the file with the state of the device model, until the operation ends; and what making.h
 * names. The undo of `claim` removes the mark. From the phase `release` on, its undo takes the domain down instead. The
 * caller holds the context's lock.
 */
#include "making.h"
#include "qmp.h"
#include "teardown_devices.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <json-c/json.h>

enum { LISTS = 8 };

typedef struct resetting {
    libxl__making making;
    bool hvm;
    libxl__source source; /* attached while the two descriptors are open */
    int state, writer;    /* the file with the state of the device model; `writer` can only be written to */
    libxl__qmp stop;      /* stops the device model, and makes it write its state */
    libxl__qmp go_on;     /* lets the device model go on, in the undo; reserved before `stop` is sent */
    bool saving, undoing;
    libxl__teardown_devices devices;
    bool relisting; /* the phase `release` lists the devices again */
    unsigned lists; /* how often the phase `release` has listed the devices */
    libxl__xs_batch *batch;
    const libxl__xs_request *read_terminal;
} domain_soft_reset_state;

/* ---- claim: the configuration and the domain are checked, the mark is written, and no other domain has the name */

static int check_stopped(libxl__ao *ao, const xc_domaininfo_t *info)
{
    return info->flags & XEN_DOMINF_shutdown
               ? 0
               : libxl__ao_fail(ao, ERROR_INVAL, "domid: domain %u has not stopped", info->domain);
}

static int check_state(libxl__ao *ao, const libxl_domain_config *config, const xc_domaininfo_t *info)
{
    const libxl_domain_type type = libxl__hv_type(info);
    if (type == LIBXL_DOMAIN_TYPE_PV)
        return libxl__ao_fail(ao, ERROR_INVAL, "domid: domain %u is PV, and cannot be reset", info->domain);
    if (config->c_info.type != type)
        return libxl__ao_fail(ao, ERROR_INVAL, "d_config.c_info.type: domain %u is %s", info->domain,
                              libxl_domain_type_to_string(type));
    return check_stopped(ao, info);
}

/*
 * Checks that the domain can be reset and is the one that the configuration describes. Stores its identity in `build`,
 * and what the hypervisor knows about it in `info`.
 */
static int find(libxl__ao *ao, libxl_domain_config *config, libxl__build *build, xc_domaininfo_t *info)
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

/* Reserves what the undos need, and follows the domain. */
static int reserve(libxl__ao *ao, struct resetting *s, const xc_domaininfo_t *info)
{
    int rc = libxl__teardown_reserve(ao, &s->making.teardown, true);
    if (!rc)
        libxl__teardown_resets(&s->making.teardown, s->making.build.domid);
    s->devices.sweep.domain_stays = true;
    if (!rc)
        rc = libxl__device_sweep_reserve(ao, &s->devices.sweep);
    if (!rc && s->hvm)
        rc = libxl__qmp_reserve(ao, &s->go_on);
    if (!rc && s->hvm)
        rc = libxl__qmp_add(ao, &s->go_on, "cont", NULL, -1);
    if (!rc)
        rc = libxl__domain_source_reserve(ao, &s->making.domain);
    return rc ? rc : libxl__domain_source_start(ao, &s->making.domain, info);
}

static int claim_start(libxl__ao *ao, struct resetting *s)
{
    libxl__domain_soft_reset_args *args = libxl__ao_args(ao);
    libxl_domain_config *config = &args->in.d_config;
    libxl__making *making = &s->making;
    xc_domaininfo_t info;
    libxl__making_take_config(ao, making, config);
    s->hvm = config->c_info.type == LIBXL_DOMAIN_TYPE_HVM;
    int rc = find(ao, config, &making->build, &info);
    if (!rc)
        rc = libxl__create_check(ao, config, &making->build);
    if (!rc)
        rc = libxl__identity_keep(ao, &making->identity, &making->build, &config->c_info);
    if (!rc)
        rc = libxl__devices_complete(ao, config);
    if (!rc)
        rc = reserve(ao, s, &info);
    if (!rc)
        rc = libxl__identity_mark(ao, &making->identity, &making->build, &config->c_info);
    return rc ? rc : LIBXL__AO_WAIT;
}

static int claim_poll(libxl__ao *ao, struct resetting *s)
{
    libxl__making *making = &s->making;
    return libxl__identity_poll(ao, &making->identity, &making->build, &making->config->c_info);
}

static int claim_undo(libxl__ao *ao, struct resetting *s)
{
    return libxl__making_name_undo(ao, &s->making);
}

/* ---- check: checks that the devices of the configuration can be added once the present ones are removed */

static int check_poll(libxl__ao *ao, struct resetting *s)
{
    const int rc = libxl__making_check_domain(ao, &s->making);
    return rc ? rc : libxl__making_check_poll(ao, &s->making);
}

static int check_start(libxl__ao *ao, struct resetting *s)
{
    const int rc = libxl__making_check_domain(ao, &s->making);
    return rc ? rc : libxl__making_check_start(ao, &s->making);
}

static void check_stop(libxl__ao *ao, struct resetting *s)
{
    libxl__making_check_stop(ao, &s->making);
}

/* ---- save: the device model of an HVM domain stops, and its state is saved */

static void close_files(libxl_ctx *ctx, libxl__source *source)
{
    struct resetting *s = LIBXL__CONTAINER(source, struct resetting, source);
    (void)ctx;
    close(s->state);
    if (s->writer >= 0)
        close(s->writer);
}

/*
 * Makes a file in memory and opens it a second time, only for writing. QEMU gets the second descriptor. QEMU wants to
 * open its file only for writing, and takes a descriptor from a set only if the descriptor has this access mode.
 */
static int open_files(libxl__ao *ao, struct resetting *s)
{
    char path[32];
    s->state = memfd_create("aioxen-model", MFD_CLOEXEC);
    if (s->state < 0)
        return libxl__ao_fail(ao, ERROR_FAIL, "the device model's state: %s", strerror(errno));
    snprintf(path, sizeof(path), "/proc/self/fd/%d", s->state);
    s->writer = open(path, O_WRONLY | O_CLOEXEC);
    const int error = errno;
    libxl__source_attach(ao, &s->source, close_files);
    return s->writer < 0 ? libxl__ao_fail(ao, ERROR_FAIL, "the device model's state: %s", strerror(error))
                         : 0;
}

static int save_start(libxl__ao *ao, struct resetting *s)
{
    int rc = libxl__making_check_domain(ao, &s->making);
    if (rc || !s->hvm)
        return rc;
    s->stop.kept = true;
    rc = open_files(ao, s);
    if (!rc)
        rc = libxl__qmp_add(ao, &s->stop, "stop", NULL, -1);
    if (!rc)
        rc = libxl__qmp_add(ao, &s->stop, "add-fd", libxl__qmp_text("opaque", "the device model's state"),
                            s->writer);
    if (!rc)
        rc = libxl__qmp_start(ao, &s->stop, s->making.build.domid);
    return rc ? rc : LIBXL__AO_WAIT;
}

/*
 * Called when QEMU has stopped, and has put the descriptor into a numbered set. Adds the command that writes the
 * state.
 */
static int ask_for_state(libxl__ao *ao, struct resetting *s)
{
    struct json_object *number;
    const struct json_object *set = s->stop.commands[1].result;
    if (!json_object_is_type(set, json_type_object) || !json_object_object_get_ex(set, "fdset-id", &number) ||
        !json_object_is_type(number, json_type_int) || json_object_get_int64(number) < 0)
        return libxl__ao_fail(ao, ERROR_FAIL, "the device model: add-fd: no set of descriptors");
    const char *name = libxl__gc_printf(&ao->gc, "/dev/fdset/%lld", (long long)json_object_get_int64(number));
    struct json_object *arguments = name ? libxl__qmp_text("filename", name) : NULL;
    if (!arguments)
        return ERROR_NOMEM;
    json_object_object_add(arguments, "live", json_object_new_boolean(false));
    const int rc = libxl__qmp_add(ao, &s->stop, "xen-save-devices-state", arguments, -1);
    if (rc)
        return rc;
    s->saving = true;
    /* The undo opens a second connection, and QEMU serves it only after this connection has ended. */
    s->stop.kept = false;
    libxl__qmp_go_on(ao, &s->stop);
    return LIBXL__AO_WAIT;
}

static int save_poll(libxl__ao *ao, struct resetting *s)
{
    struct stat about;
    int rc = libxl__making_check_domain(ao, &s->making);
    if (!rc)
        rc = libxl__qmp_poll_model(ao, &s->stop, s->making.build.domid);
    if (!rc && !s->saving)
        rc = ask_for_state(ao, s);
    if (rc)
        return rc;
    if (fstat(s->state, &about) || !about.st_size || about.st_size > LIBXL__TRANSFER_LONGEST_MODEL)
        return libxl__ao_fail(ao, ERROR_DEVICE_MODEL, "the device model's state is empty or too large");
    s->making.saved = (libxl__qemu_saved){.fd = s->state, .nodes = ""};
    return 0;
}

/* Lets the device model go on. If the domain is taken down, its device model has ended already. */
static int save_undo(libxl__ao *ao, struct resetting *s)
{
    if (s->making.build.made || !s->source.ao)
        return 0;
    if (!s->undoing) {
        s->undoing = true;
        libxl__qmp_reset(ao, &s->stop);
        const int rc = libxl__qmp_start(ao, &s->go_on, s->making.build.domid);
        return rc ? rc : LIBXL__AO_WAIT;
    }
    return libxl__qmp_poll(ao, &s->go_on);
}

/* ---- list: the devices are listed, and the name of the console's terminal is read */

/* Returns LIBXL__AO_WAIT, 0, or the first error, recorded in ao. */
static int result(libxl__ao *ao, const libxl__teardown_devices *devices, int rc)
{
    if (rc || !devices->rc)
        return rc;
    return libxl__ao_fail(ao, devices->rc, "%s",
                          devices->message ? devices->message : libxl_error_describe(devices->rc));
}

static int list_poll(libxl__ao *ao, struct resetting *s)
{
    int rc = libxl__making_check_domain(ao, &s->making);
    if (rc)
        return rc;
    if (!s->devices.rc && !s->devices.sweep.listed)
        rc = libxl__teardown_devices_list_poll(ao, &s->devices);
    rc = result(ao, &s->devices, rc);
    if (!rc && !libxl__xs_done(s->batch))
        rc = LIBXL__AO_WAIT;
    if (!rc)
        rc = libxl__xs_result(s->batch);
    const char *terminal = rc ? NULL : libxl__xs_value(s->read_terminal);
    if (!terminal || !*terminal)
        return rc;
    s->making.terminal = libxl__gc_printf(&ao->gc, "%s", terminal);
    return s->making.terminal ? 0 : ERROR_NOMEM;
}

static int list_start(libxl__ao *ao, struct resetting *s)
{
    const libxl__build *build = &s->making.build;
    int rc = libxl__making_check_domain(ao, &s->making);
    if (rc)
        return rc;
    s->batch = libxl__xs_batch_new(ao, build->domid);
    if (!s->batch)
        return ERROR_NOMEM;
    s->read_terminal = libxl__xs_read(s->batch, "/local/domain/%u/console/tty", build->domid);
    rc = libxl__xs_run(s->batch, LIBXL__XS_ONE_BY_ONE);
    if (rc)
        return rc;
    libxl__teardown_devices_list(ao, &s->devices, build->domid, &build->uuid);
    return LIBXL__AO_WAIT;
}

/* ---- release: the devices are removed by force; the domain is taken down if the operation fails from here on */

/*
 * Lists the devices again after each removal, because another toolstack may have added a device since the last list.
 * `rc` is the result of the present list or removal. After LISTS lists the operation goes on: devices that are still
 * listed cannot be removed.
 */
static int go_on(libxl__ao *ao, struct resetting *s, int rc)
{
    while (!rc && !(s->relisting && (!s->devices.sweep.count || s->lists == LISTS))) {
        s->relisting = !s->relisting;
        s->lists += s->relisting;
        rc = result(ao, &s->devices,
                    s->relisting ? libxl__teardown_devices_list_again(ao, &s->devices)
                                 : libxl__teardown_devices_remove(ao, &s->devices));
    }
    return libxl__making_reason(ao, &s->making, rc);
}

static int release_poll(libxl__ao *ao, struct resetting *s)
{
    int rc = libxl__making_check_domain(ao, &s->making);
    if (rc)
        return rc;
    rc = s->relisting ? libxl__teardown_devices_list_poll(ao, &s->devices)
                      : libxl__teardown_devices_remove_poll(ao, &s->devices);
    return go_on(ao, s, result(ao, &s->devices, rc));
}

/* Before anything is changed, checks once more that the guest has stopped. Another program may have let it run. */
static int release_start(libxl__ao *ao, struct resetting *s)
{
    xc_domaininfo_t info;
    int rc = libxl__making_check_domain(ao, &s->making);
    if (!rc)
        rc = libxl__hv_info(ao, s->making.build.domid, &info);
    if (!rc)
        rc = check_stopped(ao, &info);
    if (rc)
        return rc;
    s->making.build.made = true;
    return go_on(ao, s, result(ao, &s->devices, libxl__teardown_devices_remove(ao, &s->devices)));
}

static int release_undo(libxl__ao *ao, struct resetting *s)
{
    return libxl__making_take_down(ao, &s->making);
}

/* ---- reset: a worker resets the domain in the hypervisor */

static int reset_start(libxl__ao *ao, struct resetting *s)
{
    const int rc = libxl__making_check_domain(ao, &s->making);
    return rc ? rc : libxl__making_run(ao, &s->making, LIBXL__BUILD_RESET);
}

static int reset_poll(libxl__ao *ao, struct resetting *s)
{
    const int rc = libxl__making_built(ao, &s->making);
    return rc ? libxl__making_reason(ao, &s->making, rc) : libxl__making_check_domain(ao, &s->making);
}

static void reset_stop(libxl__ao *ao, struct resetting *s)
{
    libxl__making_build_stop(ao, &s->making);
}

#include "_libxl_phases_domain_soft_reset.h"
