/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The syntax of faults: CALL[:WHEN]:ACTION or dying=MS
 *
 *   WHEN    *    every call (the default)
 *           N    call number N
 *           N+   call number N and all later calls
 *           N-M  the calls number N to M
 *           /N   every Nth call
 *   ACTION  the name of an errno, or a delay, for example 200ms
 *
 * The functions have no state and need no lock.
 */
#include "machine.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_ERRNO    133
#define MAX_DELAY_MS 3600000u

/*
 * Parses a whole number. The number must end at one of the characters in `ends`, or at the end of the text. Moves
 * *text behind the number.
 */
static bool number(const char **text, const char *ends, uint64_t *value)
{
    char *end;
    if (!isdigit((unsigned char)**text))
        return false;
    errno = 0;
    *value = strtoull(*text, &end, 10);
    *text = end;
    return !errno && (*end ? strchr(ends, *end) != NULL : true);
}

static bool parse_when(const char *text, struct fault *f)
{
    f->first = f->every = 1;
    f->last = UINT64_MAX;
    if (!strcmp(text, "*"))
        return true;
    if (*text == '/') {
        text++;
        bool ok = number(&text, "", &f->every) && f->every;
        f->first = f->every;
        return ok;
    }
    if (!number(&text, "+-", &f->first) || !f->first)
        return false;
    if (!*text)
        f->last = f->first;
    else if (*text == '-')
        return text++, number(&text, "", &f->last) && !*text && f->last >= f->first;
    else
        return !text[1];
    return true;
}

static bool parse_ms(const char *text, const char *unit, uint32_t *ms)
{
    uint64_t value;
    if (!number(&text, unit, &value) || strcmp(text, unit) || value > MAX_DELAY_MS)
        return false;
    *ms = value;
    return true;
}

static bool parse_action(const char *text, struct fault *f)
{
    if (isdigit((unsigned char)*text))
        return parse_ms(text, "ms", &f->delay_ms) && f->delay_ms;
    for (f->error = 1; f->error <= MAX_ERRNO; f->error++) {
        const char *name = strerrorname_np(f->error);
        if (name && !strcmp(name, text))
            return true;
    }
    return false;
}

static bool wrong(char why[256], const char *what, const char *text)
{
    snprintf(why, 256, "%s '%.64s'", what, text);
    return false;
}

bool fault_parse(const char *spec, struct fault_order *order, char why[256])
{
    char copy[128], *part[3] = {NULL}, *rest = copy;
    int n = 0;

    *order = (struct fault_order){0};
    if (!strncmp(spec, "dying=", 6)) {
        order->dying = true;
        return parse_ms(spec + 6, "", &order->dying_ms) ||
               wrong(why, "not a number of milliseconds:", spec + 6);
    }
    if ((size_t)snprintf(copy, sizeof copy, "%s", spec) >= sizeof copy)
        return wrong(why, "too long:", spec);
    while (rest && n < 3)
        part[n++] = strsep(&rest, ":");
    if (n < 2 || rest)
        return wrong(why, "expected CALL[:WHEN]:ACTION or dying=MS, not", spec);
    struct fault *f = &order->rule;
    f->call = call_by_name(part[0]);
    if (f->call == NR_CALLS)
        return wrong(why, "no such call (aioxen-sim-ctl names lists them):", part[0]);
    if (!parse_when(n == 3 ? part[1] : "*", f))
        return wrong(why, "expected *, N, N+, N-M or /N as the time, not", part[1]);
    if (!parse_action(part[n - 1], f))
        return wrong(why, "expected the name of an errno or a delay like 200ms, not", part[n - 1]);
    return true;
}

void fault_format(const struct fault *f, char text[128])
{
    char when[64] = "*", action[32];
    if (f->every > 1)
        snprintf(when, sizeof when, "/%llu", (unsigned long long)f->every);
    else if (f->last == UINT64_MAX && f->first > 1)
        snprintf(when, sizeof when, "%llu+", (unsigned long long)f->first);
    else if (f->last == f->first)
        snprintf(when, sizeof when, "%llu", (unsigned long long)f->first);
    else if (f->last != UINT64_MAX)
        snprintf(when, sizeof when, "%llu-%llu", (unsigned long long)f->first, (unsigned long long)f->last);
    if (f->error)
        snprintf(action, sizeof action, "%s", strerrorname_np(f->error));
    else
        snprintf(action, sizeof action, "%ums", f->delay_ms);
    snprintf(text, 128, "%s:%s:%s", call_name(f->call), when, action);
}
