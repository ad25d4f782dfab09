/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Commands for what happens by itself on a real machine: a guest stops, a daemon is slow. Lock: machine->lock. */
#include "ctl.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void guest_shutdown(int argc, char **argv)
{
    static const char *const reasons[] = {"poweroff", "reboot", "suspend", "crash", "watchdog", "soft_reset"};
    uint64_t domid = number_in(argv[0], "DOMID", DOMID_FIRST_RESERVED - 1);
    uint8_t reason = 0;
    (void)argc;
    while (reason < sizeof reasons / sizeof *reasons && strcmp(reasons[reason], argv[1]))
        reason++;
    if (reason == sizeof reasons / sizeof *reasons)
        fail("no such reason: '%s'", argv[1]);
    machine_lock();
    struct domain *d = domain_get(domid);
    bool alive = d && domid && d->state == DOMAIN_ALIVE;
    if (alive)
        domain_shutdown(d, reason);
    machine_unlock();
    if (!alive)
        fail("there is no guest %llu", (unsigned long long)domid);
}

static pid_t pid_of(const char *daemon)
{
    char path[sizeof world_dir + 32];
    int pid = 0;
    snprintf(path, sizeof path, "%s/%s.pid", world_dir, daemon);
    FILE *file = fopen(path, "re");
    if (!file || fscanf(file, "%d", &pid) != 1)
        fail("there is no %s here", daemon);
    fclose(file);
    return pid;
}

static char state_of(pid_t pid)
{
    char path[32], state = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *file = fopen(path, "re");
    if (!file || fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
        state = 0;
    if (file)
        fclose(file);
    return state;
}

/* The daemon must not be stopped while it holds the lock. If it waits for the lock, the signal takes effect at the
 * end of the wait. */
static void stop(const char *daemon)
{
    pid_t pid = pid_of(daemon);
    char state;
    machine_lock();
    int result = kill(pid, SIGSTOP);
    while (!result && (state = state_of(pid)) && state != 'T' && state != 'Z')
        usleep(100);
    machine_unlock();
    if (result)
        fail("%s: %s", daemon, strerror(errno));
}

static void cont(const char *daemon)
{
    if (kill(pid_of(daemon), SIGCONT))
        fail("%s: %s", daemon, strerror(errno));
}

void xenstored_stop(int argc, char **argv)
{
    (void)argc, (void)argv;
    stop("xenstored");
}

void xenstored_cont(int argc, char **argv)
{
    (void)argc, (void)argv;
    cont("xenstored");
}

void xenconsoled_stop(int argc, char **argv)
{
    (void)argc, (void)argv;
    stop("xenconsoled");
}

void xenconsoled_cont(int argc, char **argv)
{
    (void)argc, (void)argv;
    cont("xenconsoled");
}
