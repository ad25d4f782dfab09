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

/* What waiting brings, for the scene to note. Any thread. */
void scene_completed(op *o, int rc, uint32_t domid, const char *message);
void scene_noted(scene *s, seen event);

#endif
