/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * aioxen-sim-ctl: controls the simulated machine of the world in which this process runs. Lock: each command
 * takes machine->lock when needed.
 */
#include "ctl.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct command {
    const char *words[2]; /* the command's words; the second may be NULL */
    int min_args, max_args;
    bool needs_world;
    void (*run)(int argc, char **argv);
    const char *help;
};

static const struct command commands[] = {
    {{"fault", "add"},
     1,
     3,
     true,
     fault_add,
     "[--pid PID] SPEC   make calls fail or wait; prints the rule's number"},
    {{"fault", "list"},
     0,
     0,
     true,
     fault_list,
     "                  the rules: number, rule, process, calls seen, hit"},
    {{"fault", "clear"}, 0, 1, true, fault_clear, "[NUMBER]         removes that rule, or all rules"},
    {{"fault", "check"},
     1,
     1,
     false,
     fault_check_spec,
     "SPEC             checks a specification (needs no world)"},
    {{"calls", NULL}, 0, 1, true, calls_list, "[PREFIX]               how often each call was made"},
    {{"names", NULL},
     0,
     1,
     false,
     names_list,
     "[PREFIX]               the names of all calls (needs no world)"},
    {{"shutdown", NULL},
     2,
     2,
     true,
     guest_shutdown,
     "DOMID REASON        the guest stops by itself: poweroff, reboot, "
     "suspend, crash, watchdog, soft_reset"},
    {{"nodes", NULL},
     1,
     1,
     true,
     nodes_set,
     "N                      the machine has N NUMA nodes, at most one for each processor"},
    {{"log-dirty", NULL}, 0, 0, true, log_dirty_list, "                    the domains in log-dirty mode"},
    {{"xenstored", "stop"}, 0, 0, true, xenstored_stop, "              xenstored answers no request ..."},
    {{"xenstored", "cont"}, 0, 0, true, xenstored_cont, "              ... and continues"},
    {{"xenstored", "kill"}, 0, 0, true, xenstored_kill, "              xenstored ends, with all nodes ..."},
    {{"xenstored", "start"}, 0, 0, true, xenstored_start, "             ... and starts anew, unless it runs"},
    {{"xenconsoled", "stop"}, 0, 0, true, xenconsoled_stop, "            xenconsoled serves no console ..."},
    {{"xenconsoled", "cont"}, 0, 0, true, xenconsoled_cont, "            ... and continues"},
    {{"xenconsoled", "kill"}, 0, 0, true, xenconsoled_kill, "            xenconsoled ends"},
    {{"backend", NULL},
     2,
     2,
     true,
     backend_behaves,
     "DEVICE BEHAVIOUR     how a backend's driver behaves ..."},
    {{"frontend", NULL}, 2, 2, true, frontend_behaves, "DEVICE BEHAVIOUR    ... or a frontend's ..."},
    {{"qemu", NULL},
     2,
     2,
     true,
     qemu_behaves,
     "DOMID BEHAVIOUR         ... or a domain's QEMU, when it starts"},
    {{"behaviours", "clear"},
     0,
     0,
     true,
     behaviours_clear,
     "            all drivers and QEMUs behave as usual"},
    {{"hostile", NULL},
     1,
     3,
     true,
     guest_is_hostile,
     "DOMID [COUNT [SEED]] writes hostile values (500) into all nodes of a guest"},
    {{"loops", NULL}, 0, 0, true, loops_list, "                        the loop devices: number, mode, file"},
    {{"loop", "take"},
     1,
     2,
     true,
     loop_take,
     "[-r] FILE           gives a file to a loop device; prints its number"},
    {{"loop", "free"}, 1, 1, true, loop_free, "NUMBER              takes the file away again"},
    {{"links", NULL},
     0,
     0,
     true,
     links_list,
     "                        the network interfaces: name, kind, ..."},
    {{"link", "add"}, 1, 2, true, link_add, "NAME [KIND]          makes an interface, for example a bridge"},
    {{"link", "delete"}, 1, 1, true, link_delete, "NAME              removes it"},
    {{"link", "join"}, 2, 2, true, link_join, "NAME BRIDGE         puts it into a bridge, and up"},
    {{"inside", NULL},
     2,
     INT_MAX,
     true,
     run_inside,
     "DOMID COMMAND...      runs COMMAND as if it ran in a sleeping PVH guest"},
};
#define NR_COMMANDS (sizeof commands / sizeof *commands)

void fail(const char *format, ...)
{
    va_list args;
    fprintf(stderr, "aioxen-sim-ctl: ");
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\n");
    exit(EXIT_FAILURE);
}

static void usage(FILE *to)
{
    fprintf(to, "Usage, inside a world of aioxen-sim:\n");
    for (size_t i = 0; i < NR_COMMANDS; i++)
        fprintf(to, "  aioxen-sim-ctl %s%s%s %s\n", commands[i].words[0], commands[i].words[1] ? " " : "",
                commands[i].words[1] ? commands[i].words[1] : "", commands[i].help);
    fprintf(to, "SPEC is CALL[:WHEN]:ACTION or dying=MS.  WHEN: * (every call), N (the n-th), N+, N-M, /N "
                "(every n-th).\n"
                "ACTION: the name of an errno, or a delay like 200ms.\n"
                "DEVICE: DOMID[/KIND[/NUMBER]] of the guest, or all.  BEHAVIOUR: plays, mute, slow=MS, "
                "error[=TEXT];\n"
                "of a frontend also refuses[=MS], deletes, deletes-early, nonsense[=N]; of a QEMU also "
                "nonsense[=N].\n");
}

static const struct command *find(int argc, char **argv)
{
    for (const struct command *c = commands; c < commands + NR_COMMANDS; c++) {
        int words = c->words[1] ? 2 : 1;
        if (argc > words && !strcmp(argv[1], c->words[0]) && (words == 1 || !strcmp(argv[2], c->words[1])) &&
            argc - 1 - words >= c->min_args && argc - 1 - words <= c->max_args)
            return c;
    }
    return NULL;
}

int main(int argc, char **argv)
{
    if (argc == 2 && !strcmp(argv[1], "--help")) {
        usage(stdout);
        return EXIT_SUCCESS;
    }
    const struct command *c = find(argc, argv);
    if (!c) {
        usage(stderr);
        return 2;
    }
    unsetenv("AIOXEN_SIM_FAULTS"); /* the faults are meant for the tested program, not for this program */
    if (c->needs_world && !machine_attach())
        fail("this is not a world of aioxen-sim with a hypervisor: %s", strerror(errno));
    int words = c->words[1] ? 2 : 1;
    c->run(argc - 1 - words, argv + 1 + words);
    return EXIT_SUCCESS;
}
