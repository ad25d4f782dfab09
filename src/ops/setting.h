/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Functions for a phase that writes a domain's nodes in one transaction. The phase can be stopped until the
 * transaction is sent. Embed a libxl__setting in the operation's state; zero-initialise it. Call all
 * functions with the context locked.
 */
#ifndef LIBXL__SETTING_H
#define LIBXL__SETTING_H

#include "ops.h"

typedef struct libxl__setting {
    libxl__xs_batch *batch;
    bool taken_back; /* the operation was asked to stop before the transaction was sent */
    bool written;    /* xenstored has committed the transaction */
} libxl__setting;

/*
 * Makes setting->batch. The first request of the batch checks that the operation's domain has its nodes. The
 * caller adds further requests. Returns 0 or NOMEM, recorded in ao.
 */
int libxl__setting_new(libxl__ao *ao, libxl__setting *setting);
/* Runs the batch. Call this at the end of the phase's start, and return the function's result. */
int libxl__setting_run(libxl__ao *ao, libxl__setting *setting);
/*
 * Call this from the phase's poll, and return the function's result. Errors: DOMAIN_DESTROYED, those of
 * libxl__xs_result, or the reason of the stop request.
 */
int libxl__setting_poll(libxl__ao *ao, libxl__setting *setting);
/* Call this from the phase's stop. If the transaction has not been sent, takes it back. */
void libxl__setting_stop(libxl__setting *setting);

#endif
