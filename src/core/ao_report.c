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

static bool fill_in(const libxl__ao *ao, libxl_event *event)
{
    const struct libxl__ao_report *report = ao->report;
    event->u.operation_progress.operation = strdup(ao->cls->name);
    event->u.operation_progress.phase = strdup(ao->cls->phases ? libxl__phase_of(ao)->name : "");
    event->u.operation_progress.unit = strdup(report->unit ? report->unit : "");
    event->u.operation_progress.index = report->index;
    event->u.operation_progress.count = report->count;
    event->u.operation_progress.done = report->done;
    event->u.operation_progress.total = report->total;
    return event->u.operation_progress.operation && event->u.operation_progress.phase &&
           event->u.operation_progress.unit;
}

static void send_report(libxl__ao *ao)
{
    const struct libxl__ao_report *report = ao->report;
    if (!report || !report->wanted)
        return;
    libxl_event *event = libxl__event_new(ao->ctx, LIBXL_EVENT_TYPE_OPERATION_PROGRESS, ao->subject.number,
                                          report->how.for_event);
    if (!event)
        return;
    if (fill_in(ao, event))
        pass_on(ao, &report->how, event);
    else
        libxl__event_discard(ao->ctx, event);
}

void libxl__ao_report_phase(libxl__ao *ao)
{
    struct libxl__ao_report *report = ao->report;
    if (!report)
        return;
    report->index = report->count = 0;
    report->done = report->total = 0;
    report->unit = NULL;
    send_report(ao);
}

void libxl__ao_count(libxl__ao *ao, uint64_t done, uint64_t total, const char *unit)
{
    struct libxl__ao_report *report = report_of(ao);
    if (!report)
        return;
    report->done = done;
    report->total = total;
    report->unit = unit;
    send_report(ao);
}

void libxl__ao_count_group(libxl__ao *ao, uint32_t index, uint32_t count)
{
    struct libxl__ao_report *report = report_of(ao);
    if (!report)
        return;
    report->index = index;
    report->count = count;
    send_report(ao);
}

int libxl__ao_report_to(libxl__ao *ao, const libxl_asyncprogress_how *how)
{
    struct libxl__ao_report *report = report_of(ao);
    if (!report)
        return ERROR_NOMEM;
    report->wanted = how;
    if (how)
        report->how = *how;
    send_report(ao);
    return 0;
}
