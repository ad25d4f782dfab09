/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_restore and domain_restore_incoming make a domain from a saved domain. The program aioxen-transfer reads the
 * saved domain. The domain is paused afterwards.
 *
 * Owns: the running aioxen-transfer, until the operation ends, and what making.h names. The caller holds the
 * context's lock.
 */
#include "domain_restore.h"
#include "_libxl_types_json.h"
#include "arrival.h"
#include "json_table.h"
#include "making.h"
#include "migrate_ask.h"
#include "received_allowed.h"
#include "transfer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * The greatest length of a key and of a value of a saved QEMU, in octets, and the greatest number of its nodes. A
 * QEMU before 2.11 writes three nodes for each of its ranges of memory.
 */
enum { LONGEST_KEY = 128, LONGEST_VALUE = 256, MOST_NODES = 768 };

/*
 * The configuration in xl's header, or the request of a sender that asks first (migrate_ask.h). A worker parses it,
 * because it may be long.
 */
typedef struct restored_config {
    libxl__job job;
    libxl_domain_config *config; /* the operation's input */
    /* The text of the configuration, in the operation's memory; NULL: the text was not read yet. */
    const char *text;
    bool asked;                              /* the text is a request (migrate_ask.h) */
    uint64_t memory_kb;                      /* from a request: the memory of the guest; 0: not known */
    uint32_t features[LIBXL__MOST_FEATURES]; /* from a request: the featureset of the guest (arrival.h) */
    unsigned feature_count;
    libxl__json_foreign foreign;
    int rc;
    char why[256];
} restored_config;

typedef struct restoring {
    libxl__making making;
    libxl__transfer transfer; /* the program aioxen-transfer */
    restored_config parsed;
} domain_restore_state;

_Static_assert(sizeof(libxl__domain_restore_args) == sizeof(libxl__domain_restore_incoming_args),
               "both operations have the same inputs");

bool libxl__restores(const libxl__ao *ao)
{
    return ao->cls == &libxl__operations[LIBXL__OP_DOMAIN_RESTORE] || libxl__is_incoming(ao);
}

bool libxl__is_incoming(const libxl__ao *ao)
{
    return ao->cls == &libxl__operations[LIBXL__OP_DOMAIN_RESTORE_INCOMING];
}

int libxl__incoming_rename(libxl__ao *ao, libxl_domain_config *config, const char **name_out)
{
    char *name = NULL;
    if (!libxl__is_incoming(ao) || !config->c_info.name)
        return 0;
    *name_out = libxl__gc_printf(&ao->gc, "%s", config->c_info.name);
    if (!*name_out || asprintf(&name, "%s" LIBXL__INCOMING, config->c_info.name) < 0)
        return ERROR_NOMEM;
    free(config->c_info.name);
    config->c_info.name = name;
    return 0;
}

int libxl__restore_check_allowed(libxl__ao *ao, const libxl_domain_config *config)
{
    const libxl__domain_restore_args *args = libxl__ao_args(ao);
    if (!libxl__restores(ao) || args->in.has_d_config || !args->in.has_allowed)
        return 0;
    return libxl__received_check(ao, config, &args->in.allowed);
}

/* ---- head: the configuration of a saved domain is read */

static int head_start(libxl__ao *ao, struct restoring *s)
{
    const libxl__domain_restore_args *args = libxl__ao_args(ao);
    int rc = libxl__transfer_check(ao, "fd", args->in.fd, false);
    if (!rc)
        rc = libxl__transfer_start(ao, &s->transfer,
                                   (const char *const[]){"restore", args->in.has_d_config ? "0" : "1", NULL},
                                   args->in.fd, NULL, 0);
    return rc || args->in.has_d_config ? rc : LIBXL__AO_WAIT;
}

/* Copies the members of a sender's request to the structures that use them. */
static int take_request(restored_config *parsed, libxl_migration_request *request)
{
    libxl_domain_config_dispose(parsed->config);
    *parsed->config = request->config;
    libxl_domain_config_init(&request->config);
    parsed->memory_kb = request->memory_kb;
    parsed->feature_count = (unsigned)request->num_features;
    const bool fits = parsed->feature_count <= LIBXL__MOST_FEATURES;
    if (fits && parsed->feature_count)
        memcpy(parsed->features, request->features, parsed->feature_count * sizeof(*parsed->features));
    libxl_migration_request_dispose(request);
    if (fits)
        return 0;
    snprintf(parsed->why, sizeof(parsed->why), "features: more than %d words", LIBXL__MOST_FEATURES);
    return ERROR_INVAL;
}

/* Runs on a worker, because a long configuration would hold the loop. */
static void parse(libxl_ctx *ctx, libxl__job *job)
{
    restored_config *parsed = LIBXL__CONTAINER(job, restored_config, job);
    libxl_migration_request request;
    if (parsed->asked)
        parsed->rc = libxl__json_read_foreign(ctx, &libxl__json_of_migration_request, &request, parsed->text,
                                              &parsed->foreign);
    else
        parsed->rc = libxl__json_read_foreign(ctx, &libxl__json_of_domain_config, parsed->config,
                                              parsed->text, &parsed->foreign);
    if (parsed->rc)
        snprintf(parsed->why, sizeof(parsed->why), "%s", libxl_error_message());
    else if (parsed->asked)
        parsed->rc = take_request(parsed, &request);
}

/* Starts a job that parses the configuration that aioxen-transfer has read. */
static int parse_configuration(libxl__ao *ao, const libxl__transfer *transfer, uint64_t length,
                               restored_config *parsed)
{
    libxl__domain_restore_args *args = libxl__ao_args(ao);
    parsed->text = libxl__transfer_head(ao, transfer, 0, length);
    if (!parsed->text)
        return ERROR_NOMEM;
    parsed->config = &args->in.d_config;
    parsed->job.work = parse;
    const int rc = libxl__job_submit(&ao->ctx->xen->build_lane, ao, &parsed->job);
    return rc ? rc : LIBXL__AO_WAIT;
}

static int take_configuration(libxl__ao *ao, const restored_config *parsed)
{
    const char *what = parsed->asked ? "request" : "configuration in xl's header";
    if (parsed->foreign.unknown)
        libxl__ao_log(ao, XTL_WARN, -1, "%u members of the %s are ignored: %s", parsed->foreign.unknown, what,
                      parsed->foreign.first);
    return parsed->rc == ERROR_INVAL ? libxl__ao_fail(ao, parsed->rc, "fd: the %s: %s", what, parsed->why)
                                     : parsed->rc;
}

/*
 * Reads aioxen-transfer's messages until the configuration has arrived. Then waits until a worker has parsed it.
 * Members that this release does not know are ignored, and a warning is logged.
 */
static int head_poll(libxl__ao *ao, struct restoring *s)
{
    libxl__transfer *transfer = &s->transfer;
    restored_config *parsed = &s->parsed;
    libxl__transfer_message message;
    if (parsed->text)
        return parsed->job.state == LIBXL__JOB_DONE ? take_configuration(ao, parsed) : LIBXL__AO_WAIT;
    while (libxl__transfer_next(ao, transfer, &message) == 0) {
        if (message.kind == LIBXL__TRANSFER_ASKED) {
            if (libxl__is_incoming(ao))
                libxl__receive_asked(ao);
            continue;
        }
        parsed->asked = message.value;
        if (parsed->asked && !libxl__is_incoming(ao))
            return libxl__ao_fail(ao, ERROR_INVAL, "fd: a migration, and not a saved domain");
        return parse_configuration(ao, transfer, message.numbers[0], parsed);
    }
    return libxl__transfer_done(transfer) ? libxl__transfer_result(ao, transfer, "fd") : LIBXL__AO_WAIT;
}

/*
 * ---- check: checks that this host has what the saved domain needs, before a long transfer, and before a sender
 * begins
 */

/*
 * Checks the request of a sender, once the domain was made. Reserves the guest's memory until `receive` has succeeded.
 */
static int check_request(libxl__ao *ao, const restored_config *parsed, const libxl__build *build)
{
    if (!parsed->asked)
        return 0;
    const bool hvm = build->config->c_info.type != LIBXL_DOMAIN_TYPE_PV;
    const int rc = libxl__hv_check_features(ao, hvm, parsed->features, parsed->feature_count);
    return rc || !parsed->memory_kb ? rc : libxl__hv_claim(ao, build->domid, parsed->memory_kb);
}

static int check_poll(libxl__ao *ao, struct restoring *s)
{
    return libxl__making_check_poll(ao, &s->making);
}

static int check_start(libxl__ao *ao, struct restoring *s)
{
    int rc = libxl__making_check_domain(ao, &s->making);
    if (!rc)
        rc = libxl__making_reason(ao, &s->making, check_request(ao, &s->parsed, &s->making.build));
    return rc ? rc : libxl__making_check_start(ao, &s->making);
}

static void check_stop(libxl__ao *ao, struct restoring *s)
{
    libxl__making_check_stop(ao, &s->making);
}

/* ---- accept: sends the answer after which the sender of a migration begins */

static int accept_start(libxl__ao *ao, struct restoring *s)
{
    const int rc = libxl__making_check_domain(ao, &s->making);
    return rc || !s->parsed.asked ? rc : libxl__receive_accept(ao);
}

/* ---- receive: the saved domain is restored into the domain that was made */

static int receive_start(libxl__ao *ao, struct restoring *s)
{
    const libxl__build *build = &s->making.build;
    (void)ao;
    libxl__transfer_send(&s->transfer, &(libxl__transfer_message){
                                           .kind = LIBXL__TRANSFER_BUILT,
                                           .value = build->config->c_info.type == LIBXL_DOMAIN_TYPE_PV,
                                           .numbers = {build->domid, build->store_port, build->console_port,
                                                       build->config->c_info.type == LIBXL_DOMAIN_TYPE_HVM},
                                       });
    return LIBXL__AO_WAIT;
}

/* Returns whether a key of QEMU's nodes is a valid path below `physmap`. */
static bool is_key(const char *key)
{
    static const char start[] = "physmap/",
                      letters[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_@/";
    const size_t length = strlen(key);
    return strncmp(key, start, strlen(start)) == 0 && length <= LONGEST_KEY && key[length - 1] != '/' &&
           strspn(key, letters) == length && !strstr(key, "//");
}

/* Checks the nodes of a saved QEMU, which come from the stream. */
static int check_nodes(libxl__ao *ao, const libxl__qemu_saved *saved)
{
    const char *end = saved->nodes + saved->nodes_size;
    unsigned count = 0;
    for (const char *key = saved->nodes; key < end; count++) {
        const char *value = key + strlen(key) + 1;
        if (value >= end)
            return libxl__ao_fail(ao, ERROR_INVAL, "fd: the device model's node '%s' has no value", key);
        if (!is_key(key))
            return libxl__ao_fail(ao, ERROR_INVAL, "fd: the device model's node '%.64s' is not expected",
                                  key);
        if (strlen(value) > LONGEST_VALUE || count == MOST_NODES)
            return libxl__ao_fail(ao, ERROR_INVAL, "fd: the device model's nodes are too many or too long");
        key = value + strlen(value) + 1;
    }
    return 0;
}

/* Fills in `saved` with the state of QEMU, which aioxen-transfer has written into libxl__transfer.head. */
static int take_model(libxl__ao *ao, const libxl__transfer *transfer, const libxl__transfer_message *message,
                      libxl__qemu_saved *saved)
{
    saved->fd = transfer->head.fd;
    saved->nodes_size = message->numbers[1];
    saved->nodes = libxl__transfer_head(ao, transfer, message->numbers[0], saved->nodes_size);
    if (!saved->nodes)
        return ERROR_NOMEM;
    /* QEMU inherits the file's position, which aioxen-transfer has left at the end of the file. */
    if (lseek(saved->fd, 0, SEEK_SET))
        return libxl__ao_fail(ao, ERROR_FAIL, "the device model's state: %s", strerror(errno));
    return check_nodes(ao, saved);
}

/*
 * Returns LIBXL__AO_WAIT until aioxen-transfer has ended. Then stores the frames of the domain's rings in the build.
 */
static int take_result(libxl__ao *ao, struct restoring *s)
{
    libxl__transfer_message message;
    libxl__qemu_saved *saved = &s->making.saved;
    while (libxl__transfer_next(ao, &s->transfer, &message) == 0)
        if (message.kind == LIBXL__TRANSFER_MODEL && !saved->nodes) {
            const int rc = take_model(ao, &s->transfer, &message, saved);
            if (rc)
                return rc;
        }
    if (!libxl__transfer_done(&s->transfer))
        return LIBXL__AO_WAIT;
    const int rc = libxl__transfer_result(ao, &s->transfer, "fd");
    s->making.build.store_gfn = s->transfer.result.numbers[1];
    s->making.build.console_gfn = s->transfer.result.numbers[2];
    return rc;
}

static int receive_poll(libxl__ao *ao, struct restoring *s)
{
    int rc = libxl__making_check_domain(ao, &s->making);
    if (!rc)
        rc = libxl__making_reason(ao, &s->making, take_result(ao, s));
    /*
     * A guest may have returned pages while it was saved. It then takes less memory than was reserved, so the rest is
     * released.
     */
    if (!rc && s->parsed.asked)
        libxl__hv_release(ao, s->making.build.domid);
    return rc;
}

/* aioxen-transfer maps the domain's memory, so it is killed before the domain is taken down. */
static int receive_undo(libxl__ao *ao, struct restoring *s)
{
    libxl__transfer_kill(ao->ctx, &s->transfer);
    return s->transfer.child.running ? LIBXL__AO_WAIT : 0;
}

#include "_libxl_phases_domain_restore.h"
