/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The styles in which a program waits; the harness's own. */
#ifndef STYLES_H
#define STYLES_H

#include "harness.h"

extern const struct styles {
    const char *name;
    void (*begin)(scene *s); /* its context is open; may be NULL */
    void (*wait)(scene *s, int milliseconds);
    void (*end)(scene *s); /* its context has been freed; may be NULL */
} styles[STYLES];

#endif
