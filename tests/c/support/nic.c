/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Network interfaces of the tests; nic.h describes the functions. Owns: nothing. */
#include "nic.h"
#include "simulation.h"

#include <stdio.h>
#include <stdlib.h>

libxl_device_nic nic_of(const char *bridge)
{
    libxl_device_nic nic;
    libxl_device_nic_init(&nic);
    nic.devid = 0;
    nic.bridge = bridge ? strdup(bridge) : NULL;
    return nic;
}

int nic_add(scene *s, libxl_domid domid, libxl_device_nic nic)
{
    const int rc = RUN(s, libxl_device_nic_add(s->ctx, domid, &nic, how));
    libxl_device_nic_dispose(&nic);
    return rc;
}

int nic_remove(scene *s, libxl_domid domid)
{
    libxl_device_nic nic = nic_of(NULL);
    return RUN(s, libxl_device_nic_remove(s->ctx, domid, &nic, how));
}

int nic_destroy(scene *s, libxl_domid domid)
{
    libxl_device_nic nic = nic_of(NULL);
    return RUN(s, libxl_device_nic_destroy(s->ctx, domid, &nic, how));
}

bool nic_has_link(const char *format, libxl_domid domid)
{
    char part[96];
    snprintf(part, sizeof(part), format, domid);
    char *list = simulation("links");
    const bool found = strstr(list, part);
    free(list);
    return found;
}

void nic_check_gone(libxl_domid domid)
{
    assert_false(fixture_has("/local/domain/%u/device/vif", domid));
    assert_false(fixture_has("/local/domain/0/backend/vif/%u", domid));
    assert_false(fixture_has("/libxl/%u/device", domid));
    assert_false(fixture_has("/local/domain/0/error/backend/vif/%u", domid));
    assert_false(nic_has_link("vif%u.", domid));
}
