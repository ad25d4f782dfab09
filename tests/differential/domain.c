/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns: the domains that xl has made, the domains' configuration files while xl reads the files, and the
 * child processes that map grants of the domains. Only one thread uses them. */
#include "domain.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <xenctrl.h>
#include <xengnttab.h>

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

void domains_use_type(const char *new_type)
{
    type = new_type;
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
        fprintf(stderr, "xl made no domain: %s\n", out);
        exit(1);
    }
    return made[count++] = (uint32_t)atoi(out);
}

/* Repeats the command until it succeeds. Prints `error` and exits if the command has not succeeded after 4
 * s. */
static void until(const char *error, const char *command, uint32_t domid)
{
    char out[64];
    for (int i = 0; i < 200; i++) {
        if (!shell(out, sizeof(out), command, domid))
            return;
        usleep(20000);
    }
    fprintf(stderr, "%s\n", error);
    exit(1);
}

void domain_listens(uint32_t domid)
{
    domain_xl("unpause", domid);
    until("the guest does not listen to control/shutdown",
          "xenstore-read /local/domain/%u/control/feature-poweroff 2>&1", domid);
}

void domain_gone(uint32_t domid)
{
    until("the domain does not disappear", "! xl list %u 2>&1", domid);
}

void domain_xl(const char *verb, uint32_t domid)
{
    char out[64];
    shell(out, sizeof(out), "xl %s %u 2>&1", verb, domid);
}

/* Runs in the child process. Maps a grant of the domain until half a second after the domain starts
 * to die. */
static void hold(uint32_t domid, int mapped)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    xengnttab_handle *grants = xengnttab_open(NULL, 0);
    xc_interface *xen = xc_interface_open(NULL, NULL, 0);
    xc_dominfo_t info;
    if (!grants || !xen || !xengnttab_map_grant_ref(grants, domid, GNTTAB_RESERVED_XENSTORE, PROT_READ))
        _exit(1);
    if (write(mapped, "", 1) != 1)
        _exit(1);
    while (xc_domain_getinfo(xen, domid, 1, &info) == 1 && info.domid == domid && !info.dying)
        usleep(10000);
    usleep(500000);
    xengnttab_close(grants);
    _exit(0);
}

void domain_dies_slowly(uint32_t domid)
{
    int ends[2];
    char mapped;
    if (pipe(ends))
        exit(1);
    pid_t child = fork();
    if (!child)
        hold(domid, ends[1]);
    close(ends[1]);
    if (child < 0 || read(ends[0], &mapped, 1) != 1) {
        fprintf(stderr, "the domain's grant could not be mapped\n");
        exit(1);
    }
    close(ends[0]);
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
    fflush(stdout); /* If the sequence then hangs or crashes, the test still gets the lines before that. */
}
