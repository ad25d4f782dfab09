/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns: nothing. */
#include "leftovers.h"

#include "harness.h"

#include <glob.h>
#include <stdio.h>
#include <unistd.h>

/*
 * Removes the lock files that killed processes have left. A process that is killed while it removes the files
 * of a destroyed domain leaves its empty lock file (docs/limits.md).
 */
static void remove_locks(void)
{
    glob_t found;
    if (glob("/var/lib/xen/userdata-l.*", 0, NULL, &found))
        return;
    for (size_t i = 0; i < found.gl_pathc; i++)
        unlink(found.gl_pathv[i]);
    globfree(&found);
}

void leftovers_settle(void)
{
    struct fixture before, now;
    fixture_begin(&before);
    for (int equal = 0; equal < 5; before = now) {
        sleep_ms(10);
        fixture_begin(&now);
        equal = now.nodes == before.nodes && now.domains == before.domains ? equal + 1 : 0;
    }
    remove_locks();
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
