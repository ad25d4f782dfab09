/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Stores, changes, reads and removes the stored configurations of domains, by jobs. Owns: the lane (worker.h) of these
 * jobs, and each libxl__userdata_work until its operation and its job have ended. The functions named *_work
 * run on a worker, unlocked, and use only the job's data. All other functions are called with the context
 * locked.
 */
#include "userdata.h"
#include "_libxl_types_json.h"
#include "xen.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_AT_ONCE = 4, REMOVAL_LOCK_LIMIT = 1000 /* ms: how long a removal waits for the lock */ };

struct libxl__userdata_work {
    libxl__job job;
    libxl__userdata_files files;
    atomic_bool cancel; /* the operation has ended, so the job must stop */
    /* The text of a new configuration to store. NULL: the job changes or reads the stored configuration. */
    char *text;
    /* The function that changes the stored configuration. NULL: the job stores or reads the configuration. */
    libxl__userdata_change *change;
    void *user;
    void (*dispose)(void *user);
    libxl_domain_config config; /* the configuration that was read */
    char *old;                  /* the text of `config`, as it was read */
    int rc;
};

/* ---- functions for a worker */

/* Stores a text with its terminating zero, because libxl expects a terminating zero in the file. */
static int put_text(libxl_ctx *ctx, libxl__userdata_files *files, const char *text)
{
    const int rc = libxl__userdata_put(files, LIBXL__USERDATA_JSON, text, strlen(text) + 1);
    return rc ? rc : libxl__userdata_confirm(ctx, files, LIBXL__USERDATA_JSON);
}

/*
 * Reads the stored configuration and its text. Another toolstack of a newer release may have written it, so unknown
 * members are ignored. libxl__json_write_over keeps them when the configuration changes.
 */
static int get_config(libxl_ctx *ctx, libxl__userdata_work *w)
{
    libxl__userdata_files *files = &w->files;
    libxl__json_foreign foreign = {.unknown = 0};
    uint8_t *data;
    size_t size;
    int rc = libxl__userdata_get(files, LIBXL__USERDATA_JSON, &data, &size);
    if (!rc && !data) {
        snprintf(files->why, sizeof(files->why), "domain %u has no stored configuration", files->domid);
        return ERROR_NOTFOUND;
    }
    if (rc)
        return rc;
    free(w->old);
    w->old = (char *)data;
    libxl_domain_config_dispose(&w->config);
    rc = libxl__json_read_foreign(ctx, &libxl__json_of_domain_config, &w->config, w->old, &foreign);
    if (rc == ERROR_INVAL)
        snprintf(files->why, sizeof(files->why), "the stored configuration of domain %u: %s", files->domid,
                 libxl_error_message());
    return rc;
}

static int change_config(libxl_ctx *ctx, libxl__userdata_work *w)
{
    int rc = get_config(ctx, w);
    if (!rc)
        rc = w->change(&w->config, w->user);
    if (rc)
        return rc;
    char *text = libxl__json_write_over(&libxl__json_of_domain_config, &w->config, w->old);
    if (!text)
        return ERROR_NOMEM;
    rc = put_text(ctx, &w->files, text);
    free(text);
    /* The configuration is disposed of now, because the operation may keep `w` for a long time. */
    libxl_domain_config_dispose(&w->config);
    libxl_domain_config_init(&w->config);
    free(w->old);
    w->old = NULL;
    return rc;
}

static void userdata_work(libxl_ctx *ctx, libxl__job *job)
{
    libxl__userdata_work *w = LIBXL__CONTAINER(job, libxl__userdata_work, job);
    int lock;
    /*
     * A job that only reads takes no lock. Writers replace the whole file, so a reader sees the old or the
     * new file.
     */
    if (!w->text && !w->change) {
        w->rc = get_config(ctx, w);
        return;
    }
    w->rc = libxl__userdata_lock(&w->files, LIBXL__USERDATA_LOCK_LIMIT, &w->cancel, &lock);
    if (w->rc)
        return;
    w->rc = w->text ? put_text(ctx, &w->files, w->text) : change_config(ctx, w);
    libxl__userdata_unlock(&w->files, lock);
}

static void removal_work(libxl_ctx *ctx, libxl__job *job)
{
    libxl__userdata_removal *removal = LIBXL__CONTAINER(job, libxl__userdata_removal, job);
    int lock;
    (void)ctx;
    const int locked = libxl__userdata_lock(&removal->files, REMOVAL_LOCK_LIMIT, NULL, &lock);
    removal->rc = libxl__userdata_drop_all(&removal->files);
    if (!locked)
        libxl__userdata_unlock(&removal->files, lock);
}

/* ---- functions that are called with the context locked */

void libxl__userdata_open(libxl_ctx *ctx)
{
    libxl__lane_open(ctx, &ctx->xen->userdata_lane, "xl-userdata", MOST_AT_ONCE, false);
}

static void free_work(libxl_ctx *ctx, libxl__job *job)
{
    libxl__userdata_work *w = LIBXL__CONTAINER(job, libxl__userdata_work, job);
    (void)ctx;
    if (w->dispose)
        w->dispose(w->user);
    libxl_domain_config_dispose(&w->config);
    free(w->text);
    free(w->old);
    free(w);
}

static void stop(libxl_ctx *ctx, libxl__source *source)
{
    libxl__userdata *userdata = LIBXL__CONTAINER(source, libxl__userdata, source);
    libxl__userdata_work *w = userdata->work;
    (void)ctx;
    userdata->work = NULL;
    atomic_store(&w->cancel, true);
    libxl__job_detach(&w->job);
}

static libxl__userdata_work *make_work(uint32_t domid, const libxl_uuid *uuid)
{
    libxl__userdata_work *w = calloc(1, sizeof(*w));
    if (!w)
        return NULL;
    w->job.work = userdata_work;
    w->job.on_done = free_work;
    w->files.domid = domid;
    w->files.uuid = *uuid;
    libxl_domain_config_init(&w->config);
    return w;
}

/* Submits the job. `userdata` then owns `w`. Frees `w` after an error. */
static int submit(libxl__ao *ao, libxl__userdata *userdata, libxl__userdata_work *w)
{
    libxl__source_stop(ao->ctx, &userdata->source); /* detaches an earlier job of `userdata` */
    const int rc = libxl__job_submit(&ao->ctx->xen->userdata_lane, ao, &w->job);
    if (rc) {
        free_work(ao->ctx, &w->job);
        return rc;
    }
    userdata->work = w;
    userdata->changing_back = false;
    libxl__source_attach(ao, &userdata->source, stop);
    return 0;
}

int libxl__userdata_store(libxl__ao *ao, libxl__userdata *userdata, uint32_t domid, const libxl_uuid *uuid,
                          const libxl_domain_config *config)
{
    libxl__userdata_work *w = make_work(domid, uuid);
    if (!w)
        return ERROR_NOMEM;
    w->text = libxl__json_write(&libxl__json_of_domain_config, config);
    if (w->text)
        return submit(ao, userdata, w);
    free_work(ao->ctx, &w->job);
    return libxl__ao_fail(ao, ERROR_INVAL, "d_config.%s", libxl_error_message());
}

int libxl__userdata_update(libxl__ao *ao, libxl__userdata *userdata, uint32_t domid, const libxl_uuid *uuid,
                           libxl__userdata_change *change, void *user, void (*dispose)(void *user))
{
    libxl__userdata_work *w = make_work(domid, uuid);
    if (!w) {
        if (dispose)
            dispose(user);
        return ERROR_NOMEM;
    }
    w->change = change;
    w->user = user;
    w->dispose = dispose;
    return submit(ao, userdata, w);
}

int libxl__userdata_read(libxl__ao *ao, libxl__userdata *userdata, uint32_t domid, const libxl_uuid *uuid)
{
    libxl__userdata_work *w = make_work(domid, uuid);
    return w ? submit(ao, userdata, w) : ERROR_NOMEM;
}

bool libxl__userdata_done(const libxl__userdata *userdata)
{
    return userdata->work && userdata->work->job.state == LIBXL__JOB_DONE;
}

int libxl__userdata_result(libxl__ao *ao, const libxl__userdata *userdata)
{
    const libxl__userdata_work *w = userdata->work;
    return w->rc && *w->files.why ? libxl__ao_fail(ao, w->rc, "%s", w->files.why) : w->rc;
}

int libxl__userdata_changed(libxl__ao *ao, const libxl__userdata *userdata)
{
    if (!libxl__userdata_done(userdata))
        return LIBXL__AO_WAIT;
    const int rc = userdata->work->rc;
    return rc == ERROR_NOTFOUND || rc == ERROR_DOMAIN_NOTFOUND ? 0 : libxl__userdata_result(ao, userdata);
}

int libxl__userdata_change_back(libxl__ao *ao, libxl__userdata *userdata)
{
    libxl__userdata_work *w = userdata->work;
    if (!w)
        return 0;
    if (!libxl__userdata_done(userdata))
        return LIBXL__AO_WAIT;
    if (userdata->changing_back || w->rc || libxl__job_submit(&ao->ctx->xen->userdata_lane, NULL, &w->job))
        return 0;
    w->job.ao = ao;
    userdata->changing_back = true;
    return LIBXL__AO_WAIT;
}

libxl_domain_config *libxl__userdata_config(const libxl__userdata *userdata)
{
    return &userdata->work->config;
}

int libxl__userdata_reserve_removal(libxl__ao *ao, libxl__userdata_removal *removal)
{
    return libxl__worker_reserve(ao, &removal->worker, &ao->ctx->xen->userdata_lane);
}

void libxl__userdata_remove(libxl__ao *ao, libxl__userdata_removal *removal, uint32_t domid,
                            const libxl_uuid *uuid)
{
    removal->files.domid = domid;
    removal->files.uuid = *uuid;
    removal->job.work = removal_work;
    const int rc = libxl__job_submit(&ao->ctx->xen->userdata_lane, ao, &removal->job);
    assert(!rc); /* a worker is reserved, so submitting cannot fail */
    (void)rc;
}

bool libxl__userdata_removed(const libxl__userdata_removal *removal)
{
    return removal->job.state == LIBXL__JOB_IDLE || removal->job.state == LIBXL__JOB_DONE;
}
