/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_receive: receives a guest from another machine. peer.h has the messages. If the connection is lost before
 * the sender's message GO has arrived, the domain here is destroyed. If the operation fails after it has sent the
 * message RECEIVED, the undos send the answer that the guest does not run here, destroy the domain, and send the
 * permission to run the guest there, in this order. These are xl's messages.
 *
 * The mark of a guest that is to run here is removed after the guest runs. So a receiver whose process is killed
 * leaves a guest that runs, or a marked domain that has never run. Only the marked domain is unfinished
 * (unfinished.h). If the domain stays paused, the mark is removed before the answer is sent, because such a domain is
 * complete without having run.
 *
 * Owns: the domain, until the phase `run` is done, and its mark (marks.h). The caller holds the context's lock.
 */
#include "domain_restore.h"
#include "migrate_ask.h"
#include "peer.h"

#include "_libxl_types_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The status that is sent if the guest does not run here. xl also sends the negative of libxl's error. */
enum { STATUS_FAILED = -ERROR_FAIL };

typedef struct receipt {
    libxl__peer peer;
    libxl__nested restoration; /* domain_restore_incoming */
    libxl__nested teardown;    /* reserved before the restoration starts */
    libxl__nested renaming;    /* domain_set_name */
    libxl__xs_batch *batch;
    libxl__xs_request *name; /* reads the domain's name */
    uint32_t domid;
    libxl_uuid uuid;
    bool ready;       /* the message RECEIVED was sent to the sender */
    bool owes_answer; /* the sender has sent a request (migrate_ask.h), which was not answered yet */
    /*
     * Its stop function closes the duplicate of out_fd. The undos need the duplicate: after a time limit they
     * continue when the application may have closed out_fd, and they must still send messages to the sender.
     */
    libxl__source duplicate;
} domain_receive_state;

static const libxl__domain_receive_args *args_of(libxl__ao *ao)
{
    return libxl__ao_args(ao);
}

static int begin_batch(libxl__ao *ao, struct receipt *s)
{
    libxl__xs_batch_free(s->batch);
    s->batch = libxl__xs_batch_new(ao, s->domid);
    return s->batch ? 0 : ERROR_NOMEM;
}

static int run_batch(struct receipt *s)
{
    const int rc = libxl__xs_run(s->batch, LIBXL__XS_ONE_BY_ONE);
    return rc ? rc : LIBXL__AO_WAIT;
}

/* ---- greet: sends the greeting to the sender */

static void close_duplicate(libxl_ctx *ctx, libxl__source *source)
{
    (void)ctx;
    close(LIBXL__CONTAINER(source, struct receipt, duplicate)->peer.out);
}

static int greet_start(libxl__ao *ao, struct receipt *s)
{
    s->domid = LIBXL_DOMID_INVALID;
    const int rc =
        libxl__peer_open(ao, &s->peer, args_of(ao)->in.in_fd, args_of(ao)->in.out_fd, "the sender");
    const int fd = rc ? -1 : fcntl(s->peer.out, F_DUPFD_CLOEXEC, 0);
    if (!rc && fd < 0)
        return libxl__ao_fail(ao, ERROR_FAIL, "out_fd: %s", strerror(errno));
    if (rc)
        return rc;
    s->peer.out = fd;
    libxl__source_attach(ao, &s->duplicate, close_duplicate);
    return libxl__peer_send(ao, &s->peer, LIBXL__PEER_GREETING, NULL);
}

/*
 * If the domain here was destroyed, sends the permission to run the guest on the sender's machine. If it could not be
 * destroyed, sends nothing, because then neither side may let the guest run.
 */
static int greet_undo(libxl__ao *ao, struct receipt *s)
{
    if (!s->ready || !s->teardown.done || s->teardown.rc)
        return 0;
    return libxl__peer_send(ao, &s->peer, LIBXL__PEER_GO, NULL);
}

/* ---- restore: the domain is restored, paused */

static int restore_poll(libxl__ao *ao, struct receipt *s)
{
    if (!s->restoration.done)
        return LIBXL__AO_WAIT;
    s->uuid = ao->subject.uuid; /* domain_restore_incoming has set the UUID of its parent's subject */
    return s->restoration.rc;
}

static int restore_start(libxl__ao *ao, struct receipt *s)
{
    int rc = libxl__teardown_reserve(ao, &s->teardown, true);
    if (rc)
        return rc;
    libxl__ao *child =
        libxl__nested_create(ao, &s->restoration, &libxl__operations[LIBXL__OP_DOMAIN_RESTORE_INCOMING]);
    if (!child)
        return ERROR_NOMEM;
    libxl__domain_restore_incoming_args *args = libxl__ao_args(child);
    libxl_domain_config_init(&args->in.d_config);
    args->in.fd = args_of(ao)->in.in_fd;
    args->out.domid = &s->domid;
    args->in.has_allowed = args_of(ao)->in.has_allowed;
    rc = libxl__received_allowed_copy(ao->ctx, &args->in.allowed, &args_of(ao)->in.allowed);
    if (rc)
        return rc;
    s->restoration.counts = true;
    libxl__nested_start(&s->restoration);
    return restore_poll(ao, s);
}

static void restore_stop(libxl__ao *ao, struct receipt *s)
{
    (void)ao;
    if (!s->restoration.done)
        libxl__ao_request_stop(s->restoration.child, ERROR_ABORTED);
}

void libxl__receive_asked(libxl__ao *child)
{
    struct receipt *s = libxl__ao_state(child->parent);
    s->owes_answer = true;
}

int libxl__receive_accept(libxl__ao *child)
{
    struct receipt *s = libxl__ao_state(child->parent);
    s->owes_answer = false;
    return libxl__ask_answer(child, &s->peer, 0, NULL);
}

/*
 * Answers a sender's request with the reason why its guest is refused. The connection may be lost, so a failure is
 * ignored.
 */
static void refuse(libxl__ao *ao, struct receipt *s)
{
    const int rc = s->restoration.done && s->restoration.rc ? s->restoration.rc : ERROR_FAIL;
    if (!s->owes_answer)
        return;
    s->owes_answer = false;
    const char *words = libxl__gc_printf(&ao->gc, "%s", libxl__ao_words(ao, rc));
    if (words && libxl__ask_answer(ao, &s->peer, rc, words))
        libxl__ao_log(ao, XTL_DEBUG, -1, "the sender could not be told that its guest is refused");
}

/* If the restoration has failed, the undo of the restoration has already destroyed the domain. */
static int restore_undo(libxl__ao *ao, struct receipt *s)
{
    if (s->restoration.started && !s->restoration.done) {
        restore_stop(ao, s);
        return LIBXL__AO_WAIT;
    }
    refuse(ao, s);
    if (!s->restoration.done || s->restoration.rc)
        return 0;
    if (!s->teardown.started)
        libxl__teardown_start(&s->teardown, s->domid, &s->uuid, &s->uuid);
    return libxl__teardown_poll(ao, &s->teardown);
}

/* ---- look: reads the domain's name */

static int look_start(libxl__ao *ao, struct receipt *s)
{
    const int rc = begin_batch(ao, s);
    if (rc)
        return rc;
    s->name = libxl__xs_read(s->batch, "/local/domain/%u/name", s->domid);
    return run_batch(s);
}

/* Creates the nested operation that renames the domain from NAME--incoming to NAME. */
static int reserve_renaming(libxl__ao *ao, struct receipt *s, const char *from)
{
    const size_t length = strlen(from) - (sizeof(LIBXL__INCOMING) - 1);
    libxl__ao *child = libxl__nested_create(ao, &s->renaming, &libxl__operations[LIBXL__OP_DOMAIN_SET_NAME]);
    if (!child)
        return ERROR_NOMEM;
    child->subject = ao->subject;
    libxl__domain_set_name_args *args = libxl__ao_args(child);
    args->in.domid = s->domid;
    args->in.name = strndup(from, length);
    args->in.old_name = strdup(from);
    args->in.has_old_name = true;
    return args->in.name && args->in.old_name ? libxl__phases_reserve(child) : ERROR_NOMEM;
}

static int look_poll(libxl__ao *ao, struct receipt *s)
{
    if (!libxl__xs_done(s->batch))
        return LIBXL__AO_WAIT;
    const int rc = libxl__xs_result(s->batch);
    if (rc)
        return rc;
    const char *name = libxl__xs_value(s->name);
    const size_t length = name ? strlen(name) : 0, suffix = sizeof(LIBXL__INCOMING) - 1;
    if (length <= suffix || strcmp(name + length - suffix, LIBXL__INCOMING) != 0)
        return libxl__ao_fail(ao, ERROR_DOMAIN_DESTROYED, "another program has changed the name of domain %u",
                              s->domid);
    return reserve_renaming(ao, s, name);
}

/* ---- ready: sends the message RECEIVED: the domain is here */

static int ready_start(libxl__ao *ao, struct receipt *s)
{
    s->ready = true;
    return libxl__peer_send(ao, &s->peer, LIBXL__PEER_RECEIVED, NULL);
}

/*
 * Sends the answer that the guest does not run here, even if the sender's message GO has not arrived. If GO is on its
 * way, the sender waits for this answer. From now on the guest does not run here.
 */
static int ready_undo(libxl__ao *ao, struct receipt *s)
{
    libxl__peer_stop_reading(ao, &s->peer);
    if (!s->ready)
        return 0;
    const int rc = libxl__peer_send(ao, &s->peer, LIBXL__PEER_ANSWER, NULL);
    return rc ? rc : libxl__peer_send_status(ao, &s->peer, STATUS_FAILED);
}

/* ---- go: waits for the sender's message GO, after which the guest belongs to this machine */

static int go_poll(libxl__ao *ao, struct receipt *s)
{
    return libxl__peer_expect(ao, &s->peer, LIBXL__PEER_GO);
}

static int go_start(libxl__ao *ao, struct receipt *s)
{
    return go_poll(ao, s);
}

/* ---- rename: renames the domain from NAME--incoming to NAME */

static int rename_poll(libxl__ao *ao, struct receipt *s)
{
    (void)ao;
    return s->renaming.done ? s->renaming.rc : LIBXL__AO_WAIT;
}

static int rename_start(libxl__ao *ao, struct receipt *s)
{
    libxl__nested_start(&s->renaming);
    return rename_poll(ao, s);
}

static void rename_stop(libxl__ao *ao, struct receipt *s)
{
    (void)ao;
    if (!s->renaming.done)
        libxl__ao_request_stop(s->renaming.child, ERROR_ABORTED);
}

/* ---- unmark: makes the batch that removes the mark, and runs it if the domain stays paused: it is complete now */

static int unmark_start(libxl__ao *ao, struct receipt *s)
{
    const int rc = begin_batch(ao, s);
    if (rc)
        return rc;
    libxl__mark_remove(s->batch, &s->uuid);
    return args_of(ao)->in.paused ? run_batch(s) : 0;
}

static int unmark_poll(libxl__ao *ao, struct receipt *s)
{
    (void)ao;
    return libxl__xs_done(s->batch) ? libxl__xs_result(s->batch) : LIBXL__AO_WAIT;
}

/* ---- run: lets the guest run here, and sends the answer */

/*
 * The unpausing and the answer are one step, and the next phase commits, so that nothing is undone after the guest
 * runs. A stop request before this step still ends the operation. If the answer cannot be sent, the guest runs here
 * all the same, and the sender does not know this.
 */
static int run_start(libxl__ao *ao, struct receipt *s)
{
    if (ao->stop)
        return ao->stop;
    int rc = args_of(ao)->in.paused ? 0 : libxl__hv_unpause(ao, s->domid);
    if (rc)
        return rc;
    rc = libxl__peer_send(ao, &s->peer, LIBXL__PEER_ANSWER, NULL);
    if (!rc)
        rc = libxl__peer_send_status(ao, &s->peer, 0);
    if (rc)
        libxl__ao_log(ao, XTL_WARN, -1, "domain %u runs, but the sender could not be told so", s->domid);
    return 0;
}

/* ---- clear: the mark of a guest that runs is removed. A mark that stays does no harm: the guest has run. */

static int clear_poll(libxl__ao *ao, struct receipt *s)
{
    (void)ao;
    return libxl__xs_done(s->batch) ? 0 : LIBXL__AO_WAIT;
}

static int clear_start(libxl__ao *ao, struct receipt *s)
{
    *args_of(ao)->out.domid = s->domid;
    if (!args_of(ao)->in.paused)
        libxl__xs_run_anyway(s->batch, LIBXL__XS_ONE_BY_ONE);
    return clear_poll(ao, s);
}

#include "_libxl_phases_domain_receive.h"
