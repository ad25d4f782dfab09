/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The public header and all headers of the core. The library's C files include this header. */
#ifndef LIBXL_INTERNAL_H
#define LIBXL_INTERNAL_H

#include <libxl.h>

#include "ao.h"
#include "ao_check.h"
#include "ao_report.h"
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
