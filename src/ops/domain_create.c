/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_create_new makes a domain from a kernel, and domain_restore from a saved domain (create_restore.h).
 * domain_soft_reset makes the devices and nodes of an existing domain anew (create_reset.h). The domain is paused
 * afterwards.
 *
 * Owns: the domain and its mark (marks.h), until the operation completes with success. The undo of the
 * `build` phase takes the domain down, and removes its nodes and its mark. The undo of the `name` phase
 * removes the mark if no domain was made. For domain_soft_reset these are the undo of `release` and of `claim`. The
 * caller holds the context's lock.
 */
#include "create.h"
#include "create_boot.h"
#include "create_devices.h"
#include "create_identity.h"
#include "create_reset.h"
#include "create_restore.h"
#include "migrate_ask.h"

#include <stdio.h>
#include <string.h>

typedef struct create {
    libxl__create_identity identity;
    libxl__pool_names pools;
    libxl__nested teardown; /* the nested operation of the undo, reserved before the mark is written */
    libxl__build build;
    libxl__transfer transfer; /* domain_restore only: the program that restores the domain */
    /* domain_restore only: the configuration that the stream contains, or the sender's request. */
    libxl__restored_config parsed;
    libxl__qemu_saved saved;   /* the QEMU of an HVM domain that domain_restore has read */
    libxl__create_reset reset; /* domain_soft_reset only */
    libxl__create_boot *boot;  /* the state of the boot loader; NULL: the configuration has no boot loader */
    libxl__domain_source domain;
    /*
     * Limits how many creations are between the build and the console; granted before the build, and given
     * back when xenconsoled serves the console.
     */
    libxl__admission admission;
    /* The wait for the terminal's node, started before the domain is introduced. */
    libxl__await console;
    libxl__create_devices devices; /* first checks the devices of a saved domain, and then adds the devices */
    libxl__userdata record;        /* stores the configuration while xenstored handles the nodes */
    libxl__xs_batch *nodes;
    /*
     * The number of domains that the context had introduced when this domain was introduced, including this domain. 0:
     * the domain is not introduced.
     */
    uint64_t introduced;
    bool stopping; /* the operation was asked to stop */
    bool undone;   /* the domain is being taken down, so its time limits are not extended */
} domain_create_new_state, domain_restore_state, domain_soft_reset_state;

_Static_assert(sizeof(libxl__domain_restore_args) == sizeof(libxl__domain_restore_incoming_args),
               "both operations have the same inputs");

static libxl_domain_config *config_of(libxl__ao *ao)
{
    libxl__domain_create_new_args *create = libxl__ao_args(ao);
    libxl__domain_restore_args *restore = libxl__ao_args(ao);
    libxl__domain_soft_reset_args *reset = libxl__ao_args(ao);
    if (libxl__soft_resets(ao))
        return &reset->in.d_config;
    return libxl__restores(ao) ? &restore->in.d_config : &create->in.d_config;
}

static int destroyed(libxl__ao *ao, const struct create *s)
{
    return libxl__ao_fail(ao, ERROR_DOMAIN_DESTROYED, "domain %u was destroyed while it was made",
                          s->build.domid);
}

static int check_domain(libxl__ao *ao, const struct create *s)
{
    return s->domain.follower.phase < LIBXL__DOMAIN_DYING ? 0 : destroyed(ao, s);
}

/* Returns false if the domain is gone or dying. Returns true if the domain is alive, or if the hypercall fails. */
static bool is_alive(libxl__ao *ao, const struct create *s)
{
    xc_domaininfo_t info;
    const int rc = libxl__hv_look(ao, s->build.domid, &info);
    /*
     * Another domain may have the domid now. libxl__hv_look has then stored that domain's UUID, so this function
     * restores the UUID.
     */
    if (ao->subject.number == s->build.domid)
        ao->subject.uuid = s->build.uuid;
    if (rc)
        return rc != ERROR_DOMAIN_NOTFOUND;
    return !(info.flags & XEN_DOMINF_dying) &&
           memcmp(info.handle, s->build.handle.uuid, sizeof(info.handle)) == 0;
}

/*
 * Returns the error for a step that has returned `rc`. If another program has destroyed the domain, a step
 * may fail with any error. In this case this function returns DOMAIN_DESTROYED.
 */
static int reason_of(libxl__ao *ao, const struct create *s, int rc)
{
    if (rc >= 0 || s->stopping || !s->build.made || (rc != ERROR_DOMAIN_NOTFOUND && is_alive(ao, s)))
        return rc;
    libxl__ao_forget_failure(ao);
    libxl__domains_look_soon(ao->ctx);
    return destroyed(ao, s);
}

/* ---- head: the configuration of a saved domain is read */

static int head_start(libxl__ao *ao, struct create *s)
{
    return libxl__restore_head_start(ao, &s->transfer);
}

static int head_poll(libxl__ao *ao, struct create *s)
{
    return libxl__restore_head_poll(ao, &s->transfer, &s->parsed);
}

/* ---- name: the configuration is checked, the mark is written, and no other domain has the name or the UUID */

static libxl_domain_config *take_config(libxl__ao *ao, struct create *s)
{
    libxl_domain_config *config = config_of(ao);
    ao->subject.name = config->c_info.name;
    s->build.config = config;
    s->build.stored_max_vcpus = config->b_info.max_vcpus;
    s->build.stored_poolid = config->c_info.poolid;
    if (!config->b_info.max_vcpus)
        config->b_info.max_vcpus = 1;
    return config;
}

static int name_start(libxl__ao *ao, struct create *s)
{
    libxl_domain_config *config = take_config(ao, s);
    s->build.restores = libxl__restores(ao);
    int rc = s->parsed.text ? libxl__restore_check_allowed(ao, config) : 0;
    if (!rc)
        rc = libxl__create_check(ao, config, &s->build);
    if (!rc)
        rc = libxl__incoming_rename(ao, config, &s->identity.later);
    ao->subject.name = config->c_info.name;
    if (!rc)
        rc = libxl__identity_claim(ao, &s->identity, &s->build, &config->c_info);
    if (!rc)
        rc = libxl__devices_complete(ao, config);
    if (!rc)
        rc = libxl__teardown_reserve(ao, &s->teardown, true);
    if (!rc)
        rc = libxl__create_pool_start(ao, &s->pools, &config->c_info);
    if (!rc)
        rc = libxl__identity_mark(ao, &s->identity, &s->build, &config->c_info);
    return rc ? rc : LIBXL__AO_WAIT;
}

static int name_poll(libxl__ao *ao, struct create *s)
{
    libxl_domain_create_info *info = &config_of(ao)->c_info;
    const int rc = libxl__identity_poll(ao, &s->identity, &s->build, info);
    return rc ? rc : libxl__create_pool_poll(ao, &s->pools, info);
}

/* Removes the mark, unless the undo of the build has started the teardown. */
static int name_undo(libxl__ao *ao, struct create *s)
{
    if (!s->identity.marked || s->build.made)
        return 0;
    if (!s->teardown.started)
        libxl__teardown_start(&s->teardown, LIBXL_DOMID_INVALID, &s->build.uuid, &s->build.handle);
    return libxl__teardown_poll(ao, &s->teardown);
}

static int take_down(libxl__ao *ao, struct create *s);

/* ---- make: a worker makes the domain, without memory, if it has a boot loader */

static int run_step(libxl__ao *ao, struct create *s, libxl__build_step step)
{
    const int rc = libxl__build_start(ao, &s->build, step);
    return rc ? rc : LIBXL__AO_WAIT;
}

static int make_start(libxl__ao *ao, struct create *s)
{
    int rc = libxl__domain_source_reserve(ao, &s->domain);
    if (!rc && !s->build.restores)
        rc = libxl__create_boot_reserve(ao, &s->build, &s->boot);
    if (rc || !s->boot)
        return rc;
    return run_step(ao, s, LIBXL__BUILD_MAKE);
}

/* Waits for the end of the job, and until the domain has its UUID. A stopped creation needs no UUID. */
static int wait_for_domain(libxl__ao *ao, struct create *s)
{
    if (!libxl__build_done(&s->build))
        return LIBXL__AO_WAIT;
    if (s->build.rc)
        return libxl__ao_fail(ao, s->build.rc, "%s", s->build.message ? s->build.message : "building");
    const int rc = libxl__identity_give_uuid(ao, &s->identity, &s->build);
    return rc == LIBXL__AO_WAIT && atomic_load(&s->build.cancel) ? ERROR_ABORTED : rc;
}

/* Follows the domain, because another program may destroy it at any time. */
static int follow(libxl__ao *ao, struct create *s)
{
    xc_domaininfo_t info;
    ao->subject.number = s->build.domid;
    ao->subject.uuid = s->build.uuid;
    int rc = libxl__hv_look(ao, s->build.domid, &info);
    if (!rc && memcmp(info.handle, s->build.uuid.uuid, sizeof(info.handle)) != 0)
        rc = ERROR_DOMAIN_NOTFOUND; /* the domain is gone, and another domain has its domid */
    /* The phase `make` may have started the source already. */
    if (!rc && s->domain.reserved)
        rc = libxl__domain_source_start(ao, &s->domain, &info);
    return reason_of(ao, s, rc);
}

static int make_poll(libxl__ao *ao, struct create *s)
{
    const int rc = wait_for_domain(ao, s);
    return rc ? reason_of(ao, s, rc) : follow(ao, s);
}

static void make_stop(libxl__ao *ao, struct create *s)
{
    (void)ao;
    atomic_store(&s->build.cancel, true);
}

/* Removes the boot loader's files, and then takes the domain down. */
static int make_undo(libxl__ao *ao, struct create *s)
{
    const int rc = libxl__create_boot_undo(ao, s->boot);
    return rc ? rc : take_down(ao, s);
}

/* ---- bootloader: the boot loader chooses the kernel */

static int bootloader_poll(libxl__ao *ao, struct create *s)
{
    const int rc = check_domain(ao, s);
    return rc ? rc : reason_of(ao, s, libxl__create_boot_poll(ao, s->boot));
}

static int bootloader_start(libxl__ao *ao, struct create *s)
{
    if (!s->boot)
        return 0;
    const int rc = libxl__create_boot_start(ao, s->boot);
    return rc ? rc : LIBXL__AO_WAIT;
}

/* ---- admission: limits how many creations of the context have an incomplete domain at a time */

static int admission_poll(libxl__ao *ao, struct create *s)
{
    /* If there is a boot loader, the domain exists already, and another program may have destroyed it. */
    const int rc = check_domain(ao, s);
    if (rc)
        return rc;
    return s->admission.granted ? 0 : LIBXL__AO_WAIT;
}

/*
 * xenconsoled does work for each new domain, even before the domain is introduced. So the creation waits here, before
 * the domain is made.
 */
static int admission_start(libxl__ao *ao, struct create *s)
{
    libxl__admission_ask(ao, &ao->ctx->xen->console_admissions, &s->admission);
    return admission_poll(ao, s);
}

/* ---- build: a worker makes the domain, unless `make` has made it, and fills its memory */

static int build_start(libxl__ao *ao, struct create *s)
{
    return run_step(ao, s, libxl__identity_comes_later(&s->build) ? LIBXL__BUILD_MAKE : LIBXL__BUILD_ALL);
}

static int build_poll(libxl__ao *ao, struct create *s)
{
    int rc = wait_for_domain(ao, s);
    if (rc)
        return reason_of(ao, s, rc);
    if (s->build.step == LIBXL__BUILD_MAKE)
        return reason_of(ao, s, run_step(ao, s, LIBXL__BUILD_ALL));
    rc = follow(ao, s);
    if (!rc)
        rc = reason_of(ao, s, libxl__create_apply_settings(ao, s->build.domid, config_of(ao)));
    if (!rc)
        libxl__create_boot_end(ao, s->boot);
    return rc;
}

static void build_stop(libxl__ao *ao, struct create *s)
{
    (void)ao;
    s->stopping = true;
    atomic_store(&s->build.cancel, true);
}

static int take_down(libxl__ao *ao, struct create *s)
{
    libxl__source_stop(ao->ctx, &s->admission.source);
    if (!s->build.made)
        return 0;
    if (!s->teardown.started) {
        /* xenstored handles these requests before those of the teardown, so the answers need not be awaited. */
        libxl__xs_batch_free(s->nodes);
        s->nodes = NULL;
        libxl__teardown_start(&s->teardown, s->build.domid, &s->build.uuid, &s->build.handle);
    }
    return libxl__teardown_poll(ao, &s->teardown);
}

/* ---- check: what the saved domain needs is here; before a long transfer, and before a sender is told to begin */

static int check_poll(libxl__ao *ao, struct create *s)
{
    const int rc = libxl__device_groups_poll(ao, &s->devices.groups);
    return rc < 0 ? reason_of(ao, s, rc) : rc;
}

static int check_start(libxl__ao *ao, struct create *s)
{
    int rc = check_domain(ao, s);
    if (!rc)
        rc = libxl__restore_check_request(ao, &s->parsed, &s->build);
    if (!rc)
        rc =
            libxl__device_groups_check(ao, &s->devices.groups, config_of(ao), s->build.domid, &s->build.uuid);
    return rc < 0 ? reason_of(ao, s, rc) : rc;
}

static void check_stop(libxl__ao *ao, struct create *s)
{
    (void)ao;
    libxl__device_groups_stop(&s->devices.groups);
}

/* ---- accept: the sender of a migration begins */

static int accept_start(libxl__ao *ao, struct create *s)
{
    const int rc = check_domain(ao, s);
    return rc || !s->parsed.asked ? rc : libxl__receive_accept(ao);
}

/* ---- receive: the saved domain is restored into the domain that was made */

static int receive_start(libxl__ao *ao, struct create *s)
{
    return libxl__restore_receive_start(ao, &s->transfer, &s->build);
}

static int receive_poll(libxl__ao *ao, struct create *s)
{
    int rc = check_domain(ao, s);
    if (!rc)
        rc = reason_of(ao, s, libxl__restore_receive_poll(ao, &s->transfer, &s->build, &s->saved));
    /*
     * A guest may have returned pages while it was saved. It then takes less memory than was reserved, so the rest is
     * released.
     */
    if (!rc && s->parsed.asked)
        libxl__hv_release(ao, s->build.domid);
    return rc;
}

/* aioxen-transfer maps the domain's memory, so it is killed before the domain is taken down. */
static int receive_undo(libxl__ao *ao, struct create *s)
{
    libxl__transfer_kill(ao->ctx, &s->transfer);
    return s->transfer.child.running ? LIBXL__AO_WAIT : 0;
}

/*
 * ---- the first phases of domain_soft_reset
 *
 * claim: the configuration and the domain are checked, the mark is written, and no other domain has the name
 */

static int claim_start(libxl__ao *ao, struct create *s)
{
    libxl_domain_config *config = take_config(ao, s);
    xc_domaininfo_t info;
    int rc = libxl__reset_check(ao, config, &s->build, &info);
    if (!rc)
        rc = libxl__create_check(ao, config, &s->build);
    if (!rc)
        rc = libxl__identity_keep(ao, &s->identity, &s->build, &config->c_info);
    if (!rc)
        rc = libxl__devices_complete(ao, config);
    if (!rc)
        rc = libxl__teardown_reserve(ao, &s->teardown, true);
    if (!rc)
        libxl__teardown_resets(&s->teardown, s->build.domid);
    if (!rc)
        rc = libxl__reset_reserve(ao, &s->reset, &s->build);
    if (!rc)
        rc = libxl__domain_source_reserve(ao, &s->domain);
    if (!rc)
        rc = libxl__domain_source_start(ao, &s->domain, &info);
    if (!rc)
        rc = libxl__identity_mark(ao, &s->identity, &s->build, &config->c_info);
    return rc ? rc : LIBXL__AO_WAIT;
}

static int claim_poll(libxl__ao *ao, struct create *s)
{
    return libxl__identity_poll(ao, &s->identity, &s->build, &config_of(ao)->c_info);
}

static int claim_undo(libxl__ao *ao, struct create *s)
{
    return name_undo(ao, s);
}

/* ---- save: the device model of an HVM domain stops, and its state is saved */

static int save_poll(libxl__ao *ao, struct create *s)
{
    const int rc = check_domain(ao, s);
    return rc ? rc : libxl__reset_save_poll(ao, &s->reset, &s->build, &s->saved);
}

static int save_start(libxl__ao *ao, struct create *s)
{
    const int rc = check_domain(ao, s);
    return rc ? rc : libxl__reset_save_start(ao, &s->reset, &s->build);
}

/* If the domain is taken down, its device model has ended already. */
static int save_undo(libxl__ao *ao, struct create *s)
{
    return s->build.made ? 0 : libxl__reset_save_undo(ao, &s->reset, &s->build);
}

/* ---- list: the devices are listed, and the name of the console's terminal is read */

static int list_poll(libxl__ao *ao, struct create *s)
{
    const int rc = check_domain(ao, s);
    return rc ? rc : libxl__reset_list_poll(ao, &s->reset);
}

static int list_start(libxl__ao *ao, struct create *s)
{
    const int rc = check_domain(ao, s);
    return rc ? rc : libxl__reset_list_start(ao, &s->reset, &s->build);
}

/* ---- release: the devices are removed by force; the domain is taken down if the operation fails from here on */

static int release_poll(libxl__ao *ao, struct create *s)
{
    const int rc = check_domain(ao, s);
    return rc ? rc : reason_of(ao, s, libxl__reset_remove_poll(ao, &s->reset));
}

static int release_start(libxl__ao *ao, struct create *s)
{
    const int rc = check_domain(ao, s);
    if (rc)
        return rc;
    s->build.made = true;
    return reason_of(ao, s, libxl__reset_remove_start(ao, &s->reset));
}

static int release_undo(libxl__ao *ao, struct create *s)
{
    return libxl__device_sweep_leave(&s->reset.devices.sweep) ? take_down(ao, s) : LIBXL__AO_WAIT;
}

/* ---- reset: a worker resets the domain in the hypervisor */

static int reset_start(libxl__ao *ao, struct create *s)
{
    const int rc = check_domain(ao, s);
    return rc ? rc : run_step(ao, s, LIBXL__BUILD_RESET);
}

static int reset_poll(libxl__ao *ao, struct create *s)
{
    const int rc = wait_for_domain(ao, s);
    return rc ? reason_of(ao, s, rc) : check_domain(ao, s);
}

static void reset_stop(libxl__ao *ao, struct create *s)
{
    build_stop(ao, s);
}

/* ---- introduce: the configuration is stored, the nodes are written, and the domain is introduced to xenstored */

static int introduce_start(libxl__ao *ao, struct create *s)
{
    char path[64];
    s->introduced = ++ao->ctx->xen->introductions;
    snprintf(path, sizeof(path), "/local/domain/%u/console/tty", s->build.domid);
    int rc = libxl__create_record(ao, &s->record, &s->build, config_of(ao));
    if (!rc)
        rc = libxl__await_start(ao, &s->console, path, libxl__await_present, NULL);
    if (rc)
        return rc;
    s->nodes = libxl__xs_batch_new(ao, s->build.domid);
    if (!s->nodes)
        return ERROR_NOMEM;
    if (s->build.in_place)
        libxl__xs_release(s->nodes);
    libxl__create_nodes(s->nodes, &s->build, config_of(ao));
    libxl__reset_terminal(s->nodes, &s->reset, &s->build);
    libxl__xs_introduce(s->nodes, s->build.store_gfn, s->build.store_port);
    rc = libxl__xs_run(s->nodes, LIBXL__XS_ONE_BY_ONE);
    if (!rc)
        return LIBXL__AO_WAIT;
    /* No request was sent, so the undo must not wait for answers; freeing the batch has this effect. */
    libxl__xs_batch_free(s->nodes);
    s->nodes = NULL;
    return rc;
}

static int introduce_poll(libxl__ao *ao, struct create *s)
{
    int rc = check_domain(ao, s);
    if (!rc && (!libxl__xs_done(s->nodes) || !libxl__userdata_done(&s->record)))
        return LIBXL__AO_WAIT;
    if (!rc)
        rc = reason_of(ao, s, libxl__xs_result(s->nodes));
    return rc ? rc : reason_of(ao, s, libxl__userdata_result(ao, &s->record));
}

/*
 * After the introduction xenconsoled writes the terminal's name into the domain's tree. The undo waits for this node.
 * Otherwise xenconsoled could write the node after the teardown, and nothing would remove the node.
 */
static int introduce_undo(libxl__ao *ao, struct create *s)
{
    s->undone = true;
    if (!s->nodes || s->domain.follower.phase >= LIBXL__DOMAIN_DYING)
        return 0;
    if (!libxl__xs_done(s->nodes))
        return LIBXL__AO_WAIT;
    if (libxl__xs_rc(s->nodes))
        return 0;
    const int rc = libxl__await_step(ao, &s->console);
    return rc == ERROR_NOMEM ? LIBXL__AO_WAIT : rc == LIBXL__AO_WAIT ? rc : 0;
}

/* ---- console: xenconsoled serves the console once it has written the terminal's name */

/*
 * xenconsoled serves one domain after the other, in the order in which the domains were introduced. The domains that
 * were introduced later have waited for this domain. So the time limits of their creations are extended.
 */
static void end_admission(libxl__ao *ao, struct create *s)
{
    libxl__admission *other;
    TAILQ_FOREACH (other, &ao->ctx->xen->console_admissions.inside, link) {
        const struct create *theirs = LIBXL__CONTAINER(other, struct create, admission);
        if (theirs->introduced > s->introduced && !theirs->undone)
            libxl__phase_extend(other->source.ao);
    }
    libxl__source_stop(ao->ctx, &s->admission.source);
}

static int console_poll(libxl__ao *ao, struct create *s)
{
    int rc = check_domain(ao, s);
    if (!rc)
        rc = reason_of(ao, s, libxl__await_step(ao, &s->console));
    if (rc)
        return rc;
    end_admission(ao, s);
    libxl__ao_progress(ao, LIBXL_EVENT_TYPE_DOMAIN_CREATE_CONSOLE_AVAILABLE);
    return 0;
}

static int console_start(libxl__ao *ao, struct create *s)
{
    libxl__await_look(&s->console);
    return console_poll(ao, s);
}

/*
 * ---- devices: adds all devices at once, and starts the QEMU that serves some of them. The teardown removes the
 * devices.
 */

static void devices_stop(libxl__ao *ao, struct create *s)
{
    (void)ao;
    s->stopping = true;
    libxl__create_devices_stop(&s->devices);
}

static int devices_poll(libxl__ao *ao, struct create *s)
{
    const int rc = libxl__create_devices_poll(ao, &s->devices);
    s->stopping |= s->devices.rc != 0;
    return reason_of(ao, s, rc);
}

static int devices_start(libxl__ao *ao, struct create *s)
{
    libxl__qemu_saved *saved = s->saved.nodes ? &s->saved : NULL;
    int rc = check_domain(ao, s);
    if (rc)
        return rc;
    rc = libxl__create_devices_start(ao, &s->devices, &s->build, config_of(ao), saved);
    return rc < 0 ? reason_of(ao, s, rc) : devices_poll(ao, s);
}

/* ---- unmark: the domain is complete */

static int unmark_poll(libxl__ao *ao, struct create *s)
{
    int rc = check_domain(ao, s);
    if (!rc && !libxl__is_incoming(ao)) {
        if (!libxl__xs_done(s->identity.unmark))
            return LIBXL__AO_WAIT;
        rc = reason_of(ao, s, libxl__xs_result(s->identity.unmark));
    }
    if (rc)
        return rc;
    libxl__domain_create_new_args *create = libxl__ao_args(ao);
    libxl__domain_restore_args *restore = libxl__ao_args(ao);
    if (libxl__is_incoming(ao)) {
        /* The parent domain_receive uses this UUID to destroy the domain, also if the hypervisor does not answer. */
        ao->parent->subject.number = s->build.domid;
        ao->parent->subject.uuid = s->build.uuid;
    }
    if (!s->build.in_place)
        *(s->build.restores ? restore->out.domid : create->out.domid) = s->build.domid;
    return 0;
}

static int unmark_start(libxl__ao *ao, struct create *s)
{
    /* domain_receive removes the mark of an incoming domain. */
    if (!libxl__is_incoming(ao))
        libxl__xs_run_anyway(s->identity.unmark, LIBXL__XS_ONE_BY_ONE);
    return unmark_poll(ao, s);
}

#include "_libxl_phases_domain_create_new.h"
#include "_libxl_phases_domain_restore.h"
#include "_libxl_phases_domain_soft_reset.h"
