/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The behaviours of simulated drivers: parses them, and finds the behaviour of a driver. Owns
 * machine->behaviours. Lock: machine->lock; behaviour_parse needs no lock.
 */
#include "machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    uint8_t conduct;
    uint8_t sides; /* the sides that may have this behaviour: a sum of values of enum side */
    enum { NOTHING, NUMBER, NUMBER_OR_NOTHING, WORDS } follows;
} conducts[] = {
    {"plays", PLAYS, BACKEND | FRONTEND | QEMU, NOTHING},
    {"mute", MUTE, BACKEND | FRONTEND | QEMU, NOTHING},
    {"slow", SLOW, BACKEND | FRONTEND | QEMU, NUMBER},
    {"error", FAILS, BACKEND | FRONTEND | QEMU, WORDS},
    {"refuses", REFUSES, FRONTEND | QEMU, NUMBER_OR_NOTHING},
    {"deletes", DELETES, FRONTEND, NOTHING},
    {"dies", DELETES, QEMU, WORDS},
    {"deletes-early", DELETES_EARLY, FRONTEND, NOTHING},
    {"lies", LIES, QEMU, WORDS},
    {"forks", FORKS, QEMU, NOTHING},
    {"nonsense", NONSENSE, FRONTEND | QEMU, NUMBER_OR_NOTHING},
};
#define NR_CONDUCTS (sizeof conducts / sizeof *conducts)

static bool parse_which(struct behaviour *b, const char *which)
{
    char domid[8] = "", end;
    b->domid = ANY_DOMAIN;
    b->number = -1;
    const int parts = sscanf(which, "%7[^/]/%11[^/]/%d%c", domid, b->kind, &b->number, &end);
    int wanted = 1;
    for (const char *at = which; (at = strchr(at, '/')); at++)
        wanted++;
    if (parts != wanted)
        return false;
    if (!strcmp(domid, "all"))
        return true;
    const unsigned long value = strtoul(domid, &(char *){NULL}, 10);
    b->domid = (uint16_t)value;
    return domid[0] >= '0' && domid[0] <= '9' && value < DOMID_FIRST_RESERVED;
}

static bool parse_what(struct behaviour *b, const char *what)
{
    const size_t length = strcspn(what, "=");
    const char *argument = what[length] ? what + length + 1 : NULL;
    for (size_t i = 0; i < NR_CONDUCTS; i++) {
        char *end = "";
        if (strlen(conducts[i].name) != length || strncmp(conducts[i].name, what, length) ||
            !(conducts[i].sides & b->side))
            continue;
        b->conduct = conducts[i].conduct;
        if (argument && conducts[i].follows == WORDS)
            snprintf(b->text, sizeof b->text, "%s", argument);
        else if (argument)
            b->amount = strtoul(argument, &end, 10);
        return !*end &&
               (argument ? conducts[i].follows != NOTHING && *argument : conducts[i].follows != NUMBER);
    }
    return false;
}

const char *behaviour_parse(enum side side, const char *which, const char *what, struct behaviour *b)
{
    *b = (struct behaviour){.side = side};
    if (!parse_which(b, which))
        return "not a device: DOMID, DOMID/KIND or DOMID/KIND/NUMBER, with 'all' for any domain";
    return parse_what(b, what) ? NULL : "no such behaviour of this side";
}

static bool is_same(const struct behaviour *a, const struct behaviour *b)
{
    return a->side == b->side && a->domid == b->domid && a->number == b->number && !strcmp(a->kind, b->kind);
}

bool behaviour_set(const struct behaviour *b)
{
    struct behaviour *last = machine->behaviours + machine->nr_behaviours, *at = machine->behaviours;
    while (at < last && !is_same(at, b))
        at++;
    if (at < last) {
        memmove(at, at + 1, (last - at - 1) * sizeof *at);
        machine->nr_behaviours--;
    }
    if (machine->nr_behaviours == MAX_BEHAVIOURS)
        return false;
    machine->behaviours[machine->nr_behaviours++] = *b;
    return true;
}

struct behaviour behaviour_of(enum side side, uint32_t domid, const char *kind, uint32_t number)
{
    for (uint32_t i = machine->nr_behaviours; i--;) {
        const struct behaviour *b = &machine->behaviours[i];
        if (b->side == side && (b->domid == ANY_DOMAIN || b->domid == domid) &&
            (!b->kind[0] || !strcmp(b->kind, kind)) && (b->number < 0 || (uint32_t)b->number == number))
            return *b;
    }
    return (struct behaviour){.conduct = PLAYS};
}
