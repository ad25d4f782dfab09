/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Limits the rate of the stream. libxenguest writes into a pipe, and a thread copies from the pipe at the given rate. A
 * callback of libxenguest could only pause between whole batches of pages, so the rate would not be even.
 *
 * Owns: the thread, the pipe's reading end, and the duplicate of the stream's descriptor. If pace_end is not
 * called, the kernel frees them when the process ends. The thread uses only `out`, `in`, and the atomic
 * variables.
 */
#include "program.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

enum { PART = 1 << 14 };

/* After a pause the thread may send a burst. A burst has at most the octets that the rate allows in this time. */
#define LONGEST_BURST 50000000ull /* ns */

static int in = -1, out = -1; /* the descriptors from which the thread reads and to which it writes */
static pthread_t thread;
static bool running;
static atomic_uint_fast64_t limit; /* the greatest rate, in octets per second; 0: no limit */
static atomic_int failure;         /* the errno of the failed write; 0: no write has failed */

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/*
 * Sleeps until the next `size` octets may be sent. *due is the time at which the rate allows the octets that were
 * sent before.
 */
static void wait_for(size_t size, uint64_t *due)
{
    const uint64_t rate = limit, now = now_ns();
    if (!rate)
        return;
    if (*due + LONGEST_BURST < now)
        *due = now - LONGEST_BURST;
    *due += (uint64_t)((double)size * 1e9 / (double)rate);
    const struct timespec until = {.tv_sec = (time_t)(*due / 1000000000),
                                   .tv_nsec = (long)(*due % 1000000000)};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

static void *copy(void *nothing)
{
    char part[PART];
    uint64_t due = now_ns();
    ssize_t size;
    while ((size = read(in, part, sizeof(part))) > 0) {
        wait_for((size_t)size, &due);
        if (!write_all(out, part, (size_t)size)) {
            failure = errno ? errno : EIO;
            break;
        }
    }
    close(in); /* Closes the reading end of the pipe, so that libxenguest's next write fails. */
    return nothing;
}

bool pace_begin(uint64_t rate)
{
    int ends[2];
    sigset_t all, before;
    if (pipe2(ends, O_CLOEXEC))
        return false;
    in = ends[0];
    out = fcntl(STREAM, F_DUPFD_CLOEXEC, HEAD + 1);
    if (out < 0 || dup2(ends[1], STREAM) < 0)
        return false;
    close(ends[1]);
    limit = rate;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* the main thread handles the signals */
    errno = pthread_create(&thread, NULL, copy, NULL);
    running = !errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return running;
}

void pace_no_more(void)
{
    limit = 0;
}

bool pace_end(void)
{
    if (!running)
        return true;
    close(STREAM);
    if (!join_thread(thread))
        return false;
    errno = failure;
    return !failure;
}

int pace_error(void)
{
    return failure;
}
