/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table of the styles in which a program waits. Private to the harness. */
#ifndef STYLES_H
#define STYLES_H

#include "harness.h"

extern const struct styles {
    const char *name;
    void (*begin)(scene *s); /* Called when the context is open. May be NULL. */
    void (*wait)(scene *s, int milliseconds);
    void (*end)(scene *s); /* Called when the context has been freed. May be NULL. */
} styles[STYLES];

#endif
