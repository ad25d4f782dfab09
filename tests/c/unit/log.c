/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The messages that the library gives to the application's logger. */
#include "core.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>

struct noting {
    /* The first member, because the library passes a pointer to it that the functions cast to the
     * structure. */
    xentoollog_logger vtable;
    int calls, levels;
    bool formatted;
};

static void note(xentoollog_logger *logger, xentoollog_level level, int errnoval, const char *context,
                 const char *format, va_list values)
{
    struct noting *n = (struct noting *)logger;
    (void)errnoval, (void)values;
    n->calls++;
    n->levels |= 1 << level;
    n->formatted |= !strchr(format, '%');
    assert_string_equal(context, "libxl");
}

static void ignore_progress(xentoollog_logger *logger, const char *context, const char *doing, int percent,
                            unsigned long done, unsigned long total)
{
    (void)logger, (void)context, (void)doing, (void)percent, (void)done, (void)total;
}

static int failing_body(libxl__ao *ao, void *args)
{
    (void)args;
    return libxl__ao_fail(ao, ERROR_KERNEL, "%s: no good", "the kernel");
}

static const libxl__ao_class failing_class = {
    .name = "failing", .body = failing_body, .args_size = sizeof(void *), .slow = true};

/* The library cannot know which levels the logger prints. So the library passes the format and the arguments
 * to the logger. */
static void the_logger_formats_what_it_prints(scene *s)
{
    struct noting n = {.vtable = {.vmessage = note, .progress = ignore_progress}};
    libxl_ctx *ctx;
    assert_int_equal(libxl__ctx_create(&ctx, &n.vtable), 0);
    assert_int_equal(core_begin(ctx, &failing_class, NULL, NULL), ERROR_KERNEL);
    assert_string_equal(libxl_error_message(), "the kernel: no good (failing 0)");
    assert_true(n.calls > 0);
    assert_false(n.formatted);
    assert_true(n.levels & 1 << XTL_ERROR);
    core_close(ctx);
    (void)s;
}

/* A recurring line is logged again after ten seconds, with the number of lines that were omitted. The test
 * does not wait. It moves the time of the first line back. */
static void recurring_lines_are_counted(scene *s)
{
    enum { TIMES = 1000 };
    struct noting n = {.vtable = {.vmessage = note, .progress = ignore_progress}};
    libxl__recurring line = {.logged_at = 0};
    libxl_ctx *ctx;
    assert_int_equal(libxl__ctx_create(&ctx, &n.vtable), 0);
    libxl__ctx_lock(ctx);
    const int before = n.calls;
    for (int i = 0; i < TIMES; i++)
        assert_int_equal(libxl__log_recurring(ctx, &line, XTL_ERROR, -1, "again"), i == 0);
    assert_int_equal(n.calls, before + 1);
    assert_int_equal(line.left_out, TIMES - 1);
    line.logged_at -= LIBXL__SECONDS(10);
    assert_true(libxl__log_recurring(ctx, &line, XTL_ERROR, -1, "again"));
    assert_int_equal(n.calls, before + 2);
    assert_int_equal(line.left_out, 0);
    libxl__ctx_unlock(ctx);
    core_close(ctx);
    (void)s;
}

/* ---- the queue of messages */

static bool is_readable(const libxl_log_queue *queue)
{
    struct pollfd polled = {.fd = libxl_log_queue_fd(queue), .events = POLLIN};
    assert_true(poll(&polled, 1, 0) >= 0);
    return polled.revents & POLLIN;
}

static void expect_message(libxl_log_queue *queue, const char *text, int level, const char *operation,
                           uint32_t domid)
{
    assert_true(is_readable(queue));
    libxl_log_message *message = libxl_log_queue_take(queue);
    assert_non_null(message);
    assert_string_equal(message->text, text);
    assert_string_equal(message->source, "libxl");
    assert_int_equal(message->level, level);
    assert_int_equal(message->domid, domid);
    assert_int_equal(!message->operation, !operation);
    if (operation)
        assert_string_equal(message->operation, operation);
    libxl_log_message_free(message);
}

static void the_queue_keeps_the_oldest_and_counts_the_others(scene *s)
{
    enum { CAPACITY = 3, MORE = 5 };
    static const char *const texts[] = {"0", "1", "2"};
    libxl_log_queue *queue;
    libxl_ctx *ctx;
    assert_int_equal(libxl_log_queue_alloc(&queue, XTL_WARN, 0), ERROR_INVAL);
    assert_int_equal(libxl_log_queue_alloc(&queue, XTL_WARN, CAPACITY), 0);
    assert_int_equal(libxl__ctx_create(&ctx, libxl_log_queue_logger(queue)), 0);
    assert_false(is_readable(queue));
    for (int i = 0; i < CAPACITY + MORE; i++)
        libxl__log(ctx, XTL_WARN, -1, "%d", i);
    for (int i = 0; i < CAPACITY; i++)
        expect_message(queue, texts[i], XTL_WARN, NULL, UINT32_MAX);
    assert_null(libxl_log_queue_take(queue));
    assert_false(is_readable(queue));
    assert_int_equal(libxl_log_queue_dropped(queue), MORE);
    assert_int_equal(libxl_log_queue_dropped(queue), 0);
    libxl__log(ctx, XTL_ERROR, -1, "after");
    expect_message(queue, "after", XTL_ERROR, NULL, UINT32_MAX);
    core_close(ctx);
    libxl_log_queue_free(queue);
    (void)s;
}

static void the_queue_keeps_what_its_level_asks_for(scene *s)
{
    libxl_log_queue *queue;
    libxl_ctx *ctx;
    assert_int_equal(libxl_log_queue_alloc(&queue, XTL_WARN, 8), 0);
    assert_int_equal(libxl__ctx_create(&ctx, libxl_log_queue_logger(queue)), 0);
    libxl__log(ctx, XTL_NOTICE, -1, "not wanted");
    libxl_log_queue_set_level(queue, XTL_DEBUG);
    errno = EBUSY;
    libxl__log(ctx, XTL_DEBUG, ENOENT, "line\n%c", 7);
    assert_int_equal(errno, EBUSY);
    expect_message(queue, "line\\x0a\\x07: No such file or directory", XTL_DEBUG, NULL, UINT32_MAX);
    assert_int_equal(libxl_log_queue_dropped(queue), 0);
    core_close(ctx);
    libxl_log_queue_free(queue);
    (void)s;
}

struct logging_job {
    libxl__job job;
    bool done;
};

static void log_on_the_worker(libxl_ctx *ctx, libxl__job *job)
{
    libxl__log(ctx, XTL_INFO, -1, "on the worker");
    LIBXL__CONTAINER(job, struct logging_job, job)->done = true;
}

struct logging {
    libxl__lane *lane;
    struct logging_job job;
};

static int logging_body(libxl__ao *ao, void *args)
{
    struct logging *l = *(struct logging **)args;
    if (l->job.done)
        return libxl__ao_fail(ao, ERROR_KERNEL, "no good");
    if (l->job.job.state != LIBXL__JOB_IDLE)
        return LIBXL__AO_WAIT;
    l->job.job.work = log_on_the_worker;
    libxl__log(ao->ctx, XTL_INFO, -1, "about nothing");
    return libxl__job_submit(l->lane, ao, &l->job.job) ? ERROR_FAIL : LIBXL__AO_WAIT;
}

static const libxl__ao_class logging_class = {
    .name = "logging", .body = logging_body, .args_size = sizeof(void *), .slow = true};

/* A message of an operation names the operation, also if a worker of the operation logs it. */
static void messages_name_their_operation(scene *s)
{
    libxl_log_queue *queue;
    libxl_ctx *ctx;
    libxl__lane lane = {.ctx = NULL};
    assert_int_equal(libxl_log_queue_alloc(&queue, XTL_INFO, 8), 0);
    assert_int_equal(libxl__ctx_create(&ctx, libxl_log_queue_logger(queue)), 0);
    libxl__lane_open(ctx, &lane, "logging", 1, false);
    struct logging logging = {.lane = &lane};
    assert_int_equal(core_begin(ctx, &logging_class, &logging, NULL), ERROR_KERNEL);
    expect_message(queue, "about nothing", XTL_INFO, NULL, UINT32_MAX);
    expect_message(queue, "on the worker", XTL_INFO, "logging", 0);
    expect_message(queue, "no good (logging 0)", XTL_ERROR, "logging", 0);
    libxl__log(ctx, XTL_INFO, -1, "again about nothing");
    expect_message(queue, "again about nothing", XTL_INFO, NULL, UINT32_MAX);
    core_close(ctx);
    libxl_log_queue_free(queue);
    (void)s;
}

static const body bodies[] = {
    BODY(messages_name_their_operation, RUNS_ONCE),
    BODY(the_queue_keeps_the_oldest_and_counts_the_others, RUNS_ONCE),
    BODY(the_queue_keeps_what_its_level_asks_for, RUNS_ONCE),
    BODY(recurring_lines_are_counted, RUNS_ONCE),
    BODY(the_logger_formats_what_it_prints, RUNS_ONCE),
};

HARNESS_MAIN(bodies)
