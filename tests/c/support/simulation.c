/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns: the call counts at the time of calls_begin(), and a flag that tells whether the simulation was
 * changed. Only one thread may use them. */
#include "simulation.h"

#include "harness.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { TIME_LIMIT_MS = 10000 };

static bool changed;

static char *run(const char *arguments)
{
    changed = true;
    char command[256], *out = NULL;
    size_t size = 0;
    snprintf(command, sizeof(command), "aioxen-sim-ctl %s", arguments);
    FILE *pipe = popen(command, "re"), *text = open_memstream(&out, &size);
    for (int c; (c = fgetc(pipe)) != EOF;)
        fputc(c, text);
    fclose(text);
    if (pclose(pipe))
        fail_msg("%s failed", command);
    return out;
}

char *simulation(const char *fmt, ...)
{
    char arguments[192];
    va_list args;
    va_start(args, fmt);
    vsnprintf(arguments, sizeof(arguments), fmt, args);
    va_end(args);
    return run(arguments);
}

void simulate(const char *fmt, ...)
{
    char arguments[192];
    va_list args;
    va_start(args, fmt);
    vsnprintf(arguments, sizeof(arguments), fmt, args);
    va_end(args);
    free(run(arguments));
}

void simulation_restore(void)
{
    if (getenv("AIOXEN_SIM_DIR")) {
        simulate("xenstored start");
        simulate("xenstored cont");
        simulate("xenconsoled cont");
        simulate("nodes 1");
        faults_clear();
        simulate("behaviours clear");
    }
    changed = false;
}

bool simulation_was_changed(void)
{
    return changed;
}

int fault_add(const char *fmt, ...)
{
    char spec[128];
    va_list args;
    va_start(args, fmt);
    vsnprintf(spec, sizeof(spec), fmt, args);
    va_end(args);
    char *number = simulation("fault add --pid %d %s", (int)getpid(), spec);
    int rule = atoi(number);
    free(number);
    return rule;
}

int fault_hits(int rule)
{
    int found = 0;
    char *list = simulation("fault list");
    for (char *rest = list, *line; (line = strsep(&rest, "\n"));) {
        int number, pid, seen, hits;
        if (sscanf(line, "%d %*s %d %d %d", &number, &pid, &seen, &hits) == 4 && number == rule)
            found = hits;
    }
    free(list);
    return found;
}

void fault_wait(libxl_ctx *ctx, int rule)
{
    for (uint64_t end = now_ms() + scaled_ms(TIME_LIMIT_MS); !fault_hits(rule); sleep_ms(1)) {
        if (now_ms() > end)
            fail_msg("fault rule %d never acted", rule);
        libxl_ctx_process(ctx);
    }
}

void faults_clear(void)
{
    simulate("fault clear");
}

static char *calls_before;

void calls_begin(void)
{
    calls_before = simulation("calls");
}

void calls_end(struct calls *calls)
{
    char *list = simulation("calls");
    calls->count = 0;
    for (char *rest = list, *line; (line = strsep(&rest, "\n"));) {
        const char *name = strchr(line, ' ');
        /* If the line is new, the call that it names was made since calls_begin(). */
        if (name && !strstr(calls_before, line) && calls->count < CALLS_MOST)
            snprintf(calls->names[calls->count++], sizeof(calls->names[0]), "%s", name + 1);
    }
    free(list);
    free(calls_before);
}
