/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The lock of Xen's block scripts: the queue of the operations that need the lock, the time limit of their
 * wait, and the release of the lock by an addition that was aborted. The test program itself takes the lock,
 * as a script does. */
#include "core.h"
#include "disk.h"
#include "simulation.h"

#include "host.h"
#include "xen.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { OPERATIONS = 5, WITHIN_MS = 10000 };

struct task {
    atomic_int *taken;    /* The number of operations that have taken the lock. */
    atomic_bool attempts; /* This operation is the one that tries to take the lock. */
    int order;            /* The number of operations that had taken the lock before this one took it. */
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

/* When the time limit has passed, all operations that wait for the lock fail. A later operation waits for the
 * lock again. */
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

/* ---- an abort while the number of the block device is being written */

/* The context's own transport, and the one batch that the test holds back. The library takes this batch's
 * commit for sent. */
static const libxl__xs_transport *working;
static libxl__xs_batch *committing;

static bool writes_number(const libxl__xs_batch *batch)
{
    const libxl__xs_request *request;
    STAILQ_FOREACH (request, &batch->requests, link)
        if (request->kind == LIBXL__XS_WRITE && strstr(request->path, "/physical-device"))
            return true;
    return false;
}

static int run_others(libxl_ctx *ctx, libxl__xs_batch *batch)
{
    if (committing || !writes_number(batch))
        return working->run(ctx, batch);
    committing = batch;
    return 0;
}

static bool withdraw_others(libxl_ctx *ctx, libxl__xs_batch *batch)
{
    return batch != committing && working->withdraw(ctx, batch);
}

static bool uncommitted_others(const libxl__xs_batch *batch)
{
    return batch != committing && working->uncommitted(batch);
}

struct undos {
    atomic_bool host;     /* The undo of the phase "host" has begun. */
    atomic_bool overtook; /* The undo of the phase "write" has begun before the transaction has ended. */
};

static int on_moment(libxl__ao *ao, libxl__phase_moment moment, void *user)
{
    struct undos *undos = user;
    if (moment != LIBXL__PHASE_BEFORE_UNDO)
        return 0;
    if (!strcmp(libxl__phase_of(ao)->name, "host"))
        undos->host = true;
    else if (!strcmp(libxl__phase_of(ao)->name, "write") && committing)
        undos->overtook = true;
    return 0;
}

static bool is_committing(scene *s)
{
    libxl__ctx_lock(s->ctx);
    const bool result = committing;
    libxl__ctx_unlock(s->ctx);
    return result;
}

/* The aborted addition holds the lock until its transaction has ended, because xenstored may still commit the
 * transaction. */
static void an_aborted_addition_holds_the_lock_until_its_transaction_has_ended(scene *s)
{
    const libxl_domid domid = guest_new(s->ctx, "b", true);
    disk_make_image();
    char *number = simulation("loop take " DISK_IMAGE), block[32];
    snprintf(block, sizeof(block), "/dev/loop%d", atoi(number));
    libxl_device_disk disk = disk_of("xvda", block);
    struct undos undos = {0};
    working = s->ctx->xen->transport;
    libxl__xs_transport transport = *working;
    transport.run = run_others;
    transport.withdraw = withdraw_others;
    transport.uncommitted = uncommitted_others;
    s->ctx->xen->transport = &transport;
    libxl__ctx_set_phase_hook(s->ctx, on_moment, &undos);

    op *o = START(s, libxl_device_disk_add, s->ctx, domid, &disk, how);
    for (int i = 0; i < WITHIN_MS && !is_committing(s); i++)
        pump(s, 1);
    assert_true(is_committing(s));
    assert_int_equal(libxl_ao_abort(s->ctx, op_how(o)), 0);
    for (int i = 0; i < WITHIN_MS && !undos.host; i++)
        pump(s, 1);
    assert_true(undos.host);
    /* The undo of the phase `host` has run, because it runs with the context locked. */
    libxl__ctx_lock(s->ctx);
    assert_false(undos.overtook);
    assert_int_equal(libxl__block_lock_try(), -1);
    assert_int_equal(errno, EWOULDBLOCK);
    libxl__xs_batch *batch = committing;
    committing = NULL;
    s->ctx->xen->transport = working;
    assert_int_equal(working->run(s->ctx, batch), 0);
    libxl__ctx_leave(s->ctx);
    assert_int_equal(op_result(o), ERROR_ABORTED);
    libxl__block_lock_release(take_lock());
    disk_check_gone(domid);

    libxl__ctx_set_phase_hook(s->ctx, NULL, NULL);
    libxl_device_disk_dispose(&disk);
    guest_destroy(s->ctx, domid);
    simulate("loop free %d", atoi(number));
    free(number);
}

static const body bodies[] = {
    BODY(one_operation_tries_and_the_others_wait_in_order, ASYNCHRONOUS | ALONE),
    BODY(the_message_of_a_failed_wait_names_the_lock, ASYNCHRONOUS | ALONE),
    BODY(an_aborted_addition_holds_the_lock_until_its_transaction_has_ended, ASYNCHRONOUS | ALONE),
    BODY(the_pauses_grow_up_to_the_limit, NO_CONTEXT),
};

HARNESS_MAIN(bodies)
