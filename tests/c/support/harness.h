/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One test body, every way in which an operation can complete and a program can wait for it:
 *
 *   mode      synchronous | callback | event
 *   style     libxl_event_wait | poll(2) with beforepoll and afterpoll | the one descriptor with epoll
 *             | the event hook | an event loop of the application's, with libxl's hooks for descriptors
 *   threads   one | several: two threads run the body at once, a third one waits as well
 *
 * A body runs in all of them unless it names a reason. It starts an operation and gets its result by RUN; `how`
 * in the call is the way's own:
 *
 *     static void pause_works(scene *s)
 *     {
 *         assert_int_equal(RUN(s, libxl_domain_pause(s->ctx, domid, how)), 0);
 *     }
 *
 * Since another run of it is under way in the same context, it keeps its state in itself, has guests of its
 * own, and means events by domain and for_user. With AIOXEN_TEST_WAYS=few, for the real Xen, which is slow, a
 * body runs in six ways that have each mode with one and with several threads, and each style; which style goes
 * with which of them is another from body to body.
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

/* Why a body does not run in all ways; of several reasons each counts. */
enum reason {
    NO_REASON = 0,
    ASYNCHRONOUS = 1, /* in no synchronous way: it is about an operation's `how`, by which one is aborted */
    OF_WAITING = 2, /* once, by itself: its subject is a call that waits or takes events, which it makes (way:
                         EVENT, WAIT) */
    ALONE = 4,      /* what it does is done to the whole process or the whole world: with several threads, the
                         others only wait */
    SLOW = 8,       /* it takes the better part of a second, or more: in a few ways everywhere */
    NO_CONTEXT = 16, /* once: of what is below a context, or of opening and closing them. s->ctx is NULL */
};

/* An event that was not the completion of an operation that the harness knows. */
typedef struct seen {
    libxl_event_type type;
    uint32_t domid;
    uint64_t for_user;
    int value;     /* the reason of DOMAIN_SHUTDOWN, the rc of OPERATION_COMPLETE */
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
    seen *events;
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
    enum reason reason;
} body;

/* BODY(name) or BODY(name, reason | reason) */
#define BODY(name, ...)                                                                                      \
    {                                                                                                        \
#name, name, (enum reason)(NO_REASON __VA_OPT__(|) __VA_ARGS__)                                      \
    }

/* main: `program` runs all tests, `program NAME...` these, `program --list` prints the names, `program
 * --clean` destroys all guests and continues what is simulated, after a test that has ended the process. */
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
    atomic_int completions; /* returns, callbacks run or events taken */
    int rc;
    uint32_t domid; /* of its event: EVENT only */
    libxl_uuid uuid;
    pthread_t thread; /* that its callback ran on, or took its event */
    char message[512];
    /* for the harness: a synchronous call on a thread of its own */
    struct call *call;
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

/*
 * Starts only: START(s, libxl_domain_destroy, s->ctx, domid, how). A synchronous call is made by a thread of
 * the harness's; it waits in the library, or has returned, when this returns. Hence what it is given by
 * address must stay until its result is there.
 */
#define START(s, function, ...)                                                                              \
    ({                                                                                                       \
        op *op_ = op_begin(s);                                                                               \
        const libxl_asyncop_how *how = op_how(op_);                                                          \
        if (how)                                                                                             \
            op_started(op_, function(__VA_ARGS__));                                                          \
        else                                                                                                 \
            op_call(op_, (initiator *)(void (*)(void))(function), WORDS(__VA_ARGS__));                       \
        op_;                                                                                                 \
    })

/* Any initiator. Its arguments are pointers and integers, which are passed alike wherever Xen runs; those that
 * it has not are not looked at. */
typedef int initiator(uintptr_t, uintptr_t, uintptr_t, uintptr_t, uintptr_t, uintptr_t);
typedef struct words {
    uintptr_t at[6];
} words;
#define WORDS(...) WORDS_OF(__VA_ARGS__, 0, 0, 0, 0, )
#define WORDS_OF(a, b, c, d, e, f, ...)                                                                      \
    ((words){                                                                                                \
        {(uintptr_t)(a), (uintptr_t)(b), (uintptr_t)(c), (uintptr_t)(d), (uintptr_t)(e), (uintptr_t)(f)}})
void op_call(op *o, initiator *function, words arguments);

/* The message of the operation that this thread began last. */
const char *last_message(const scene *s);

/* As guest_new and guest_destroy (guest.h), in the scene's way. */
libxl_domid guest(scene *s, const char *command_line, bool run);
void destroy(scene *s, libxl_domid domid);

/* ---- waiting */

/* Waits once in the scene's style, at most `milliseconds` (-1: as long as it takes), and notes what came. */
void pump(scene *s, int milliseconds);
/* Lets that go on for so long. */
void pump_for(scene *s, int milliseconds);
/* Waits for the next event of this domain with this for_user, at most 10 s. It must have this type; with
 * several threads another may be noted before it, since each notes what it has taken. */
seen next_event(scene *s, libxl_domid domid, uint64_t for_user, int type);
/* Whether there is none, after `milliseconds` of waiting. */
bool no_event(scene *s, libxl_domid domid, uint64_t for_user, int milliseconds);
/* A for_user that nobody else has. */
uint64_t new_user(void);

/* Waits until a node below /local/domain/DOMID has this value (NULL: is not there), at most 10 s. */
void wait_node(scene *s, libxl_domid domid, const char *path, const char *value);

/* Milliseconds on the monotonic clock. */
uint64_t now_ms(void);
void sleep_ms(unsigned milliseconds);

#endif
