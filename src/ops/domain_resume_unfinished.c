/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain_resume_unfinished: resumes a guest whose save was not finished (save_mark.h). If a
 * migration has renamed the domain, the operation first restores the name. It also withdraws a request to suspend that
 * the guest has not acknowledged. The nested operation domain_recover does the rest.
 *
 * Owns: nothing except the operation's state. The caller holds the context's lock.
 */
#include "recover.h"

#include <string.h>

/*
 * The time within which a guest suspends itself after the request, if it does so at all, in ms. domain_suspend_only
 * has the same limit.
 */
enum { LONGEST_SUSPENSION = 60000 };

#define REQUEST "/local/domain/%u/control/shutdown"

typedef struct resume_unfinished {
    libxl__xs_batch *batch;
    libxl__xs_request *mark, *name;
    libxl__nested renaming; /* domain_set_name: from NAME--migratedaway to NAME */
    libxl__save_mark found;
    const char *text; /* the value of the mark's node */
    uint32_t domid;
    bool withdrawn; /* the request was withdrawn, so the guest will not suspend itself */
    libxl__nested recovery;
} domain_resume_unfinished_state;

static int begin_batch(libxl__ao *ao, struct resume_unfinished *s)
{
    libxl__xs_batch_free(s->batch);
    s->batch = libxl__xs_batch_new(ao, s->domid);
    return s->batch ? 0 : ERROR_NOMEM;
}

static int not_found(libxl__ao *ao)
{
    const libxl__domain_resume_unfinished_args *args = libxl__ao_args(ao);
    return libxl__ao_fail(ao, ERROR_NOTFOUND, "uuid: no save of " LIBXL_UUID_FMT " is unfinished",
                          LIBXL_UUID_BYTES(args->in.uuid));
}

/* ---- find: the domain is looked up, and the mark is read */

static int find_start(libxl__ao *ao, struct resume_unfinished *s)
{
    const libxl__domain_resume_unfinished_args *args = libxl__ao_args(ao);
    int rc = libxl__hv_find(ao, &args->in.uuid, LIBXL_DOMID_INVALID, &s->domid);
    if (!rc && (s->domid == LIBXL_DOMID_INVALID || !s->domid))
        rc = not_found(ao);
    if (rc)
        return rc;
    ao->subject = (libxl__subject){.number = s->domid, .uuid = args->in.uuid};
    rc = libxl__recover_reserve(ao, &s->recovery);
    if (!rc)
        rc = begin_batch(ao, s);
    if (rc)
        return rc;
    s->mark = libxl__xs_read(s->batch, LIBXL__SAVE_MARK, s->domid);
    s->name = libxl__xs_read(s->batch, "/local/domain/%u/name", s->domid);
    rc = libxl__xs_run(s->batch, LIBXL__XS_ONE_BY_ONE);
    return rc ? rc : LIBXL__AO_WAIT;
}

/* Creates the renaming to NAME, if a migration has renamed the domain to NAME--migratedaway. */
static int reserve_renaming(libxl__ao *ao, struct resume_unfinished *s)
{
    const char *name = libxl__xs_value(s->name);
    const size_t length = name ? strlen(name) : 0, suffix = sizeof(LIBXL__AWAY) - 1;
    const bool migrates = s->found.stage == LIBXL__SAVE_SENT || s->found.stage == LIBXL__SAVE_GIVEN;
    if (!migrates || length <= suffix || strcmp(name + length - suffix, LIBXL__AWAY) != 0)
        return 0;
    const int rc = libxl__nested_reserve(ao, &s->renaming, LIBXL__OP_DOMAIN_SET_NAME);
    if (rc)
        return rc;
    libxl__domain_set_name_args *args = libxl__ao_args(s->renaming.child);
    args->in.name = strndup(name, length - suffix);
    args->in.old_name = strdup(name);
    args->in.has_old_name = true;
    return args->in.name && args->in.old_name ? 0 : ERROR_NOMEM;
}

static int find_poll(libxl__ao *ao, struct resume_unfinished *s)
{
    if (!libxl__xs_done(s->batch))
        return LIBXL__AO_WAIT;
    const int rc = libxl__xs_result(s->batch);
    if (rc)
        return rc;
    const char *text = libxl__xs_value(s->mark);
    if (!libxl__save_mark_read(ao->ctx, text, &s->found))
        return not_found(ao);
    if (!s->found.mark.left)
        return libxl__ao_fail(ao, ERROR_NOTFOUND, "uuid: process %u is saving domain %u", s->found.mark.pid,
                              s->domid);
    if (s->found.stage == LIBXL__SAVE_MOVED)
        return libxl__ao_fail(ao, ERROR_NOTFOUND, "uuid: the guest of domain %u runs on another machine",
                              s->domid);
    s->text = libxl__gc_printf(&ao->gc, "%s", text);
    return s->text ? reserve_renaming(ao, s) : ERROR_NOMEM;
}

/* ---- name: a domain that was renamed for a migration gets its name back */

/*
 * The name is restored before the guest is resumed. If another domain has the name, the guest may have come back from
 * the other machine, and it must not run twice.
 */
static int name_poll(libxl__ao *ao, struct resume_unfinished *s)
{
    (void)ao;
    return s->renaming.done ? s->renaming.rc : LIBXL__AO_WAIT;
}

static int name_start(libxl__ao *ao, struct resume_unfinished *s)
{
    if (!s->renaming.child)
        return 0;
    libxl__nested_start(&s->renaming);
    return name_poll(ao, s);
}

static void name_stop(libxl__ao *ao, struct resume_unfinished *s)
{
    (void)ao;
    if (!s->renaming.done)
        libxl__ao_request_stop(s->renaming.child, ERROR_ABORTED);
}

/* ---- take: the mark gets the name of this process */

static int take_start(libxl__ao *ao, struct resume_unfinished *s)
{
    int rc = begin_batch(ao, s);
    if (rc)
        return rc;
    libxl__xs_require_domain(s->batch, &ao->subject.uuid);
    libxl__xs_require(s->batch, ERROR_NOTFOUND, s->text, LIBXL__SAVE_MARK, s->domid);
    libxl__save_mark_write(s->batch, s->domid, s->found.stage, false);
    rc = libxl__xs_run(s->batch, LIBXL__XS_TRANSACTION);
    return rc ? rc : LIBXL__AO_WAIT;
}

static int take_poll(libxl__ao *ao, struct resume_unfinished *s)
{
    (void)ao;
    return libxl__xs_done(s->batch) ? libxl__xs_result(s->batch) : LIBXL__AO_WAIT;
}

/* ---- withdraw: the request to suspend is withdrawn, unless the guest has acknowledged it */

static bool is_suspended(libxl__ao *ao)
{
    xc_domaininfo_t info;
    return !libxl__hv_look(ao, ao->subject.number, &info) && info.flags & XEN_DOMINF_shutdown;
}

static int withdraw_start(libxl__ao *ao, struct resume_unfinished *s)
{
    if (s->found.stage != LIBXL__SAVE_ASKED || is_suspended(ao))
        return 0;
    int rc = begin_batch(ao, s);
    if (rc)
        return rc;
    libxl__xs_require_domain(s->batch, &ao->subject.uuid);
    libxl__xs_require(s->batch, ERROR_NOT_READY, "suspend", REQUEST, s->domid);
    libxl__xs_write(s->batch, LIBXL__XS_GUESTS, "", REQUEST, s->domid);
    rc = libxl__xs_run(s->batch, LIBXL__XS_TRANSACTION);
    return rc ? rc : LIBXL__AO_WAIT;
}

static int withdraw_poll(libxl__ao *ao, struct resume_unfinished *s)
{
    (void)ao;
    if (!libxl__xs_done(s->batch))
        return LIBXL__AO_WAIT;
    const int rc = libxl__xs_rc(s->batch);
    s->withdrawn = !rc;
    return rc == ERROR_NOT_READY ? 0 : libxl__xs_result(s->batch);
}

/* ---- recover: the guest runs again */

static int recover_start(libxl__ao *ao, struct resume_unfinished *s)
{
    const bool runs = !is_suspended(ao), asked = s->found.stage == LIBXL__SAVE_ASKED;
    const uint64_t age_ms = s->found.mark.age_ms;
    const int left_ms = age_ms < LONGEST_SUSPENSION - 1000 ? LONGEST_SUSPENSION - (int)age_ms : 1000;
    const bool follows = runs && asked && !s->withdrawn;
    libxl__recover_start(&s->recovery, s->found.stage, s->found.stage != LIBXL__SAVE_SAVING && !s->withdrawn,
                         follows ? left_ms : 0);
    return libxl__recover_poll(ao, &s->recovery, true);
}

static int recover_poll(libxl__ao *ao, struct resume_unfinished *s)
{
    return libxl__recover_poll(ao, &s->recovery, true);
}

#include "_libxl_phases_domain_resume_unfinished.h"
