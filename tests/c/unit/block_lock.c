/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The lock of Xen's block scripts: the queue of the operations that need it, and the limit of the wait. The test
 * program itself takes the lock, as a script does. */
#include "core.h"

#include "host.h"

enum { OPERATIONS = 5, WITHIN_MS = 10000 };

struct task {
    atomic_int *taken;    /* The number of operations that have taken the lock. */
    atomic_bool attempts; /* The operation is the one that tries to take the lock. */
    int order;            /* The number of operations that have taken the lock before this one. */
};

static int lock_poll(libxl__ao *ao, void *state)
{
    struct task *t = core_user(ao);
    libxl__block_lock *lock = state;
    const int rc = libxl__block_lock_take(ao, lock);
    if (!rc)
        t->order = (*t->taken)++;
    t->attempts = lock->alarm.source.ao != NULL;
    return rc;
}

static int lock_start(libxl__ao *ao, void *state)
{
    return lock_poll(ao, state);
}

CORE_CLASS(lock, libxl__block_lock);

static int take_lock(void)
{
    const int fd = libxl__block_lock_try();
    assert_true(fd >= 0);
    return fd;
}

static void wait_for_attempt(scene *s, const struct task *t)
{
    for (int i = 0; i < WITHIN_MS && !t->attempts; i++)
        pump(s, 1);
    assert_true(t->attempts);
}

static void one_operation_tries_and_the_others_wait_in_order(scene *s)
{
    const int fd = take_lock();
    atomic_int taken = 0;
    struct task t[OPERATIONS];
    op *o[OPERATIONS];
    for (int i = 0; i < OPERATIONS; i++) {
        t[i] = (struct task){.taken = &taken};
        o[i] = START(s, core_begin, s->ctx, &lock_class, &t[i], how);
        assert_int_equal(t[i].attempts, i == 0);
    }
    assert_int_equal(libxl_ao_abort(s->ctx, op_how(o[0])), 0);
    assert_int_equal(op_result(o[0]), ERROR_ABORTED);
    wait_for_attempt(s, &t[1]);
    for (int i = 2; i < OPERATIONS; i++)
        assert_false(t[i].attempts);
    assert_int_equal(taken, 0);
    libxl__block_lock_release(fd);
    for (int i = 1; i < OPERATIONS; i++) {
        assert_int_equal(op_result(o[i]), 0);
        assert_int_equal(t[i].order, i - 1);
    }
    libxl__block_lock_release(take_lock());
}

/* When the limit has passed, the operations that wait in the queue fail, too. A later operation waits again. */
static void the_message_of_a_failed_wait_names_the_lock(scene *s)
{
    const int fd = take_lock();
    atomic_int taken = 0;
    struct task t[3];
    op *o[3];
    for (int i = 0; i < 2; i++) {
        t[i] = (struct task){.taken = &taken};
        o[i] = START(s, core_begin, s->ctx, &lock_class, &t[i], how);
    }
    libxl__ctx_lock(s->ctx);
    s->ctx->host->block_queue.wait.waited_ms = LIBXL__BLOCK_LOCK_LIMIT_MS;
    libxl__ctx_unlock(s->ctx);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(op_result(o[i]), ERROR_LOCK_FAIL);
        assert_non_null(
            strstr(o[i]->message, LIBXL__BLOCK_LOCK_FILE ": this lock was not free for 10000 ms"));
    }
    t[2] = (struct task){.taken = &taken};
    o[2] = START(s, core_begin, s->ctx, &lock_class, &t[2], how);
    assert_true(t[2].attempts);
    libxl__block_lock_release(fd);
    assert_int_equal(op_result(o[2]), 0);
}

static void the_pauses_grow_up_to_the_limit(scene *s)
{
    libxl__block_wait wait = {0};
    unsigned sum = 0, last = 0, pause;
    (void)s;
    while ((pause = libxl__block_lock_pause(&wait))) {
        assert_in_range(pause, last, LIBXL__BLOCK_LOCK_STEP_MS);
        last = pause;
        sum += pause;
    }
    assert_int_equal(last, LIBXL__BLOCK_LOCK_STEP_MS);
    assert_in_range(sum, LIBXL__BLOCK_LOCK_LIMIT_MS, LIBXL__BLOCK_LOCK_LIMIT_MS + LIBXL__BLOCK_LOCK_STEP_MS);
}

static const body bodies[] = {
    BODY(one_operation_tries_and_the_others_wait_in_order, ASYNCHRONOUS | ALONE),
    BODY(the_message_of_a_failed_wait_names_the_lock, ASYNCHRONOUS | ALONE),
    BODY(the_pauses_grow_up_to_the_limit, NO_CONTEXT),
};

HARNESS_MAIN(bodies)
