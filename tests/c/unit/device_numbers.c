/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The numbers that devices without a number get. */
#include "core.h"

#include "device.h"

static void the_next_number_is_free_and_allowed(scene *s)
{
    static const char *const names[] = {"0", "7", "4294967295", "x", "3"};
    (void)s;
    assert_int_equal(libxl__device_next_number(&libxl__class_nic, NULL, 0), 0);
    assert_int_equal(libxl__device_next_number(&libxl__class_nic, names, 1), 1);
    assert_int_equal(libxl__device_next_number(&libxl__class_nic, names, 5), 8);
    /* Number 0 is the console that xenconsoled serves, so channels begin at 1. */
    assert_int_equal(libxl__device_next_number(&libxl__class_channel, NULL, 0), 1);
    assert_int_equal(libxl__device_next_number(&libxl__class_channel, names, 1), 1);
    assert_int_equal(libxl__device_next_number(&libxl__class_channel, names, 5), 8);
}

static const body bodies[] = {BODY(the_next_number_is_free_and_allowed, NO_CONTEXT)};

HARNESS_MAIN(bodies)
