/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What every source of the library includes: the public headers and the core. */
#ifndef LIBXL_INTERNAL_H
#define LIBXL_INTERNAL_H

#include <libxl.h>

#include "ao.h"
#include "child.h"
#include "context.h"
#include "copy.h"
#include "deliver.h"
#include "event.h"
#include "gc.h"
#include "group.h"
#include "hooks.h"
#include "log.h"
#include "loop.h"
#include "nested.h"
#include "phase.h"
#include "timer.h"
#include "worker.h"

#endif
