/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef RUNTIME_H
#define RUNTIME_H

#include "_libxl_operations_internal.h"

/* The number of the allocation that fails, counted from now. 0: no allocation fails. */
extern int fail_allocation;

#endif
