/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What others do to domains, behind the library's back. By libxenctrl; any thread. */
#ifndef REPLACE_H
#define REPLACE_H

#include <libxl.h>

/* Destroys the domain with its nodes, and gives its domid to another one, which is empty: its uuid. Or fails the
 * test. */
libxl_uuid replace(libxl_domid domid);
/* Writes of it what its maker would, as far as a request to shut down needs it. NULL: what is made by no toolstack has
 * no `vm`. */
void give_tree(libxl_domid domid, const libxl_uuid *uuid);
/* Whether the domid is this domain's. */
bool is_there(libxl_domid domid, const libxl_uuid *uuid);

#endif
