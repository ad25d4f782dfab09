/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The functions of looks.c for domains.c. Call them with the context locked. Others use domains.h. */
#ifndef LIBXL__LOOKS_H
#define LIBXL__LOOKS_H

#include "domains.h"

/* Starts the timer, without a look. Called while the context is made. Errors, with a message: NOMEM, FAIL. */
int libxl__looks_open(libxl_ctx *ctx);
/* Makes the interval between looks at dying domains short again. Called when a domain has changed. */
void libxl__looks_hurry(libxl_ctx *ctx);
/* Plans the next look, after a complete look or when the first domain is followed. */
void libxl__looks_plan_next(libxl_ctx *ctx);
/* Looks at one domain, which an event of xenstored names, and calls its followers and the observers. */
void libxl__looks_at(libxl_ctx *ctx, uint32_t domid);
/* Returns whether so many looks in a row have failed that operations must end. */
bool libxl__looks_are_refused(const libxl__domains *domains);

/* The callback of a domain that is followed for an operation. domains.c has it. */
libxl__domain_callback libxl__domain_source_changed;

#endif
