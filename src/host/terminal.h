/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A pair of terminals: a terminal for a program, and a second terminal for clients. Clients such as `xl
 * console` open the second terminal by its path. The second terminal shows the program's output, and passes
 * the client's input to the program.
 */
#ifndef LIBXL__TERMINAL_H
#define LIBXL__TERMINAL_H

#include "loop.h"

enum { LIBXL__TERMINAL_WORDS = 1024 };

/* A pair of terminals. Embed it in memory that lives until libxl__terminal_close; zero-initialise it. */
typedef struct libxl__terminal {
    bool open;
    int program; /* the library's end of the terminal on which the program runs */
    /* The program's end of the program's terminal; -1: closed, because the program has a copy. */
    int program_end;
    int shown; /* the library's end of the shown terminal */
    /*
     * The client's end of the shown terminal. It is kept open, so that the terminal exists while no client is
     * connected.
     */
    int shown_end;
    char name[64]; /* the path of the terminal for clients */
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
 * between the two terminals until libxl__terminal_close. If a terminal does not accept octets at once, these
 * octets are lost. Returns 0 or FAIL; errno gives the cause.
 */
int libxl__terminal_relay(libxl_ctx *ctx, libxl__terminal *terminal);

/*
 * Call it with the context locked. Reads the program's last output, and closes both terminals. Does nothing
 * if the terminals are not open.
 */
void libxl__terminal_close(libxl_ctx *ctx, libxl__terminal *terminal);

/*
 * Writes the last lines of the program's output into `text`, as one line of printable characters. The result
 * is empty if the program has printed nothing. Call it with the context locked.
 */
void libxl__terminal_words(const libxl__terminal *terminal, char *text, size_t room);

#endif
