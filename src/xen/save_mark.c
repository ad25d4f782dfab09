/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns nothing. The caller holds the context's lock. */
#include "save_mark.h"
#include "xen.h"

#include <stdio.h>
#include <string.h>

static const char *const words[] = {
    [LIBXL__SAVE_SAVING] = "saving", [LIBXL__SAVE_ASKED] = "asked", [LIBXL__SAVE_SAVED] = "saved",
    [LIBXL__SAVE_SENT] = "sent",     [LIBXL__SAVE_GIVEN] = "given", [LIBXL__SAVE_MOVED] = "moved",
};

void libxl__save_mark_write(libxl__xs_batch *batch, uint32_t domid, libxl__save_stage stage, bool given_up)
{
    char text[LIBXL__MARK_TEXT], mark[LIBXL__MARK_TEXT + 8];
    libxl__mark_text(batch->ao->ctx, given_up, domid, NULL, text);
    snprintf(mark, sizeof(mark), "%s %s", text, words[stage]);
    libxl__xs_write(batch, LIBXL__XS_INHERITS, mark, LIBXL__SAVE_MARK, domid);
}

void libxl__save_mark_remove(libxl__xs_batch *batch, uint32_t domid)
{
    libxl__xs_remove(batch, LIBXL__SAVE_MARK, domid);
}

bool libxl__save_mark_read(libxl_ctx *ctx, const char *text, libxl__save_mark *mark)
{
    const char *last = text ? strrchr(text, ' ') : NULL;
    if (!last || !libxl__mark_read(ctx, text, &mark->mark))
        return false;
    for (unsigned i = 0; i < sizeof(words) / sizeof(*words); i++)
        if (strcmp(last + 1, words[i]) == 0) {
            mark->stage = (libxl__save_stage)i;
            return true;
        }
    return false;
}
