/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * crowd N: the floor of ../crowd.c. One thread polls xenstored's socket and reads the messages. At each
 * complete event, this thread wakes the threads whose guests have stopped. Each thread that waits for a guest
 * sleeps on its own condition. "wakes" and "switches" are defined as in ../crowd.c. xenstored polls between
 * the header of an event and its body, so the polling thread may be woken by the header alone.
 */
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <xenctrl.h>
#include <xenstore.h>

#include <xen/io/xs_wire.h>

#include "bench.h"
#include "domains.h"

enum { STACK_BYTES = 256 << 10, SETTLE_US = 300000, APART_US = 2000 };

static struct sleeper {
    uint32_t domid;
    bool stopped;
    pthread_cond_t woken;
    pthread_t thread;
} * sleepers;
static long count;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void *sleeps(void *one)
{
    struct sleeper *sleeper = one;
    pthread_mutex_lock(&lock);
    while (!sleeper->stopped)
        pthread_cond_wait(&sleeper->woken, &lock);
    pthread_mutex_unlock(&lock);
    return NULL;
}

static bool has_stopped(uint32_t domid)
{
    xc_domaininfo_t info;
    return xc_domain_getinfolist(domains_xc(), domid, 1, &info) == 1 && info.flags & XEN_DOMINF_shutdown;
}

static int watching(void)
{
    static const char body[] = "@releaseDomain\0crowd";
    const struct xsd_sockmsg head = {.type = XS_WATCH, .len = sizeof(body)};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", xs_daemon_socket());
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bench_check(!connect(fd, (struct sockaddr *)&address, sizeof(address)), "connecting to xenstored");
    bench_check(write(fd, &head, sizeof(head)) == sizeof(head) &&
                    write(fd, body, sizeof(body)) == sizeof(body),
                "writing to xenstored");
    return fd;
}

/* Reads the messages that have arrived, and keeps an incomplete message. Returns whether there was
 * an event. */
static bool an_event(int fd)
{
    static char in[4096];
    static size_t have;
    struct xsd_sockmsg head;
    bool event = false;
    ssize_t got = read(fd, in + have, sizeof(in) - have);
    bench_check(got > 0, "reading from xenstored");
    have += (size_t)got;
    while (have >= sizeof(head)) {
        memcpy(&head, in, sizeof(head));
        const size_t whole = sizeof(head) + head.len;
        if (have < whole)
            break;
        event = event || head.type == XS_WATCH_EVENT;
        have -= whole;
        memmove(in, in + whole, have);
    }
    return event;
}

static void *polls(void *unused)
{
    struct pollfd xenstored = {.fd = watching(), .events = POLLIN};
    for (long next = 0; next < count;) {
        poll(&xenstored, 1, -1);
        if (!an_event(xenstored.fd))
            continue;
        pthread_mutex_lock(&lock);
        for (; next < count && has_stopped(sleepers[next].domid); next++) {
            sleepers[next].stopped = true;
            pthread_cond_signal(&sleepers[next].woken);
        }
        pthread_mutex_unlock(&lock);
    }
    close(xenstored.fd);
    return unused;
}

static void obeys(uint32_t domid)
{
    char path[64];
    snprintf(path, sizeof(path), "/local/domain/%u/control/shutdown", domid);
    bench_check(xs_write(domains_xs(), XBT_NULL, path, "", 0), "xs_write");
    domain_stops(domid);
}

int main(int argc, char **argv)
{
    pthread_t poller;
    pthread_attr_t small;
    count = bench_number(argc, argv, 1);
    sleepers = calloc((size_t)count, sizeof(*sleepers));
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, STACK_BYTES);
    for (long i = 0; i < count; i++) {
        sleepers[i].domid = domain_introduced();
        pthread_cond_init(&sleepers[i].woken, NULL);
    }
    for (long i = 0; i < count; i++)
        bench_check(!pthread_create(&sleepers[i].thread, &small, sleeps, &sleepers[i]), "pthread_create");
    bench_check(!pthread_create(&poller, &small, polls, NULL), "pthread_create");
    usleep(SETTLE_US);
    double woken = bench_wakes(), switched = bench_switches();
    for (long i = 0; i < count; i++) {
        obeys(sleepers[i].domid);
        usleep(APART_US);
    }
    for (long i = 0; i < count; i++)
        pthread_join(sleepers[i].thread, NULL);
    bench_say("wakes", (bench_wakes() - woken) / (double)count);
    bench_say("switches", (bench_switches() - switched) / (double)count);
    pthread_join(poller, NULL);
    return bench_done();
}
