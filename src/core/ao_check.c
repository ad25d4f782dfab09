/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Assertions of debug builds about the hand-written functions of an operation. A violation prints a line that
 * names the operation and the phase, and ends the process.
 *
 * Owns nothing. The functions are called with the context locked, or for a record on the stack.
 */
#include "libxl_internal.h"

#include <stdio.h>
#include <stdlib.h>

#ifndef NDEBUG

__attribute__((noreturn, format(printf, 2, 3))) static void violated(const libxl__ao *ao, const char *fmt,
                                                                     ...)
{
    const libxl__ao_class *cls = ao->cls;
    va_list args;
    va_start(args, fmt);
    fprintf(stderr, "libxl: operation %s, %s%s: ", cls->name, cls->phases ? "phase " : "its body",
            cls->phases ? libxl__phase_of(ao)->name : "");
    vfprintf(stderr, fmt, args);
    fputc('\n', stderr);
    va_end(args);
    abort();
}

void libxl__ao_check_error(const libxl__ao *ao, int rc)
{
    const int *declared = ao->cls->errors;
    if (!rc || !declared)
        return;
    while (*declared && *declared != rc)
        declared++;
    if (!*declared)
        violated(ao, "it has ended with error %d (%s), which its IDL entry does not declare", rc,
                 libxl_error_describe(rc));
}

void libxl__ao_check_wait(const libxl__ao *ao)
{
    /*
     * A class without `errors` belongs to a test. Its operations may wait without a source: the test wakes them
     * itself.
     */
    if (!ao->cls->errors)
        return;
    if (!ao->cls->slow)
        violated(ao, "an instant operation must not wait");
    if (SLIST_EMPTY(&ao->sources) && !ao->jobs && !ao->runnable && !ao->ending)
        violated(ao, "it waits, but for nothing: no source is attached and no job is under way");
}

#endif
