/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: nothing. An admission belongs to its operation. The lists of admissions belong to the user of the
 * libxl__admissions. The context's lock guards the admissions and the lists.
 */
#include "admission.h"

void libxl__admissions_open(libxl__admissions *admissions, uint32_t most)
{
    *admissions = (libxl__admissions){.most = most};
    TAILQ_INIT(&admissions->inside);
    TAILQ_INIT(&admissions->waiting);
}

static void grant(libxl__admission *admission)
{
    libxl__admissions *admissions = admission->admissions;
    admission->granted = true;
    admissions->count++;
    TAILQ_INSERT_TAIL(&admissions->inside, admission, link);
}

static void admission_stop(libxl_ctx *ctx, libxl__source *source)
{
    (void)ctx;
    libxl__admission *admission = (libxl__admission *)source;
    libxl__admissions *admissions = admission->admissions;
    TAILQ_REMOVE(admission->granted ? &admissions->inside : &admissions->waiting, admission, link);
    if (!admission->granted)
        return;
    admissions->count--;
    libxl__admission *next = TAILQ_FIRST(&admissions->waiting);
    if (!next)
        return;
    TAILQ_REMOVE(&admissions->waiting, next, link);
    grant(next);
    libxl__source_fire(&next->source);
}

void libxl__admission_ask(libxl__ao *ao, libxl__admissions *admissions, libxl__admission *admission)
{
    *admission = (libxl__admission){.admissions = admissions};
    libxl__source_attach(ao, &admission->source, admission_stop);
    if (admissions->count < admissions->most)
        grant(admission);
    else
        TAILQ_INSERT_TAIL(&admissions->waiting, admission, link);
}
