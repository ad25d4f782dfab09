/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An operation that runs a program, for unit tests. Any thread may call these functions. */
#ifndef PROGRAM_H
#define PROGRAM_H

#include "core.h"

#include <sys/types.h>

enum { PROGRAM_LIMIT_MS = 50 };

struct program {
    const char *program, *command; /* The arguments of the process: `program` -c `command`. */
    int stdio[3];
    unsigned limit_ms;
    bool fails;     /* true: the operation returns an error while the program runs. */
    bool cleans_up; /* true: the operation kills the program itself and reads the program's exit status. */
    pid_t pid;
};

/* Makes a struct program that runs a shell command. The further arguments are the descriptors 0, 1 and 2
 * of the command. */
#define SHELL(text, ...)                                                                                     \
    (struct program)                                                                                         \
    {                                                                                                        \
        .program = "sh", .command = (text), .stdio = { __VA_ARGS__ }                                         \
    }

extern const libxl__ao_class program_class, limited_program_class;

/* Runs the program in the scene's way. Returns the operation's result. */
int run_program(scene *s, struct program *p);
/* Fails the test unless the process has ended and been reaped. */
void check_gone(const struct program *p);

/* Returns a new file in memory that holds `text`. The caller closes the descriptor. */
int scratch(const char *text);
/* Returns the file's whole content, in a buffer of this thread. The thread's next call overwrites
 * the buffer. */
const char *text_of(int fd);

#endif
