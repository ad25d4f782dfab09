/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a test runs in: the harness's own. */
#ifndef SCENE_H
#define SCENE_H

#include "harness.h"

/* Opens a context, and what the scene's style needs. */
void scene_open(scene *s);
/* Runs the body in the scene's way. */
void scene_run(scene *s, const body *b);
/* Closes them; fails the test unless each operation has completed once. */
void scene_close(scene *s);

/* Of a synchronous call that was started: waits until it has returned. Nothing for others. */
void call_end(op *o);
/* The logger of the scene's context, by which calls say that they wait. */
extern xentoollog_logger call_logger;

/* Notes what waiting has brought; the message is of an operation that has completed, and may be NULL. Any
 * thread. */
void scene_noted(scene *s, seen event, const char *message);

#endif
