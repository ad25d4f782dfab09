/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Checks paths (store_path.h). Owns nothing. Needs no lock. */
#include "store_path.h"

#include <stdint.h>
#include <string.h>

#include <xen/io/xs_wire.h>

static bool is_allowed(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr("-/_@", c));
}

const char *libxl__store_path_fault(const char *path, bool special)
{
    const size_t length = strlen(path);
    if (!length)
        return "is empty";
    if (length >= (*path == '/' ? XENSTORE_ABS_PATH_MAX : XENSTORE_REL_PATH_MAX))
        return *path == '/' ? "is longer than 3071 octets" : "is longer than 2047 octets";
    for (const char *c = path; *c; c++)
        if (!is_allowed(*c))
            return "has a character that is no letter, no digit, and none of - / _ @";
    if (*path == '@' && !special)
        return "begins with '@', so it names no node";
    if (strstr(path, "//"))
        return "has an empty name between two slashes";
    return length > 1 && path[length - 1] == '/' ? "ends with a slash" : NULL;
}
