/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Decides when an operation lists a part of xenstore, and when it pauses. The operation follows this part for as long
 * as the context exists. It lists everything when it begins. It does so again after an error, and when the connection
 * to xenstored was lost, because it may have missed changes. Call all functions with the context locked.
 */
#ifndef LIBXL__RELISTING_H
#define LIBXL__RELISTING_H

#include "xen.h"

/* Embed this in the operation's state; zero-initialise it. Then set the members above the empty line. */
typedef struct libxl__relisting {
    const char *what;      /* what fails, for the log; a static string */
    libxl__source *source; /* the operation's source, which fires when a pause ends */
    /*
     * Called when the connection is back, before `source` fires. The operation may have missed changes. NULL: no
     * function is called.
     */
    void (*lost)(libxl_ctx *ctx, libxl__source *source);

    libxl__xs_observer observer;
    libxl__timer retry; /* ends a pause after an error */
    libxl__recurring failures;
    bool paused;     /* waits for the connection to xenstored or for the timer */
    bool list_again; /* the operation must list everything, and then clears this member */
} libxl__relisting;

/* Begins to observe the connection. Sets `list_again`. Errors: NOMEM. Call libxl__relisting_close in any case. */
int libxl__relisting_open(libxl_ctx *ctx, libxl__relisting *relisting);
/*
 * Called when the operation has failed with `rc`. Logs the error, unless the connection to xenstored is lost. Starts a
 * pause, which ends after a second or when the connection is back. Starts no pause if the connection was lost but is
 * already back. Sets `list_again`. Cannot fail.
 */
void libxl__relisting_pause(libxl__ao *ao, libxl__relisting *relisting, int rc);
/* Ends the observation and the pause. Called when the operation ends. */
void libxl__relisting_close(libxl_ctx *ctx, libxl__relisting *relisting);

#endif
