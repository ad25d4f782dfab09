/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Owns: the peer's writing thread and its reading thread, while a copy runs. */
#include "peer.h"

#include <fcntl.h>
#include <pty.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

/* ---- the operation */

static int copy_start(libxl__ao *ao, void *state)
{
    struct copying *c = core_user(ao);
    c->copy = state;
    int rc = libxl__copy_start(ao, c->copy, c->from, c->to, c->prefix, c->prefix_length);
    return rc ? rc : LIBXL__AO_WAIT;
}

static int copy_poll(libxl__ao *ao, void *state)
{
    struct copying *c = core_user(ao);
    const libxl__copy *copy = state;
    if (!copy->done)
        return LIBXL__AO_WAIT;
    c->copied = copy->copied;
    return copy->rc;
}

static void forget_copy(void *args)
{
    /* The operation ends, so its copy is about to be freed. */
    ((struct copying *)*(void **)args)->copy = NULL;
}

static const libxl__phase copy_phase = {.name = "copy", .start = copy_start, .poll = copy_poll};
static const libxl__phases copy_phases = {.list = &copy_phase, .count = 1, .state_size = sizeof(libxl__copy)};

#define COPY_CLASS                                                                                           \
    .name = "copy", .phases = &copy_phases, .dispose = forget_copy, .args_size = sizeof(void *), .slow = true

const libxl__ao_class copy_class = {COPY_CLASS};
const libxl__ao_class limited_copy_class = {COPY_CLASS, .limit_ms = COPY_LIMIT_MS};

int64_t copy_progress(struct copying *c)
{
    libxl__ctx_lock(c->ctx);
    int64_t copied = c->copy ? (int64_t)c->copy->copied : -1;
    libxl__ctx_unlock(c->ctx);
    return copied;
}

/* ---- the ends */

static void no_echo(int tty)
{
    struct termios settings;
    tcgetattr(tty, &settings);
    cfmakeraw(&settings);
    tcsetattr(tty, TCSANOW, &settings);
}

struct ends open_ends(enum kind kind, bool source)
{
    int fds[2] = {-1, -1};
    switch (kind) {
    case PIPE:
        assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
        return source ? (struct ends){fds[0], fds[1]} : (struct ends){fds[1], fds[0]};
    case SOCKET: assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0); break;
    case PTY:
        assert_int_equal(openpty(&fds[0], &fds[1], NULL, NULL, NULL), 0);
        no_echo(fds[1]);
        break;
    case REGULAR:
    case KINDS: fds[0] = fds[1] = memfd_create("copy", MFD_CLOEXEC);
    }
    return (struct ends){fds[0], fds[1]};
}

void close_theirs(struct ends *e)
{
    if (e->theirs != e->ours)
        close(e->theirs);
    e->theirs = e->ours;
}

void close_ends(struct ends *e)
{
    close_theirs(e);
    close(e->ours);
}

/* ---- the peer */

static void wait_for_progress(struct peer *p, size_t least)
{
    for (uint64_t end = now_ms() + scaled_ms(5000);
         copy_progress(&p->copying) < (int64_t)least && now_ms() < end; sleep_ms(1))
        ;
}

static void end_source(struct peer *p)
{
    if (p->ending != CLOSED)
        shutdown(p->source.theirs, SHUT_WR);
    if (p->ending != SHUT_DOWN)
        close_theirs(&p->source);
}

static void write_all(int fd, const char *data, size_t length)
{
    for (ssize_t put; length; data += put, length -= (size_t)put)
        if ((put = write(fd, data, length)) < 0)
            return; /* The test fails later, because the sink lacks the data. */
}

void *feed(void *argument)
{
    struct peer *p = argument;
    if (p->order >= DATA_WAITED_FOR)
        wait_for_progress(p, p->copying.prefix_length);
    write_all(p->source.theirs, p->data, p->length);
    if (p->order == DATA_BEFORE || p->order == END_WAITED_FOR)
        wait_for_progress(p, p->copying.prefix_length + p->length);
    end_source(p);
    return NULL;
}

void *collect(void *argument)
{
    struct peer *p = argument;
    for (ssize_t got; p->count < p->room; p->count += (size_t)got)
        if ((got = read(p->sink.theirs, p->got + p->count, p->room - p->count)) <= 0)
            break;
    return NULL;
}

char *pattern(size_t length, unsigned seed)
{
    char *data = malloc(length + 1);
    for (size_t i = 0; i < length; i++)
        data[i] = (char)((i * 2654435761u + seed) >> 7);
    return data;
}

void begin_peer(struct peer *p, enum kind source, enum kind sink)
{
    p->source = open_ends(source, true);
    p->sink = open_ends(sink, false);
    p->copying.from = p->source.ours;
    p->copying.to = p->sink.ours;
    p->room = p->copying.prefix_length + p->length + 1;
    p->got = malloc(p->room);
    if (source == REGULAR) {
        write_all(p->source.theirs, p->data, p->length);
        lseek(p->source.ours, 0, SEEK_SET);
    }
}

int run_peer(scene *s, struct peer *p, enum kind source, enum kind sink)
{
    begin_peer(p, source, sink);
    p->copying.ctx = s->ctx;
    if (source != REGULAR)
        pthread_create(&p->feeding, NULL, feed, p);
    if (source != REGULAR && p->order == ALL_BEFORE)
        pthread_join(p->feeding, NULL);
    if (sink != REGULAR)
        pthread_create(&p->collecting, NULL, collect, p);
    int rc = RUN(s, core_begin(s->ctx, &copy_class, &p->copying, how));
    if (source != REGULAR && p->order != ALL_BEFORE)
        pthread_join(p->feeding, NULL);
    if (sink == REGULAR) {
        lseek(p->sink.ours, 0, SEEK_SET);
        collect(p);
        close(p->sink.ours);
    } else {
        close(p->sink.ours); /* The reading thread now reads the end of the sink, and ends. */
        pthread_join(p->collecting, NULL);
        close(p->sink.theirs);
    }
    close_ends(&p->source);
    return rc;
}

void check_peer(struct peer *p)
{
    const size_t prefix = p->copying.prefix_length;
    assert_int_equal(p->count, prefix + p->length);
    assert_memory_equal(p->got, p->copying.prefix, prefix);
    assert_memory_equal(p->got + prefix, p->data, p->length);
    assert_true(p->copying.copied == prefix + p->length);
    free(p->got);
}
