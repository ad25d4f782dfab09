/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Progress: what an operation reports while it runs.
 *
 * Owns: the reports of operations. A report is allocated when it is first needed. It is freed with the
 * operation's record, because pending deliveries still refer to the report when the operation completes. The
 * context's lock guards the reports.
 *
 * A progress event is discarded if there is no memory for it. A completion is never discarded.
 */
#include "libxl_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* ---- progress reports that the application requests with a parameter of the operation */

libxl_asyncprogress_how *libxl__ao_progress_of(libxl__ao *ao)
{
    return (libxl_asyncprogress_how *)(void *)(ao->args + LIBXL__AO_ALIGN(ao->cls->args_size));
}

void libxl__ao_progress_how(libxl__ao *ao, const libxl_asyncprogress_how *how)
{
    if (!how)
        return;
    assert(ao->cls->reports);
    ao->progress_wanted = true;
    *libxl__ao_progress_of(ao) = *how;
}

/*
 * Passes an event to the callback in `how`. Without a callback, passes it to the application's receiver or to
 * the queue of events.
 */
static void pass_on(libxl__ao *ao, const libxl_asyncprogress_how *how, libxl_event *event)
{
    event->domuuid = ao->subject.uuid;
    if (how->callback) {
        ao->reports++;
        libxl__deliver_report(ao->ctx, event, ao);
    } else if (libxl__hooks_want(ao->ctx, event)) {
        ao->reports++;
        libxl__deliver_event(ao->ctx, event, ao);
    } else {
        libxl__event_queue(ao->ctx, event);
    }
}

libxl_event *libxl__ao_progress_new(libxl__ao *ao, libxl_event_type type)
{
    if (!ao->progress_wanted)
        return NULL;
    return libxl__event_new(ao->ctx, type, ao->subject.number, libxl__ao_progress_of(ao)->for_event);
}

void libxl__ao_progress_report(libxl__ao *ao, libxl_event *event)
{
    if (event)
        pass_on(ao, libxl__ao_progress_of(ao), event);
}

void libxl__ao_progress(libxl__ao *ao, libxl_event_type type)
{
    libxl__ao_progress_report(ao, libxl__ao_progress_new(ao, type));
}

/* ---- the progress of phases, which the application requests with libxl_ao_set_progress */

static struct libxl__ao_report *report_of(libxl__ao *ao)
{
    if (!ao->report)
        ao->report = calloc(1, sizeof(*ao->report));
    return ao->report;
}

/* Sets the strings of a progress event. Returns false if there is no memory. */
static bool set_strings(const libxl__ao *ao, libxl_event *event, const char *phase, const char *unit)
{
    event->u.operation_progress.operation = strdup(ao->cls->name);
    event->u.operation_progress.phase = strdup(phase);
    event->u.operation_progress.unit = strdup(unit);
    return event->u.operation_progress.operation && event->u.operation_progress.phase &&
           event->u.operation_progress.unit;
}

/* Reports that the operation was in the phase `phase` at `time_ns`. `counts` has the progress in this phase. */
static void send_phase(libxl__ao *ao, const char *phase, uint64_t time_ns,
                       const struct libxl__ao_report *counts)
{
    const libxl_asyncprogress_how *how = &ao->report->how;
    libxl_event *event =
        libxl__event_new(ao->ctx, LIBXL_EVENT_TYPE_OPERATION_PROGRESS, ao->subject.number, how->for_event);
    if (!event)
        return;
    event->u.operation_progress.index = counts->index;
    event->u.operation_progress.count = counts->count;
    event->u.operation_progress.done = counts->done;
    event->u.operation_progress.total = counts->total;
    event->u.operation_progress.round = counts->copying.round;
    event->u.operation_progress.sent = counts->copying.sent;
    event->u.operation_progress.dirty = counts->copying.dirty;
    event->u.operation_progress.rate = counts->copying.rate;
    event->u.operation_progress.downtime_ms = counts->copying.downtime_ms;
    event->u.operation_progress.state = libxl__ao_doing(ao);
    event->u.operation_progress.time_ns = time_ns;
    if (set_strings(ao, event, phase, counts->unit ? counts->unit : ""))
        pass_on(ao, how, event);
    else
        libxl__event_discard(ao->ctx, event);
}

static void send_report(libxl__ao *ao, uint64_t time_ns)
{
    if (ao->report && ao->report->wanted)
        send_phase(ao, ao->cls->phases ? libxl__phase_of(ao)->name : "", time_ns, ao->report);
}

/* Keeps the phase that was entered, for a later request of reports. If there is no memory, the phase is left out. */
static void keep_phase(libxl__ao *ao)
{
    struct libxl__ao_report *report = report_of(ao);
    const uint16_t room = ao->cls->phases->count;
    if (!report || report->wanted || ao->phase.undoing)
        return;
    if (!report->kept)
        report->kept = malloc(room * sizeof(*report->kept));
    if (report->kept && report->nr_kept < room)
        report->kept[report->nr_kept++] =
            (struct libxl__kept_phase){libxl__phase_of(ao)->name, ao->phase.since};
}

static void send_kept(libxl__ao *ao)
{
    static const struct libxl__ao_report nothing_counted;
    struct libxl__ao_report *report = ao->report;
    /* The last element is the present phase. It is reported after the loop, with its counts. */
    for (uint16_t i = 0; i + 1 < report->nr_kept; i++)
        send_phase(ao, report->kept[i].name, report->kept[i].since, &nothing_counted);
    free(report->kept);
    report->kept = NULL;
    report->nr_kept = 0;
}

void libxl__ao_report_phase(libxl__ao *ao)
{
    if (ao->ctx->aos.keep_phases)
        keep_phase(ao);
    struct libxl__ao_report *report = ao->report;
    if (!report)
        return;
    report->index = report->count = 0;
    report->done = report->total = 0;
    report->unit = NULL;
    report->copying = (libxl__copying){0};
    send_report(ao, ao->phase.since);
}

void libxl__ao_count(libxl__ao *ao, uint64_t done, uint64_t total, const char *unit)
{
    if (ao->notify_target == LIBXL__AO_PARENT && ao->nested->counts)
        libxl__ao_count(ao->parent, done, total, unit);
    struct libxl__ao_report *report = report_of(ao);
    if (!report)
        return;
    report->done = done;
    report->total = total;
    report->unit = unit;
    send_report(ao, libxl__now());
}

void libxl__ao_count_copying(libxl__ao *ao, const libxl__copying *copying)
{
    if (ao->notify_target == LIBXL__AO_PARENT && ao->nested->counts)
        libxl__ao_count_copying(ao->parent, copying);
    struct libxl__ao_report *report = report_of(ao);
    if (!report)
        return;
    report->copying = *copying;
    send_report(ao, libxl__now());
}

void libxl__ao_count_group(libxl__ao *ao, uint32_t index, uint32_t count)
{
    struct libxl__ao_report *report = report_of(ao);
    if (!report)
        return;
    report->index = index;
    report->count = count;
    send_report(ao, libxl__now());
}

int libxl__ao_report_to(libxl__ao *ao, const libxl_asyncprogress_how *how)
{
    struct libxl__ao_report *report = report_of(ao);
    if (!report)
        return ERROR_NOMEM;
    report->wanted = how;
    if (!how)
        return 0;
    report->how = *how;
    send_kept(ao);
    send_report(ao, ao->phase.since ? ao->phase.since : ao->since);
    return 0;
}

void libxl__ao_report_free(libxl__ao *ao)
{
    if (!ao->report)
        return;
    free(ao->report->kept);
    free(ao->report);
}

void libxl_ctx_keep_phases(libxl_ctx *ctx, bool keep)
{
    libxl__ctx_lock(ctx);
    ctx->aos.keep_phases = keep;
    libxl__ctx_unlock(ctx);
}
