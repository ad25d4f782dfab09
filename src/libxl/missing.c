/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a program gets that calls a function of libxl that this library does not have. tools/dropin writes such a
 * function for each name. Owns: nothing.
 */
#include "dropin.h"

#include <stdio.h>

int libxl__dropin_missing(const char *name, bool *told)
{
    if (!__atomic_exchange_n(told, true, __ATOMIC_RELAXED))
        fprintf(stderr, "aioxen: %s is not implemented\n", name);
    return libxl__refuse(ERROR_NI, "%s: not implemented", name);
}
