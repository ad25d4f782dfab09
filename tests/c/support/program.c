/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns: nothing. The tests own the programs. */
#include "program.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

static int program_poll(libxl__ao *ao, void *state)
{
    const struct program *p = core_user(ao);
    const libxl__child *child = state;
    int rc = child->done ? libxl__child_result(child, p->program) : LIBXL__AO_WAIT;
    return child->done && p->fails ? ERROR_INVAL : rc;
}

static int program_start(libxl__ao *ao, void *state)
{
    struct program *p = core_user(ao);
    const char *const argv[] = {p->program, "-c", p->command, NULL};
    libxl__child *child = state;
    int rc = libxl__child_start(ao, child, argv, p->stdio, LIBXL__MILLISECONDS(p->limit_ms));
    p->pid = child->pid;
    if (p->fails && !rc)
        rc = libxl__ao_fail(ao, ERROR_INVAL, "the first error");
    if (p->cleans_up)
        rc = kill(p->pid, SIGKILL) ? ERROR_FAIL : 0;
    return rc ? rc : LIBXL__AO_WAIT;
}

static const libxl__phase program_phase = {.name = "run", .start = program_start, .poll = program_poll};
static const libxl__phases program_phases = {
    .list = &program_phase, .count = 1, .state_size = sizeof(libxl__child)};

#define PROGRAM_CLASS .name = "program", .phases = &program_phases, .args_size = sizeof(void *), .slow = true

const libxl__ao_class program_class = {PROGRAM_CLASS};
const libxl__ao_class limited_program_class = {PROGRAM_CLASS, .limit_ms = PROGRAM_LIMIT_MS};

int run_program(scene *s, struct program *p)
{
    return RUN(s, core_begin(s->ctx, &program_class, p, how));
}

void check_gone(const struct program *p)
{
    assert_true(p->pid > 0);
    assert_int_equal(kill(p->pid, 0), -1); /* The process is gone. It is not even a zombie. */
    assert_int_equal(errno, ESRCH);
}

int scratch(const char *text)
{
    int fd = memfd_create("scratch", MFD_CLOEXEC);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    lseek(fd, 0, SEEK_SET);
    return fd;
}

const char *text_of(int fd)
{
    static _Thread_local char text[4096];
    ssize_t length = pread(fd, text, sizeof(text) - 1, 0);
    text[length < 0 ? 0 : length] = '\0';
    return text;
}
