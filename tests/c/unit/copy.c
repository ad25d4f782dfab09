/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Copies between descriptors. Every octet arrives, in order, for every kind of source and sink. A copy does
 * not change the caller's descriptors and signals.
 */
#include "peer.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- a read() that fails once */

/* The peer whose source fails, else NULL. Each thread runs the test with a peer of its own, and starts its copy. */
static _Thread_local struct peer *failing;

/* The library calls this function instead of the C library's. The first read of the failing peer's source
 * finds no data, and then the peer writes its data and closes its end. */
ssize_t read(int fd, void *data, size_t length)
{
    typedef ssize_t reader(int, void *, size_t);
    static reader *real;
    if (!real)
        real = (reader *)(uintptr_t)dlsym(RTLD_NEXT, "read");
    if (!failing || fd != failing->source.ours)
        return real(fd, data, length);
    struct peer *p = failing;
    failing = NULL;
    feed(p);
    errno = EIO;
    return -1;
}

/* ---- the data */

static void prefix_and_data_arrive_completely(scene *s)
{
    static const size_t sizes[] = {0, 1, 999, 1000, 1001, 100000};
    static const enum kind sinks[] = {PIPE, SOCKET, REGULAR};
    enum { SIZES = sizeof(sizes) / sizeof(*sizes), SINKS = sizeof(sinks) / sizeof(*sinks) };
    /* Each pair of sizes is tried once, and each pair of a source's and a sink's kind three times. */
    for (unsigned i = 0; i < SIZES * SIZES; i++) {
        char *prefix = pattern(sizes[i / SIZES], 1), *data = pattern(sizes[i % SIZES], 2);
        struct peer p = {.copying = {.prefix = prefix, .prefix_length = sizes[i / SIZES]},
                         .data = data,
                         .length = sizes[i % SIZES],
                         .order = i % 2 ? ALL_BEFORE : END_WAITED_FOR};
        if (p.length > PIPE_HOLDS)
            p.order = END_WAITED_FOR;
        assert_int_equal(run_peer(s, &p, (enum kind)(i % KINDS), sinks[i / KINDS % SINKS]), 0);
        check_peer(&p);
        free(prefix);
        free(data);
    }
}

/* The copy may notice the end of the source before, while or after it reads the source's last data. */
static void all_data_is_copied_however_the_source_ends(scene *s)
{
    static const struct {
        enum kind source;
        enum ending ending;
    } ways[] = {
        {PIPE, CLOSED},      /* hang-up */
        {PTY, CLOSED},       /* hang-up, and read() fails with EIO */
        {SOCKET, CLOSED},    /* end of file and hang-up */
        {SOCKET, SHUT_DOWN}, /* end of file, no hang-up */
        {SOCKET, SHUT_DOWN_AND_CLOSED},
    };
    char *data = pattern(2500, 3);
    for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++)
        for (enum order order = ALL_BEFORE; order < ORDERS; order++) {
            struct peer p = {.data = data, .length = 2500, .order = order, .ending = ways[i].ending};
            assert_int_equal(run_peer(s, &p, ways[i].source, PIPE), 0);
            check_peer(&p);
        }
    free(data);
}

/* For each poll Linux first tests whether a terminal has data, and then whether it is closed. Here the data
 * and the close come between the two tests. */
static void data_that_arrives_with_the_close_is_copied(scene *s)
{
    struct peer p = {.data = "written between both tests", .length = 26};
    begin_peer(&p, PTY, REGULAR);
    failing = &p;
    assert_int_equal(RUN(s, core_begin(s->ctx, &copy_class, &p.copying, how)), 0);
    lseek(p.sink.ours, 0, SEEK_SET);
    collect(&p);
    check_peer(&p);
    close_ends(&p.source);
    close_ends(&p.sink);
}

static void a_file_that_cannot_be_read_is_an_error(scene *s)
{
    struct peer p = {.data = "", .length = 0};
    begin_peer(&p, REGULAR, REGULAR);
    failing = &p;
    assert_int_equal(RUN(s, core_begin(s->ctx, &copy_class, &p.copying, how)), ERROR_FAIL);
    if (!s->way.several)
        assert_non_null(strstr(last_message(s), strerror(EIO)));
    free(p.got);
    close_ends(&p.source);
    close_ends(&p.sink);
}

/* The peer closes a socket that has unread data. This resets the connection. The copy delivers the data
 * that arrived before, and then fails. */
static void a_reset_source_is_an_error_after_its_data(scene *s)
{
    char *data = pattern(1000, 4);
    struct peer p = {.data = data, .length = 1000};
    begin_peer(&p, SOCKET, REGULAR);
    assert_int_equal(write(p.source.ours, "unread", 6), 6);
    feed(&p);
    assert_int_equal(RUN(s, core_begin(s->ctx, &copy_class, &p.copying, how)), ERROR_FAIL);
    if (!s->way.several)
        assert_non_null(strstr(last_message(s), strerror(ECONNRESET)));
    lseek(p.sink.ours, 0, SEEK_SET);
    collect(&p);
    check_peer(&p);
    close_ends(&p.source);
    close_ends(&p.sink);
    free(data);
}

/* Both copies use both descriptors. One copy reads the descriptor that the other copy writes. */
static void two_copies_go_both_ways_over_one_socket(scene *s)
{
    enum { LENGTH = 300000 };
    char *data[2] = {pattern(LENGTH, 5), pattern(LENGTH, 6)};
    struct ends near = open_ends(SOCKET, true), far = open_ends(SOCKET, true);
    struct peer there = {.data = data[0], .length = LENGTH, .ending = SHUT_DOWN}, back = there;
    back.data = data[1];
    there.source = back.sink = near;
    back.source = there.sink = far;
    there.copying = (struct copying){.ctx = s->ctx, .from = near.ours, .to = far.ours};
    back.copying = (struct copying){.ctx = s->ctx, .from = far.ours, .to = near.ours};
    op *one = START(s, core_begin, s->ctx, &copy_class, &there.copying, how);
    op *other = START(s, core_begin, s->ctx, &copy_class, &back.copying, how);
    struct peer *peers[2] = {&there, &back};
    for (int i = 0; i < 2; i++) {
        peers[i]->room = LENGTH;
        peers[i]->got = malloc(LENGTH);
        pthread_create(&peers[i]->feeding, NULL, feed, peers[i]);
        pthread_create(&peers[i]->collecting, NULL, collect, peers[i]);
    }
    assert_int_equal(op_result(one), 0);
    assert_int_equal(op_result(other), 0);
    for (int i = 0; i < 2; i++) {
        pthread_join(peers[i]->feeding, NULL);
        pthread_join(peers[i]->collecting, NULL);
        check_peer(peers[i]);
        free(data[i]);
    }
    close_ends(&near);
    close_ends(&far);
}

/* ---- the caller's descriptors and signals */

static int flags_of(int fd)
{
    return fcntl(fd, F_GETFL);
}

enum outcome { ENDED, BROKEN, STOPPED };

/* Checks that the copy leaves the flags of both descriptors unchanged. `from_flag` and `to_flag` say
 * whether O_NONBLOCK is set before the copy. */
static void check_flags_after(scene *s, enum outcome outcome, bool from_flag, bool to_flag)
{
    struct copying c = {.prefix = "prefix", .prefix_length = 6};
    struct ends source = open_ends(PIPE, true), sink = open_ends(PIPE, false);
    c.from = source.ours;
    c.to = sink.ours;
    if (from_flag)
        fcntl(c.from, F_SETFL, flags_of(c.from) | O_NONBLOCK);
    if (to_flag)
        fcntl(c.to, F_SETFL, flags_of(c.to) | O_NONBLOCK);
    const int from = flags_of(c.from), to = flags_of(c.to);
    if (outcome == ENDED)
        close_theirs(&source);
    if (outcome == BROKEN)
        close_theirs(&sink);
    static const int results[] = {[ENDED] = 0, [BROKEN] = ERROR_FAIL, [STOPPED] = ERROR_TIMEDOUT};
    assert_int_equal(RUN(s, core_begin(s->ctx, &limited_copy_class, &c, how)), results[outcome]);
    assert_int_equal(flags_of(c.from), from);
    assert_int_equal(flags_of(c.to), to);
    close_ends(&source);
    close_ends(&sink);
}

static void the_caller_s_descriptor_flags_are_restored(scene *s)
{
    for (enum outcome outcome = ENDED; outcome <= STOPPED; outcome++)
        for (unsigned flags = 0; flags < 4; flags++)
            check_flags_after(s, outcome, flags & 1, flags & 2);
}

static atomic_int signals;

static void count_signal(int number)
{
    (void)number;
    signals++;
}

/* A copy to a sink whose reader is gone fails. No SIGPIPE reaches the handler. */
static void a_broken_sink_raises_no_signal(scene *s)
{
    struct sigaction counting = {.sa_handler = count_signal}, before;
    sigaction(SIGPIPE, &counting, &before);
    for (enum kind kind = PIPE; kind <= SOCKET; kind++) {
        struct copying c = {.prefix = "x", .prefix_length = 1};
        struct ends source = open_ends(PIPE, true), sink = open_ends(kind, false);
        c.from = source.ours;
        c.to = sink.ours;
        close_theirs(&sink);
        assert_int_equal(RUN(s, core_begin(s->ctx, &copy_class, &c, how)), ERROR_FAIL);
        assert_true(s->way.several || strstr(last_message(s), strerror(EPIPE)));
        close_ends(&source);
        close_ends(&sink);
    }
    assert_int_equal(signals, 0);
    sigaction(SIGPIPE, &before, NULL);
}

/* The application has a pending SIGPIPE. The copy must not consume this signal. */
static void a_pending_signal_stays_pending(scene *s)
{
    sigset_t sigpipe, before, pending;
    sigemptyset(&sigpipe);
    sigaddset(&sigpipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &sigpipe, &before);
    pthread_kill(pthread_self(), SIGPIPE);
    a_broken_sink_raises_no_signal(s);
    sigpending(&pending);
    assert_true(sigismember(&pending, SIGPIPE));
    assert_int_equal(sigtimedwait(&sigpipe, NULL, &(struct timespec){0}), SIGPIPE);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* ---- ending early */

/* Prepares a copy from an endless source to a pipe that nobody reads. The pipe fills, and the copy
 * gets stuck. */
static void begin_stuck(struct copying *c, struct ends *sink)
{
    *sink = open_ends(PIPE, false);
    *c = (struct copying){.from = open("/dev/zero", O_RDONLY | O_CLOEXEC), .to = sink->ours};
}

static void end_stuck(struct copying *c, struct ends *sink)
{
    char octets[PIPE_HOLDS];
    /* The copy has not closed the two descriptors. */
    assert_true(read(sink->theirs, octets, sizeof(octets)) > 0);
    assert_int_equal(write(sink->ours, "x", 1), 1);
    assert_int_equal(close(c->from), 0);
    close_ends(sink);
}

static void an_abort_ends_a_copy_in_the_middle(scene *s)
{
    struct copying c;
    struct ends sink;
    begin_stuck(&c, &sink);
    c.ctx = s->ctx;
    op *o = START(s, core_begin, s->ctx, &copy_class, &c, how);
    while (copy_progress(&c) < PIPE_HOLDS)
        pump(s, 10);
    assert_int_equal(libxl_ao_abort(s->ctx, &o->how), 0);
    assert_int_equal(op_result(o), ERROR_ABORTED);
    end_stuck(&c, &sink);
}

static void a_limit_ends_a_copy_in_the_middle(scene *s)
{
    struct copying c;
    struct ends sink;
    begin_stuck(&c, &sink);
    uint64_t began = now_ms();
    assert_int_equal(RUN(s, core_begin(s->ctx, &limited_copy_class, &c, how)), ERROR_TIMEDOUT);
    assert_in_range(now_ms() - began, COPY_LIMIT_MS - 1, 5000);
    end_stuck(&c, &sink);
}

static int wait_1_ms(libxl__ao *ao, void *state)
{
    libxl__alarm *alarm = state;
    if (alarm->source.ao)
        return alarm->rang ? 0 : LIBXL__AO_WAIT;
    return libxl__alarm_set(ao, alarm, LIBXL__MILLISECONDS(1)) ? ERROR_NOMEM : LIBXL__AO_WAIT;
}

CORE_PHASE(soon, wait_1_ms, libxl__alarm);

/* A copy that never ends lets other operations proceed, and can be aborted. */
static void an_endless_copy_does_not_delay_other_operations(scene *s)
{
    static const libxl__ao_class short_class = {
        .name = "short", .phases = &soon_phases, .args_size = sizeof(void *)};
    struct copying c = {.ctx = s->ctx, .from = open("/dev/zero", O_RDONLY | O_CLOEXEC)};
    c.to = open("/dev/null", O_WRONLY | O_CLOEXEC);
    op *endless = START(s, core_begin, s->ctx, &copy_class, &c, how);
    for (int i = 0; i < 3; i++)
        assert_int_equal(RUN(s, core_begin(s->ctx, &short_class, NULL, how)), 0);
    assert_false(op_done(endless));
    assert_true(copy_progress(&c) > LIBXL__COPY_ROOM);
    assert_int_equal(libxl_ao_abort(s->ctx, &endless->how), 0);
    assert_int_equal(op_result(endless), ERROR_ABORTED);
    close(c.from);
    close(c.to);
}

/* ---- errors */

static void unusable_descriptors_are_reported(scene *s)
{
    int directory = open("/", O_RDONLY | O_CLOEXEC), null = open("/dev/null", O_RDWR | O_CLOEXEC);
    const struct {
        int from, to, error;
    } wrong[] = {{directory, null, EISDIR}, {-1, null, EBADF}, {null, -1, EBADF}};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        struct copying c = {.from = wrong[i].from, .to = wrong[i].to, .prefix = "x", .prefix_length = 1};
        assert_int_equal(RUN(s, core_begin(s->ctx, &copy_class, &c, how)), ERROR_FAIL);
        assert_true(s->way.several || strstr(last_message(s), strerror(wrong[i].error)));
    }
    close(directory);
    close(null);
}

static const body bodies[] = {
    BODY(prefix_and_data_arrive_completely),
    BODY(all_data_is_copied_however_the_source_ends),
    BODY(data_that_arrives_with_the_close_is_copied),
    BODY(a_file_that_cannot_be_read_is_an_error),
    BODY(a_reset_source_is_an_error_after_its_data),
    BODY(two_copies_go_both_ways_over_one_socket),
    BODY(the_caller_s_descriptor_flags_are_restored),
    BODY(a_broken_sink_raises_no_signal),
    BODY(a_pending_signal_stays_pending, ALONE),
    BODY(an_abort_ends_a_copy_in_the_middle, ASYNCHRONOUS),
    BODY(a_limit_ends_a_copy_in_the_middle),
    BODY(an_endless_copy_does_not_delay_other_operations, ASYNCHRONOUS),
    BODY(unusable_descriptors_are_reported),
};

HARNESS_MAIN(bodies)
