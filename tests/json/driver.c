/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads lines "TYPE DOCUMENT" from standard input. The answer to each line is "= DOCUMENT" or "! MESSAGE".
 * DOCUMENT is the document that the library writes for the value. MESSAGE is the error message. round_trip.h
 * reads and writes each document, and aborts if a value changes.
 */
#define INCLUDE_TYPES "types_under_test.h"
#include "round_trip.h"

static void try(const type *t, const char *json)
{
    char *message, *text = round_trip(t, json, &message);
    printf("%s %s\n", text ? "=" : "!", text ? text : message);
    free(message);
    free(text);
}

static const type *find(const char *name)
{
    for (const type *t = types; t->name; t++) {
        if (!strcmp(t->name, name))
            return t;
    }
    return NULL;
}

int main(void)
{
    char *line = NULL;
    size_t size = 0;

    for (const type *t = types; t->name; t++) {
        void *p = malloc(t->size);
        memset(p, 0x55, t->size);
        if (t->init) {
            t->init(p);
            expect(t, p, "{}");
        }
        if (t->dispose)
            t->dispose(NULL);
        free(p);
    }
    for (ssize_t length; (length = getline(&line, &size, stdin)) > 0;) {
        line[length - 1] = '\0';
        char *json = strchr(line, ' ');
        assert(json);
        *json++ = '\0';
        const type *t = find(line);
        if (t)
            try(t, json);
        else
            printf("no such type: %s\n", line);
        fflush(stdout);
    }
    free(line);
    return 0;
}
