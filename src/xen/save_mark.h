/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Marks of saves. A save writes the node LIBXL__SAVE_MARK before it changes the domain. The node is in the
 * toolstack's tree of the domain, which no guest can read or write, and which every toolstack removes with the
 * domain. The mark is removed when the domain runs again or is gone. So two processes do not save one domain at
 * the same time. A mark whose process has ended shows that a save was not finished: the guest may be suspended.
 *
 * The value is the value of a mark of an unfinished domain (marks.h), a space and the word STAGE:
 *
 *    saving   the guest runs
 *    asked    the guest was asked to suspend itself
 *    saved    the whole domain was written; the guest is suspended
 *    sent     the whole domain was sent to another machine, and the guest is suspended. The other machine was
 *             not told yet to run the guest. No other process may let the guest run while the process of the
 *             migration runs
 *    given    the other machine may have been told to run the guest; the guest is suspended here
 *    moved    the guest runs on the other machine; the suspended domain here must be destroyed, and never
 *             resumed
 *
 * Call all functions with the context locked.
 */
#ifndef LIBXL__SAVE_MARK_H
#define LIBXL__SAVE_MARK_H

#include "marks.h"
#include "transfer_messages.h"

typedef enum libxl__save_stage {
    LIBXL__SAVE_SAVING,
    LIBXL__SAVE_ASKED,
    LIBXL__SAVE_SAVED,
    LIBXL__SAVE_SENT,
    LIBXL__SAVE_GIVEN,
    LIBXL__SAVE_MOVED,
} libxl__save_stage;

typedef struct libxl__save_mark {
    libxl__mark mark;
    libxl__save_stage stage;
} libxl__save_mark;

/* Adds a request that writes the mark of this process to the batch. `given_up` true: the word PID is 0. */
void libxl__save_mark_write(libxl__xs_batch *batch, uint32_t domid, libxl__save_stage stage, bool given_up);
/* Adds a request that removes the mark to the batch. */
void libxl__save_mark_remove(libxl__xs_batch *batch, uint32_t domid);
/* Parses the value of a mark. `text` NULL: the node is missing. Returns false if the text is no mark. */
bool libxl__save_mark_read(libxl_ctx *ctx, const char *text, libxl__save_mark *mark);

#endif
