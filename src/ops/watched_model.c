/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One QEMU of a domain. Its process is found by the domain's node device-model-pid, and followed by a pidfd, so its
 * end is noticed at once.
 *
 *   READING the node - FINDING the process -+- followed -+- ENDED -+- lingering -+- EXPLAINING - reported
 *                                           +- it is gone +         +-------------+
 *
 * A toolstack may write the process id before the process executes QEMU. So a process that is not QEMU is checked again
 * after a short delay.
 *
 * A toolstack that destroys a domain pauses it, removes the folder of its QEMU, and then ends the QEMU. So nothing is
 * reported if the folder is gone. If the domain is paused or shut down, the generator waits for a short time, and
 * reports nothing if the domain is destroyed in this time.
 *
 * Owns: the pidfd, the timer and the job of a struct watched_model. A job may end after its operation. It then frees
 * itself. The caller holds the context's lock. The context is not locked while a worker runs find_work or explain_work.
 */
#include "watched_model.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * The time for which a paused domain may exist after the end of its QEMU. After this time the end is reported as a
 * failure.
 */
#define LINGERS LIBXL__SECONDS(2)
#define LOGS    "/var/log/xen/qemu-dm-"

void libxl__watched_model_mark(struct watched_model *m)
{
    struct device_events *s = m->events;
    if (m->marked)
        return;
    m->marked = true;
    if (!m->reading)
        TAILQ_INSERT_TAIL(&s->models.marked, m, queue_link);
    libxl__source_fire(&s->source);
}

static void close_pidfd(struct watched_model *m)
{
    if (!m->exited.registered)
        return;
    const int pidfd = m->exited.fd;
    libxl__fd_deregister(m->events->ao->ctx, &m->exited);
    close(pidfd);
}

void libxl__watched_model_forget(struct watched_model *m)
{
    struct device_events *s = m->events;
    close_pidfd(m);
    libxl__timer_stop(s->ao->ctx, &m->linger);
    if (m->job) {
        m->job->model = NULL;
        libxl__job_detach(&m->job->qemu.job);
    }
    if (m->reading)
        TAILQ_REMOVE(&s->models.reading, m, queue_link);
    else if (m->marked)
        TAILQ_REMOVE(&s->models.marked, m, queue_link);
    libxl__index_remove(&s->models.index, &m->link);
    LIST_REMOVE(m, all_link);
    free(m);
}

/* ---- jobs */

/*
 * Finds the process, and the log to which it writes its messages. QEMU is not trusted, so only a file that is the log
 * of a QEMU is accepted.
 */
static void find_work(libxl_ctx *ctx, libxl__job *job)
{
    libxl__qemu_job *q = (libxl__qemu_job *)job;
    char errors[40], target[LIBXL__QEMU_PATH];
    libxl__qemu_find(ctx, job);
    ((struct model_job *)job)->foreign = q->fd < 0 && (q->errnoval != ESRCH || kill(q->pid, 0) == 0);
    snprintf(errors, sizeof(errors), "/proc/%d/fd/2", (int)q->pid);
    const ssize_t length = q->fd < 0 ? -1 : readlink(errors, target, sizeof(target) - 1);
    if (length < 0)
        return;
    target[length] = 0;
    if (strncmp(target, LOGS, strlen(LOGS)) == 0 && !strchr(target + strlen(LOGS), '/'))
        snprintf(q->log, sizeof(q->log), "%s", target);
}

static void explain_work(libxl_ctx *ctx, libxl__job *job)
{
    libxl__qemu_read_words(ctx, job);
}

/* Called when a job has ended whose struct watched_model was freed before. */
static void job_left(libxl_ctx *ctx, libxl__job *job)
{
    struct model_job *j = (struct model_job *)job;
    (void)ctx;
    if (j->qemu.fd >= 0)
        close(j->qemu.fd);
    free(j);
}

static int submit(struct watched_model *m, void (*work)(libxl_ctx *, libxl__job *))
{
    libxl__ao *ao = m->events->ao;
    struct model_job *j = calloc(1, sizeof(*j));
    if (!j)
        return ERROR_NOMEM;
    j->model = m;
    j->qemu = (libxl__qemu_job){
        .job = {.work = work, .on_done = job_left}, .domid = m->domid, .pid = m->pid, .fd = -1};
    snprintf(j->qemu.log, sizeof(j->qemu.log), "%s", m->log);
    const int rc = libxl__job_submit(&ao->ctx->host->lane, ao, &j->qemu.job);
    if (rc)
        free(j);
    else
        m->job = j;
    return rc;
}

/* ---- the end of a QEMU */

static void process_exited(libxl_ctx *ctx, libxl__fd *fd, uint32_t revents)
{
    struct watched_model *m = LIBXL__CONTAINER(fd, struct watched_model, exited);
    (void)ctx;
    (void)revents;
    close_pidfd(m);
    m->ended = true;
    libxl__watched_model_mark(m);
}

static void lingered(libxl_ctx *ctx, libxl__timer *timer)
{
    struct watched_model *m = LIBXL__CONTAINER(timer, struct watched_model, linger);
    (void)ctx;
    m->lingered = true;
    m->waiting = false;
    libxl__watched_model_mark(m);
}

/* Checks the QEMU again after a short delay. Returns 0 or NOMEM. */
static int linger(struct watched_model *m)
{
    if (!m->waiting && libxl__timer_start(m->events->ao->ctx, &m->linger, LINGERS, lingered))
        return ERROR_NOMEM;
    m->waiting = true;
    return 0;
}

static void report(struct watched_model *m)
{
    struct device_events *s = m->events;
    libxl_event *event = libxl__watched_event(s, m->domid, LIBXL_EVENT_TYPE_DEVICE_MODEL_ENDED);
    char *words = strdup(m->words);
    if (!event || !words) {
        free(words);
        if (event)
            libxl__event_discard(s->ao->ctx, event);
        libxl__event_missed(s->ao->ctx, LIBXL_EVENT_TYPE_DEVICE_MODEL_ENDED);
        return;
    }
    event->domuuid = m->uuid;
    event->u.device_model_ended.pid = (uint32_t)m->pid;
    event->u.device_model_ended.words = words;
    libxl__event_occurred(s->ao->ctx, event);
}

/* Finds the log by the name of the domain, if find_work has not found it. */
static void choose_log(struct watched_model *m)
{
    const char *name = libxl__xs_value(m->name);
    if (*m->log || !name)
        return;
    snprintf(m->log, sizeof(m->log), LOGS "%.150s.log", name);
    for (char *at = m->log + strlen(LOGS); *at; at++)
        if (*at == '/')
            *at = '_';
}

/* Checks the domain of a QEMU that has ended. Returns whether the model was freed. */
static bool ended(struct watched_model *m)
{
    struct device_events *s = m->events;
    xc_domaininfo_t info;
    const int rc = libxl__hv_look(s->ao, m->domid, &info);
    const bool lives = rc == 0 && !(info.flags & XEN_DOMINF_dying) &&
                       memcmp(info.handle, m->uuid.uuid, sizeof(info.handle)) == 0;
    if (!lives || !libxl__xs_value(m->folder)) {
        libxl__watched_model_forget(m);
        return true;
    }
    const bool may_go = info.flags & (XEN_DOMINF_paused | XEN_DOMINF_shutdown);
    if (may_go && !m->lingered && !linger(m))
        return false;
    if (!m->explained) {
        m->explained = true;
        choose_log(m);
        if (*m->log && !submit(m, explain_work))
            return false;
        libxl__ao_forget_failure(s->ao);
    }
    report(m);
    m->reported = true;
    m->ended = m->explained = m->lingered = false;
    return false;
}

/* ---- finding a QEMU */

/* Takes the process that a job has found. Returns 0 or an error. */
static int found(struct watched_model *m, struct model_job *j)
{
    libxl_ctx *ctx = m->events->ao->ctx;
    if (j->qemu.fd >= 0) {
        memcpy(m->log, j->qemu.log, sizeof(m->log));
        if (libxl__fd_register(ctx, &m->exited, j->qemu.fd, EPOLLIN, process_exited)) {
            m->pid = 0;
            return ERROR_FAIL;
        }
        m->exited.close_on_fork = true;
        j->qemu.fd = -1;
        libxl__timer_stop(ctx, &m->linger);
        m->waiting = m->lingered = false;
    } else if (j->foreign && !m->lingered) {
        m->pid = 0;
        return linger(m);
    } else {
        m->ended = true;
        m->lingered = false;
    }
    return 0;
}

/* Takes the result of a job that is done. Returns 0 or an error. */
static int take_result(struct watched_model *m)
{
    struct model_job *j = m->job;
    int rc = 0;
    if (!j)
        return 0;
    m->job = NULL;
    if (m->explained)
        memcpy(m->words, j->qemu.words, sizeof(m->words));
    else
        rc = found(m, j);
    job_left(NULL, &j->qemu.job);
    return rc;
}

/*
 * Compares the node's process id with that of the process that was sought last. Does nothing while the end of a
 * former QEMU is not reported yet. `value` NULL: the domain has no QEMU. Returns 0 or an error.
 */
static int take_node(struct watched_model *m, const char *value)
{
    libxl__ao *ao = m->events->ao;
    xc_domaininfo_t info;
    const pid_t pid = value ? atoi(value) : 0;
    if (m->ended || m->job || (m->exited.registered && pid <= 1) || (pid > 1 && pid == m->pid))
        return 0;
    const int rc = pid > 1 ? libxl__hv_look(ao, m->domid, &info) : ERROR_DOMAIN_NOTFOUND;
    if (rc) {
        libxl__watched_model_forget(m);
        return rc == ERROR_DOMAIN_NOTFOUND ? 0 : rc;
    }
    close_pidfd(m);
    m->pid = pid;
    m->log[0] = 0;
    m->reported = false;
    memcpy(m->uuid.uuid, info.handle, sizeof(info.handle));
    const int submitted = submit(m, find_work);
    if (submitted)
        m->pid = 0;
    return submitted;
}

int libxl__watched_model_look(struct watched_model *m, const char *value)
{
    if (m->job && m->job->qemu.job.state != LIBXL__JOB_DONE)
        return 0;
    const int rc = take_result(m);
    if (rc || (m->ended && ended(m)))
        return rc;
    return take_node(m, value);
}
