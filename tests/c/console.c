/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libxl_domain_console_tty() returns the path of a console's terminal, and never another path. A program
 * can read a guest's output from this terminal. */
#include "harness.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static int open_console(libxl_ctx *ctx, libxl_domid domid)
{
    char *path = NULL;
    assert_int_equal(libxl_primary_console_get_tty(ctx, domid, &path), 0);
    const int fd = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
    assert_true(fd >= 0);
    free(path);
    return fd;
}

/* Reads from `fd` until `wanted` has arrived. Fails the test after 5 s. */
static void read_text(int fd, const char *wanted)
{
    char text[512] = "";
    size_t length = 0;
    for (uint64_t end = now_ms() + scaled_ms(5000); !strstr(text, wanted);) {
        struct pollfd readable = {.fd = fd, .events = POLLIN};
        if (now_ms() > end || length == sizeof(text) - 1)
            fail_msg("'%s' is not in '%s'", wanted, text);
        if (poll(&readable, 1, 10) <= 0)
            continue;
        const ssize_t got = read(fd, text + length, sizeof(text) - 1 - length);
        length += got > 0 ? (size_t)got : 0;
        text[length] = '\0';
    }
}

static void the_terminal_shows_what_the_guest_writes(scene *s)
{
    char *path = NULL, *node;
    libxl_domid domid = guest(s, "b", true);
    assert_int_equal(
        RUN(s, libxl_domain_console_tty(s->ctx, domid, 0, LIBXL_CONSOLE_TYPE_UNKNOWN, &path, how)), 0);
    node = guest_node(domid, "console/tty");
    assert_string_equal(path, node);
    free(path);
    free(node);
    const int fd = open_console(s->ctx, domid);
    read_text(fd, "tiny: b");
    close(fd);
    destroy(s, domid);
}

static void only_terminals_are_returned(scene *s)
{
    static const char *const wrong[] = {
        "",      "/dev/null",     "/dev/pts/",           "/dev/pts/../null", "/dev/pts/1x",
        "pts/1", "/dev/pts/ptmx", "/dev/pts/11111111111"};
    libxl_domid domid = guest(s, "b", false);
    char node[64], *path = NULL;
    snprintf(node, sizeof(node), "/local/domain/%u/console/tty", domid);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        fixture_write(node, wrong[i]);
        assert_int_equal(
            RUN(s, libxl_domain_console_tty(s->ctx, domid, 0, LIBXL_CONSOLE_TYPE_PV, &path, how)),
            *wrong[i] ? ERROR_FAIL : ERROR_NOTFOUND);
        assert_null(path);
    }
    assert_int_equal(RUN(s, libxl_domain_console_tty(s->ctx, domid, 1, LIBXL_CONSOLE_TYPE_PV, &path, how)),
                     ERROR_NOTFOUND);
    assert_int_equal(
        RUN(s, libxl_domain_console_tty(s->ctx, domid, 1, LIBXL_CONSOLE_TYPE_SERIAL, &path, how)),
        ERROR_INVAL);
    assert_int_equal(
        RUN(s, libxl_domain_console_tty(s->ctx, domid, 0, LIBXL_CONSOLE_TYPE_SERIAL, &path, how)),
        ERROR_NOTFOUND);
    destroy(s, domid);
}

/* The primary console of an HVM domain is the serial console. */
static void the_type_of_the_domain_decides(scene *s)
{
    libxl_domid domid = guest(s, "b", false);
    char node[64], *path = NULL;
    snprintf(node, sizeof(node), "/local/domain/%u/serial/0/tty", domid);
    fixture_write(node, "/dev/pts/4000");
    snprintf(node, sizeof(node), "/libxl/%u/type", domid);
    fixture_write(node, "hvm");
    assert_int_equal(libxl_primary_console_get_tty(s->ctx, domid, &path), 0);
    assert_string_equal(path, "/dev/pts/4000");
    free(path);
    destroy(s, domid);
}

static void xenconsole_is_run(scene *s)
{
    libxl_domid domid = guest(s, "b", true);
    int notify[2], output[2];
    char octet = 1;
    assert_int_equal(pipe(notify), 0);
    assert_int_equal(pipe2(output, O_CLOEXEC | O_NONBLOCK), 0);
    const pid_t child = fork();
    if (!child) {
        dup2(output[1], STDOUT_FILENO);
        libxl_postfork_child_noexec(s->ctx);
        libxl_ctx *ctx;
        if (!libxl_ctx_alloc(&ctx, LIBXL_VERSION, 0, NULL))
            libxl_primary_console_exec(ctx, domid, notify[1]);
        _exit(1);
    }
    close(notify[1]);
    assert_int_equal(read(notify[0], &octet, 1), 1);
    assert_int_equal(octet, 0);
    read_text(output[0], "tiny: b");
    close(notify[0]);
    destroy(s, domid); /* The process xenconsole ends when the domain ends. */
    assert_int_equal(waitpid(child, NULL, 0), child);
    close(output[0]);
    close(output[1]);
}

/* There is no VNC viewer in the PATH, so libxl_vncviewer_exec() returns. The standard input then holds the
 * password. */
static void a_viewer_gets_only_the_password(scene *s)
{
    const int in = dup(STDIN_FILENO);
    const char *programs = getenv("PATH");
    char path[64], password[8] = "", *before = strdup(programs ? programs : "");
    libxl_domid domid = guest(s, "b", true);
    snprintf(path, sizeof(path), "/local/domain/%u/console/vnc-port", domid);
    fixture_write(path, "5901");
    snprintf(path, sizeof(path), "/local/domain/%u/console/vnc-pass", domid);
    fixture_write(path, "secret");
    setenv("PATH", "/nonexistent", 1);
    const int descriptors = fixture_entries("/proc/self/fd");
    assert_int_equal(libxl_vncviewer_exec(s->ctx, domid, 1), ERROR_FAIL);
    assert_int_equal(fixture_entries("/proc/self/fd"), descriptors);
    assert_int_equal(read(STDIN_FILENO, password, sizeof(password)), strlen("secret"));
    assert_string_equal(password, "secret");
    setenv("PATH", before, 1);
    free(before);
    dup2(in, STDIN_FILENO);
    close(in);
    destroy(s, domid);
}

static const body bodies[] = {
    BODY(the_terminal_shows_what_the_guest_writes),
    BODY(only_terminals_are_returned),
    BODY(the_type_of_the_domain_decides),
    BODY(xenconsole_is_run, RUNS_ONCE | ALONE),
    BODY(a_viewer_gets_only_the_password, RUNS_ONCE | ALONE),
};

HARNESS_MAIN(bodies)
