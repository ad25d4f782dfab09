/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Commands that simulate incidents of a real machine: a guest stops, or a daemon is slow or ends. Lock:
 * machine->lock.
 */
#include "ctl.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
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

void log_dirty_list(int argc, char **argv)
{
    (void)argc, (void)argv;
    machine_lock();
    for (const struct domain *d = domain_next(0); d; d = domain_next(d->domid + 1u))
        if (d->log_dirty)
            printf("%u\n", d->domid);
    machine_unlock();
}

void nodes_set(int argc, char **argv)
{
    (void)argc;
    const int nodes = atoi(argv[0]);
    if (nodes < 1 || nodes > NR_CPUS)
        fail("%s is not between 1 and %d", argv[0], NR_CPUS);
    machine_lock();
    machine->nr_nodes_of_host = (uint32_t)nodes;
    machine->domains[0].nodes = ALL_NODES; /* domain 0 has no node affinity, so it uses all nodes */
    machine_unlock();
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

/*
 * Stops a daemon with SIGSTOP. Takes the lock first, so that the daemon does not hold the lock while it is
 * stopped. If the daemon is waiting for the lock, it stops when the wait ends.
 */
static void suspend(const char *daemon)
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
    suspend("xenstored");
}

void xenstored_cont(int argc, char **argv)
{
    (void)argc, (void)argv;
    cont("xenstored");
}

/* ---- killing and restarting daemons */

static bool is_running(pid_t pid)
{
    const char state = state_of(pid);
    return state && state != 'Z';
}

/* Kills a daemon. Takes the lock first, so that the daemon does not hold the lock when it is killed. */
static void end(const char *daemon)
{
    const pid_t pid = pid_of(daemon);
    machine_lock();
    kill(pid, SIGKILL);
    while (is_running(pid))
        usleep(100);
    machine_unlock();
}

void xenstored_kill(int argc, char **argv)
{
    (void)argc, (void)argv;
    end("xenstored");
}

void xenconsoled_kill(int argc, char **argv)
{
    (void)argc, (void)argv;
    end("xenconsoled");
}

/*
 * Starts a program in the background, as a child of the world's first process. Returns the program's process
 * id.
 */
static pid_t start(char *const command[])
{
    const pid_t pid = fork();
    if (pid)
        return pid;
    char log[sizeof world_dir + 32];
    snprintf(log, sizeof log, "%s/log/%s", world_dir, command[0]);
    const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    const int out = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    dup2(null, 0);
    dup2(out, 1);
    dup2(out, 2);
    setsid();
    execvp(command[0], command);
    _exit(127);
}

static void start_daemon(char *const command[])
{
    char path[sizeof world_dir + 32];
    snprintf(path, sizeof path, "%s/%s.pid", world_dir, command[0]);
    const pid_t pid = start(command);
    FILE *file = pid > 0 ? fopen(path, "we") : NULL;
    if (!file)
        fail("starting %s: %s", command[0], strerror(errno));
    fprintf(file, "%d", (int)pid);
    fclose(file);
}

static bool xenstored_accepts(void)
{
    const struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/run/xenstored/socket"};
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const bool accepts = fd >= 0 && !connect(fd, (const struct sockaddr *)&address, sizeof address);
    close(fd);
    return accepts;
}

/*
 * Starts xenstored again. Also starts xenconsoled and aioxen-sim-devices again, because these programs do not
 * connect to a new xenstored.
 */
void xenstored_start(int argc, char **argv)
{
    char *const xenstored[] = {"xenstored", "-N", "-I", NULL}, *const init[] = {"xen-init-dom0", NULL},
                *const xenconsoled[] = {"xenconsoled", "-i", "--log=none", NULL};
    char *const devices[] = {"aioxen-sim-devices", world_dir, NULL};
    int status, tries = 10000;
    (void)argc, (void)argv;
    if (is_running(pid_of("xenstored")))
        return;
    unsetenv("XENSTORED_PATH");
    unsetenv("XENSTORED_RUNDIR");
    /*
     * A new xenstored ends if the virtual interrupt of the old xenstored is still bound. The ports of a
     * process are closed some time after the process has ended. So xenstored is started again and again until
     * it accepts connections.
     */
    for (start_daemon(xenstored); !xenstored_accepts() && --tries; usleep(1000))
        if (!is_running(pid_of("xenstored")))
            start_daemon(xenstored);
    if (!tries)
        fail("xenstored does not start");
    if (waitpid(start(init), &status, 0) < 0 || status)
        fail("xen-init-dom0 fails after the restart of xenstored: status %d", status);
    end(xenconsoled[0]);
    start_daemon(xenconsoled);
    end(devices[0]);
    start_daemon(devices);
}

/*
 * Returns whether a stopped process was waiting: for events in poll(2), or for an answer to a complete request. Also
 * returns true if /proc does not tell. A process that was stopped in poll(2) before is in restart_syscall(2) now.
 */
static bool was_waiting(pid_t pid)
{
    static const long calls[] = {SYS_poll, SYS_ppoll, SYS_restart_syscall, SYS_futex, SYS_read};
    char path[32];
    long number;
    snprintf(path, sizeof path, "/proc/%d/syscall", pid);
    FILE *file = fopen(path, "re");
    bool waiting = !file || fscanf(file, "%ld", &number) != 1;
    for (size_t i = 0; !waiting && i < sizeof calls / sizeof *calls; i++)
        waiting = number == calls[i];
    if (file)
        fclose(file);
    return waiting;
}

/*
 * Stops xenconsoled while it waits. libxenstore sends a request by several calls of write(2), and xenstored 4.17
 * blocks until a request that has begun is complete. So if xenconsoled was stopped between two of these calls,
 * xenstored would answer nobody.
 */
void xenconsoled_stop(int argc, char **argv)
{
    static const char name[] = "xenconsoled";
    int tries = 10000;
    (void)argc, (void)argv;
    for (suspend(name); !was_waiting(pid_of(name)); suspend(name)) {
        cont(name);
        if (!--tries)
            fail("%s does not wait for anything", name);
        usleep(1000);
    }
}

void xenconsoled_cont(int argc, char **argv)
{
    (void)argc, (void)argv;
    cont("xenconsoled");
}
