/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Logs each recurring line at most once in ten seconds. Owns: nothing. The caller stores the state of the
 * line (libxl__recurring), and holds the context's lock.
 */
#include "libxl_internal.h"

bool libxl__log_recurring(libxl_ctx *ctx, libxl__recurring *line, xentoollog_level level, int errnoval,
                          const char *text)
{
    const uint64_t now = libxl__now();
    if (line->logged_at && now - line->logged_at < LIBXL__SECONDS(10)) {
        line->left_out++;
        return false;
    }
    if (line->left_out)
        libxl__log(ctx, level, errnoval, "%s (%u more times since this was logged)", text, line->left_out);
    else
        libxl__log(ctx, level, errnoval, "%s", text);
    *line = (libxl__recurring){.logged_at = now};
    return true;
}
