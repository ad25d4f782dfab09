/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An operation that runs a program. For unit tests. Any thread may call these. */
#ifndef PROGRAM_H
#define PROGRAM_H

#include "core.h"

#include <sys/types.h>

enum { PROGRAM_LIMIT_MS = 50 };

struct program {
    const char *program, *command; /* program -c command */
    int stdio[3];
    unsigned limit_ms;
    bool fails;     /* the body returns an error while the program runs */
    bool cleans_up; /* the body kills the program itself and reads its status */
    pid_t pid;
};

/* A shell command with these as its descriptors 0, 1 and 2. */
#define SHELL(text, ...)                                                                                     \
    (struct program)                                                                                         \
    {                                                                                                        \
        .program = "sh", .command = (text), .stdio = { __VA_ARGS__ }                                         \
    }

extern const libxl__ao_class program_class, limited_program_class;

/* Runs the program in the scene's way; returns the operation's result. */
int run_program(scene *s, struct program *p);
/* Fails the test unless the process has ended and been reaped. */
void check_gone(const struct program *p);

/* A file in memory with this text. The caller closes it. */
int scratch(const char *text);
/* The file's whole content, in a buffer that this thread's next call overwrites. */
const char *text_of(int fd);

#endif
