/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A terminal for a program, and a second terminal that shows it. Clients such as `xl console` open the second one by its name:
 * they see what the program prints, and their input is the program's.
 */
#ifndef LIBXL__TERMINAL_H
#define LIBXL__TERMINAL_H

#include "loop.h"

enum { LIBXL__TERMINAL_WORDS = 1024 };

/* Embed it in memory that lives until libxl__terminal_close; zero-initialise it. */
typedef struct libxl__terminal {
    bool open;
    int program;     /* the library's end of the program's terminal */
    int program_end; /* the program's end; -1: closed, because the program has its own */
    int shown;       /* the library's end of the shown terminal */
    int shown_end;   /* a client's end, kept open so that the terminal exists without a client */
    char name[64];   /* the shown terminal's path */
    libxl__fd from_program, from_client;
    char printed[LIBXL__TERMINAL_WORDS]; /* the last octets that the program has printed */
    size_t length;
} libxl__terminal;

/* Opens both terminals. Any thread may call this, unlocked. Returns 0 or an errno; nothing is open then. */
int libxl__terminal_open(libxl__terminal *terminal);

/*
 * Call it with the context locked, once the program was started. Closes the program's end, and relays between the terminals
 * until libxl__terminal_close. What a terminal does not take at once is lost, as on a serial line. Errors: FAIL; errno says why.
 */
int libxl__terminal_relay(libxl_ctx *ctx, libxl__terminal *terminal);

/* Call it with the context locked. Reads what the program has printed last, and closes both terminals. Does nothing if they are
 * not open. */
void libxl__terminal_close(libxl_ctx *ctx, libxl__terminal *terminal);

/* Writes the last lines that the program has printed into `text`, on one line: printable characters only. An empty result
 * means that it has printed none. */
void libxl__terminal_words(const libxl__terminal *terminal, char *text, size_t room);

#endif
