/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The styles in which a program waits. Private to the harness. */
#ifndef STYLES_H
#define STYLES_H

#include "harness.h"

extern const struct styles {
    const char *name;
    void (*begin)(scene *s); /* called when the context is open; may be NULL */
    void (*wait)(scene *s, int milliseconds);
    void (*end)(scene *s); /* called when the context has been freed; may be NULL */
} styles[STYLES];

#endif
