/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The messages that the library gives to the application's logger. */
#include "core.h"

#include <stdarg.h>

struct noting {
    xentoollog_logger vtable; /* Must be the first member, because the library has only a pointer to it. */
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

/* Only the logger knows which levels it prints. So the logger formats the message. */
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

static const body bodies[] = {
    BODY(recurring_lines_are_counted, RUNS_ONCE),
    BODY(the_logger_formats_what_it_prints, RUNS_ONCE),
};

HARNESS_MAIN(bodies)
