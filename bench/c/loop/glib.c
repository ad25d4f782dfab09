/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns nothing. The sources belong to GLib's default context. The program has one thread. */
#include "loop.h"

#include <glib-unix.h>

long loop_calls;

void loop_open(long most)
{
    (void)most;
}

static gboolean ready(gint fd, GIOCondition condition, gpointer unused)
{
    (void)fd, (void)condition, (void)unused;
    loop_calls++;
    return G_SOURCE_CONTINUE;
}

static gboolean rings(gpointer unused)
{
    (void)unused;
    loop_calls++;
    return G_SOURCE_REMOVE;
}

void loop_watch(int fd)
{
    g_unix_fd_add(fd, G_IO_IN, ready, NULL);
}

void loop_timer(uint64_t delay)
{
    g_timeout_add((guint)(delay / 1000000), rings, NULL);
}

void loop_pass(void)
{
    g_main_context_iteration(NULL, FALSE);
}
