/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tests that fail, each leaving all that one can leave: for tests/c/sim/test_harness.py. */
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

static void it_fails(scene *s)
{
    leave_everything(s);
    fail_msg("as it should");
}

static void it_dies(scene *s)
{
    leave_everything(s);
    abort();
}

static void it_works(scene *s)
{
    destroy(s, guest(s, "b", true));
}

static const body bodies[] = {
    BODY(it_fails, OF_WAITING),
    BODY(it_works, OF_WAITING),
    BODY(it_dies, OF_WAITING),
};

HARNESS_MAIN(bodies)
