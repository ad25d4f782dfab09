/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Assertions of debug builds about operations. A violation prints the operation and the phase, and ends the
 * process. Call all functions with the context locked.
 */
#ifndef LIBXL__AO_CHECK_H
#define LIBXL__AO_CHECK_H

#include "ao.h"

#ifdef NDEBUG
static inline void libxl__ao_check_error(const libxl__ao *ao, int rc)
{
    (void)ao, (void)rc;
}
static inline void libxl__ao_check_wait(const libxl__ao *ao)
{
    (void)ao;
}
#else
/* Asserts that the operation's IDL entry declares the error; rc 0 is always declared. */
void libxl__ao_check_error(const libxl__ao *ao, int rc);
/* Asserts that a waiting operation is slow, and that it has something to wait for. */
void libxl__ao_check_wait(const libxl__ao *ao);
#endif

#endif
