/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Changes domains through libxenctrl, as another toolstack would. Any thread may call these functions. */
#ifndef REPLACE_H
#define REPLACE_H

#include <libxl.h>

/* Destroys the domain and the domain's nodes, and creates an empty domain with the same domid. Returns the
 * empty domain's UUID. Fails the test on an error. */
libxl_uuid replace_domain(libxl_domid domid);
/* Destroys the domain, if it exists, waits until it is gone, and removes its nodes and files. */
void remove_domain(libxl_domid domid, const libxl_uuid *uuid);
/* Creates an empty domain with this UUID and some nodes. Returns the domid. Fails the test on an error. */
libxl_domid add_domain(const libxl_uuid *uuid);
/* Writes the xenstore nodes that a shutdown request needs. If `uuid` is NULL, the node `vm` is missing, as
 * for a domain that was made without a toolstack. */
void write_domain_nodes(libxl_domid domid, const libxl_uuid *uuid);
/* Returns whether a domain with this domid and this UUID exists. */
bool domain_exists(libxl_domid domid, const libxl_uuid *uuid);

#endif
