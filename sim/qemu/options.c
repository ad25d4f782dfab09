/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads the command line of a QEMU in the form that toolstacks write. Owns nothing. */
#include "qemu.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The options with an argument that are ignored. */
static const char *const with_argument[] = {"-name", "-vnc", "-display", "-machine", "-m",
                                            "-k",    "-D",   "-d",       NULL};
static const char *const without[] = {"-no-shutdown", "-nodefaults", "-no-user-config", "-nographic", NULL};

static bool is_one_of(const char *word, const char *const *words)
{
    while (*words && strcmp(*words, word))
        words++;
    return *words != NULL;
}

const char *option_in(const char *list, const char *name, char *value, size_t size)
{
    const size_t length = strlen(name);
    for (const char *at = list; at; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, name, length) || at[length] != '=')
            continue;
        at += length + 1;
        snprintf(value, size, "%.*s", (int)strcspn(at, ","), at);
        return value;
    }
    return NULL;
}

static bool add_chardev(struct options *o, const char *text)
{
    struct chardev c = {.listener = -1, .client = -1, .pty = !strncmp(text, "pty,", 4)};
    if (o->nr_chardevs == MAX_CHARDEVS || !option_in(text, "id", c.id, sizeof c.id))
        return false;
    if (!c.pty && !option_in(text, "path", c.path, sizeof c.path))
        return false;
    o->chardevs[o->nr_chardevs++] = c;
    return true;
}

static bool add_monitor(struct options *o, const char *text)
{
    char id[32] = "";
    option_in(text, "chardev", id, sizeof id);
    for (uint32_t i = 0; i < o->nr_chardevs; i++)
        if (!strcmp(o->chardevs[i].id, id))
            return o->chardevs[i].monitor = true;
    return false;
}

static bool read_pair(struct options *o, const char *option, const char *value)
{
    if (!strcmp(option, "-xen-domid"))
        return (o->domid = strtoul(value, NULL, 10)) != 0;
    if (!strcmp(option, "-chardev"))
        return add_chardev(o, value);
    if (!strcmp(option, "-mon"))
        return add_monitor(o, value);
    return is_one_of(option, with_argument);
}

bool options_read(struct options *o, char **argv)
{
    *o = (struct options){0};
    while (*++argv) {
        if (!strcmp(*argv, "-xen-attach"))
            o->attach = true;
        else if (is_one_of(*argv, without))
            continue;
        else if (!argv[1] || !read_pair(o, argv[0], argv[1])) {
            fprintf(stderr, "qemu: %s: invalid option\n", *argv);
            return false;
        } else
            argv++;
    }
    if (!o->domid)
        fprintf(stderr, "qemu: -xen-domid is missing\n");
    return o->domid != 0;
}
