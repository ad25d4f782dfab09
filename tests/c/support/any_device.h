/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Functions and macros that the tests of all classes of devices share. */
#ifndef ANY_DEVICE_H
#define ANY_DEVICE_H

#include "harness.h"

/* Defines NAME_VERB(), which runs libxl_device_NAME_VERB, disposes of its argument NAME, and returns the
 * operation's result. */
#define DEVICE_FUNCTION(name, verb)                                                                          \
    int name##_##verb(scene *s, libxl_domid domid, libxl_device_##name name)                                 \
    {                                                                                                        \
        const int rc = RUN(s, libxl_device_##name##_##verb(s->ctx, domid, &name, how));                      \
        libxl_device_##name##_dispose(&name);                                                                \
        return rc;                                                                                           \
    }

/* Fails the test if a device of this kind (vbd, vif) has a node in any of its trees, or if an empty parent
 * node is left. */
void device_check_gone(libxl_domid domid, const char *kind);

#endif
