/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Answers the requests to QEMU's monitor. A request is not parsed. It is only searched for words, because all
 * requests come from toolstacks.
 */
#include "qemu.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VERSION "{\"qemu\": {\"micro\": 19, \"minor\": 2, \"major\": 7}, \"package\": \"played\"}"

const char qmp_greeting[] = "{\"QMP\": {\"version\": " VERSION ", \"capabilities\": []}}\r\n";

char dying_words[72];

static const struct {
    const char *command, *result;
} results[] = {
    {"query-version", VERSION},
    {"query-status", "{\"running\": true, \"singlestep\": false, \"status\": \"running\"}"},
    {"query-vnc", "{\"enabled\": false}"},
};
#define NR_RESULTS (sizeof results / sizeof *results)

/*
 * Finds the string or number after "NAME": in a line of JSON. Copies it to `value`. Returns whether it was
 * found.
 */
static bool find(const char *line, const char *name, char *value, size_t size)
{
    char key[32];
    snprintf(key, sizeof key, "\"%s\"", name);
    const char *at = strstr(line, key);
    if (!at)
        return false;
    at += strlen(key);
    at += strspn(at, ": ");
    const bool quoted = *at == '"';
    at += quoted;
    snprintf(value, size, "%.*s", (int)strcspn(at, quoted ? "\"" : ",} "), at);
    return true;
}

static int list_chardevs(const struct options *o, char *to, size_t size)
{
    size_t at = (size_t)snprintf(to, size, "[");
    for (uint32_t i = 0; i < o->nr_chardevs && at < size; i++)
        at += (size_t)snprintf(
            to + at, size - at, "%s{\"frontend-open\": false, \"filename\": \"%s%s\", \"label\": \"%s\"}",
            i ? ", " : "", o->chardevs[i].pty ? "pty:" : "unix:", o->chardevs[i].path, o->chardevs[i].id);
    return snprintf(to + at, size - at, "]");
}

size_t qmp_answer(const struct options *o, const char *line, char answer[QMP_ANSWER_SIZE])
{
    char command[64] = "", id[32] = "0", list[QMP_ANSWER_SIZE - 128];
    const char *result = "{}";
    find(line, "execute", command, sizeof command);
    find(line, "id", id, sizeof id);
    if (*dying_words && strcmp(command, "qmp_capabilities") != 0) {
        fprintf(stderr, "qemu: %s\n", dying_words);
        exit(EXIT_FAILURE);
    }
    if (!strcmp(command, "quit"))
        exit(EXIT_SUCCESS);
    if (!strcmp(command, "query-chardev")) {
        list_chardevs(o, list, sizeof list);
        result = list;
    }
    for (size_t i = 0; i < NR_RESULTS; i++)
        if (!strcmp(command, results[i].command))
            result = results[i].result;
    snprintf(answer, QMP_ANSWER_SIZE, "{\"return\": %s, \"id\": %s}\r\n", result, id);
    return strlen(answer);
}
