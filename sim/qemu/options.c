/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads QEMU's command line, in the form in which toolstacks write it. Owns nothing; takes no lock. */
#include "qemu.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The options with an argument that are ignored. */
static const char *const with_argument[] = {
    "-name",   "-display", "-m",         "-k",        "-D",       "-d",        "-device", "-boot",
    "-net",    "-chroot",  "-usbdevice", "-runas",    "-global",  "-sandbox",  "-trace",  "-kernel",
    "-initrd", "-append",  "-vga",       "-audiodev", "-monitor", "-parallel", NULL};
static const char *const without[] = {"-no-shutdown", "-nodefaults",         "-no-user-config", "-nographic",
                                      "-usb",         "-xen-domid-restrict", "-no-acpi",        NULL};

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
    struct chardev c = {.listener = -1, .client = -1, .passed = -1, .pty = !strncmp(text, "pty,", 4)};
    char number[12];
    if (o->nr_chardevs == MAX_CHARDEVS || !option_in(text, "id", c.id, sizeof c.id))
        return false;
    if (!c.pty && option_in(text, "fd", number, sizeof number))
        c.listener = atoi(number);
    else if (!c.pty && !option_in(text, "path", c.path, sizeof c.path))
        return false;
    o->chardevs[o->nr_chardevs++] = c;
    return true;
}

/* Adds a serial port. Its name is serialN. */
static bool add_serial(struct options *o, const char *text)
{
    struct chardev c = {.listener = -1,
                        .client = -1,
                        .passed = -1,
                        .pty = !strcmp(text, "pty"),
                        .silent = strcmp(text, "pty") != 0};
    snprintf(c.id, sizeof c.id, "serial%u", o->nr_serials++);
    snprintf(c.path, sizeof c.path, "%s", text);
    if (o->nr_chardevs == MAX_CHARDEVS)
        return false;
    o->chardevs[o->nr_chardevs++] = c;
    return true;
}

static bool add_drive(struct options *o, const char *text)
{
    struct drive *d = &o->drives[o->nr_drives];
    char kind[16] = "";
    if (o->nr_drives == MAX_DRIVES)
        return false;
    option_in(text, "if", kind, sizeof kind);
    option_in(text, "id", d->id, sizeof d->id);
    option_in(text, "file", d->file, sizeof d->file);
    d->removable = !strcmp(kind, "none");
    o->nr_drives++;
    if (!*d->file || !access(d->file, R_OK))
        return true;
    fprintf(stderr, "qemu: -drive %s: Could not open '%s': %s\n", text, d->file, strerror(errno));
    exit(EXIT_FAILURE);
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
    if (!strcmp(option, "-serial"))
        return add_serial(o, value);
    if (!strcmp(option, "-drive"))
        return add_drive(o, value);
    if (!strcmp(option, "-machine") || !strcmp(option, "-M")) {
        o->hvm = !strncmp(value, "xenfv", 5) || !strncmp(value, "pc", 2);
        return true;
    }
    if (!strcmp(option, "-vnc")) {
        if (strcmp(value, "none") != 0)
            snprintf(o->vnc, sizeof o->vnc, "%.*s", (int)strcspn(value, ","), value);
        return true;
    }
    if (!strcmp(option, "-incoming"))
        return sscanf(value, "fd:%d", &o->incoming) == 1;
    if (!strcmp(option, "-smp"))
        return (o->processors = strtoul(value, NULL, 10)) != 0;
    if (!strcmp(option, "-netdev")) {
        option_in(value, "ifname", o->interface, sizeof o->interface);
        return true;
    }
    return is_one_of(option, with_argument);
}

bool options_read(struct options *o, char **argv)
{
    *o = (struct options){.processors = 1, .incoming = -1};
    for (int i = 0; i < MAX_SETS; i++)
        o->sets[i] = -1;
    while (*++argv) {
        if (!strcmp(*argv, "-xen-attach"))
            o->attach = true;
        else if (!strcmp(*argv, "-S"))
            o->frozen = true;
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
