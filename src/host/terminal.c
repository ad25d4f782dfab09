/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owns: the four descriptors of a terminal, from libxl__terminal_open to libxl__terminal_close. After
 * libxl__terminal_relay, the context's lock guards the structure.
 *
 * The program on the terminal is not trusted. It may print an endless text, and lines without ends. Each
 * callback reads only one buffer, so that the program does not occupy the loop. No function waits for a
 * client.
 */
#include "terminal.h"

#include "copy.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

enum { ROOM = 4096, LAST_READS = 16, LAST_LINES = 3 };

/* Opens one terminal. The library's end is non-blocking. Returns 0 or an errno. */
static int open_one(int *ours, int *theirs, char *name, size_t room)
{
    const struct winsize size = {.ws_row = 24, .ws_col = 80};
    *theirs = -1;
    *ours = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    if (*ours < 0)
        return errno;
    if (!grantpt(*ours) && !unlockpt(*ours) && !ptsname_r(*ours, name, room))
        *theirs = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (*theirs >= 0 && !ioctl(*ours, TIOCSWINSZ, &size))
        return 0;
    const int error = errno;
    if (*theirs >= 0)
        close(*theirs);
    close(*ours);
    return error;
}

int libxl__terminal_open(libxl__terminal *terminal)
{
    char name[sizeof(terminal->name)];
    struct termios raw;
    int error = open_one(&terminal->program, &terminal->program_end, name, sizeof(name));
    if (error)
        return error;
    error = open_one(&terminal->shown, &terminal->shown_end, terminal->name, sizeof(terminal->name));
    if (error) {
        close(terminal->program);
        close(terminal->program_end);
        return error;
    }
    /*
     * The program's terminal edits and echoes lines, as usual. The shown terminal is raw, because it only
     * passes octets on.
     */
    if (!tcgetattr(terminal->shown_end, &raw)) {
        cfmakeraw(&raw);
        tcsetattr(terminal->shown_end, TCSANOW, &raw);
    }
    terminal->open = true;
    return 0;
}

/* Appends octets to `printed`. If `printed` is full, drops the oldest octets. */
static void keep(libxl__terminal *terminal, const char *text, size_t length)
{
    const size_t most = sizeof(terminal->printed);
    if (length > most) {
        text += length - most;
        length = most;
    }
    const size_t kept = terminal->length < most - length ? terminal->length : most - length;
    memmove(terminal->printed, terminal->printed + terminal->length - kept, kept);
    memcpy(terminal->printed + kept, text, length);
    terminal->length = kept + length;
}

/*
 * Reads once from `from` and writes the octets to `to`. Returns the number of octets. Returns 0 if there is
 * nothing to read now, and -1 if there will be no more octets.
 */
static ssize_t pass(libxl__terminal *terminal, int from, int to)
{
    char text[ROOM];
    const ssize_t got = libxl__read_terminal(from, text, sizeof(text));
    if (got < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -1;
    if (got == 0)
        return -1;
    const ssize_t written = write(to, text, (size_t)got);
    (void)written;
    if (from == terminal->program)
        keep(terminal, text, (size_t)got);
    return got;
}

static void program_prints(libxl_ctx *ctx, libxl__fd *fd, uint32_t revents)
{
    (void)revents;
    libxl__terminal *terminal = LIBXL__CONTAINER(fd, libxl__terminal, from_program);
    if (pass(terminal, terminal->program, terminal->shown) < 0)
        libxl__fd_deregister(ctx, fd);
}

static void client_types(libxl_ctx *ctx, libxl__fd *fd, uint32_t revents)
{
    (void)revents;
    libxl__terminal *terminal = LIBXL__CONTAINER(fd, libxl__terminal, from_client);
    if (pass(terminal, terminal->shown, terminal->program) < 0)
        libxl__fd_deregister(ctx, fd);
}

int libxl__terminal_relay(libxl_ctx *ctx, libxl__terminal *terminal)
{
    close(terminal->program_end);
    terminal->program_end = -1;
    int rc = libxl__fd_register(ctx, &terminal->from_program, terminal->program, EPOLLIN, program_prints);
    if (rc)
        return rc;
    terminal->from_program.close_on_fork = true;
    rc = libxl__fd_register(ctx, &terminal->from_client, terminal->shown, EPOLLIN, client_types);
    if (!rc)
        terminal->from_client.close_on_fork = true;
    return rc;
}

void libxl__terminal_close(libxl_ctx *ctx, libxl__terminal *terminal)
{
    if (!terminal->open)
        return;
    terminal->open = false;
    for (int i = 0; i < LAST_READS && pass(terminal, terminal->program, terminal->shown) > 0; i++)
        ;
    libxl__fd_deregister(ctx, &terminal->from_program);
    libxl__fd_deregister(ctx, &terminal->from_client);
    close(terminal->program);
    if (terminal->program_end >= 0)
        close(terminal->program_end);
    close(terminal->shown);
    close(terminal->shown_end);
}

/* Skips the escape sequence that begins at the index `at`. Returns the index after the sequence. */
static size_t skip_escape(const libxl__terminal *terminal, size_t at)
{
    at++;
    if (at < terminal->length && terminal->printed[at] != '[')
        return at + 1;
    for (at++; at < terminal->length; at++)
        if (terminal->printed[at] >= '@' && terminal->printed[at] <= '~')
            return at + 1;
    return at;
}

/* Returns the index at which the last LAST_LINES lines begin. */
static size_t last_lines(const libxl__terminal *terminal)
{
    size_t at = terminal->length;
    while (at && isspace((unsigned char)terminal->printed[at - 1]))
        at--;
    for (int lines = 0; at; at--)
        if (terminal->printed[at - 1] == '\n' && ++lines == LAST_LINES)
            break;
    return at;
}

void libxl__terminal_words(const libxl__terminal *terminal, char *text, size_t room)
{
    size_t length = 0;
    for (size_t at = last_lines(terminal); at < terminal->length && length + 4 < room;) {
        const char c = terminal->printed[at];
        if (c == '\033') {
            at = skip_escape(terminal, at);
            continue;
        }
        at++;
        if (c == '\n' && length)
            length += (size_t)stpcpy(text + length, " / ") - (size_t)(text + length);
        else if (isprint((unsigned char)c))
            text[length++] = c;
    }
    while (length && strchr(" /", text[length - 1]))
        length--;
    text[length] = 0;
}
