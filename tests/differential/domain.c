/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns: the domains made by xl, and their configuration file while xl reads it. */
#include "domain.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static uint32_t made[8];
static unsigned count;
static const char *type = "pv";

static int shell(char *out, size_t size, const char *fmt, ...)
{
    char command[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(command, sizeof(command), fmt, args);
    va_end(args);
    FILE *pipe = popen(command, "r");
    if (!pipe)
        return -1;
    size_t got = fread(out, 1, size - 1, pipe);
    out[got] = 0;
    return pclose(pipe);
}

void domains_are(const char *kind)
{
    type = kind;
}

uint32_t domain_new(const char *command_line)
{
    char name[32], path[] = "/tmp/differential-XXXXXX", out[64];
    int fd = mkstemp(path);
    snprintf(name, sizeof(name), "diff-%d-%u", (int)getpid(), count);
    dprintf(fd,
            "name=\"%s\"\ntype=\"%s\"\nkernel=\"%s\"\ncmdline=\"%s\"\nmemory=32\nvcpus=1\n"
            "on_poweroff=\"preserve\"\non_reboot=\"preserve\"\non_crash=\"preserve\"\n",
            name, type, getenv("AIOXEN_TEST_KERNEL"), command_line);
    close(fd);
    int status = shell(out, sizeof(out), "xl create -p -q -e %s 2>&1 >/dev/null && xl domid %s", path, name);
    unlink(path);
    if (status || count == sizeof(made) / sizeof(*made)) {
        fprintf(stderr, "no domain: %s\n", out);
        exit(1);
    }
    return made[count++] = (uint32_t)atoi(out);
}

void domain_listens(uint32_t domid)
{
    char out[64];
    domain_xl("unpause", domid);
    for (int i = 0; i < 200; i++) {
        if (!shell(out, sizeof(out), "xenstore-read /local/domain/%u/control/feature-poweroff 2>&1", domid))
            return;
        usleep(20000);
    }
    fprintf(stderr, "the guest does not listen\n");
    exit(1);
}

void domain_xl(const char *verb, uint32_t domid)
{
    char out[64];
    shell(out, sizeof(out), "xl %s %u 2>&1", verb, domid);
}

void domains_die_slowly(void)
{
    char out[64];
    if (getenv("AIOXEN_SIM_DIR"))
        shell(out, sizeof(out), "aioxen-sim-ctl fault add dying=500");
}

void domains_end(void)
{
    while (count)
        domain_xl("destroy", made[--count]);
}

void say(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);
    putchar('\n');
    fflush(stdout); /* what was said before a hang or a crash counts, too */
}
