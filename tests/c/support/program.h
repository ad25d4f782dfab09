/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An operation that runs a program. For unit tests. */
#ifndef PROGRAM_H
#define PROGRAM_H

#include "core.h"

#include <sys/types.h>

enum { PROGRAM_LIMIT_MS = 50 };

struct program {
    const char *program, *command; /* program -c command */
    int stdio[3];
    unsigned limit_ms;
    bool fails;     /* the body, while the program runs */
    bool cleans_up; /* and then it ends the program itself, and looks what became of it */
    pid_t pid;
};

/* A command of the shell's, with these as its descriptors 0, 1 and 2. */
#define SHELL(text, ...)                                                                                     \
    (struct program)                                                                                         \
    {                                                                                                        \
        .program = "sh", .command = (text), .stdio = { __VA_ARGS__ }                                         \
    }

extern const libxl__ao_class program_class, limited_program_class;

/* Runs it in the scene's way; its result. */
int run_program(scene *s, struct program *p);
/* Fails the test unless it has gone, and is not even a zombie. */
void check_gone(const struct program *p);
/* Fails the test unless the last operation's message has this part. Not where there are several threads, whose
 * messages they may be. */
void check_message(const scene *s, const char *part);

/* A file with this text, for a program to read or write. */
int scratch(const char *text);
/* All that is in it now; in a buffer that the next call uses again, on this thread. */
const char *text_of(int fd);

#endif
