/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The context and the way of a running test. Private to the harness. Only the test's thread calls these
 * functions, except scene_note(). */
#ifndef SCENE_H
#define SCENE_H

#include "harness.h"

/* Opens a context, and the resources that the scene's style needs. */
void scene_open(scene *s);
/* Runs the body in the scene's way. */
void scene_run(scene *s, const body *b);
/* Closes the context. Fails the test if an operation has completed twice or has not completed. */
void scene_close(scene *s);

/* Waits until the thread that op_call() started has ended. Returns at once if op_call() has started
 * no thread. */
void call_end(op *o);
/* The logger of the scene's context. By its messages op_call() notices that the call waits in the library. */
extern xentoollog_logger call_logger;

/* Stores an event. `message` is the message of a completed operation and may be NULL. Any thread may
 * call this. */
void scene_note(scene *s, seen event, const char *message);

#endif
