/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One test body, every way in which an operation can complete and a program can wait for it:
 *
 *   mode      synchronous | callback | event
 *   style     libxl_event_wait | poll(2) with beforepoll and afterpoll | the one descriptor with epoll
 *             | the event hook | an event loop of the application's, with libxl's hooks for descriptors
 *   threads   one | several: two threads run the body at once, a third one waits as well
 *
 * A body starts an operation and gets its result by RUN; `how` in the call is the way's own:
 *
 *     static void pause_works(scene *s)
 *     {
 *         assert_int_equal(RUN(s, libxl_domain_pause(s->ctx, domid, how)), 0);
 *     }
 *
 * After each test everything must be as before it (fixture.h), and each operation has completed exactly once.
 * Assertions of cmocka end the process when they fail on a thread that is not the test's own;
 * tests/c/test_c.py copes.
 */
#ifndef HARNESS_H
#define HARNESS_H

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <libxl.h>

#include "fixture.h"
#include "guest.h"

enum mode { SYNC, CALLBACK, EVENT, MODES };
enum style { WAIT, POLL, DESCRIPTOR, HOOK, LOOP, STYLES };

typedef struct way {
    enum mode mode;
    enum style style;
    bool several; /* threads */
} way;

/* Which ways a body is run in. */
enum ways {
    ONE_WAY,    /* once; the body waits as it likes (way: EVENT, WAIT) */
    IN_LOOP,    /* once, in an event loop of the application's (way: EVENT, LOOP) */
    BOTH,       /* callback and event, with libxl_event_wait and one thread */
    EACH_MODE,  /* the three modes, with libxl_event_wait and one thread */
    EACH_STYLE, /* the styles, callback and event in turn, one thread */
    ASYNC,      /* callback and event, each style, one thread */
    DIAGONAL,   /* a third of all ways, in which each mode, style and number of threads occurs: for what is
                   costly */
    ALL_WAYS,   /* everything above times threads */
    NO_CONTEXT, /* once, with no context open: s->ctx is NULL */
};

/* An event that was not the completion of an operation. */
typedef struct seen {
    libxl_event_type type;
    uint32_t domid;
    uint64_t for_user;
    int value;     /* the reason of DOMAIN_SHUTDOWN */
    char vdev[16]; /* of DISK_EJECT */
    libxl_uuid uuid;
    struct seen *next;
} seen;

/* What the library has registered with the application's event loop. */
typedef struct registration {
    bool registered;
    int fd;
    short events;
    void *for_libxl;
} registration;

typedef struct scene {
    libxl_ctx *ctx;
    way way;
    /* for the harness */
    struct op *ops; /* all that were begun */
    seen *events, **events_end;
    registration registration;
    pthread_mutex_t lock; /* guards the above, and what operations got */
    int epoll;
    atomic_bool over;
    bool open;
    struct fixture before;
} scene;

typedef struct body {
    const char *name;
    void (*run)(scene *s);
    enum ways ways;
} body;

#define BODY(name, ways)                                                                                     \
    {                                                                                                        \
#name, name, (ways)                                                                                  \
    }

/* main: `program` runs all tests, `program NAME...` these, `program --list` prints the names, `program
 * --clean` destroys all guests, after a test that has ended the process. */
int harness_main(int argc, char **argv, const body *bodies, size_t count);
#define HARNESS_MAIN(bodies)                                                                                 \
    int main(int argc, char **argv)                                                                          \
    {                                                                                                        \
        return harness_main(argc, argv, bodies, sizeof(bodies) / sizeof(*(bodies)));                         \
    }

/* ---- operations */

typedef struct op {
    scene *s;
    libxl_asyncop_how how;
    bool started;           /* else it was refused, and must never complete */
    atomic_int completions; /* callbacks run or events taken */
    int rc;
    uint32_t domid;   /* of its event */
    pthread_t thread; /* that its callback ran on, or took its event */
    char message[512];
    struct op *next;
} op;

/* Begins an operation in the scene's mode; op_how is NULL when that is synchronous. */
op *op_begin(scene *s);
const libxl_asyncop_how *op_how(const op *o);
/* What the initiator returned. Synchronous: the result; else it must be ASYNC_INPROGRESS, or it was refused.
 */
void op_started(op *o, int returned);
/* Waits in the scene's style until it has completed; its result. */
int op_result(op *o);
bool op_done(const op *o);

/* Begins, starts and waits; the last one's message is in last_message(s). */
#define RUN(s, call)                                                                                         \
    ({                                                                                                       \
        op *op_ = op_begin(s);                                                                               \
        const libxl_asyncop_how *how = op_how(op_);                                                          \
        op_started(op_, (call));                                                                             \
        op_result(op_);                                                                                      \
    })

/* Starts only; asynchronous ways. */
#define START(s, call)                                                                                       \
    ({                                                                                                       \
        op *op_ = op_begin(s);                                                                               \
        const libxl_asyncop_how *how = op_how(op_);                                                          \
        op_started(op_, (call));                                                                             \
        op_;                                                                                                 \
    })

/* The message of the operation that was begun last. One thread. */
const char *last_message(const scene *s);

/* ---- waiting */

/* Waits once in the scene's style, at most `milliseconds` (-1: as long as it takes), and notes what came. */
void pump(scene *s, int milliseconds);
/* Waits for the next event that is no completion, at most 10 s. */
seen next_event(scene *s);
/* Whether there is none, after `milliseconds` of waiting. */
bool no_event(scene *s, int milliseconds);

/* Waits until a node below /local/domain/DOMID has this value (NULL: is not there), at most 10 s. */
void wait_node(scene *s, libxl_domid domid, const char *path, const char *value);

/* Milliseconds on the monotonic clock. */
uint64_t now_ms(void);
void sleep_ms(unsigned milliseconds);

#endif
