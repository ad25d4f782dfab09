/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Devices of the tests; any_device.h describes the functions. Owns: nothing. */
#include "any_device.h"

#include <stdio.h>

void device_check_gone(libxl_domid domid, const char *kind)
{
    static const char *const folders[] = {"/local/domain/%%u/device/%s", "/local/domain/0/backend/%s/%%u",
                                          "/local/domain/0/error/backend/%s/%%u"};
    char path[64];
    for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++) {
        snprintf(path, sizeof(path), folders[i], kind);
        assert_false(fixture_has(path, domid));
    }
    assert_false(fixture_has("/libxl/%u/device", domid));
}
