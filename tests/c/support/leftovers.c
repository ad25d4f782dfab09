/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns: nothing. */
#include "leftovers.h"

#include "harness.h"

#include <stdio.h>

void leftovers_settle(void)
{
    struct fixture before, now;
    fixture_begin(&before);
    for (int equal = 0; equal < 5; before = now) {
        sleep_ms(10);
        fixture_begin(&now);
        equal = now.nodes == before.nodes && now.domains == before.domains ? equal + 1 : 0;
    }
}

int leftovers_domains(void)
{
    struct fixture now;
    fixture_begin(&now);
    return now.domains;
}

static bool is_listed(const struct fixture *before, libxl_domid domid)
{
    for (int i = 0; i < before->domains; i++)
        if (before->domids[i] == domid)
            return true;
    return false;
}

void leftovers_remove(const struct fixture *before)
{
    struct fixture now;
    char path[64];
    leftovers_settle();
    fixture_begin(&now);
    fixture_write("/tool/aioxen/unfinished", NULL);
    for (int i = 0; i < now.domains; i++) {
        snprintf(path, sizeof(path), "/local/domain/%u", now.domids[i]);
        if (!is_listed(before, now.domids[i]))
            fixture_write(path, NULL);
    }
}
