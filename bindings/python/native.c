/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What aioxen._native has beside the library: taking events in the form that costs Python least. Most are
 * operations that have succeeded, and of these the token says all.
 */
#include <poll.h>
#include <stdlib.h>

#include <libxl.h>

/*
 * As libxl_event_take, but the tokens of operations that have succeeded go to `ended`, which has room for `max`,
 * too; the other records stand in front. counts: of those, of these, and 0, which the caller counts up as it goes
 * through these. How many were taken in all, or FAIL.
 */
static int aioxen_take(libxl_ctx *ctx, libxl_event_record *records, uint64_t *ended, int counts[3], int max)
{
    int taken = libxl_event_take(ctx, records, max), num_ended = 0, others = 0;
    for (int i = 0; i < taken; i++)
        if (records[i].type == LIBXL_EVENT_TYPE_OPERATION_COMPLETE && !records[i].value && !records[i].event)
            ended[num_ended++] = records[i].for_user;
        else
            records[others++] = records[i];
    counts[0] = num_ended;
    counts[1] = others;
    counts[2] = 0;
    return taken;
}
