/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The last phases of the operations that make a domain: `introduce`, `console`, `devices` and `unmark` (making.h).
 *
 * Owns: see making.h. The caller holds the context's lock.
 */
#include "domain_restore.h"
#include "making.h"

#include <stdio.h>

/*
 * ---- introduce: the configuration is stored, the nodes are written, and the domain is introduced to xenstored. Then
 * xenconsoled may map the console's page.
 */

/* Adds the requests that write the nodes of the domain and introduce it. */
static void add_nodes(libxl__making *making)
{
    const libxl__build *build = &making->build;
    if (build->in_place)
        libxl__xs_release(making->nodes);
    libxl__create_nodes(making->nodes, build, making->config);
    /* xenconsoled writes this node only when it opens the terminal. */
    if (making->terminal)
        libxl__xs_write(making->nodes, LIBXL__XS_INHERITS, making->terminal, "/local/domain/%u/console/tty",
                        build->domid);
    libxl__xs_introduce(making->nodes, build->store_gfn, build->store_port);
}

static int run_nodes(libxl__making *making)
{
    const int rc = libxl__xs_run(making->nodes, LIBXL__XS_ONE_BY_ONE);
    if (!rc)
        return LIBXL__AO_WAIT;
    /* No request was sent, so the undo must not wait for answers; freeing the batch has this effect. */
    libxl__xs_batch_free(making->nodes);
    making->nodes = NULL;
    return rc;
}

/*
 * Writes the node that lets xenconsoled map the console's page. xenconsoled unmaps the page when xenstored reports the
 * domain's end, and the domain stays in the hypervisor's list until then. xenstored reports the end only of a domain
 * that was introduced.
 */
static int connect_console(libxl__ao *ao, libxl__making *making)
{
    const libxl__build *build = &making->build;
    libxl__xs_batch_free(making->nodes);
    making->nodes = libxl__xs_batch_new(ao, build->domid);
    if (!making->nodes)
        return ERROR_NOMEM;
    making->has_console = true;
    libxl__create_console(making->nodes, build);
    return run_nodes(making);
}

int libxl__making_introduce_start(libxl__ao *ao, libxl__making *making)
{
    char path[64];
    making->introduced = ++ao->ctx->xen->introductions;
    snprintf(path, sizeof(path), "/local/domain/%u/console/tty", making->build.domid);
    int rc = libxl__create_record(ao, &making->record, &making->build, making->config);
    if (!rc)
        rc = libxl__await_start(ao, &making->console, path, libxl__await_present, NULL);
    if (rc)
        return rc;
    making->nodes = libxl__xs_batch_new(ao, making->build.domid);
    if (!making->nodes)
        return ERROR_NOMEM;
    add_nodes(making);
    return run_nodes(making);
}

int libxl__making_introduce_poll(libxl__ao *ao, libxl__making *making)
{
    int rc = libxl__making_check_domain(ao, making);
    if (!rc && !libxl__xs_done(making->nodes))
        return LIBXL__AO_WAIT;
    if (!rc && !libxl__xs_rc(making->nodes) && !making->has_console)
        return connect_console(ao, making);
    if (!rc && !libxl__userdata_done(&making->record))
        return LIBXL__AO_WAIT;
    if (!rc)
        rc = libxl__making_reason(ao, making, libxl__xs_result(making->nodes));
    return rc ? rc : libxl__making_reason(ao, making, libxl__userdata_result(ao, &making->record));
}

/*
 * After the introduction xenconsoled writes the terminal's name into the domain's tree. The undo waits for this node.
 * Otherwise xenconsoled could write the node after the teardown, and nothing would remove the node.
 */
int libxl__making_introduce_undo(libxl__ao *ao, libxl__making *making)
{
    making->undone = true;
    if (!making->nodes || making->domain.follower.phase >= LIBXL__DOMAIN_DYING)
        return 0;
    if (!libxl__xs_done(making->nodes))
        return LIBXL__AO_WAIT;
    if (libxl__xs_rc(making->nodes) || !making->has_console)
        return 0;
    const int rc = libxl__await_step(ao, &making->console);
    return rc == ERROR_NOMEM ? LIBXL__AO_WAIT : rc == LIBXL__AO_WAIT ? rc : 0;
}

/* ---- console: xenconsoled serves the console once it has written the terminal's name */

/*
 * xenconsoled serves one domain after the other, in the order in which the domains were introduced. The domains that
 * were introduced later have waited for this domain. So the time limits of their creations are extended.
 */
static void end_admission(libxl__ao *ao, libxl__making *making)
{
    libxl__admission *other;
    TAILQ_FOREACH (other, &ao->ctx->xen->console_admissions.inside, link) {
        const libxl__making *theirs = LIBXL__CONTAINER(other, libxl__making, admission);
        if (theirs->introduced > making->introduced && !theirs->undone)
            libxl__phase_extend(other->source.ao);
    }
    libxl__source_stop(ao->ctx, &making->admission.source);
}

int libxl__making_console_poll(libxl__ao *ao, libxl__making *making)
{
    int rc = libxl__making_check_domain(ao, making);
    if (!rc)
        rc = libxl__making_reason(ao, making, libxl__await_step(ao, &making->console));
    if (rc)
        return rc;
    end_admission(ao, making);
    libxl__ao_progress(ao, LIBXL_EVENT_TYPE_DOMAIN_CREATE_CONSOLE_AVAILABLE);
    return 0;
}

int libxl__making_console_start(libxl__ao *ao, libxl__making *making)
{
    libxl__await_look(&making->console);
    return libxl__making_console_poll(ao, making);
}

/*
 * ---- devices: adds all devices at once, and starts the QEMU that serves some of them. The teardown removes the
 * devices.
 */

void libxl__making_devices_stop(libxl__ao *ao, libxl__making *making)
{
    (void)ao;
    making->stopping = true;
    libxl__create_devices_stop(&making->devices);
}

int libxl__making_devices_poll(libxl__ao *ao, libxl__making *making)
{
    const int rc = libxl__create_devices_poll(ao, &making->devices);
    making->stopping |= making->devices.rc != 0;
    return libxl__making_reason(ao, making, rc);
}

int libxl__making_devices_start(libxl__ao *ao, libxl__making *making)
{
    libxl__qemu_saved *saved = making->saved.nodes ? &making->saved : NULL;
    int rc = libxl__making_check_domain(ao, making);
    if (rc)
        return rc;
    rc = libxl__create_devices_start(ao, &making->devices, &making->build, making->config, saved);
    return rc < 0 ? libxl__making_reason(ao, making, rc) : libxl__making_devices_poll(ao, making);
}

/* ---- unmark: the domain is complete */

int libxl__making_unmark_poll(libxl__ao *ao, libxl__making *making)
{
    int rc = libxl__making_check_domain(ao, making);
    if (!rc && !libxl__is_incoming(ao)) {
        if (!libxl__xs_done(making->identity.unmark))
            return LIBXL__AO_WAIT;
        rc = libxl__making_reason(ao, making, libxl__xs_result(making->identity.unmark));
    }
    if (rc)
        return rc;
    const libxl__build *build = &making->build;
    libxl__domain_create_new_args *create = libxl__ao_args(ao);
    libxl__domain_restore_args *restore = libxl__ao_args(ao);
    if (libxl__is_incoming(ao)) {
        /* The parent domain_receive uses this UUID to destroy the domain, also if the hypervisor does not answer. */
        ao->parent->subject.number = build->domid;
        ao->parent->subject.uuid = build->uuid;
    }
    if (!build->in_place)
        *(build->restores ? restore->out.domid : create->out.domid) = build->domid;
    return 0;
}

int libxl__making_unmark_start(libxl__ao *ao, libxl__making *making)
{
    /* domain_receive removes the mark of an incoming domain. */
    if (!libxl__is_incoming(ao))
        libxl__xs_run_anyway(making->identity.unmark, LIBXL__XS_ONE_BY_ONE);
    return libxl__making_unmark_poll(ao, making);
}
