/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs one test body in every way. A way consists of a mode, a style and a number of threads. The mode is how
 * operations complete. The style is how the program waits.
 *
 *   mode      synchronous | callback | event
 *   style     libxl_event_wait | poll(2) with beforepoll and afterpoll | the one descriptor with epoll
 *             | the event hook | the application's own event loop, with libxl's hooks for descriptors
 *   threads   one | several: two threads run the body at once, and a third one waits for events too
 *
 * A body runs in all ways unless its entry names a reason. The macro RUN starts an operation, waits, and
 * returns the operation's result. RUN defines the variable `how` according to the way:
 *
 *     static void pause_works(scene *s)
 *     {
 *         assert_int_equal(RUN(s, libxl_domain_pause(s->ctx, domid, how)), 0);
 *     }
 *
 * A body may run twice at once in the same context. So the body keeps its state in local variables, creates
 * its own guests, and selects events by domain and for_user. With AIOXEN_TEST_WAYS=few a body runs in six
 * ways. Each mode is in at least two of the six ways, with one thread and with several. The six ways also
 * cover each style. With AIOXEN_TEST_WAYS=two a body runs in two ways: one with one thread, and one with
 * several. This value is for the real Xen, which is slow. Different bodies have different combinations of
 * mode and style.
 *
 * After each test the fixture (fixture.h) must find the same state as before, and each operation must have
 * completed exactly once. A cmocka assertion that fails on a thread other than the test's own ends the
 * process. In this case tests/c/test_c.py restarts the program for the remaining tests.
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
    bool several; /* false: one thread runs the body. true: several threads run it. */
} way;

/* A reason why a body does not run in all ways. Reasons can be combined. */
enum reason {
    NO_REASON = 0,
    /* The body does not run in the synchronous mode. It needs the operation's `how`, for example to abort
     * the operation. */
    ASYNCHRONOUS = 1,
    RUNS_ONCE = 2, /* The body runs in one way, EVENT with WAIT. It waits or takes events itself. */
    /* Only one thread runs the body, and another thread waits. The body changes the whole process or
     * the machine. */
    ALONE = 4,
    SLOW = 8,        /* The body always runs in six ways, because it takes a second or more. */
    NO_CONTEXT = 16, /* The body runs once, and s->ctx is NULL. It opens its own contexts, or needs none. */
};

/* An event that has arrived. The harness keeps each event that does not complete a known operation. */
typedef struct seen {
    libxl_event_type type;
    uint32_t domid;
    uint64_t for_user;
    int value;     /* The reason of a DOMAIN_SHUTDOWN, or the rc of an OPERATION_COMPLETE. */
    char vdev[16]; /* The vdev of a DISK_EJECT. */
    libxl_uuid uuid;
    struct seen *next;
} seen;

/* The registration of the library's descriptor with the application's event loop. */
typedef struct registration {
    bool registered;
    int fd;
    short events;
    void *for_libxl;
} registration;

typedef struct scene {
    libxl_ctx *ctx;
    way way;
    /* The members below are private to the harness. */
    struct op *ops; /* The list of all operations of the test. */
    seen *events;
    registration registration;
    pthread_mutex_t lock; /* Guards the three members above, and the results of the operations. */
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

/* Makes an entry of the table of bodies. Write BODY(name), or BODY(name, reason | reason). */
#define BODY(name, ...)                                                                                      \
    {                                                                                                        \
#name, name, (enum reason)(NO_REASON __VA_OPT__(|) __VA_ARGS__)                                      \
    }

/*
 * The main function of a program of tests. `program` runs all tests, and `program NAME...` runs the named
 * tests. `program --list` prints the names. `program --clean` destroys all guests and restores the
 * simulation. It is for use after a test has ended the process.
 */
int harness_main(int argc, char **argv, const body *bodies, size_t count);

/*
 * Begins the time limit of the running test anew: SIGALRM ends the program 60 s later (scaled). The harness
 * calls it before each test. A body that tries many cases calls it before each case.
 */
void harness_begin_limit(void);
#define HARNESS_MAIN(bodies)                                                                                 \
    int main(int argc, char **argv)                                                                          \
    {                                                                                                        \
        return harness_main(argc, argv, bodies, sizeof(bodies) / sizeof(*(bodies)));                         \
    }

/* ---- operations */

typedef struct op {
    scene *s;
    libxl_asyncop_how how;
    /* true: the operation has started. In the synchronous mode the member is always true. false: the
     * initiator has refused the operation, which must never complete. */
    bool started;
    /* The number of completions so far: synchronous returns, callbacks or completion events. */
    atomic_int completions;
    int rc;
    uint32_t domid; /* The domid of the completion event. Used in the mode EVENT only. */
    libxl_uuid uuid;
    pthread_t thread; /* The thread that ran the callback or took the event. */
    char message[512];
    /* Private to the harness: the synchronous call of the operation. A thread of its own makes the call. */
    struct call *call;
    struct op *next;
} op;

/* op_begin() begins an operation in the scene's mode. op_how() returns the `how` for the initiator, or
 * NULL in the synchronous mode. */
op *op_begin(scene *s);
const libxl_asyncop_how *op_how(const op *o);
/*
 * Stores the initiator's return value, `returned`. In the synchronous mode, `returned` is the operation's
 * result. In the other modes, it is ERROR_ASYNC_INPROGRESS if the operation has started, or the error if the
 * operation was refused.
 */
void op_started(op *o, int returned);
/* Waits in the scene's style until the operation has completed. Returns the operation's result. */
int op_result(op *o);
bool op_done(const op *o);

/* Begins and starts an operation, and waits until it has completed. Its value is the operation's result.
 * last_message(s) then returns the operation's message. */
#define RUN(s, call)                                                                                         \
    ({                                                                                                       \
        op *op_ = op_begin(s);                                                                               \
        const libxl_asyncop_how *how = op_how(op_);                                                          \
        op_started(op_, (call));                                                                             \
        op_result(op_);                                                                                      \
    })

/*
 * Starts an operation without waiting. An example is START(s, libxl_domain_destroy, s->ctx, domid, how). In
 * the synchronous mode, a thread of the harness makes the call. When START returns, the call waits in the
 * library or has returned. Objects passed by address must live until the result has been read.
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

/* The type of any initiator. The arguments are pointers and integers, and x86-64 passes both alike. A
 * function ignores surplus arguments. */
typedef int initiator(uintptr_t, uintptr_t, uintptr_t, uintptr_t, uintptr_t, uintptr_t);
typedef struct words {
    uintptr_t at[6];
} words;
#define WORDS(...) WORDS_OF(__VA_ARGS__, 0, 0, 0, 0, )
#define WORDS_OF(a, b, c, d, e, f, ...)                                                                      \
    ((words){                                                                                                \
        {(uintptr_t)(a), (uintptr_t)(b), (uintptr_t)(c), (uintptr_t)(d), (uintptr_t)(e), (uintptr_t)(f)}})
void op_call(op *o, initiator *function, words arguments);

/* Returns the message of the operation that this thread began last. */
const char *last_message(const scene *s);
/* Fails the test if the message of the last operation does not contain `part`. */
void check_says(const scene *s, const char *part);

/* Like guest_new() and guest_destroy() of guest.h, but these functions run in the scene's way. */
libxl_domid guest(scene *s, const char *command_line, bool run);
void destroy(scene *s, libxl_domid domid);

/* ---- waiting */

/* Waits once in the scene's style, at most `milliseconds`, and stores the events. -1 means no limit. */
void pump(scene *s, int milliseconds);
/* Calls pump() repeatedly until `milliseconds` have passed. */
void pump_for(scene *s, int milliseconds);
/*
 * Waits at most 10 s for the next event with this domid and this for_user, and returns the event. Fails the
 * test if the event has another type. With several threads, events of other types are skipped instead,
 * because the threads may store events out of order.
 */
seen next_event(scene *s, libxl_domid domid, uint64_t for_user, int type);
/* Waits at most `milliseconds` for the next event with this domid and this for_user. Returns whether it has
 * arrived, and stores it in *out. */
bool take_event(scene *s, libxl_domid domid, uint64_t for_user, int milliseconds, seen *out);
/* Waits `milliseconds`. Returns true if no event with this domid and this for_user has arrived. */
bool no_event(scene *s, libxl_domid domid, uint64_t for_user, int milliseconds);
/* Returns a for_user that no other operation has. */
uint64_t new_user(void);

/* Waits at most 10 s until a node below /local/domain/DOMID has this value. If `value` is NULL, waits
 * until the node does not exist. */
void wait_node(scene *s, libxl_domid domid, const char *path, const char *value);

/* Opens a context besides the scene's; the caller frees it. */
libxl_ctx *open_context(void);
/* Starts an instant operation. The operation completes by an event with this for_user. The event is queued
 * when the function returns. */
void complete_instantly(libxl_ctx *ctx, uint64_t for_user);

/* Returns the time of the monotonic clock, in milliseconds. */
uint64_t now_ms(void);
/* Returns a time limit in milliseconds: `ms` times AIOXEN_TEST_FACTOR. The factor is 1 if the variable is
 * not set; tests/limits.py describes it. `ms` must be enough on an idle machine. */
uint64_t scaled_ms(uint64_t ms);
void sleep_ms(unsigned milliseconds);

#endif
