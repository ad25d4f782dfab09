/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The rows of the operations that create, control and end domains, and of those that describe domains
 * (idl/operations.idl, console.idl, configuration.idl). Owns: nothing. */
#include "operations.h"

#include "fixture.h"
#include "guest.h"

/* ---- creation and end */

STARTS_PLAIN(create, (void)0, libxl_domain_create_new(s->ctx, &s->config, &s->made, NULL, NULL))

void operations_fill_create(struct subject *s, void *p)
{
    libxl__domain_create_new_args *args = p;
    libxl_domain_config config = guest_config("b");
    config.disks = malloc(sizeof(*config.disks));
    config.disks[0] = scenario_disk();
    config.num_disks = 1;
    config.b_info.bootloader = strdup(scenario_loader());
    libxl_domain_config_copy(NULL, &args->in.d_config, &config);
    libxl_domain_config_dispose(&config);
    args->out.domid = &s->results.domid;
}

/* The configuration of the guest that start_soft_reset resets. */
static libxl_domain_config reset_config;

void operations_prepare_reset(libxl_ctx *ctx, libxl_domid guest)
{
    libxl_domain_config_dispose(&reset_config);
    assert_int_equal(libxl_retrieve_domain_configuration(ctx, guest, &reset_config, NULL), 0);
}

STARTS_PLAIN(soft_reset, (void)0, libxl_domain_soft_reset(s->ctx, &reset_config, s->guest, NULL, NULL))

static void fill_soft_reset(struct subject *s, void *p)
{
    libxl__domain_soft_reset_args *args = p;
    libxl_ctx *ctx;
    assert_int_equal(libxl_ctx_alloc(&ctx, LIBXL_VERSION, 0, NULL), 0);
    assert_int_equal(libxl_retrieve_domain_configuration(ctx, s->guest, &args->in.d_config, NULL), 0);
    assert_int_equal(libxl_ctx_free(ctx), 0);
    args->in.domid = s->guest;
}

/* Starts waiting for the guest's end. The guest does not stop, so only the time limit ends the operation. */
static int start_wait_shutdown(struct starter *s)
{
    libxl_shutdown_reason reason;
    libxl_ao_set_limit(s->ctx, NULL, STARTER_WAIT_MS);
    const int rc = libxl_domain_wait_shutdown(s->ctx, s->guest, &reason, NULL);
    libxl_ao_set_limit(s->ctx, NULL, STARTER_LIMIT_MS);
    return rc;
}
FILLS_GUEST(wait_shutdown, domain_wait_shutdown, args->out.reason = &s->results.reason)

static int start_wait_gone(struct starter *s)
{
    libxl_ao_set_limit(s->ctx, NULL, STARTER_WAIT_MS);
    const int rc = libxl_domain_wait_gone(s->ctx, s->guest, NULL);
    libxl_ao_set_limit(s->ctx, NULL, STARTER_LIMIT_MS);
    return rc;
}

STARTS(list_unfinished, unfinished_list, libxl_domain_list_unfinished(s->ctx, &out, NULL))
FILLS(list_unfinished, domain_list_unfinished, args->out.list = &s->results.unfinished)

/* Starts domain_remove_unfinished with a UUID that no domain has. */
STARTS_WITHOUT(remove_unfinished, ERROR_NOTFOUND, libxl_uuid uuid;
               libxl_uuid_generate(&uuid), libxl_domain_remove_unfinished(s->ctx, &uuid, NULL))
FILLS(remove_unfinished, domain_remove_unfinished, args->in.uuid = s->uuid)

/* Fills in the ejection of a disk. Normally an event generator starts disk_eject. Here no generator runs,
 * because no medium is ejected. */
FILLS_GUEST(disk_eject, disk_eject, args->in.vdev = strdup("xvda"))

/* ---- describing domains */

STARTS_PLAIN(get_info, libxl_dominfo info, libxl_domain_get_info(s->ctx, s->guest, &info, NULL))
STARTS_WITHOUT(check_uuid, ERROR_DOMAIN_GONE, libxl_uuid uuid;
               libxl_uuid_generate(&uuid), libxl_domain_check_uuid(s->ctx, s->guest, &uuid, NULL))
STARTS(list, dominfo_list, libxl_domain_list(s->ctx, &out, NULL))

STARTS_STRING(get_name, 0, libxl_domain_get_name(s->ctx, s->guest, &out, NULL))
FILLS_GUEST(get_name, domain_get_name, args->out.name = &s->results.name)

STARTS_PLAIN(find, libxl_domid domid, libxl_domain_find(s->ctx, "Domain-0", &domid, NULL))
FILLS(find, domain_find, args->in.name = guest_node(s->guest, "name"), args->out.domid = &s->results.domid)

STARTS_PLAIN(host_info, libxl_physinfo info, libxl_host_info(s->ctx, &info, NULL))
STARTS(host_version, version_info, libxl_host_version(s->ctx, &out, NULL))

STARTS_STRING(console, 0,
              libxl_domain_console_tty(s->ctx, s->guest, 0, LIBXL_CONSOLE_TYPE_UNKNOWN, &out, NULL))
FILLS_GUEST(console, domain_console_tty, args->out.path = &s->results.name)

STARTS(retrieve, domain_config, libxl_retrieve_domain_configuration(s->ctx, s->guest, &out, NULL))
FILLS_GUEST(retrieve, retrieve_domain_configuration, args->out.d_config = &s->results.config)

static const struct operation_row rows[] = {
    /* A single creation is admitted at once. tests/c/sim/creations.c starts more creations. */
    {IDLE(DOMAIN_CREATE_NEW, "admission")},
    /* The phases `make` and `bootloader` wait for a boot loader. An HVM domain has none, so they do not wait
     * in its creation. */
    {.operation = LIBXL__OP_DOMAIN_CREATE_NEW, .phase = "make", .idle_hvm = true},
    {.operation = LIBXL__OP_DOMAIN_CREATE_NEW, .phase = "bootloader", .idle_hvm = true},
    /*
     * The phases `xenconsoled` and `trees` do not wait in the sweep, because xenconsoled already serves the
     * unfinished guest, and the guest exists.
     */
    {IDLE(DOMAIN_REMOVE_UNFINISHED, "xenconsoled")},
    {IDLE(DOMAIN_REMOVE_UNFINISHED, "trees")},
    {SWEPT(DOMAIN_CREATE_NEW, create, operations_fill_create, NO_GUEST)},
    /* A single soft reset is admitted at once, as a single creation is. */
    {IDLE(DOMAIN_SOFT_RESET, "admission")},
    /* The node with the name of the console's terminal exists already. */
    {IDLE(DOMAIN_SOFT_RESET, "console")},
    {SWEPT(DOMAIN_SOFT_RESET, soft_reset, fill_soft_reset, HVM_TO_RESET)},
    {SWEPT(DOMAIN_WAIT_SHUTDOWN, wait_shutdown, fill_wait_shutdown, ANY_GUEST)},
    {STARTED(DOMAIN_WAIT_GONE, wait_gone)},
    {SWEPT(DOMAIN_LIST_UNFINISHED, list_unfinished, fill_list_unfinished, MARKED)},
    {SWEPT(DOMAIN_REMOVE_UNFINISHED, remove_unfinished, fill_remove_unfinished, MARKED)},
    {HIDDEN_IN(DOMAIN_TEARDOWN, DOMAIN_DESTROY, NULL, ANY_GUEST)},
    {PHASE_IN(DOMAIN_TEARDOWN, "devices", DOMAIN_DESTROY, NULL, WITH_DISK)},
    {HIDDEN_IN(DISK_EJECT, DISK_EJECT, fill_disk_eject, ANY_GUEST)},
    {STARTED(DOMAIN_GET_INFO, get_info)},
    {STARTED(DOMAIN_CHECK_UUID, check_uuid)},
    {STARTED(DOMAIN_LIST, list)},
    {SWEPT(DOMAIN_GET_NAME, get_name, fill_get_name, ANY_GUEST)},
    {SWEPT(DOMAIN_FIND, find, fill_find, ANY_GUEST)},
    {STARTED(HOST_INFO, host_info)},
    {STARTED(HOST_VERSION, host_version)},
    {SWEPT(DOMAIN_CONSOLE_TTY, console, fill_console, ANY_GUEST)},
    {SWEPT(RETRIEVE_DOMAIN_CONFIGURATION, retrieve, fill_retrieve, ANY_GUEST)},
};
OPERATION_FAMILY(domain_operations);
