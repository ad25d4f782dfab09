/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Tests that fail on purpose and leave a guest, a fault rule and stopped daemons behind.
 * tests/c/sim/test_harness.py checks that the harness cleans up after these tests.
 */
#include "harness.h"
#include "simulation.h"

#include <stdlib.h>

static void leave_everything(scene *s)
{
    guest(s, "b", true);
    fault_add("domctl.createdomain:EIO");
    simulate("xenconsoled stop");
    simulate("xenstored stop");
}

static void fails_by_assertion(scene *s)
{
    leave_everything(s);
    fail_msg("this failure is intended");
}

static void dies_by_abort(scene *s)
{
    leave_everything(s);
    abort();
}

static void runs_after_a_failure(scene *s)
{
    destroy(s, guest(s, "b", true));
}

static const body bodies[] = {
    BODY(fails_by_assertion, RUNS_ONCE),
    BODY(runs_after_a_failure, RUNS_ONCE),
    BODY(dies_by_abort, RUNS_ONCE),
};

HARNESS_MAIN(bodies)
