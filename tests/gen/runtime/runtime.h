/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef RUNTIME_H
#define RUNTIME_H

#include "_libxl_operations_internal.h"

extern int fail_allocation; /* n: the n-th allocation from now fails; 0: no allocation fails */

#endif
