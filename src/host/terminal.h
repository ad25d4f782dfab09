/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A terminal for a program, and a second terminal that shows it. Clients such as `xl console` open the second
 * terminal by its path. The second terminal shows the program's output, and passes the client's input to the
 * program.
 */
#ifndef LIBXL__TERMINAL_H
#define LIBXL__TERMINAL_H

#include "loop.h"

enum { LIBXL__TERMINAL_WORDS = 1024 };

/* A pair of terminals. Embed it in memory that lives until libxl__terminal_close; zero-initialise it. */
typedef struct libxl__terminal {
    bool open;
    int program;     /* the library's end of the program's terminal */
    int program_end; /* the program's end; -1: closed, because the program has a copy */
    int shown;       /* the library's end of the shown terminal */
    /* The client's end; kept open, so that the terminal exists while no client is connected. */
    int shown_end;
    char name[64]; /* the path of the shown terminal */
    libxl__fd from_program, from_client;
    char printed[LIBXL__TERMINAL_WORDS]; /* the last octets that the program has printed */
    size_t length;
} libxl__terminal;

/*
 * Opens both terminals. Any thread may call this, unlocked. Returns 0 or an errno. After an error nothing is
 * open.
 */
int libxl__terminal_open(libxl__terminal *terminal);

/*
 * Call it with the context locked, after the program was started. Closes the program's end, and passes octets
 * between the two terminals until libxl__terminal_close. Octets that a terminal does not accept at once are
 * lost, as on a serial line. Errors: FAIL; errno gives the cause.
 */
int libxl__terminal_relay(libxl_ctx *ctx, libxl__terminal *terminal);

/*
 * Call it with the context locked. Reads the program's last output, and closes both terminals. Does nothing
 * if they are not open.
 */
void libxl__terminal_close(libxl_ctx *ctx, libxl__terminal *terminal);

/*
 * Writes the last lines of the program's output into `text`, as one line of printable characters. The result
 * is empty if the program has printed nothing.
 */
void libxl__terminal_words(const libxl__terminal *terminal, char *text, size_t room);

#endif
