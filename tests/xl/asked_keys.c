/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A library for LD_PRELOAD. It prints the name of each key that a program looks up by libxlutil. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>

#define FORWARD(name, parameters, ...)                                                                       \
    int name parameters                                                                                      \
    {                                                                                                        \
        int(*real) parameters = dlsym(RTLD_NEXT, #name);                                                     \
        fprintf(stderr, "KEY %s\n", n);                                                                      \
        return real(__VA_ARGS__);                                                                            \
    }

FORWARD(xlu_cfg_get_string, (const void *cfg, const char *n, const char **value, int quiet), cfg, n, value,
        quiet)
FORWARD(xlu_cfg_replace_string, (const void *cfg, const char *n, char **value, int quiet), cfg, n, value,
        quiet)
FORWARD(xlu_cfg_get_long, (const void *cfg, const char *n, long *value, int quiet), cfg, n, value, quiet)
FORWARD(xlu_cfg_get_bounded_long,
        (const void *cfg, const char *n, long min, long max, long *value, int quiet), cfg, n, min, max, value,
        quiet)
FORWARD(xlu_cfg_get_defbool, (const void *cfg, const char *n, void *value, int quiet), cfg, n, value, quiet)
FORWARD(xlu_cfg_get_list, (const void *cfg, const char *n, void *list, int *entries, int quiet), cfg, n, list,
        entries, quiet)
FORWARD(xlu_cfg_get_list_as_string_list, (const void *cfg, const char *n, void *list, int quiet), cfg, n,
        list, quiet)
