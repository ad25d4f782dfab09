/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Progress: what an operation reports while it runs. There are two kinds of reports. The application requests
 * the first kind with a parameter of the operation, and the second kind with libxl_ao_set_progress.
 *
 * Call all functions with the context locked.
 */
#ifndef LIBXL__AO_REPORT_H
#define LIBXL__AO_REPORT_H

#include "ao.h"

/* ---- reports that the application requests with a parameter of the operation */

/*
 * Returns the copy of `how` that libxl__ao_progress_how has made. The copy is valid as long as the record.
 * The operation's class must have `reports` set.
 */
libxl_asyncprogress_how *libxl__ao_progress_of(libxl__ao *ao);
/*
 * Reports progress by an event of the type `type`. The event is delivered before the completion. Does nothing
 * if the application did not ask for reports, or if there is no memory.
 */
void libxl__ao_progress(libxl__ao *ao, libxl_event_type type);
/*
 * Creates a progress event that carries data. Returns an initialised event of the type `type`. Returns NULL
 * if the application did not ask for reports, or if there is no memory. The caller sets the fields of
 * event->u.TYPE and passes the event to libxl__ao_progress_report, or to libxl__event_discard if a field
 * cannot be set. Strings and arrays must be malloc'ed; the event owns them.
 */
libxl_event *libxl__ao_progress_new(libxl__ao *ao, libxl_event_type type);
/* Reports an event from libxl__ao_progress_new, and takes ownership of it. Does nothing for NULL. */
void libxl__ao_progress_report(libxl__ao *ao, libxl_event *event);

/* ---- reports that the application requests with libxl_ao_set_progress */

/*
 * The progress of an operation that sends memory in rounds. The memory changes while it is sent, so each
 * round sends what has changed since the round before.
 */
typedef struct libxl__copying {
    uint32_t round; /* the number of the present round, counted from 0 */
    /* `sent`: the octets sent in all rounds. `dirty`: the octets that have changed since the last round. */
    uint64_t sent, dirty;
    uint64_t rate;        /* the rate of sending, in octets per second */
    uint32_t downtime_ms; /* the expected time for sending the changed octets, in ms */
} libxl__copying;

/* The progress of an operation, for libxl_ao_list and for the reports that libxl_ao_set_progress asks for. */
struct libxl__ao_report {
    libxl_asyncprogress_how how;
    bool wanted; /* libxl_ao_set_progress has set `how` */
    /*
     * `index`: the index of the member of a group that ended last. `count`: the number of members of the
     * group.
     */
    uint32_t index, count;
    libxl__copying copying;
    /*
     * `done`: the amount that is done. `total`: the whole amount; 0: not known. `unit` names what both numbers count.
     */
    uint64_t done, total;
    /* The name of the counted things; a static string; NULL: the phase counts nothing. */
    const char *unit;
    /*
     * The phases that were entered before reports were requested, oldest first. The array has room for all
     * phases of the operation. NULL: no phase is kept.
     */
    struct libxl__kept_phase {
        const char *name; /* a static string */
        uint64_t since;   /* the time at which the phase was entered, in ns, monotonic */
    } * kept;
    uint16_t nr_kept;
};

/*
 * For phases: sets how much of the phase is done, and reports the progress. `unit` names the counted things;
 * the string is not copied. `total` 0: the total is not known. Each call makes one report. So a phase must
 * not call this function more often than an application can display reports.
 */
void libxl__ao_count(libxl__ao *ao, uint64_t done, uint64_t total, const char *unit);
/* For phases: reports the progress of a copying in rounds. The amounts of libxl__ao_count are kept. */
void libxl__ao_count_copying(libxl__ao *ao, const libxl__copying *copying);
/* For group.c: reports that member number `index` of a group of `count` members has ended. */
void libxl__ao_count_group(libxl__ao *ao, uint32_t index, uint32_t count);
/*
 * For phase.c: reports that a phase was entered or is being undone. If libxl_ctx_keep_phases is on, keeps the phase
 * for a later request of reports.
 */
void libxl__ao_report_phase(libxl__ao *ao);
/*
 * Sends all later progress reports to `how`, which is copied. Reports the present phase at once. `how` NULL:
 * ends the reports. Returns 0 or NOMEM.
 */
int libxl__ao_report_to(libxl__ao *ao, const libxl_asyncprogress_how *how);
/* Frees the operation's report. Call it when the record is destroyed. */
void libxl__ao_report_free(libxl__ao *ao);

#endif
