/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs one test body in every way in which an operation can complete and a program can wait for it:
 *
 *   mode      synchronous | callback | event
 *   style     libxl_event_wait | poll(2) with beforepoll and afterpoll | the one descriptor with epoll
 *             | the event hook | the application's own event loop, with libxl's hooks for descriptors
 *   threads   one | several: two threads run the body at once, and a third one waits for events too
 *
 * A body runs in all ways unless its entry names a reason. RUN starts an operation and returns its result; it
 * defines `how` according to the way:
 *
 *     static void pause_works(scene *s)
 *     {
 *         assert_int_equal(RUN(s, libxl_domain_pause(s->ctx, domid, how)), 0);
 *     }
 *
 * A body may run twice at once in the same context. So it keeps its state in local variables, creates its own
 * guests, and selects events by domain and for_user. With AIOXEN_TEST_WAYS=few a body runs in six ways, which
 * cover each mode with one and with several threads, and each style. AIOXEN_TEST_WAYS=two is for the real Xen,
 * which is slow: a body runs once with one thread and once with several. The combinations differ from body to body.
 *
 * After each test the fixture (fixture.h) must find the same state as before, and each operation must have
 * completed exactly once. A cmocka assertion that fails on another thread than the test's ends the process;
 * tests/c/test_c.py then restarts the program for the remaining tests.
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
    bool several; /* several threads run the body */
} way;

/* Why a body does not run in all ways. Reasons can be combined. */
enum reason {
    NO_REASON = 0,
    ASYNCHRONOUS =
        1, /* not in the synchronous mode: the body needs the operation's `how`, for example to abort it */
    RUNS_ONCE = 2, /* in one way (EVENT, WAIT): the body waits or takes events itself */
    ALONE = 4, /* the body changes the whole process or world: only one thread runs it, another one waits */
    SLOW = 8,  /* the body takes about a second or more: it always runs in six ways */
    NO_CONTEXT = 16, /* it runs once, and s->ctx is NULL: the body opens its own contexts, or needs none */
};

/* An event that has arrived. The harness keeps each event that does not complete a known operation. */
typedef struct seen {
    libxl_event_type type;
    uint32_t domid;
    uint64_t for_user;
    int value;     /* DOMAIN_SHUTDOWN: the reason; OPERATION_COMPLETE: the rc */
    char vdev[16]; /* DISK_EJECT */
    libxl_uuid uuid;
    struct seen *next;
} seen;

/* The descriptor that the library has registered with the application's event loop. */
typedef struct registration {
    bool registered;
    int fd;
    short events;
    void *for_libxl;
} registration;

typedef struct scene {
    libxl_ctx *ctx;
    way way;
    /* private to the harness */
    struct op *ops; /* every operation of the test */
    seen *events;
    registration registration;
    pthread_mutex_t lock; /* guards the three members above, and the operations' results */
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

/* The program's main. `program` runs all tests, `program NAME...` the named ones; `program --list` prints the
 * names. `program --clean` destroys all guests and restores the simulation after a test has ended the process. */
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
    /* Set when the initiator returns. false: the initiator refused the operation, which must never complete. */
    bool started;
    atomic_int completions; /* synchronous returns, callbacks or completion events */
    int rc;
    uint32_t domid; /* of the completion event; mode EVENT only */
    libxl_uuid uuid;
    pthread_t thread; /* the thread that ran the callback or took the event */
    char message[512];
    /* private to the harness: a synchronous call on its own thread */
    struct call *call;
    struct op *next;
} op;

/* Begins an operation in the scene's mode. op_how() is NULL in the synchronous mode. */
op *op_begin(scene *s);
const libxl_asyncop_how *op_how(const op *o);
/* Stores what the initiator returned. In the synchronous mode that is the result. In the others it is
 * ERROR_ASYNC_INPROGRESS, or the error of an operation that was refused. */
void op_started(op *o, int returned);
/* Waits in the scene's style until the operation has completed; returns its result. */
int op_result(op *o);
bool op_done(const op *o);

/* Begins and starts an operation, and waits for it. Its message is then in last_message(s). */
#define RUN(s, call)                                                                                         \
    ({                                                                                                       \
        op *op_ = op_begin(s);                                                                               \
        const libxl_asyncop_how *how = op_how(op_);                                                          \
        op_started(op_, (call));                                                                             \
        op_result(op_);                                                                                      \
    })

/*
 * Starts an operation without waiting: START(s, libxl_domain_destroy, s->ctx, domid, how). A thread of the
 * harness makes a synchronous call; when START returns, that call waits in the library or has returned. Objects
 * passed by address must live until the result has been read.
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

/* Any initiator. Its arguments are pointers and integers, which x86-64 passes alike. Surplus arguments are
 * ignored. */
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
/* Fails the test if the message of the last operation does not contain this. */
void check_says(const scene *s, const char *part);

/* Like guest_new() and guest_destroy() (guest.h), in the scene's way. */
libxl_domid guest(scene *s, const char *command_line, bool run);
void destroy(scene *s, libxl_domid domid);

/* ---- waiting */

/* Waits once in the scene's style, at most `milliseconds` (-1: without limit), and stores the events. */
void pump(scene *s, int milliseconds);
/* Calls pump() for `milliseconds`. */
void pump_for(scene *s, int milliseconds);
/* Waits at most 10 s for the next event of this domain with this for_user. It must have this type. With several
 * threads other types are skipped, since the threads may store events out of order. */
seen next_event(scene *s, libxl_domid domid, uint64_t for_user, int type);
/* Waits `milliseconds`. Returns whether no event of this domain with this for_user came. */
bool no_event(scene *s, libxl_domid domid, uint64_t for_user, int milliseconds);
/* Returns a for_user that is used nowhere else. */
uint64_t new_user(void);

/* Waits at most 10 s until a node below /local/domain/DOMID has this value (NULL: does not exist). */
void wait_node(scene *s, libxl_domid domid, const char *path, const char *value);

/* Opens a context besides the scene's; the caller frees it. */
libxl_ctx *open_context(void);
/* Starts an instant operation; its completion is an event with this for_user, queued when this returns. */
void complete_instantly(libxl_ctx *ctx, uint64_t for_user);

/* Milliseconds on the monotonic clock. */
uint64_t now_ms(void);
/* Returns a time limit: `ms` times AIOXEN_TEST_FACTOR (tests/limits.py), which is 1 if it is not set. `ms` must be enough on an
 * idle machine. */
uint64_t scaled_ms(uint64_t ms);
void sleep_ms(unsigned milliseconds);

#endif
