/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reports a call of a libxl function that this library does not have. For each such function tools/dropin
 * writes a function that calls libxl__dropin_missing. Owns: nothing. Any thread may call it; it takes no lock.
 */
#include "dropin.h"

#include <stdio.h>

int libxl__dropin_missing(const char *name, bool *told)
{
    if (!__atomic_exchange_n(told, true, __ATOMIC_RELAXED))
        fprintf(stderr, "aioxen: %s is not implemented\n", name);
    return libxl__refuse(ERROR_NI, "%s: not implemented", name);
}
