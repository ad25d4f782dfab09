/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Network interfaces of the tests; nic.h describes the functions. Owns: nothing. */
#include "nic.h"
#include "any_device.h"
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

DEVICE_FUNCTION(nic, add)

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
    device_check_gone(domid, "vif");
    assert_false(nic_has_link("vif%u.", domid));
}
